"""The edges touch the world: each implements a port or serves a protocol, and none knows another."""

"""The systems whose routes are steered: one folder each, pure translation, no input or output."""

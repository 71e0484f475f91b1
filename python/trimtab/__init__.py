"""Trimtab keeps the weights of weighted mesh routes right, from live evidence."""

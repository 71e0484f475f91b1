"""The core decides. No input or output, no clock, no chance, no libraries of the edges."""

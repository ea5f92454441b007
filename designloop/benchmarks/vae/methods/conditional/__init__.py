"""Conditional generation: a closed form, cells and images."""

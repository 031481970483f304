"""A small charity."""

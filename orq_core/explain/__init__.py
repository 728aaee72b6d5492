"""Seeing the stack: which plugins there are, and what a call would become."""

"""Frozen nouns of the domain. Standard library only; no I/O, no clock, no randomness."""

"""Readers: bytes of a file to rows of cells, or to documents."""

"""Bytes to model and back: pure, total, fuzzed."""

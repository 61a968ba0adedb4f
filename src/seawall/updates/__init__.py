"""Signed releases and roll-outs."""

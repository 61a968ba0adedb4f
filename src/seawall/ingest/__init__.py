"""Verify, refuse replays, batch, commit, acknowledge: in this order."""

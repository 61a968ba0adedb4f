"""Settings, wiring and the running service."""

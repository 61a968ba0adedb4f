"""Pages, HTTP API and live events."""

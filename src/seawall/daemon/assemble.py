"""All wiring: the one module that names drivers."""

"""Reads firmware folders: source, configuration, keys, versions. Pure, and never keeps a secret."""

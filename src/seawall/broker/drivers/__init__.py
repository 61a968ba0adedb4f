"""Broker drivers."""

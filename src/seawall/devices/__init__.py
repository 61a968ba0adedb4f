"""Devices: their life, their sensors, and the folder that goes onto a board."""

"""The device agent of Seawall, for MicroPython."""

"""MQTT 3.1.1 and 5.0 as pure machines: bytes in, bytes and events out."""

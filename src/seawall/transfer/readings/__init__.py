"""Tables of old measurements to readings and back: times, zones, units, identity. Pure."""

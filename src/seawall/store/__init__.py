"""Where readings, devices, refusals, events and users are kept."""

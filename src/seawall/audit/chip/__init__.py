"""Reads what a chip was built and burned with: sdkconfig and eFuse summaries. Pure."""

"""The ten weaknesses, checked with evidence and a fix."""

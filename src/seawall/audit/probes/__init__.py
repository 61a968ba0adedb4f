"""Jobs: the only part of the audit that touches networks, files and programs."""

"""What goes onto a board, and how a device lives in the registry."""

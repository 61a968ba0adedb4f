"""Takes the place of seawall_guard/watch_board.py in the sweep: time and power are the world's."""

import world


def start(trial, seconds):
    """Begin to watch; the world calls `trial.fail` when it is time."""


def restart(trial):
    """Reset a board."""
    world.reset()

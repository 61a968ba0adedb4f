# Added to seawall_guard/boot.py in the sweep: time and power are the world's.
def watch(trial, seconds):
    """Begin to watch; the world calls `trial.fail` when it is time."""


def restart():
    """Reset a board."""
    import world

    world.reset()

"""Takes the place of seawall_agent/tuf.py in the story of updates; `trusting` has the real one."""

import world


async def refresh(folder, fetch, now_s):
    """Do nothing: what the world offers is signed."""


async def find(folder, fetch, now_s, target):
    """Return length, SHA-256 and custom members of a manifest."""
    return world.device.find(target)

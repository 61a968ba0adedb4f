"""Takes the place of seawall_agent/download.py in the sweep: the same port, without a network."""

import os

import world


class Stop(Exception):
    """An update ends here: state, reason, and whether to try again later."""


class Source:
    """The server's repository."""

    def __init__(self, agent, host):
        pass

    def close(self):
        """Hang up."""

    async def get(self, path, start, limit, sink):
        """Hand over a file from byte ``start`` on, in pieces."""
        data = world.device.file(path)
        if data is None:
            return None
        for at in range(start, len(data), 900):
            sink(memoryview(data)[at : at + 900])
        return len(data)

    async def save(self, path, limit, name):
        """Save a file; return its length, or None if there is none."""
        with open(name, "wb") as f:
            found = await self.get(path, 0, limit, f.write)
        if found is None:
            os.unlink(name)
        return found

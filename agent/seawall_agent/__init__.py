"""The device agent of Seawall, for MicroPython.

Memory decides the shape. What is needed all the time is imported: app, link,
outbox, signer and sensors. What is needed now and then is read from flash by
`load`, used and forgotten; so are constructors, which is why resident classes
have none, and assembling.py and what it loads fill them in.
"""

import gc
import sys
from hashlib import sha256  # noqa: F401  named once, for all that hash
sys.modules.pop("asyncio.core", None)
from asyncio import core  # all that we need; the package around it would take 600 bytes

del sys.modules["asyncio"]
# Collected this often, garbage does not push what stays into the pieces that TLS sockets need.
gc.threshold(gc.mem_free() // 16)
core.Loop = core.TimeoutError = None  # for what we have none of: tasks that raise, wait_for


def load(name):
    """Return a module of this package without keeping it: its code goes with its last user."""
    gc.collect()  # it fits best when what went before is out of the way
    full = "seawall_agent." + name
    module = __import__(full, None, None, (name,))
    del sys.modules[full]
    del globals()[name]
    return module


def log(*words):
    """Print a line."""
    print("seawall:", *words)

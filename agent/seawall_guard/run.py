"""The guard: what main.py does before and after the code of a slot runs.

Nothing of it stays in memory beside that code, unless it is on trial. What a
trial takes is in boot.py. The record of slots.py is read here, as far as it takes
to choose a slot.
"""

import gc
import sys
from binascii import crc32


def load(name):
    """Return a module of the guard."""
    return getattr(__import__("seawall_guard." + name), name)


def begin():
    """Choose a slot, and put it first in the path; return the trial if it is one, or None."""
    trial = None
    slot = choose()
    if not slot:
        slot, trial = load("boot").begin()
    sys.path.insert(0, slot)
    forget()
    return trial


def end(trial, status):
    """Judge how the code ended; return an exit status, or None: start again."""
    if trial:
        trial.ended = True
    sys.path.pop(0)
    if isinstance(status, KeyboardInterrupt):
        status = 0
    forget()
    if not trial and status == 75:
        return None  # it wants to be started again
    if trial or status:
        status = load("boot").end(trial, status)
    forget()
    return status


def forget():
    """Forget the guard's modules, and those of a slot."""
    for name in list(sys.modules):
        path = getattr(sys.modules[name], "__file__", None) or ""
        if name.startswith("seawall_") or path[:2] in ["a/", "b/"]:
            del sys.modules[name]
    gc.collect()


def read(name):
    """Return the start of a file, or None."""
    try:
        with open(name, "rb") as f:
            return f.read(121)
    except OSError:
        return None


def newest():
    """Return the members of the newest whole record, all but the first as text."""
    best = [0, "a", "-"]
    for name in ["state/slot0", "state/slot1"]:
        data = read(name)
        if data and len(data) == 120 and b"%08x" % crc32(data[:112]) == data[112:]:
            found = data[:112].decode().split()
            found[0] = int(found[0])
            if found[0] > best[0]:
                best = found
    return best


def choose():
    """Return the slot that runs, or "" if one is on trial."""
    state, slot, trial = newest()[:3]
    if trial != "-":
        return ""
    if not state and not read("a/manifest.json"):
        return "b"  # all is lost that said which; and a slot in the making has no manifest
    return slot

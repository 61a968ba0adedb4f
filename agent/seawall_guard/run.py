"""The guard: what main.py does before and after the code of a slot runs.

Nothing of it stays in memory beside that code, unless it is on trial. What a
trial takes is in boot.py.
"""

import gc
import sys

from .record import choose


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
        if name.startswith("seawall_") or path[:2] in ("a/", "b/"):
            del sys.modules[name]
    gc.collect()

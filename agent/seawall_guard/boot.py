"""What the guard does before and after the code of a slot runs; see main.py.

A trial's code is watched from outside of its event loop (watch.py): once it
could have proved itself for as long as it was given, and has not, it is rolled
back, whatever it is doing.
"""

import gc
import os
import sys

from .slots import Files, Slots

AGAIN = 75  # what a slot returns in order to be started again


class Trial:
    """What the code on trial gets of the guard.

    Attributes:
        slots: The state of selection.
        reason: Why it will be rolled back if it is not confirmed; the code may know better.
        over: Whether it has been confirmed or rolled back; or this boot is over.
        back: Whether it has been rolled back.
        ended: Whether its code has ended.
    """

    def __init__(self, slots):
        self.slots = slots
        self.reason = "no-connection"
        self.over = self.back = self.ended = False

    def confirm(self):
        """The version has proved itself."""
        if not self.over:
            self.over = True
            self.slots.confirm()

    def fail(self, reason=None):
        """Roll back, unless it is over; return whether it was."""
        if self.over:
            return False
        self.over = self.back = True
        roll_back(self.slots, reason or self.reason)
        return True


def roll_back(slots, reason):
    """Let the old version boot next."""
    print("seawall: version %s rolled back: %s" % (slots.version, reason))
    image = slots.trial
    slots.roll_back(reason)
    if image > "b":
        load("partition").back(image)


def load(name):
    """Return a module of the guard."""
    return getattr(__import__("seawall_guard." + name), name)


def begin():
    """Choose a slot and put it first in the path.

    Returns:
        The `Trial` if it is one, and the names of the modules that are not of the slot.
    """
    try:
        os.mkdir("state")
    except OSError:
        pass
    slots = Slots(Files("state/"))
    slot = slots.live
    trial = None
    try:
        if slots.trial > "b" and not load("partition").runs(slots.trial):
            roll_back(slots, "boot-loop")  # the boot loader has done it already
        elif slots.trial != "-":
            if slots.tries:
                slots.burn_try()
                trial = Trial(slots)
                if slots.trial < "c":
                    slot = slots.trial
            else:
                roll_back(slots, "boot-loop")
    except OSError:
        pass  # a try that cannot be burnt is not had
    if not slots.seq and not is_whole(slot) and is_whole("b"):
        slot = "b"  # both copies of the state are lost, and what they said of slot a
    sys.path.insert(0, slot)
    kept = list(sys.modules)
    if trial:
        load("watch").start(trial, slots.trial_s)
    gc.collect()
    return trial, kept


def is_whole(slot):
    """Return whether a slot was ever completed: its manifest is the last that is written."""
    try:
        os.stat(slot + "/manifest.json")
        return True
    except OSError:
        return False


def end(trial, kept, status):
    """Judge how a slot's code ended.

    Args:
        trial: As `begin` returned it.
        kept: Likewise.
        status: What the code returned; 0 if Ctrl-C ended it; or its exception.

    Returns:
        An exit status, or None: start again.
    """
    sys.path.pop(0)
    for name in list(sys.modules):
        if name not in kept:
            del sys.modules[name]
    gc.collect()
    if isinstance(status, BaseException):
        sys.print_exception(status)
        status = 1
    again = status == AGAIN
    if trial:
        if not again and status != 0:
            trial.fail("crashed")
        trial.over = trial.ended = True
        again = again or trial.back
    if not again:
        return status
    load("watch").restart()
    return None

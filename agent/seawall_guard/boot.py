"""What the guard does about a trial: begins it, judges how its code ended, rolls it back.

A trial's code is watched from outside of its event loop: once it could have proved
itself for as long as it was given, and has not, it is rolled back, whatever it is
doing: see watch_board.py and watch_unix.py, of which a device has one.
"""

import sys

from .run import load
from .slots import Slots


class Trial:
    """What the code on trial gets of the guard.

    Attributes:
        slots: The state of selection.
        reason: Why it will be rolled back if it is not confirmed; the code may know better.
        over: Whether it has been confirmed or rolled back; or this boot is over.
        back: Whether it has been rolled back.
        ended: Whether its code has ended.
        watched: Whether a thread watches it; see watch_unix.py.
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

    def fail(self, reason):
        """Roll back, unless it is over; return whether it was."""
        if self.over:
            return False
        self.over = self.back = True
        slots = self.slots
        print("seawall: version %s rolled back: %s" % (slots.version, reason))
        image = slots.trial
        try:
            slots.roll_back(reason)
            if image > "b":
                load("partition").back(image)
        except OSError:
            pass  # its tries run out
        return True


def _watch():
    # A bundle has one of them.
    try:
        return load("watch_board")
    except ImportError:
        return load("watch_unix")


def begin():
    """Burn a try, or roll back; return the slot to run, and the `Trial` if it is one."""
    slots = Slots()
    slot = slots.trial
    trial = Trial(slots)
    try:
        if slot > "b" and not load("partition").runs(slot):
            trial.fail("boot-loop")  # the boot loader has gone back by itself
        elif slots.tries:
            slots.burn_try()
            _watch().start(trial, slots.trial_s)
            return (slots.live if slot > "b" else slot), trial
        else:
            trial.fail("boot-loop")
            if slot > "b":
                _watch().restart(trial)
    except OSError:
        pass  # a try that cannot be burnt is not had
    return slots.live, None


def end(trial, status):
    """Judge how a slot's code ended.

    Args:
        trial: As `begin` returned it.
        status: What the code returned; 0 if Ctrl-C ended it; or its exception.

    Returns:
        An exit status, or None: start again.
    """
    if isinstance(status, BaseException):
        sys.print_exception(status)
        status = 1
    again = status == 75
    if trial:
        if not again and status != 0:
            trial.fail("crashed")
        again = again or trial.back
        if again:
            trial.over = True
    if not again:
        return status
    _watch().restart(trial)
    return None

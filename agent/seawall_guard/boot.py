"""What the guard does about a trial: begins it, judges how its code ended, rolls it back.

A trial's code is watched from outside of its event loop: once it could have proved
itself for as long as it was given, and has not, it is rolled back, whatever it is
doing.

On a board a timer counts, and feeds the watchdog: if timers stand still too, the
board resets. Time without a network counts a tenth: it may be the network's fault.

On a computer a thread counts. It ends the code by SIGINT, which reaches loops and
waits, and what ignores that by SIGKILL: then somebody else has to start the device
again. Nothing outside of MicroPython watches the process.
"""

import os
import sys
import time

from .run import load
from .slots import Files, Slots


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

    def fail(self, reason):
        """Roll back, unless it is over; return whether it was."""
        if self.over:
            return False
        self.over = self.back = True
        slots = self.slots
        print("seawall: version %s rolled back: %s" % (slots.version, reason))
        image = slots.trial
        slots.roll_back(reason)
        if image > "b":
            load("partition").back(image)
        return True


def begin():
    """Burn a try, or roll back; return the slot to run, and the `Trial` if it is one."""
    slots = Slots(Files("state/"))
    slot = slots.trial
    trial = Trial(slots)
    try:
        if slot > "b" and not load("partition").runs(slot):
            trial.fail("boot-loop")  # the boot loader has gone back by itself
        elif slots.tries:
            slots.burn_try()
            watch(trial, slots.trial_s)
            return (slots.live if slot > "b" else slot), trial
        else:
            trial.fail("boot-loop")
            if slot > "b":
                restart()
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
        trial.over = True
        again = again or trial.back
    if not again:
        return status
    restart()
    return None


def watch(trial, seconds):
    """Roll a trial back unless it is over in time."""
    try:
        from machine import WDT, Timer
    except ImportError:
        import _thread

        _thread.start_new_thread(_wait, (trial, seconds))
        return
    dog = WDT(timeout=8000)  # about as long as an RP2 can
    left = [10 * seconds]

    def tick(_):
        dog.feed()
        if trial.over:
            return
        left[0] -= 10 if _is_online() else 1
        if left[0] <= 0:
            try:
                trial.fail(trial.reason)
            finally:
                restart()

    timer = Timer(-1 if sys.platform == "rp2" else 0)
    timer.init(period=1000, callback=tick)


def _is_online():
    try:
        import network

        return network.WLAN(network.STA_IF).isconnected()
    except (ImportError, AttributeError):
        return True


def _wait(trial, seconds):
    for _ in range(seconds * 4):
        time.sleep(0.25)
        if trial.over:
            return
    if not trial.fail(trial.reason):
        return
    for signal in ["INT", "INT", "INT", "KILL"]:
        try:
            # Not from within system(), during which we ignore SIGINT.
            os.system("p=$PPID; (sleep .1; kill -%s $p) &" % signal)
            for _ in range(8):
                time.sleep(0.25)
                if trial.ended:
                    return
        except KeyboardInterrupt:
            pass  # it can hit this thread as well: once more


def restart():
    """Reset a board."""
    try:
        from machine import reset
    except ImportError:
        return  # on a computer main.py goes on
    reset()

"""What a device's code meets outside: the server, the broker, time and power."""

import time

device = None  # the `device.Device` that runs now
ahead_ms = 0  # of real time: nobody waits here


class PowerOff(BaseException):
    """The power is gone: nothing that a program does from here on reaches the flash."""


class Waiting:
    """Makes time pass at once when nothing else is to be done; the event loop waits by it."""

    def wait_io_event(self, dt):
        """Wait."""
        global ahead_ms
        ahead_ms += max(dt, 0)


def ticks():
    """Return the time that the event loop goes by."""
    return time.ticks_add(time.ticks_ms(), ahead_ms)


def begin_loop(core):
    """Have an event loop of a device's own go by our time."""
    core.ticks = ticks
    core.IOQueue = Waiting
    core.new_event_loop()


def run(version, trial):
    """Do what the application in a slot does."""
    return device.live(version, trial)


def reset():
    """Cut the power, as `machine.reset` does to a program."""
    device.stage.flash.is_off = True
    raise PowerOff

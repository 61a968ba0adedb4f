"""Watches a trial from outside of its event loop.

On a board a timer counts, and feeds the watchdog: if timers stand still too, the
board resets. Time without a network counts a tenth: it may be the network's fault.

On a computer a thread counts. It ends the code by SIGINT, which reaches loops and
waits, and what ignores that by SIGKILL: then somebody else has to start the device
again. Nothing outside of MicroPython watches the process.
"""

import os
import sys
import time


def start(trial, seconds):
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
    for signal in ("INT", "INT", "INT", "KILL"):
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

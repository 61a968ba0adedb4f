"""Watches a trial on a board, from outside of its event loop.

A timer counts, and feeds the watchdog: if timers stand still too, the board resets.
Time without a network counts a tenth: it may be the network's fault.
"""

import sys

from machine import WDT, Timer, reset


def start(trial, seconds):
    """Roll a trial back unless it is over in time."""
    dog = WDT(timeout=8000)  # about as long as an RP2 can
    left = 10 * seconds

    def tick(_):
        nonlocal left
        dog.feed()
        if trial.over:
            return
        left -= 1
        try:
            import network

            if network.WLAN(network.STA_IF).isconnected():
                left -= 9
        except (ImportError, AttributeError):
            left -= 9
        if left <= 0:
            try:
                trial.fail(trial.reason)
            finally:
                reset()

    timer = Timer(-1 if sys.platform == "rp2" else 0)
    timer.init(period=1000, callback=tick)


def restart(trial):
    """Begin anew."""
    reset()

"""Watches a trial on a computer, from outside of its event loop: a thread counts.

It ends the code by SIGINT, which reaches loops and waits, and what ignores that by
SIGKILL: then somebody else has to start the device again. Nothing outside of
MicroPython watches the process.
"""

import os
import time
from _thread import start_new_thread


def start(trial, seconds):
    """Roll a trial back unless it is over in time."""
    trial.watched = True
    start_new_thread(_watch, (trial, seconds))


def _watch(trial, seconds):
    try:
        _wait(trial, seconds)
    finally:
        trial.watched = False


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


def restart(trial):
    """Let main.py go on, without the thread: what it has in registers keeps memory from collection."""
    while trial.watched:
        time.sleep(0.01)

"""How an attempt to update ends: with a trial, for good, or by being repeated."""

from micropython import const

from . import core, load, log

_ATTEMPTS = const(6)  # without progress


async def begin(source, slots, slot):
    """Put a slot, which is complete and verified, on trial."""
    tell = load("software").tell
    tell(source, "verified")
    tell(source, "trying")
    await core.sleep_ms(300)  # to be sent
    order = source.order
    boots = source.config.get("max_boots", 3)
    slots.begin_trial(slot, order["version"], order["n"], boots, order["trial_s"])
    if slot > "b":
        __import__("seawall_guard.partition").partition.other()[0].set_boot()
    source.agent.again = 75


def judge(error, failures):
    """Return state, reason and whether to try again later; None: to be repeated at once."""
    kind = type(error).__name__
    if kind == "Exception":
        return error.args
    log("update:", kind, error)
    if kind == "Refused":
        reason = error.args[0]
        return "refused", reason, reason in ("expired", "missing")
    if kind == "OSError" and error.errno == 28:
        return "failed", "flash-full", True
    if kind not in ("OSError", "MemoryError"):
        return "refused", "malformed", False
    if failures < _ATTEMPTS:
        return None
    return "failed", "network" if kind == "OSError" else "memory", True

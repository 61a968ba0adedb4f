"""Carries out an order to update; then the device starts again, with the other slot on trial.

Where an order ends, an Exception is raised that has state, reason, and whether to
try again later.
"""

import gc
import json

from seawall_guard.slots import numbers

from . import core, load, log

_ATTEMPTS = 6  # without progress


async def run(agent, slots, order):
    """Carry out an order."""
    failures = 0
    while failures < _ATTEMPTS:
        source = load("download").Source()
        source.agent = agent
        source.order = order
        try:
            await _carry_out(source, slots)
            return
        except MemoryError as error:
            log("update:", error)
            ended = "failed", "memory", True
        except OSError as error:
            log("update:", error)
            ended = "failed", "network", True
            if error.errno == 28:
                ended = "failed", "flash-full", True
                break
        except Exception as error:
            ended = error.args
            kind = type(error).__name__
            if kind == "Refused":
                ended = "refused", ended[0], ended[0] in ("expired", "missing")
            elif kind != "Exception":
                log("update:", kind, error)
                ended = "refused", "malformed", False
            break
        finally:
            source.close()
        failures = 0 if source.progress else failures + 1
        source = None
        gc.collect()
        await core.sleep_ms(500 << failures)
    software = load("software")
    software.write(software.outcome(order, *ended))
    software.go(agent, slots)


async def _carry_out(source, slots):
    order = source.order
    version = order["version"]
    with open("config.json") as f:
        config = json.load(f)
    source.board = config["board"]
    source.config = config = config["updates"]
    wanted = numbers(version)
    floor = numbers(slots.floor)
    if wanted < floor:
        raise Exception("refused", "version-floor", False)
    if slots.seq and wanted == floor:
        raise Exception("confirmed", None, None)  # it runs
    if not order["target"].startswith(source.board + "/"):
        raise Exception("refused", "wrong-board", False)
    digest = await load("metadata").find(source)
    source.tell("downloading", 0)
    gc.collect()
    await load("metadata").get_manifest(source, digest)
    gc.collect()
    slot = await load("build").build(source, slots.live)
    source.tell("verified")
    source.tell("trying")
    for _ in range(20):
        await core.sleep_ms(20)
    slots.begin_trial(slot, version, order["n"], config.get("max_boots", 3), order["trial_s"])
    if slot > "b":
        __import__("seawall_guard.partition").partition.other()[0].set_boot()
    source.agent.again = True

"""Carries out an order to update, a part after the other, each forgotten before the next.

Where an order ends, an Exception is raised that has state, reason, and whether to
try again later.
"""

import gc

from . import core, load


async def run(agent, slots, order):
    """Carry out an order: then the device starts again, or the server is told why not."""
    failures = 0
    ended = None
    while not ended:
        source = load("download").Source()
        source.agent = agent
        source.order = order
        try:
            found = await load("metadata").find(source, slots)
            gc.collect()
            await load("metadata").get_manifest(source, *found)
            gc.collect()
            slot = await load("build").build(source, slots.live)
            await load("ending").begin(source, slots, slot)
            return
        except Exception as error:
            ended = error
        source.close()
        gc.collect()
        failures = 0 if source.progress else failures + 1
        source = None
        ended = load("ending").judge(ended, failures)
        if not ended:
            await core.sleep_ms(500 << failures)
    software = load("software")
    software.write(software.outcome(order, *ended))
    software.go(agent, slots)

"""Carries out an order to update, a part after the other, each forgotten before the next.

Where an order ends, an Exception is raised that has state, reason, and whether to
try again later.
"""

import gc
import json
import os
import time

from seawall_guard.slots import numbers

from . import core, load

_MANIFEST = "state/manifest"


async def run(agent, slots, order):
    """Carry out an order: then the device starts again, or the server is told why not."""
    failures = 0
    ended = None
    while not ended:
        source = load("download").Source()
        source.agent = agent
        source.order = order
        try:
            await _get_manifest(source, *await _find(source, slots))
            gc.collect()
            slot = await load("build").build(source, slots.live)
            await load("software").begin(source, slots, slot)
            return
        except Exception as error:
            ended = error
        source.close()
        gc.collect()
        failures = 0 if source.progress else failures + 1
        source = None
        ended = load("software").judge(ended, failures)
        if not ended:
            await core.sleep_ms(500 << failures)
    software = load("software")
    software.write(software.outcome(order, *ended))
    software.go(agent, slots)


async def _find(source, slots):
    # Check the order, refresh the metadata; return SHA-256 and length of the manifest.
    with open("config.json") as f:
        config = json.load(f)
    source.board = config["board"]
    source.config = config["updates"]
    config = None
    order = source.order
    wanted = numbers(order["version"])
    floor = numbers(slots.floor)
    if wanted < floor:
        raise Exception("refused", "version-floor", False)
    if slots.seq and wanted == floor:
        raise Exception("confirmed", None, None)  # it runs
    if not order["target"].startswith(source.board + "/"):
        raise Exception("refused", "wrong-board", False)
    agent = source.agent
    now = agent.facts[4]  # what time it is at least
    if agent.ahead_ms is not None:
        now = max(now, (time.time_ns() // 1_000_000 + agent.ahead_ms) // 1000)
    try:
        os.mkdir("trust")
    except OSError:
        pass

    async def fetch(name, limit, path):
        return await source.save("metadata/" + name, limit, path)

    tuf = load("tuf")
    await tuf.refresh("trust/", fetch, now)
    length, digest, custom = await tuf.find("trust/", fetch, now, order["target"])
    tuf = None
    if custom.get("board") != source.board:
        raise Exception("refused", "wrong-board", False)
    if numbers(custom["version"]) != wanted:
        raise Exception("refused", "wrong-version", False)
    load("software").tell(source, "downloading", 0)
    return digest, length


async def _get_manifest(source, digest, length):
    # Have the manifest on flash.
    digest_of = source.digest_of
    if await digest_of(_MANIFEST) == digest:
        return
    folder, name = source.order["target"].split("/")
    path = "targets/%s/%s.%s" % (folder, digest.hex(), name)
    if length > 32_768 or await source.save(path, length, _MANIFEST) is None:
        raise Exception("failed", "missing", True)
    if await digest_of(_MANIFEST) != digest:
        raise Exception("refused", "wrong-hash", False)

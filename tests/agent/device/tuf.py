# Runs the TUF client as a line of JSON on stdin says; answers with a line each.
import json
import sys

import seawall_agent
from seawall_agent import core

counts = {"verified": 0}
honest_load = seawall_agent.load


def load(name):
    module = honest_load(name)
    if name in ("ecdsa", "rsa_pss", "ed25519"):
        counts["verified"] += 1
    return module


seawall_agent.load = load
tuf = load("tuf")


async def tick():
    while True:
        counts["ticks"] += 1
        await core.sleep_ms(0)


async def run(order):
    served = order.get("served", "")
    fetched = []

    async def fetch(name, limit, path):
        fetched.append(name)
        if order.get("offline"):
            raise OSError(113)
        try:
            with open(served + name, "rb") as f, open(path, "wb") as g:
                size = 0
                while data := f.read(min(256, limit - size)):
                    size += g.write(data)
                    await core.sleep_ms(0)
                if not f.read(1):
                    return size
                if order.get("patient"):
                    return size + 1
                raise tuf.Refused("endless-data")
        except OSError as error:
            if error.errno == 2:
                return None
            raise

    answer = {}
    try:
        core.create_task(tick())
        if order["do"] == "refresh":
            answer["changed"] = await tuf.refresh(
                order["folder"], fetch, order["now_s"], order["born"]
            )
        else:
            answer["found"] = await tuf.find(
                order["folder"], fetch, order["now_s"], order["target"]
            )
    except tuf.Refused as error:
        answer["refused"] = error.args[0]
    except OSError as error:
        answer["failed"] = error.errno
    if "found" in answer:
        length, digest, custom = answer["found"]
        answer["found"] = [length, "".join("%02x" % b for b in digest), custom]
    answer["fetched"] = fetched
    answer.update(counts)
    return answer


while line := sys.stdin.readline():
    counts.update({"verified": 0, "ticks": 0})
    core.new_event_loop()
    print(json.dumps(core.run(run(json.loads(line)))))

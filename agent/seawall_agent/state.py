"""What must survive a power cut: boot counter, interval, last command, time floor.

Two copies with a generation and a CRC; the older one is overwritten, so a cut
leaves at least one whole copy, on littlefs and on FAT alike.
"""

import struct
from binascii import crc32

from . import load, log

_FORMAT = "<IIIQQ"


def read():
    """Return the newer whole copy as a list: generation, boot, interval_ms, command, floor_s."""
    newest = [0, 0, 0, 0, 0]
    for copy in range(2):
        try:
            with open("state/%d" % copy, "rb") as f:
                data = f.read(33)
        except OSError:
            continue
        if len(data) == 32 and struct.pack("<I", crc32(data[:28])) == data[28:]:
            newest = max(newest, list(struct.unpack(_FORMAT, data[:28])))
    return newest


def write(facts):
    """Write the facts down as a new generation; they survive once this returns."""
    facts[0] += 1
    data = struct.pack(_FORMAT, *facts)
    with open("state/%d" % (facts[0] & 1), "wb") as f:
        f.write(data + struct.pack("<I", crc32(data)))
        f.flush()


def start(agent, config):
    """Read the facts, and count this boot."""
    agent.facts = facts = read()
    agent.ahead_ms = None
    agent.ntp = config["clock"]["use_ntp"] and config["clock"]["ntp"]
    if not agent.ntp:
        agent.board = None
        load("clock").take(agent, 0)
    # Counted on flash before it is used, and never below what was sent: a copy may be lost.
    facts[1] = max(facts[1] + 1, agent.outbox.boot + 1, config["first_boot"])
    write(facts)
    agent.interval_ms = facts[2] or config["interval_ms"]
    agent.seq = agent.told = agent.starved = 0
    agent.events = []
    agent.again = False
    log("boot=%d" % facts[1])

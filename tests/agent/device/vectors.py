# Judges the vectors that server and agent share. Arguments: the agent's folder, the vectors' folder.
import gc
import json
import sys
from binascii import hexlify, unhexlify

sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[1] + "/..")  # the guard, if that is a slot

from seawall_agent import load
from seawall_agent.commands import accept, unseal
from seawall_agent.sensors import Tmp36
from seawall_agent.signer import mac, seal
from seawall_agent.trust import pads_of


def rows(name):
    # Each row is a line, so that a board can read it.
    with open(sys.argv[2] + "/" + name) as f:
        for line in f:
            line = line.strip().rstrip(",")
            if line not in ("[", "]"):
                yield json.loads(line)


def judge(name, check):
    count = 0
    for row in rows(name):
        result = check(row)
        assert result is True, (name, row.get("name", row), result)
        count += 1
        gc.collect()
    print(name, count)


def hmac(row):
    want = unhexlify(row["mac"])
    got = mac(pads_of(unhexlify(row["key"])), unhexlify(row["data"]))
    return hexlify(got[: len(want)]) == hexlify(want)


def envelope(row):
    pads = pads_of(unhexlify(row["key"]))
    topic = row["topic"].encode()
    wire = unhexlify(row["wire"])
    body = unseal(wire, topic, pads)
    if row["verdict"] == "refuse":
        return body is None
    return body == unhexlify(row["body"]) and seal(pads, body, topic) == wire


def command(row):
    pads = pads_of(unhexlify(row["key"]))
    order = accept(unhexlify(row["wire"]), row["topic"].encode(), pads, row["last_n"])
    if row["verdict"] != "accept":
        return order == row["verdict"] or (order, row["verdict"])
    for member in ("cmd", "n", "ms", "boot", "seq"):
        if member in row and order[member] != row[member]:
            return order
    return True


def tmp36(row):
    if "raw" not in row:
        # A board whose ADC gives microvolts: the counts only mark the rails.
        row["raw"] = 1
    raw = row["raw"]
    uv = row.get("microvolts")
    if row.get("full_scale_uv"):
        if raw * row["full_scale_uv"] // row["divisor"] != uv:
            return "microvolts"
    sensing = load("sensing")
    sensor = sensing.tmp36({"formula": row["formula"], "samples": 5})
    sensor.format = "%s %d"
    sensor.correct = None
    sensor.top = row.get("top", 4095)
    sensor.read = lambda i: (raw, uv or 0)
    text = sensor.measure()
    if sensor.fault != row.get("fault", ""):
        return sensor.fault
    if sensor.fault:
        return text is None
    mc = row["temperature_mc"]
    n = (abs(mc) + 5) // 10
    want = "%s%d.%02d" % ("-" if mc < 0 and n else "", n // 100, n % 100)
    return text == "%s %d" % (want, raw) or text


judge("hmac.json", hmac)
judge("envelope.json", envelope)
judge("commands.json", command)
judge("tmp36.json", tmp36)

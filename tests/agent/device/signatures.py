# Verifies what lines of JSON on stdin ask for; answers each with 0 or 1, or the canonical form.
import gc
import io
import json
import sys
import time

sys.path.insert(0, sys.argv[1])

from binascii import hexlify, unhexlify

from seawall_agent import load


class Canonical:
    # Instead of a hash: keeps everything.
    def __init__(self):
        self.data = b""

    def update(self, data):
        self.data += data

    def digest(self):
        return self.data


while line := sys.stdin.readline():
    order = json.loads(line)
    if "json" in order:
        canonical = load("canonical")
        canonical.sha256 = Canonical
        try:
            document = canonical.Document(io.BytesIO(unhexlify(order["json"])))
            form = document.digest()
            print(hexlify(form).decode(), json.dumps(document.get()) if order["get"] else "")
        except ValueError:
            print("malformed")
        continue
    module = load(order["module"])
    key, digest, signature = (unhexlify(order[name]) for name in ("key", "digest", "sig"))
    verify = module.verify_point if len(key) == 65 else module.verify
    try:
        if "repeat" in order:
            gc.collect()
            start = time.ticks_us()
            for _ in range(order["repeat"]):
                verify(key, digest, signature)
            print(time.ticks_diff(time.ticks_us(), start) // order["repeat"])
        else:
            print(int(verify(key, digest, signature)))
    except (ValueError, IndexError):
        print("unreadable")

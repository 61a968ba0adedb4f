"""A device of the plain profile: a program for any computer with Python.

    seawall device add attic --profile plain
    seawall device bundle attic --out attic
    python examples/plain_client.py attic

Sends a reading every second, or as many as the second argument says. The server
stores each one exactly once, and says so by the acknowledgement that paho waits for.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

from seawall import create_tls_client, sign_payload, verify_payload


def measure() -> float:
    """Return a temperature in °C; put your sensor here."""
    return round(22 + 3 * math.sin(time.time() / 60), 2)


def main(bundle: Path, count: int | None = None) -> None:
    """Connect as the device whose bundle it is, and send readings."""
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    key = (bundle / "hmac.key").read_bytes()
    name, broker = config["device_id"], config["broker"]

    client = create_tls_client(
        name,
        ca_file=bundle / "ca.pem",
        cert_file=bundle / "cert.pem",
        key_file=bundle / "key.pem",
        pins=config["trust"]["pins"],
    )
    client.connect(broker["host"], broker["port"], keepalive=broker["keepalive_s"])
    client.loop_start()

    sent = 0
    while count is None or sent < count:
        # Without boot and seq, `ts` is what tells a reading from a replay: it must only grow.
        body = {"temp": measure(), "ts": time.time_ns() // 1_000_000}
        payload = sign_payload(body, key)
        if verify_payload(payload, key) != body:  # what the server will do
            sys.exit("this Python writes numbers otherwise than it reads them")

        told = client.publish(f"devices/{name}/readings", payload, qos=1)
        told.wait_for_publish(timeout=10)
        print("stored" if told.is_published() else "not acknowledged:", payload, flush=True)
        sent += 1
        time.sleep(1 if count is None else 0.01)

    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: plain_client.py BUNDLE [COUNT]")
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)

"""Gives an agent its link, at a start."""

import tls
from array import array

from .link import Link


def start(agent, config):
    """Give an agent its link, as the configuration describes it."""
    agent.link = made = Link()
    made.agent = agent
    made.outbox = agent.outbox
    made.topic = ("devices/%s/" % config["device_id"]).encode()
    broker = config.pop("broker")
    by_command = broker["ack"] == "stored"
    made.broker = (
        broker["host"],
        broker["port"],
        broker["server_name"],
        1000 * broker["keepalive_s"],
        1000 * broker["timeout_s"],
        1000 * broker["settle_s" if by_command else "timeout_s"],
        by_command,
    )
    made.spare = made.down = made.task = made.s = made.raw = None
    made.up = False
    made.buf = memoryview(bytearray(256))
    made.tries = made.next = made.done = 0
    made.old = agent.outbox.end
    made.ids = array("I", range(16))
    trust = config.pop("trust")
    mode = trust["mode"]
    made.pins = b"" if mode == "ca" else trust["pins"]
    # With pins alone an unknown issuer, another name and another date are forgiven; the verdict of
    # dial.judge never is.
    agent.context.verify_callback = None  # it outlives an agent that starts again in a handshake
    agent.context.verify_mode = tls.CERT_OPTIONAL if mode == "pin" else tls.CERT_REQUIRED
    agent.wifi = config["wifi"]["ssid"] and config["wifi"]

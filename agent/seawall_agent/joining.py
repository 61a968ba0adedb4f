"""Makes the Link of an agent, as the configuration describes it."""

import tls
from array import array

from .link import Link


def start(agent, config):
    """Give an agent its link."""
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
    made.down = made.task = made.s = None
    made.up = False
    made.buf = memoryview(bytearray(256))
    made.tries = made.next = made.done = 0
    made.old = agent.outbox.end
    made.ids = array("I", range(16))
    trust = config.pop("trust")
    mode = trust["mode"]
    made.pins = b"" if mode == "ca" else trust["pins"]
    if mode == "pin":
        # An unknown issuer, another name and another date are forgiven; dial.judge's verdict never is.
        agent.context.verify_mode = tls.CERT_OPTIONAL
    agent.wifi = config["wifi"]["ssid"] and config["wifi"]

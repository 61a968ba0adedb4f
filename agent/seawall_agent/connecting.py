"""Connects to the update endpoint: TCP, and TLS with the same trust as to the broker."""

import socket

from . import core, load
from .link import until


async def connect(source):
    """Give a source its socket; the first letter of a request is sent.

    Raises:
        OSError, ValueError: the network; or the server's certificate is not trusted.
    """
    config = source.config
    link = source.agent.link
    while not link.up:  # it has the TLS context while it connects
        await core.sleep_ms(100)
    found = socket.getaddrinfo(config["host"], config["port"], 0, socket.SOCK_STREAM)[0]
    source.raw = s = socket.socket(found[0], found[1])
    s.setblocking(False)
    try:
        s.connect(found[-1])
    except OSError as error:
        if error.errno not in (115, 119, 36):
            raise
    await until(core._io_queue.queue_write, s)
    context = source.agent.context
    judged = bytearray(1)
    context.verify_callback = load("dial").judge(link.pins, judged)
    try:
        name = config["server_name"]
        source.s = context.wrap_socket(s, server_hostname=name, do_handshake_on_connect=False)
        await source.step(source.s.write, b"G")  # makes the handshake
    finally:
        context.verify_callback = None
    if not judged[0]:
        raise OSError(-0x3000)

"""How a connection comes about: TCP, TLS, CONNECT."""

import gc
import socket
from struct import pack

from . import core, log, sha256
from .link import until


async def reach(owner, link, host, port, name):
    """Give an owner its sockets: ``raw``, and ``s``, whose first write makes the TLS handshake.

    Returns:
        A byte that is 1 once a leaf certificate was accepted. Until `let_go` is called, `judge` is
        the context's ``verify_callback``.
    """
    address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    owner.raw = owner.s = s = socket.socket(address[0], address[1])
    s.setblocking(False)
    try:
        s.connect(address[-1])
    except OSError as error:
        if error.errno not in [115, 119, 36]:  # EINPROGRESS: Linux, ESP32, macOS
            raise
    await until(core._io_queue.queue_write, s)
    judged = bytearray(1)
    context = link.agent.context
    while context.verify_callback:
        await core.sleep_ms(20)  # it judges another handshake, and would judge ours
    link.spare = None
    gc.collect()
    owner.s = context.wrap_socket(s, server_hostname=name, do_handshake_on_connect=False)
    context.verify_callback = judge(link.pins, judged)
    return judged


def let_go(link):
    """After a handshake that `reach` began, and never else: let another one be judged."""
    link.agent.context.verify_callback = None  # and it kept this module in memory


async def dial(link):
    """Connect; return when the server has accepted us, and subscribe to our commands."""
    judged = await reach(link, link, *link.broker[:3])
    try:
        s = link.s
        link.pinged = None
        link.end = link.skip = 0
        link.out = []
        # CONNECT (3.1): clean session; the will is retained and has QoS 1.
        link.put(
            0x10,
            pack(">H4sBBH", 4, b"MQTT", 4, 0x2E, link.broker[3] // 1000)
            + _text(link.topic[8:-1])
            + _text(link.topic + b"status")
            + _text(b'{"online":false}'),
        )
        while not link.flush():
            await until(core._io_queue.queue_write, s)
    finally:
        let_go(link)
    if not judged[0]:
        raise OSError(-0x3000)
    while link.end < 4:
        await until(core._io_queue.queue_read, s)
        count = s.readinto(link.buf[link.end : 4])
        if count == 0:
            raise OSError(104)
        link.end += count or 0
    _begin(link, bytes(link.buf[:4]))


def _begin(link, answer):
    if answer[:2] != b"\x20\2" or answer[3]:
        raise OSError(111, answer)
    log("connected")
    link.end = 0
    link.put(0x82, pack(">H", 65_001) + _text(link.topic + b"commands") + b"\1")
    status = _text(link.topic + b"status")
    link.put(0x33, status + pack(">H", 65_002) + b'{"online":true}')
    link.old = max(link.old, link.next)
    link.next = link.outbox.start
    link.up = True


def _text(data):
    return pack(">H", len(data)) + data


def judge(pins, judged):
    """Return a verify_callback of a ``tls.SSLContext``.

    Args:
        pins: SHA-256 of certificates, one after the other; the server's must be among them; or b"".
        judged: One byte, that becomes 1 when a leaf certificate was accepted.
    """

    def verdict(cert, depth):
        # Called from C for each certificate of the chain, the leaf (depth 0) last. It must not
        # raise: the exception would jump out of Mbed TLS. What it returns is "fatal"
        # (MBEDTLS_ERR_X509_FATAL_ERROR) whatever verify_mode says; its "verify failed"
        # CERT_OPTIONAL would forgive. Pins are public: comparing them needs no constant time.
        try:
            if depth:
                return 0
            if not pins or not pins.find(sha256(cert).digest()) % 32:
                judged[0] = 1
                return 0
        except Exception:
            pass  # no memory
        return -0x3000

    return verdict

"""HTTP/1.1 over mutual TLS, with the server's pins: as much as an update needs."""

import os
import socket
import time

from . import core, load

_STEP_MS = 10
_TIMEOUT_MS = 15_000


class Stop(Exception):
    """An update ends here: state, reason, and whether to try again later."""


class Source:
    """The server's repository.

    Attributes:
        agent: The device.
        host: (name, port, server name).
        s, raw: TLS socket and the socket below it, or None.
        rest: What was read beyond a response's head.
    """

    s = raw = None

    def __init__(self, agent, host):
        self.agent = agent
        self.host = host
        self.buf = bytearray(1024)

    async def _connect(self):
        host, port, name = self.host
        link = self.agent.link
        while not link.up:  # it has the TLS context while it connects
            await core.sleep_ms(100)
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
        self.raw = socket.socket(address[0], address[1])
        self.raw.setblocking(False)
        try:
            self.raw.connect(address[-1])
        except OSError as error:
            if error.errno not in (115, 119, 36):
                raise
        judged = bytearray(1)
        context = self.agent.context
        context.verify_callback = load("dial").judge(link.pins, judged)
        try:
            self.s = context.wrap_socket(
                self.raw, server_hostname=name, do_handshake_on_connect=False
            )
            await self._write(b"GET ")
        finally:
            context.verify_callback = None
        if not judged[0]:
            raise OSError(-0x3000)

    def close(self):
        """Hang up."""
        for s in (self.s, self.raw):
            if s:
                s.close()
        self.s = self.raw = None

    async def _write(self, data):
        end = time.ticks_add(time.ticks_ms(), _TIMEOUT_MS)
        while data:
            try:
                count = self.s.write(data)
            except OSError as error:
                if error.errno != 107:  # ENOTCONN: TCP has not connected yet
                    raise
                count = 0
            if count:
                data = data[count:]
            else:
                await self._pause(end)

    async def _pause(self, end):
        if time.ticks_diff(end, time.ticks_ms()) < 0:
            raise OSError(110)
        await core.sleep_ms(_STEP_MS)

    async def _read(self, buf):
        end = time.ticks_add(time.ticks_ms(), _TIMEOUT_MS)
        while True:
            count = self.s.readinto(buf)
            if count:
                return count
            if count == 0:
                raise OSError(104)
            await self._pause(end)

    async def get(self, path, start, limit, sink):
        """GET a file from byte ``start`` on.

        Args:
            path: Below the endpoint's root, without a slash before it.
            start: How much we have.
            limit: Most bytes of the whole.
            sink: Called with each piece, a memoryview.

        Returns:
            The length of the whole, or None if there is no such file.

        Raises:
            Stop: it is longer than ``limit``.
            OSError: the network, or a server that speaks no HTTP of ours.
        """
        try:
            fresh = not self.s
            if fresh:
                await self._connect()
            range_ = "Range: bytes=%d-\r\n" % start if start else ""
            text = "/%s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (path, self.host[2], range_)
            await self._write((text if fresh else "GET " + text).encode())
            return await self._answer(start, limit, sink)
        except BaseException:
            self.close()
            raise

    async def _answer(self, start, limit, sink):
        buf = memoryview(self.buf)
        end = 0
        while True:
            end += await self._read(buf[end:])
            head = bytes(buf[:end])
            at = head.find(b"\r\n\r\n")
            if at >= 0:
                break
            if end == len(buf):
                raise OSError(71)  # EPROTO
        status = head[9:12]
        length = None
        for line in head[:at].split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None or length < 0:
            raise OSError(71)
        left = length
        at += 4
        whole = length + start
        good = status == (b"206" if start else b"200")
        if good and whole > limit:
            raise Stop("refused", "endless-data", False)
        if not good and (length > 4096 or status not in (b"404", b"416")):
            raise OSError(71, status.decode())
        while True:
            piece = buf[at : min(end, at + left)]
            if good and len(piece):
                sink(piece)
            left -= len(piece)
            if left <= 0:
                break
            at = 0
            end = await self._read(buf[: min(left, len(buf))])
        return whole if good else None

    async def save(self, path, limit, name):
        """GET a small file to flash; return its length, or None if there is none."""
        with open(name, "wb") as f:
            found = await self.get(path, 0, limit, f.write)
        if found is None:
            os.unlink(name)
        return found

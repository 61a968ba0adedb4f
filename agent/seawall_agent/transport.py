"""A TCP connection, with TLS or without, that never blocks but for names (DNS)."""

import socket
from asyncio import core


async def readable(s):
    """Wait until there may be something to read."""
    yield core._io_queue.queue_read(s)


async def writable(s):
    """Wait until something may be written."""
    yield core._io_queue.queue_write(s)


class Transport:
    """One connection; cancel the awaiting task to give up."""

    def __init__(self, host, port):
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
        self._s = self._raw = socket.socket(address[0], address[1])
        self._address = address[-1]

    async def open(self, context, server_name):
        """Connect; ``context`` is a TLS context or None."""
        self._raw.setblocking(False)
        try:
            self._raw.connect(self._address)
        except OSError as error:
            if error.errno not in (115, 119, 36):  # EINPROGRESS: Linux, ESP32, macOS
                raise
        await writable(self._raw)
        if context:
            # The handshake is driven by the first reads and writes.
            self._s = context.wrap_socket(
                self._raw, server_hostname=server_name, do_handshake_on_connect=False
            )

    async def readinto(self, buf):
        """Read what there is, at least a byte; 0 at the end of the stream."""
        while True:
            await readable(self._s)
            count = self._s.readinto(buf)
            if count is not None:
                return count

    def write(self, buf):
        """Write what can be written now; None if nothing.

        After None, the same bytes must be given again (so Mbed TLS wants it).
        """
        return self._s.write(buf)

    async def drain(self, buf):
        """Write all of it."""
        while (count := self.write(buf)) != len(buf):
            if count:
                buf = buf[count:]
            await writable(self._s)

    def close(self):
        """Close at once. Idempotent."""
        for s in (self._s, self._raw):
            try:
                s.close()
            except OSError:
                pass

"""Carries out an order to update, a part after the other, each forgotten before the next.

Downloads are HTTP/1.1 over mutual TLS with the server's pins: as much as an update needs.

Where an order ends, an Exception is raised: with the reason if it is refused, else with state,
reason, and whether to try again later.
"""

import gc
import json
import time

from seawall_guard.slots import numbers

from . import core, load, sha256

_MANIFEST = "state/manifest"


class Source:
    """The server's repository, and who wants what of it.

    Attributes:
        agent: The device.
        order: That is being carried out.
        board: What the device is.
        config: Section ``updates`` of the configuration.
        percent: When to say next how far it has come.
        progress: Whether anything has come of what the device does not have yet; metadata, which
            each attempt begins with, is none.
        s, raw: TLS socket and the socket below it, or None.
    """

    s = raw = None
    percent = 0
    progress = False

    def close(self):
        """Hang up."""
        for s in (self.s, self.raw):
            if s:
                s.close()
        self.s = self.raw = None

    async def connect(self):
        """Connect; the first letter of a request is sent.

        Raises:
            OSError, ValueError: the network; or the server's certificate is not trusted.
        """
        config = self.config
        link = self.agent.link
        while not link.up:
            await core.sleep_ms(100)
        name = config["server_name"]
        dial = load("dial")
        judged = await dial.reach(self, link, config["host"], config["port"], name)
        try:
            await self.step(self.s.write, b"G")  # makes the handshake
        finally:
            dial.let_go(link)
        if not judged[0]:
            raise OSError(-0x3000)

    async def step(self, write, data):
        # Read or write some; 0 is the end.
        for _ in range(1500):
            count = write(data)
            if count:
                return count
            if count == 0:
                raise OSError(104)
            await core.sleep_ms(10)
        raise OSError(110)

    async def get(self, path, start, limit, sink):
        """GET a file from byte ``start`` on.

        Args:
            path: Below the endpoint's root.
            start: How much we have.
            limit: Most bytes of the whole.
            sink: Called with each piece, a memoryview.

        Returns:
            The length of the whole, or None if there is no such file.

        Raises:
            Exception: it is longer than ``limit``.
            OSError: the network, or a server that does not speak as ours.
        """
        at = self.s is None
        if at:
            await self.connect()
        text = "GET /%s HTTP/1.1\r\nHost: %s\r\nRange: bytes=%d-\r\n\r\n"
        text = (text % (path, self.config["server_name"], start)).encode()[at:]
        while text:
            text = text[await self.step(self.s.write, text) :]
        buf = memoryview(bytearray(512))
        end = 0
        at = -1
        while at < 0:
            end += await self.step(self.s.readinto, buf[end:])
            at = bytes(buf[:end]).find(b"\r\n\r\n")
        head = bytes(buf[:at]).lower()
        left = int(head[head.index(b"content-length:") + 15 :].split()[0])
        status = head[9:12]
        good = status == b"206" or status == b"200" and not start
        if good and start + left > limit:
            raise Exception("endless-data")
        if not good and (left > 4096 or status not in (b"404", b"416")):
            raise OSError(71, status)
        size = start + left
        at += 4
        while True:
            piece = buf[at : min(end, at + left)]
            if good and len(piece):
                sink(piece)
            left -= len(piece)
            if left <= 0:
                return size if good else None
            at = 0
            end = await self.step(self.s.readinto, buf[:left])

    async def take(self, path, start, limit, sink):
        """GET a target, which has to be there; see `get`."""
        if await self.get("targets/" + path, start, limit, sink) is None:
            raise Exception("failed", "missing", True)

    async def digest_of(self, path, sink=None):
        """Return the SHA-256 of a file, None if there is none; ``sink`` gets its pieces."""
        h = sha256()
        try:
            with open(path, "rb") as f:
                while data := f.read(255):
                    h.update(data)
                    if sink:
                        sink(data)
                    await core.sleep_ms(0)
        except OSError:
            if sink:
                raise
            return None
        return h.digest()


async def run(agent, slots, order):
    """Carry out an order: then the device starts again, or the server is told why not."""
    failures = 0
    ended = None
    while not ended:
        source = Source()
        source.agent = agent
        source.order = order
        try:
            await _get_manifest(source, *await _find(source, slots))
            gc.collect()
            slot = await load("build").build(source, slots.live)
            await load("software").begin(source, slots, slot)
            return
        except Exception as error:
            ended = error
        source.close()
        gc.collect()
        failures = 0 if source.progress else failures + 1
        source = None
        ended = load("software").judge(ended, failures)
        if not ended:
            await core.sleep_ms(500 << failures)
    software = load("software")
    software.write(software.outcome(order, *ended))
    software.go(agent, slots)


async def _find(source, slots):
    # Check the order, refresh the metadata; return SHA-256 and length of the manifest.
    with open("config.json") as f:
        config = json.load(f)
    source.board = config["board"]
    source.config = config["updates"]
    config = None
    order = source.order
    wanted = numbers(order["version"])
    floor = numbers(slots.floor)
    if wanted < floor:
        raise Exception("version-floor")
    if slots.seq and wanted == floor:
        raise Exception("confirmed", None, None)  # it runs
    if not order["target"].startswith(source.board + "/"):
        raise Exception("wrong-board")
    agent = source.agent
    now = agent.facts[4]  # what time it is at least
    if agent.ahead_ms is not None:
        now = max(now, (time.time_ns() // 1_000_000 + agent.ahead_ms) // 1000)

    async def fetch(name, limit, path):
        with open(path, "wb") as f:
            return await source.get("metadata/" + name, 0, limit, f.write)

    tuf = load("tuf")
    await tuf.refresh("trust/", fetch, now)
    length, digest, custom = await tuf.find("trust/", fetch, now, order["target"])
    tuf = None
    if custom.get("board") != source.board:
        raise Exception("wrong-board")
    if numbers(custom["version"]) != wanted:
        raise Exception("wrong-version")
    load("software").tell(source, "downloading", 0)
    return digest, length


async def _get_manifest(source, digest, length):
    # Have the manifest on flash.
    digest_of = source.digest_of
    if await digest_of(_MANIFEST) == digest:
        return
    folder, name = source.order["target"].split("/")
    path = "%s/%s.%s" % (folder, digest.hex(), name)
    if length > 16_384:
        raise Exception("too-large")
    with open(_MANIFEST, "wb") as f:
        await source.take(path, 0, length, f.write)
    if await digest_of(_MANIFEST) != digest:
        raise Exception("wrong-hash")

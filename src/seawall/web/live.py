"""Server-sent events: what happens is encoded once and the same bytes go to all viewers.

(WHATWG HTML, section 9.2.) Events of a tenth of a second go out in one write.
A fleet viewer gets only the newest reading of each device in that time, a
viewer of one device all of its readings.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec

from seawall.errors import SeawallError
from seawall.web.services import LiveFeed

TICK_S: Final = 0.1
HEARTBEAT_S: Final = 15.0
SUMMARY_S: Final = 2.0
MAX_VIEWERS: Final = 500
MAX_VIEWERS_OF_A_SESSION: Final = 50
MAX_WAITING_CHUNKS: Final = 64
"""A viewer that is so many writes behind is let go; its browser comes back and asks anew."""
MAX_REFUSALS_A_TICK: Final = 20
"""Past that a viewer is told how many more there were: a flood must not drown the page."""
MAX_READINGS_A_TICK: Final = 200
RESUBSCRIBE_S: Final = 1.0

SIGNED_OUT: Final = b"event: signed-out\ndata: {}\n\n"
HEARTBEAT: Final = b": heartbeat\n\nevent: beat\ndata: {}\n\n"
"""The comment keeps the connection alive, the event tells the page that it is."""

_log = logging.getLogger("seawall.web")


class _Subject(msgspec.Struct):
    device_id: str | None = None


_subject: Final = msgspec.json.Decoder(_Subject)


def frame(name: str, data: bytes) -> bytes:
    """Return one event as it stands on the wire."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


class Tick:
    """The events of one write, kept small. Pure."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._of_device: dict[str, list[bytes]] = {}
        self._others: list[bytes] = []
        self._refusals = 0
        self._resync = b""

    def add(self, name: str, data: bytes) -> None:
        """Take an event in."""
        if name == "resync":  # for everybody: events were lost on the way here
            self._resync = frame(name, data)
            return
        device_id = _subject.decode(data).device_id or ""
        event = frame(name, data)
        own = self._of_device.setdefault(device_id, [])
        if name == "reading":
            self._newest[device_id] = event
            if len(own) < MAX_READINGS_A_TICK:
                own.append(event)
            return
        if name == "refusal":
            self._refusals += 1
            if self._refusals > MAX_REFUSALS_A_TICK:
                return
        self._others.append(event)
        own.append(event)

    def for_fleet(self) -> bytes:
        """Return what a viewer of the fleet gets."""
        left_out = self._refusals - MAX_REFUSALS_A_TICK
        notes = [frame("refusals-left-out", b'{"count":%d}' % left_out)] if left_out > 0 else []
        return b"".join([*self._newest.values(), *self._others, *notes, self._resync])

    def for_device(self, device_id: str) -> bytes:
        """Return what a viewer of one device gets."""
        return b"".join([*self._of_device.get(device_id, ()), self._resync])


class Viewer:
    """One open stream."""

    def __init__(self, token_sha256: str, device_id: str | None) -> None:
        self.token_sha256 = token_sha256
        self.device_id = device_id
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_CHUNKS)
        self.is_over = False

    def put(self, chunk: bytes) -> None:
        """Hand over bytes; a viewer that is too far behind is let go."""
        if self.is_over or not chunk:
            return
        try:
            self.chunks.put_nowait(chunk)
        except asyncio.QueueFull:
            self.end()

    def end(self, last: bytes = b"") -> None:
        """End the stream; what still waits is dropped."""
        if self.is_over:
            return
        self.is_over = True
        while not self.chunks.empty():
            self.chunks.get_nowait()
        if last:
            self.chunks.put_nowait(last)
        self.chunks.put_nowait(None)


class LiveHub:
    """Reads the feed while somebody looks, and writes to all viewers.

    Args:
        feed: What happens.
        summary: Returns the figures of the summary strip as JSON; asked every two seconds,
            once for all viewers.
    """

    def __init__(self, feed: LiveFeed, summary: Callable[[], Awaitable[bytes]]) -> None:
        self._feed = feed
        self._summary = summary
        self._viewers: set[Viewer] = set()
        self._tick: Tick | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False

    @property
    def viewers(self) -> int:
        """How many streams are open."""
        return len(self._viewers)

    def open(self, token_sha256: str, device_id: str | None = None) -> Viewer | None:
        """Add a viewer of the fleet, or of one device; None if there are too many."""
        own = sum(1 for viewer in self._viewers if viewer.token_sha256 == token_sha256)
        is_full = len(self._viewers) >= MAX_VIEWERS or own >= MAX_VIEWERS_OF_A_SESSION
        if self._is_closed or is_full:
            return None
        viewer = Viewer(token_sha256, device_id)
        self._viewers.add(viewer)
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._read_feed(), name="web live feed"),
                asyncio.create_task(self._tell_summary(), name="web live summary"),
            ]
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; with the last one the feed is let go."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self._stop_reading()

    def end_session(self, token_sha256: str) -> None:
        """End the streams of a session that was signed out."""
        for viewer in self._viewers:
            if viewer.token_sha256 == token_sha256:
                viewer.end(SIGNED_OUT)

    def close(self) -> None:
        """End all streams: the server stops, and must not wait for them."""
        self._is_closed = True
        for viewer in self._viewers:
            viewer.end()
        self._stop_reading()

    def _stop_reading(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._tick = None

    async def _read_feed(self) -> None:
        while True:
            try:
                async with contextlib.aclosing(self._feed.subscribe()) as events:
                    async for name, data in events:
                        self._take(name, data)
            except Exception:
                _log.exception("the live feed failed; trying again")
            await asyncio.sleep(RESUBSCRIBE_S)

    def _take(self, name: str, data: bytes) -> None:
        if self._tick is None:
            self._tick = Tick()
            asyncio.get_running_loop().call_later(TICK_S, self._flush)
        self._tick.add(name, data)

    def _flush(self) -> None:
        tick, self._tick = self._tick, None
        if tick is None:
            return
        for_fleet = tick.for_fleet()
        for viewer in self._viewers:
            if viewer.device_id is None:
                viewer.put(for_fleet)
            else:
                viewer.put(tick.for_device(viewer.device_id))

    async def _tell_summary(self) -> None:
        while True:
            try:
                event = frame("summary", await self._summary())
            except SeawallError as error:
                _log.warning("no summary for the pages: %s", error)
            except Exception:
                _log.exception("the summary failed; trying again")
            else:
                for viewer in self._viewers:
                    if viewer.device_id is None:
                        viewer.put(event)
            await asyncio.sleep(SUMMARY_S)


async def stream(
    viewer: Viewer,
    hello: bytes,
    is_signed_in: Callable[[], Awaitable[bool]],
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncIterator[bytes]:
    """Yield what one viewer's connection writes, until the session or the server ends.

    Args:
        viewer: Whose stream.
        hello: JSON of the first event.
        is_signed_in: Whether the session still holds; asked at every heartbeat.
        heartbeat_s: Seconds between heartbeats.
    """
    loop = asyncio.get_running_loop()
    yield b"retry: 2000\n\n" + frame("hello", hello)
    beat_at = loop.time() + heartbeat_s
    while True:
        try:
            async with asyncio.timeout_at(beat_at):
                chunk = await viewer.chunks.get()
        except TimeoutError:
            beat_at = loop.time() + heartbeat_s
            if not await is_signed_in():
                yield SIGNED_OUT
                return
            chunk = HEARTBEAT
        if chunk is None:
            return
        yield chunk

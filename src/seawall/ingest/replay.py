"""What was seen of each device, so that nothing recorded is taken twice.

The anti-replay window of RFC 4303, section 3.4.3, per boot of a device, for its
newest boots. A message counts as seen if it is in the window's bit field, left
of it, or of an older boot than those that are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seawall.model.reading import ReplayWindow
from seawall.store.series import KEPT_BOOTS

WIDTH: Final = 256
"""How far behind the newest number of its boot a message may come, late, and be taken."""
MASK: Final = (1 << WIDTH) - 1


class Window:
    """One boot of one device; ``seen`` as in `ReplayWindow`.

    Attributes:
        changed_in: Number of the batch that changed it last.
    """

    __slots__ = ("boot", "changed_in", "device_id", "seen", "top")

    def __init__(self, device_id: str, boot: int, top: int, seen: int) -> None:
        self.device_id = device_id
        self.boot = boot
        self.top = top
        self.seen = seen & MASK
        self.changed_in = -1

    def admit(self, seq: int) -> bool:
        """Mark a number as seen; False if it was, or is too old to tell."""
        ahead = seq - self.top
        if ahead > 0:
            # A jump beyond the width forgets all; shifting by it would cost memory.
            self.seen = ((self.seen << ahead) | 1) & MASK if ahead < WIDTH else 1
            self.top = seq
            return True
        bit = 1 << -ahead if ahead > -WIDTH else 0
        if not bit or self.seen & bit:
            return False
        self.seen |= bit
        return True

    def kept(self) -> ReplayWindow:
        """Return what the store keeps of it."""
        return ReplayWindow(self.device_id, self.boot, self.top, self.seen)


_NEVER: Final = Window("", -1, -1, 0)
"""Of a boot that no message has."""


class History:
    """The windows of one device.

    Attributes:
        current: The window that was used last. Nearly every message is the next
            one of this window.
    """

    __slots__ = ("_windows", "current", "device_id")

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        self.current = _NEVER
        self._windows: dict[int, Window] = {}

    def restore(self, window: ReplayWindow) -> None:
        """Take up a window from the store, before anything is admitted."""
        self._windows[window.boot] = Window(*_fields(window))
        while len(self._windows) > KEPT_BOOTS:
            del self._windows[min(self._windows)]

    def admit(self, boot: int, seq: int) -> Window | None:
        """Mark a message as seen.

        Returns:
            The window that changed, or None if the message was seen before or
            is too old to tell.
        """
        window = self._windows.get(boot)
        if window is None:
            return self._new_boot(boot, seq)
        if not window.admit(seq):
            return None
        self.current = window
        return window

    def newest(self) -> tuple[int, int]:
        """Return (boot, seq) of the highest number of the newest boot; there must be one."""
        window = self._windows[max(self._windows)]
        return window.boot, window.top

    def is_gapless(self, sender_window: int) -> bool:
        """Whether no message of this device can be missing before the newest one.

        Args:
            sender_window: A device sends at most so many that it does not know to be stored.
        """
        window = self._windows[max(self._windows)]
        run = (~window.seen & (window.seen + 1)).bit_length() - 1
        is_whole = len(self._windows) == 1 and window.top - run < 1
        return run >= sender_window or is_whole

    def _new_boot(self, boot: int, seq: int) -> Window | None:
        if len(self._windows) >= KEPT_BOOTS:
            oldest = min(self._windows)
            if boot < oldest:
                return None
            del self._windows[oldest]
        window = self._windows[boot] = self.current = Window(self.device_id, boot, seq, 1)
        return window


def histories(windows: Iterable[ReplayWindow]) -> dict[str, History]:
    """Return the history of each device from what the store kept."""
    of_device: dict[str, History] = {}
    for window in windows:
        history = of_device.get(window.device_id)
        if history is None:
            history = of_device[window.device_id] = History(window.device_id)
        history.restore(window)
    return of_device


def _fields(window: ReplayWindow) -> tuple[str, int, int, int]:
    return window.device_id, window.boot, window.top, window.seen

"""What time it is, if anybody can know: the host's clock or NTP, above a floor that only rises."""

import time
from micropython import const

# Between the time this was written and 2100, as the server demands.
_EARLIEST_S = const(1_767_225_600)
_LATEST_S = const(4_102_444_800)


class Clock:
    """UTC.

    Args:
        floor_s: A time that is known to have passed, UTC seconds.
        board: Its ``set_clock`` is called with a better time.
        servers: NTP servers; none: the host's clock is trusted.

    Attributes:
        good: Whether the time is known.
    """

    def __init__(self, floor_s, board, servers):
        self.floor_s = max(floor_s, _EARLIEST_S)
        self._board = board
        self._servers = servers
        # Boards count from 2000 or from 1970.
        self._epoch_s = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
        self._ahead_ms = 0
        self.good = not servers and self.is_plausible(self.now_ms() // 1000)

    def is_plausible(self, utc_s):
        """Whether it can be that late now."""
        return self.floor_s <= utc_s < _LATEST_S

    def now_ms(self):
        """Return UTC milliseconds; means something only if `good`."""
        return time.time_ns() // 1_000_000 + self._epoch_s * 1000 + self._ahead_ms

    async def synchronise(self):
        """Ask the NTP servers until one answers.

        Without an answer the board is set to the floor at least, so that no
        certificate that has expired by then is taken for valid.
        """
        from .ntp import ask

        for server in self._servers:
            utc_ms = await ask(server)
            if utc_ms and self.is_plausible(utc_ms // 1000):
                self.good = True
                break
        else:
            if self.good or self.is_plausible(self.now_ms() // 1000):
                return
            utc_ms = self.floor_s * 1000
        if not self._board.set_clock(utc_ms // 1000):
            self._ahead_ms += utc_ms - self.now_ms()

    def raise_floor(self, by_s):
        """Raise the floor to now if it has grown by ``by_s`` seconds; tell whether."""
        now_s = self.now_ms() // 1000
        if not self.good or now_s < self.floor_s + by_s:
            return False
        self.floor_s = now_s
        return True

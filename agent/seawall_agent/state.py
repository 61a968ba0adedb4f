"""What must survive a power cut: boot counter, last command, interval, time floor.

Two copies with a generation and a CRC; the older one is overwritten, so a cut
leaves at least one whole copy, on littlefs and on FAT alike.
"""

import struct
from binascii import crc32
from micropython import const

_FORMAT = const("<IIIQQ")
_BYTES = const(32)  # of which the last 4 are the CRC


class State:
    """Facts on flash.

    Attributes:
        boot: Number of this boot, once `begin_boot` has been called.
        interval_ms: How often to measure, as last commanded; 0: as configured.
        command: Number of the last command that was accepted.
        floor_s: A time that has passed, UTC seconds; never goes back.
    """

    def __init__(self, folder):
        self._path = folder + "/state%d"
        self._generation = self.boot = self.interval_ms = self.command = self.floor_s = 0
        for copy in range(2):
            try:
                with open(self._path % copy, "rb") as f:
                    data = f.read(_BYTES + 1)
            except OSError:
                continue
            if len(data) != _BYTES or crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
                continue
            facts = struct.unpack(_FORMAT, data)
            if facts[0] >= self._generation:
                self._generation, self.boot, self.interval_ms, self.command, self.floor_s = facts

    def begin_boot(self, first):
        """Count this boot, on flash before the number is used; at least ``first``."""
        self.boot = max(self.boot + 1, first)
        self.save()

    def save(self):
        """Write the facts down; they survive once this returns."""
        self._generation += 1
        data = struct.pack(
            _FORMAT, self._generation, self.boot, self.interval_ms, self.command, self.floor_s
        )
        with open(self._path % (self._generation & 1), "wb") as f:
            f.write(data + struct.pack("<I", crc32(data)))
            f.flush()

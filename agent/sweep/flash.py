"""A NOR flash in memory that counts, records and undoes what is done to it.

Erasing sets a block to ones, programming clears bits. An operation is the
smallest thing that a loss of power can interrupt: one erase of a block, or one
program of at most a page.
"""

import struct
from binascii import crc32
from hashlib import sha256

BLOCK = 4096  # bytes that are erased at once (W25Q, as on ESP32 and RP2 boards)
PAGE = 256  # most bytes that are programmed at once
ERASED = b"\xff" * BLOCK

MODES = ("not-done", "half-done", "done", "garbage-tail")


class Flash:
    """The chip.

    Attributes:
        image: Its content.
        blocks: How many erase blocks it has.
        log: Operations as (address, data or None for an erase), while it records.
        saved: For each `save` that was not restored yet: what blocks held then, and their sums.
        read: Blocks that were read, while somebody wants to know.
        is_off: Whether the power is gone, and operations fail.
        sums: Of each block, where it is known.
    """

    def __init__(self, blocks):
        self.blocks = blocks
        self.image = bytearray(b"\xff" * (blocks * BLOCK))
        self.view = memoryview(self.image)
        self.sums = [None] * blocks
        self.log = None
        self.saved = []
        self.is_off = False
        self.read = None

    def save(self):
        """Begin to remember what is there now."""
        self.saved.append({})

    def restore(self):
        """Bring back what was there at the last `save`."""
        for block, (content, known) in self.saved.pop().items():
            self.image[block * BLOCK : block * BLOCK + BLOCK] = content
            self.sums[block] = known

    def put(self, at, data):
        """Set bytes of one block, whatever was there."""
        block = at // BLOCK
        if self.saved and block not in self.saved[-1]:
            content = bytes(self.view[block * BLOCK : block * BLOCK + BLOCK])
            self.saved[-1][block] = content, self.sums[block]
        self.image[at : at + len(data)] = data
        self.sums[block] = None

    def digest(self, blocks):
        """Return a digest of some blocks, and of which they are."""
        sums = self.sums
        h = sha256()
        for i in blocks:
            if not sums[i]:
                sums[i] = sha256(self.view[i * BLOCK : i * BLOCK + BLOCK]).digest()
            h.update(sums[i])
            h.update(bytes((i,)))
        return h.digest()

    def load(self, image):
        """Take an image."""
        self.image[:] = image
        self.sums = [None] * self.blocks

    def erase(self, block):
        """Set a block to ones."""
        at = block * BLOCK
        if self.is_off:
            raise OSError(5)
        if self.log is not None:
            self.log.append((at, None))
        self.put(at, ERASED)

    def program(self, at, data):
        """Clear bits; data may cover several pages, each of them an operation."""
        size = len(data)
        start = 0
        while start < size:
            end = min(size, start + PAGE - (at + start) % PAGE)
            if self.is_off:
                raise OSError(5)
            page = bytes(data[start:end])
            if self.log is not None:
                self.log.append((at + start, page))
            self.put(at + start, self.cleared(at + start, page))
            start = end

    def cleared(self, at, data):
        """Return what programming data leaves at an address."""
        size = len(data)
        old = self.view[at : at + size]
        if old == memoryview(ERASED)[:size]:
            return data
        return bytes(data[i] & old[i] for i in range(size))

    def done(self, operation):
        """Return the (address, bytes) that an operation leaves."""
        at, data = operation
        return at, ERASED if data is None else self.cleared(at, data)

    def cut(self, operation, mode, noise):
        """Return the (address, bytes) that an operation leaves when the power fails in it.

        Args:
            operation: From a log.
            mode: Of MODES.
            noise: Returns so many random bytes.
        """
        at, new = self.done(operation)
        size = len(new)
        old = bytes(self.view[at : at + size])
        half = size // 2
        if mode == "not-done":
            return at, old
        if mode == "half-done":
            return at, new[:half] + old[half:]
        if mode == "done":
            return at, new
        tail = noise(size - half)
        if operation[1] is not None:  # programming cannot set bits
            tail = bytes(tail[i] & old[half + i] for i in range(size - half))
        return at, new[:half] + tail


class Bare:
    """The chip as a block device, as esp32.Partition and rp2.Flash are one.

    Extended interface (with an offset, for littlefs): erases when it is told
    to. Simple interface (for FAT): erases each block just before it writes it.

    Attributes:
        is_gone: Whether the power was lost since: files that nobody closed are written when they
            are collected, and that is too late.
    """

    is_gone = False

    def __init__(self, flash):
        self.flash = flash

    def readblocks(self, block, buffer, offset=0):
        """Read into the buffer."""
        if self.is_gone:
            return
        if self.flash.read is not None:
            self.flash.read.add(block)
        at = block * BLOCK + offset
        buffer[:] = self.flash.view[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        """Program the buffer, after an erase if there is no offset."""
        if self.is_gone:
            return
        if offset is None:
            for i in range(len(buffer) // BLOCK):
                self.flash.erase(block + i)
            offset = 0
        self.flash.program(block * BLOCK + offset, buffer)

    def ioctl(self, op, arg):
        """Answer MicroPython's vfs.AbstractBlockDev.ioctl."""
        if op == 4:
            return self.flash.blocks
        if op == 5:
            return BLOCK
        if op == 6 and not self.is_gone:
            self.flash.erase(arg)
        return 0


class Safe:
    """The chip with sectors of 512 bytes that are never half written.

    This is what FAT has to stand on. It works as ESP-IDF's wear levelling does
    in its safe mode: one erase block is kept in memory until another one is
    needed or the file system asks for it to be written; then it goes to a
    spare block first, with a note of where it belongs, so that a start can
    finish what was begun.
    """

    SECTOR = 512
    is_gone = False  # as in Bare

    def __init__(self, flash):
        self.flash = flash
        self.note = (flash.blocks - 2) * BLOCK
        self.spare = (flash.blocks - 1) * BLOCK
        self.block = None  # in memory
        self.content = bytearray(BLOCK)
        self.dirty = False
        head = bytes(flash.view[self.note : self.note + 12])
        block, total, check = struct.unpack("<III", head)
        finished = bytes(flash.view[self.note + 16 : self.note + 20]) == bytes(4)
        if check == crc32(head[:8]) and not finished and block < flash.blocks - 2:
            data = bytes(flash.view[self.spare : self.spare + BLOCK])
            if crc32(data) == total:
                self.replace(block, data)

    def replace(self, block, data):
        """Write a block that is in the spare one to its place."""
        self.flash.erase(block)
        self.flash.program(block * BLOCK, data)
        self.flash.program(self.note + 16, bytes(4))

    def flush(self):
        """Write the block in memory, if it has changed."""
        if self.dirty:
            self.dirty = False
            self.flash.erase(self.note // BLOCK)
            self.flash.erase(self.spare // BLOCK)
            data = bytes(self.content)
            self.flash.program(self.spare, data)
            head = struct.pack("<II", self.block, crc32(data))
            self.flash.program(self.note, head + struct.pack("<I", crc32(head)))
            self.replace(self.block, data)

    def take(self, block):
        """Have a block in memory."""
        if self.block != block:
            self.flush()
            self.block = block
            at = block * BLOCK
            self.content[:] = self.flash.view[at : at + BLOCK]

    def readblocks(self, sector, buffer):
        """Read whole sectors."""
        if self.is_gone:
            return
        at = sector * self.SECTOR
        for start in range(0, len(buffer), self.SECTOR):
            block, offset = divmod(at + start, BLOCK)
            if self.flash.read is not None:
                self.flash.read.add(block)
            if block == self.block:
                part = self.content[offset : offset + self.SECTOR]
            else:
                part = self.flash.view[at + start : at + start + self.SECTOR]
            buffer[start : start + self.SECTOR] = part

    def writeblocks(self, sector, buffer):
        """Write whole sectors."""
        if self.is_gone:
            return
        at = sector * self.SECTOR
        for start in range(0, len(buffer), self.SECTOR):
            block, offset = divmod(at + start, BLOCK)
            part = buffer[start : start + self.SECTOR]
            self.take(block)
            if self.content[offset : offset + self.SECTOR] != part:
                self.content[offset : offset + self.SECTOR] = part
                self.dirty = True

    def ioctl(self, op, arg):
        """Answer MicroPython's vfs.AbstractBlockDev.ioctl."""
        if op == 3 and not self.is_gone:
            self.flush()
        if op == 4:
            return (self.flash.blocks - 2) * (BLOCK // self.SECTOR)
        if op == 5:
            return self.SECTOR
        return 0

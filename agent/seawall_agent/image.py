"""Writes a firmware image to the ESP32's other partition, and resumes where a cut left it."""

import os

from micropython import const

from . import core, load, sha256

_BLOCK = const(4096)  # that is erased at once
_PART = "state/part"  # SHA-256 of the image; then a byte for each block that is written


async def build(source, file):
    """Write the image of a manifest; return the label of its partition."""
    partition, label, size = __import__("seawall_guard.partition").partition.other()
    _, length, digest = file
    if length > size:
        raise Exception("too-large")
    block = _written(digest)
    data, end = bytearray(_BLOCK), 0
    with open(_PART, "ab") as notes:

        def write():
            nonlocal block, end
            partition.writeblocks(block, data)
            notes.write(b".")
            notes.flush()
            block += 1
            end = 0

        def sink(piece):
            nonlocal end
            while piece:
                part = piece[: _BLOCK - end]
                data[end : end + len(part)] = part
                piece = piece[len(part) :]
                end += len(part)
                if end == _BLOCK:
                    write()
                    source.progress = True
                    if 100 * block * _BLOCK // length >= source.percent:
                        load("software").tell(source, "downloading", source.percent)

        start = block * _BLOCK
        if start < length:
            await source.take("files/" + digest.hex(), start, length, sink)
        if end:
            write()
    os.unlink(_PART)
    if await _digest(partition, data, length) != digest:
        raise Exception("wrong-hash")
    return label


def _written(digest):
    # How many blocks of this image are written already.
    try:
        with open(_PART, "rb") as f:
            if f.read(32) == digest:
                return os.stat(_PART)[6] - 32
    except OSError:
        pass
    with open(_PART, "wb") as f:
        f.write(digest)
    return 0


async def _digest(partition, data, length):
    h = sha256()
    at = 0
    while at * _BLOCK < length:
        partition.readblocks(at, data)
        h.update(memoryview(data)[: min(_BLOCK, length - at * _BLOCK)])
        at += 1
        await core.sleep_ms(0)
    return h.digest()

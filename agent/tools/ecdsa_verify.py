"""The device's ECDSA verifier on lines of JSON; runs on MicroPython, started by `ecdsa-verify`.

Each line of standard input is ``{"key": hex of the uncompressed point, "msg": hex, "sig": hex of
the signature in DER}``; each is answered by a line, ``valid`` or ``invalid``. Whatever is no such
line is invalid.
"""

import io
import sys
from binascii import unhexlify
from hashlib import sha256

from seawall_agent import canonical, ecdsa

LONGEST = 2_097_152  # of a line, in bytes
canonical.LONGEST = LONGEST


def is_valid(line):
    """Tell whether a line holds a signature that is right."""
    try:
        document = canonical.Document(io.BytesIO(line))
        document.value()
        document.mark()
        if document.block:
            return False  # something comes after it
        values = []
        for name in ("key", "msg", "sig"):
            value = document.get(name)
            if type(value) is not str:
                return False
            values.append(unhexlify(value))
        key, message, signature = values
        return ecdsa.verify_point(key, sha256(message).digest(), signature)
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError, MemoryError):
        return False


def lines(stream):
    """Yield lines without their ends; b"" for one that is too long."""
    line = b""
    is_long = False
    while piece := stream.readline(LONGEST - len(line) if not is_long else 512):
        line += piece
        if line.endswith(b"\n") or (not is_long and len(line) >= LONGEST):
            if line.endswith(b"\n"):
                yield b"" if is_long else line
                is_long = False
            else:
                is_long = True
            line = b""
        elif is_long:
            line = b""
    if line or is_long:
        yield b"" if is_long else line


for line in lines(sys.stdin.buffer):
    print("valid" if is_valid(line) else "invalid")

"""Damages samples at random: what a fuzzer feeds when it does not want to guess from nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence

MAX_BYTES = 4096
"""Inputs are no longer, but for the rare one with a row of thousands of digits or brackets."""
LONG = 5000
"""More digits than Python turns into a number, more brackets than it follows by recursion."""


def damaged(rng: random.Random, samples: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Return a sample, or two joined, changed in a few places.

    Args:
        rng: Where chance comes from; the same state gives the same bytes.
        samples: Mostly valid inputs.
        words: Pieces that mean something in this language.
    """
    data = bytearray(rng.choice(samples))
    if rng.random() < 0.2:
        at = rng.randrange(len(data) + 1)
        data[at:] = rng.choice(samples)[rng.randrange(1 + at) :]
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        _damage(rng, data, words)
    del data[MAX_BYTES:]
    if rng.random() < 0.004:
        at = rng.randrange(len(data) + 1)
        data[at:at] = rng.choice((b"1", b"0", b"9", b"[", b"Date(", b'{"a":', b"x", b"a.")) * LONG
    return bytes(data)


def _damage(rng: random.Random, data: bytearray, words: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 9, 40)))
    match rng.randrange(8):
        case 0:
            data[at:end] = rng.choice(words)
        case 1:
            data[at:at] = rng.choice(words)
        case 2:
            data[at:at] = rng.choice(words) * rng.choice((1, 2, 3, 30))
        case 3:
            data[at : at + 1] = bytes((rng.randrange(256),))
        case 4:
            del data[at:end]
        case 5:
            data[at:at] = data[at:end]
        case 6:
            there = rng.randrange(len(data) + 1)
            data[there:there] = data[at:end]
        case _:
            data[at:at] = rng.choice(("é", "\u2028", "😀", "\u00a0", "٣", "²")).encode()

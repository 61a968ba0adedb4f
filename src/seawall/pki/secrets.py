"""Keys that are derived, so that no database holds them."""

from __future__ import annotations

import hmac
from typing import Final

MASTER_KEY_BYTES: Final = 32
DEVICE_KEY_BYTES: Final = 32

_INFO_PREFIX: Final = b"seawall/1 device key\0"


def derive_device_key(master: bytes, device_id: str, generation: int) -> bytes:
    r"""Return the HMAC key of a device: HKDF-SHA256 (RFC 5869) of the master secret.

    The salt is empty and the info is ``"seawall/1 device key\0" + id + "\0" + generation``.
    A device id holds no NUL, so no two (id, generation) share an info.

    Args:
        master: The installation's master secret, 32 bytes.
        device_id: Whose key.
        generation: Which one, from 1; another one follows a suspected leak.

    Returns:
        32 bytes.
    """
    info = _INFO_PREFIX + device_id.encode() + b"\0" + str(generation).encode()
    pseudorandom_key = hmac.digest(bytes(32), master, "sha256")
    # One block: the output is as long as the hash (RFC 5869, section 2.3).
    return hmac.digest(pseudorandom_key, info + b"\x01", "sha256")

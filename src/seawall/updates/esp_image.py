"""Checks an ESP32 application image, byte by byte. Pure.

The format is Espressif's: "App Image Format" in the ESP-IDF programming guide.
A header of 24 bytes, segments each with address and length, zeros up to the
last byte of a block of 16, which is the checksum (XOR of all segments' data,
begun with 0xEF), then, if the header says so, the SHA-256 of all before it.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from seawall.errors import ProtocolError

MAGIC: Final = 0xE9
HEADER_BYTES: Final = 24
MAX_SEGMENTS: Final = 16
MAX_IMAGE_BYTES: Final = 16 * 1024 * 1024
CHIPS: Final[dict[int, str]] = {
    0x0000: "ESP32",
    0x0002: "ESP32-S2",
    0x0005: "ESP32-C3",
    0x0009: "ESP32-S3",
    0x000C: "ESP32-C2",
    0x000D: "ESP32-C6",
    0x0010: "ESP32-H2",
    0x0012: "ESP32-P4",
    0x0017: "ESP32-C5",
    0x0014: "ESP32-C61",
}
"""``esp_chip_id_t`` of ESP-IDF."""

_CHECKSUM_SEED: Final = 0xEF
_DIGEST_BYTES: Final = 32
_APP_DESCRIPTION: Final = struct.Struct("<II8x32s32s")
_APP_MAGIC: Final = 0xABCD5432
_SIGNATURE_SECTOR: Final = 4096
_SIGNATURE_MAGIC: Final = b"\xe7\x02"


@dataclass(frozen=True, slots=True)
class EspImage:
    """What an image says of itself.

    Attributes:
        chip: It is made for, such as ``ESP32-S3``.
        segments: How many.
        project: Name that its builder gave it.
        version: Of that project, text.
        length: Bytes of the whole file.
        has_digest: Whether a SHA-256 is appended; the checksum always is.
        is_signed: Whether a secure-boot signature sector follows.
    """

    chip: str
    segments: int
    project: str
    version: str
    length: int
    has_digest: bool
    is_signed: bool


def parse_esp_image(data: bytes) -> EspImage:
    """Check an application image.

    Raises:
        ProtocolError: it is none, or is damaged (``bad-image``).
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise _bad(f"it has {len(data)} bytes; at most {MAX_IMAGE_BYTES}")
    if len(data) < HEADER_BYTES or data[0] != MAGIC:
        raise _bad(
            f"it begins with 0x{data[0] if data else 0:02X}, not 0x{MAGIC:02X}",
            hint="take the application image: micropython.bin of a build, or the .app-bin of a "
            "MicroPython download",
        )
    count, chip_id, digest_flag = data[1], int.from_bytes(data[12:14], "little"), data[23]
    if not 1 <= count <= MAX_SEGMENTS:
        raise _bad(f"it has {count} segments; 1 to {MAX_SEGMENTS}")
    chip = CHIPS.get(chip_id)
    if chip is None:
        raise _bad(f"its chip 0x{chip_id:04X} is not known")
    if digest_flag not in {0, 1}:
        raise _bad(f"its flag for an appended digest is {digest_flag}")
    end = _check_segments(data, count)
    if digest_flag:
        end = _check_digest(data, end)
    is_signed = _check_rest(data, end)
    project, version = _description(data)
    return EspImage(chip, count, project, version, len(data), bool(digest_flag), is_signed)


def _check_segments(data: bytes, count: int) -> int:
    """Walk the segments; return where the checksum's block ends."""
    at, checksum = HEADER_BYTES, _CHECKSUM_SEED
    for number in range(count):
        if at + 8 > len(data):
            raise _bad(f"it ends within the header of segment {number}")
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if length > len(data) - at:
            raise _bad(f"segment {number} has {length} bytes, and {len(data) - at} are left")
        checksum ^= _xor_of(data[at : at + length])
        at += length
    end = (at + 16) // 16 * 16
    if end > len(data):
        raise _bad("it ends before its checksum")
    if data[end - 1] != checksum:
        raise _bad(f"its checksum is 0x{data[end - 1]:02X}, its data give 0x{checksum:02X}")
    return end


def _xor_of(data: bytes) -> int:
    # Folded as one number: XOR byte by byte would take a second a megabyte.
    if len(data) < 64:
        return reduce(xor, data, 0)
    width = (len(data) + 1) // 2
    halves = int.from_bytes(data[:width], "little") ^ int.from_bytes(data[width:], "little")
    return _xor_of(halves.to_bytes(width, "little"))


def _check_digest(data: bytes, end: int) -> int:
    found = data[end : end + _DIGEST_BYTES]
    if len(found) < _DIGEST_BYTES:
        raise _bad("it ends within its appended SHA-256")
    if found != hashlib.sha256(data[:end]).digest():
        raise _bad("its appended SHA-256 does not match")
    return end + _DIGEST_BYTES


def _check_rest(data: bytes, end: int) -> bool:
    """Allow nothing behind the image but a secure-boot (version 2) signature sector."""
    if len(data) == end:
        return False
    sector = -(-end // _SIGNATURE_SECTOR) * _SIGNATURE_SECTOR
    is_sector = len(data) == sector + _SIGNATURE_SECTOR
    if (
        is_sector
        and data[sector : sector + 2] == _SIGNATURE_MAGIC
        and not data[end:sector].strip(b"\xff")
    ):
        return True
    raise _bad(
        f"{len(data) - end} bytes follow the image",
        hint="an image for the whole flash begins with the bootloader and cannot go into a "
        "partition; take the application alone (.app-bin)",
    )


def _description(data: bytes) -> tuple[str, str]:
    """Read ``esp_app_desc_t``, which is at the beginning of the first segment."""
    at = HEADER_BYTES + 8
    if len(data) < at + _APP_DESCRIPTION.size:
        raise _bad("it has no description of an application")
    magic, _secure_version, version, project = _APP_DESCRIPTION.unpack_from(data, at)
    if magic != _APP_MAGIC:
        raise _bad(
            "it has no description of an application",
            hint="a bootloader is no application; take micropython.bin or .app-bin",
        )
    return _text(project), _text(version)


def _text(field: bytes) -> str:
    text = field.split(b"\0", 1)[0].decode("ascii", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)


def _bad(why: str, *, hint: str = "") -> ProtocolError:
    return ProtocolError(
        f"this is no ESP32 application image: {why}", reference="bad-image", hint=hint
    )

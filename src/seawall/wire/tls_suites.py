"""Cipher suites of TLS up to 1.2 by what is wrong with them.

Code points are those of the IANA registry "TLS Cipher Suites" (and, for the 1024-bit
export suites, of draft-ietf-tls-56-bit-ciphersuites); names are OpenSSL's, since that is
what people write into their configuration. What the OpenSSL of this machine can do plays no part.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class SuiteGroup(StrEnum):
    """What is wrong with the suites of a group; `MODERN` are those without fault."""

    NULL = "null"
    ANONYMOUS = "anonymous"
    EXPORT = "export"
    RC4 = "rc4"
    TRIPLE_DES = "3des"
    STATIC_KEY = "static-key"
    CBC = "cbc"
    MODERN = "modern"


SUITES: Final[dict[SuiteGroup, dict[int, str]]] = {
    SuiteGroup.NULL: {
        0x0001: "NULL-MD5",
        0x0002: "NULL-SHA",
        0x003B: "NULL-SHA256",
        0xC001: "ECDH-ECDSA-NULL-SHA",
        0xC006: "ECDHE-ECDSA-NULL-SHA",
        0xC00B: "ECDH-RSA-NULL-SHA",
        0xC010: "ECDHE-RSA-NULL-SHA",
    },
    SuiteGroup.ANONYMOUS: {
        0x0018: "ADH-RC4-MD5",
        0x001B: "ADH-DES-CBC3-SHA",
        0x0034: "ADH-AES128-SHA",
        0x003A: "ADH-AES256-SHA",
        0x0046: "ADH-CAMELLIA128-SHA",
        0x006C: "ADH-AES128-SHA256",
        0x006D: "ADH-AES256-SHA256",
        0x0089: "ADH-CAMELLIA256-SHA",
        0x00A6: "ADH-AES128-GCM-SHA256",
        0x00A7: "ADH-AES256-GCM-SHA384",
        0xC015: "AECDH-NULL-SHA",
        0xC016: "AECDH-RC4-SHA",
        0xC017: "AECDH-DES-CBC3-SHA",
        0xC018: "AECDH-AES128-SHA",
        0xC019: "AECDH-AES256-SHA",
    },
    SuiteGroup.EXPORT: {
        0x0003: "EXP-RC4-MD5",
        0x0006: "EXP-RC2-CBC-MD5",
        0x0008: "EXP-DES-CBC-SHA",
        0x0009: "DES-CBC-SHA",
        0x000B: "EXP-DH-DSS-DES-CBC-SHA",
        0x000C: "DH-DSS-DES-CBC-SHA",
        0x000E: "EXP-DH-RSA-DES-CBC-SHA",
        0x000F: "DH-RSA-DES-CBC-SHA",
        0x0011: "EXP-EDH-DSS-DES-CBC-SHA",
        0x0012: "EDH-DSS-DES-CBC-SHA",
        0x0014: "EXP-EDH-RSA-DES-CBC-SHA",
        0x0015: "EDH-RSA-DES-CBC-SHA",
        0x0017: "EXP-ADH-RC4-MD5",
        0x0019: "EXP-ADH-DES-CBC-SHA",
        0x001A: "ADH-DES-CBC-SHA",
        0x0062: "EXP1024-DES-CBC-SHA",
        0x0064: "EXP1024-RC4-SHA",
    },
    SuiteGroup.RC4: {
        0x0004: "RC4-MD5",
        0x0005: "RC4-SHA",
        0x0066: "DHE-DSS-RC4-SHA",
        0x008A: "PSK-RC4-SHA",
        0xC002: "ECDH-ECDSA-RC4-SHA",
        0xC007: "ECDHE-ECDSA-RC4-SHA",
        0xC00C: "ECDH-RSA-RC4-SHA",
        0xC011: "ECDHE-RSA-RC4-SHA",
    },
    SuiteGroup.TRIPLE_DES: {
        0x0007: "IDEA-CBC-SHA",
        0x000A: "DES-CBC3-SHA",
        0x000D: "DH-DSS-DES-CBC3-SHA",
        0x0010: "DH-RSA-DES-CBC3-SHA",
        0x0013: "EDH-DSS-DES-CBC3-SHA",
        0x0016: "EDH-RSA-DES-CBC3-SHA",
        0xC003: "ECDH-ECDSA-DES-CBC3-SHA",
        0xC008: "ECDHE-ECDSA-DES-CBC3-SHA",
        0xC00D: "ECDH-RSA-DES-CBC3-SHA",
        0xC012: "ECDHE-RSA-DES-CBC3-SHA",
    },
    SuiteGroup.STATIC_KEY: {
        0x002F: "AES128-SHA",
        0x0035: "AES256-SHA",
        0x003C: "AES128-SHA256",
        0x003D: "AES256-SHA256",
        0x0041: "CAMELLIA128-SHA",
        0x0084: "CAMELLIA256-SHA",
        0x0096: "SEED-SHA",
        0x009C: "AES128-GCM-SHA256",
        0x009D: "AES256-GCM-SHA384",
        0xC004: "ECDH-ECDSA-AES128-SHA",
        0xC005: "ECDH-ECDSA-AES256-SHA",
        0xC00E: "ECDH-RSA-AES128-SHA",
        0xC00F: "ECDH-RSA-AES256-SHA",
        0xC02D: "ECDH-ECDSA-AES128-GCM-SHA256",
        0xC02E: "ECDH-ECDSA-AES256-GCM-SHA384",
        0xC031: "ECDH-RSA-AES128-GCM-SHA256",
        0xC032: "ECDH-RSA-AES256-GCM-SHA384",
        0xC09C: "AES128-CCM",
        0xC09D: "AES256-CCM",
        0xC0A0: "AES128-CCM8",
        0xC0A1: "AES256-CCM8",
        0xC050: "ARIA128-GCM-SHA256",
        0xC051: "ARIA256-GCM-SHA384",
    },
    SuiteGroup.CBC: {
        0xC009: "ECDHE-ECDSA-AES128-SHA",
        0xC00A: "ECDHE-ECDSA-AES256-SHA",
        0xC013: "ECDHE-RSA-AES128-SHA",
        0xC014: "ECDHE-RSA-AES256-SHA",
        0xC023: "ECDHE-ECDSA-AES128-SHA256",
        0xC024: "ECDHE-ECDSA-AES256-SHA384",
        0xC027: "ECDHE-RSA-AES128-SHA256",
        0xC028: "ECDHE-RSA-AES256-SHA384",
        0x0032: "DHE-DSS-AES128-SHA",
        0x0033: "DHE-RSA-AES128-SHA",
        0x0038: "DHE-DSS-AES256-SHA",
        0x0039: "DHE-RSA-AES256-SHA",
        0x0045: "DHE-RSA-CAMELLIA128-SHA",
        0x0067: "DHE-RSA-AES128-SHA256",
        0x006B: "DHE-RSA-AES256-SHA256",
        0x0088: "DHE-RSA-CAMELLIA256-SHA",
    },
    SuiteGroup.MODERN: {
        0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
        0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
        0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
        0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
        0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
        0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
        0xC0AC: "ECDHE-ECDSA-AES128-CCM",
        0xC0AD: "ECDHE-ECDSA-AES256-CCM",
        0xC0AE: "ECDHE-ECDSA-AES128-CCM8",
        0xC0AF: "ECDHE-ECDSA-AES256-CCM8",
        0x009E: "DHE-RSA-AES128-GCM-SHA256",
        0x009F: "DHE-RSA-AES256-GCM-SHA384",
        0xCCAA: "DHE-RSA-CHACHA20-POLY1305",
        0xC09E: "DHE-RSA-AES128-CCM",
        0xC09F: "DHE-RSA-AES256-CCM",
    },
}
"""Each suite once: what is worst about it decides."""

_NAMES: Final = {code: name for group in SUITES.values() for code, name in group.items()}


def suites_of(*groups: SuiteGroup) -> tuple[int, ...]:
    """Return the code points of groups, or of all, the best first."""
    wanted = groups or tuple(reversed(SuiteGroup))
    return tuple(code for group in wanted for code in SUITES[group])


def finite_field_suites() -> tuple[int, ...]:
    """Return the suites that exchange keys by ephemeral Diffie-Hellman in a finite field."""
    return tuple(code for code, name in _NAMES.items() if name.startswith("DHE-"))


def suite_name(code: int) -> str:
    """Return OpenSSL's name, or the code point."""
    return _NAMES.get(code, f"0x{code:04X}")

"""Plain words for what the product shows: reasons of refusals, states of devices."""

from __future__ import annotations

from typing import Final, NamedTuple

from seawall.model.reading import Reason


class Words(NamedTuple):
    """A short title, and a sentence that explains it."""

    title: str
    sentence: str


REASONS: Final[dict[Reason, Words]] = {
    Reason.BAD_SIGNATURE: Words(
        "Signature does not match",
        "The message was changed on the way, or signed with another key.",
    ),
    Reason.REPLAY: Words(
        "Seen before",
        "An old message was sent again. Its number was used already.",
    ),
    Reason.UNKNOWN_DEVICE: Words(
        "Unknown device",
        "No device of this name is registered here.",
    ),
    Reason.DISABLED_DEVICE: Words(
        "Device is disabled",
        "The device was switched off here and may not send.",
    ),
    Reason.REVOKED_DEVICE: Words(
        "Device is revoked",
        "The certificate of this device was withdrawn.",
    ),
    Reason.WRONG_TOPIC: Words(
        "Not its topic",
        "The device tried to speak for another, or on a topic that it does not have.",
    ),
    Reason.MALFORMED: Words(
        "Not readable",
        "The message is not what a device may send.",
    ),
    Reason.TOO_LARGE: Words(
        "Too large",
        "The message is longer than a device may send.",
    ),
}

STATES: Final[dict[str, Words]] = {
    "online": Words("Online", "Connected and sending."),
    "silent": Words("Silent", "Connected, but no reading has come for longer than it should take."),
    "offline": Words("Offline", "Not connected."),
    "waiting": Words("Waiting", "Registered, never heard of yet."),
    "disabled": Words("Disabled", "Switched off here; it may not connect."),
    "revoked": Words("Revoked", "Its certificate was withdrawn; it can never connect again."),
}

TRUSTS: Final[dict[str, str]] = {
    "ca": "this installation's certificate authority",
    "pin": "the pinned server certificate",
    "ca+pin": "the certificate authority and the pinned server certificate",
}

ROLES: Final[dict[str, str]] = {
    "viewer": "Viewer",
    "operator": "Operator",
    "admin": "Administrator",
}

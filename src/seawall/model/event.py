"""Something that happened and that somebody may ask about later."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the log of events.

    Attributes:
        at_ms: When, UTC milliseconds.
        kind: Kebab-case, such as ``device-added``, ``device-connected``,
            ``revocation-proven``, ``signed-in``, ``sign-in-failed``.
        subject: Device id or user name that it is about; may be empty.
        actor: Who did it: ``cli:NAME``, ``web:NAME``, ``daemon``, ``device:ID``.
        detail: Further facts; never a secret.
    """

    at_ms: int
    kind: str
    subject: str = ""
    actor: str = "daemon"
    detail: dict[str, str] = field(default_factory=dict)

"""What Mosquitto's ACL file grants, and to whom: pure, total, with line numbers.

``topic`` lines count for the ``user`` above them, and above any for clients
without a name; ``pattern`` lines count for everybody, with ``%u`` and ``%c``
replaced. A wildcard in the first level does not match topics that begin with
``$`` (MQTT 5.0, 4.7.2).

Sources: mosquitto.conf(5), ``src/security_default.c`` of 2.0.11 to 2.0.22.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from seawall.audit.mosquitto_configuration import Problem, Source, lines_of

PLACEHOLDERS: Final = ("%u", "%c")


class Right(StrEnum):
    """What a line grants, or takes."""

    READ = "read"
    WRITE = "write"
    READWRITE = "readwrite"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ACL file.

    Attributes:
        right: What it grants.
        topic: Filter, wildcards and placeholders as written.
        user: For whom; empty: clients without a name; None: everybody (``pattern``).
        path: Of the file.
        line: Its number, from 1.
    """

    right: Right
    topic: str
    user: str | None
    path: str
    line: int

    @property
    def grants(self) -> bool:
        """Whether it opens anything."""
        return self.right is not Right.DENY

    @property
    def is_personal(self) -> bool:
        """Whether each client gets a topic of its own by it."""
        return any(each in self.topic for each in PLACEHOLDERS)

    @property
    def is_everything(self) -> bool:
        """Whether it opens all topics (``#``, ``/#``, ``+/#``, ``+/+/#``), ``$`` apart."""
        *levels, last = self.topic.split("/")
        return last == "#" and set(levels) <= {"", "+"}

    @property
    def tree(self) -> str:
        """The first level if all below it is opened (``a/#``, ``a/+/#``), else empty."""
        first, *levels = self.topic.split("/")
        is_whole = levels and levels[-1] == "#" and set(levels[:-1]) <= {"+"}
        return first if is_whole and first not in {"+", *PLACEHOLDERS} else ""

    @property
    def has_wildcard(self) -> bool:
        """Whether it names more than one topic."""
        return "#" in self.topic or "+" in self.topic


def parse_access(source: Source) -> tuple[list[Rule], list[Problem]]:
    """Read an ACL file; lines that Mosquitto would refuse become problems."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    user = ""
    for number, line in lines_of(source):
        words = line.rstrip().lstrip(" ").split(" ", 1)
        rest = words[1].strip() if len(words) > 1 else ""
        if not line.strip():
            continue
        if words[0] == "user" and rest:
            user = rest
        elif words[0] in {"topic", "pattern"} and rest:
            owner = user if words[0] == "topic" else None
            rule = _rule(rest, owner, source.path, number)
            if rule is not None:
                rules.append(rule)
                continue
            problems.append(Problem(source.path, number, "neither read, write, readwrite nor deny"))
        else:
            text = "neither user, topic nor pattern with what belongs to it"
            problems.append(Problem(source.path, number, text))
    return rules, problems


def _rule(rest: str, user: str | None, path: str, line: int) -> Rule | None:
    first, _, topic = rest.partition(" ")
    topic = topic.strip()
    if not topic:
        return Rule(Right.READWRITE, first, user, path, line)
    try:
        return Rule(Right(first), topic, user, path, line)
    except ValueError:
        return None

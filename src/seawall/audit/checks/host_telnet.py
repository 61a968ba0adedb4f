"""Telnet: a shell in plain text."""

from typing import Final

from seawall.audit.check import Check
from seawall.audit.host_subject import service_check
from seawall.model.finding import Severity

CHECK: Final[Check] = service_check(
    name="telnet",
    title="Telnet answers",
    services=frozenset({"telnet"}),
    severity=Severity.CRITICAL,
    why=(
        "Telnet sends passwords in plain text, and is the first door that botnets try: Mirai "
        "came in by nothing else. Who is in has a shell."
    ),
    fix=(
        "Take telnetd out of the firmware or its start-up scripts; use SSH with keys if a shell is "
        "needed at all."
    ),
    cwe=(319, 306),
)

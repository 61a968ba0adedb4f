"""Databases that the network can reach."""

from typing import Final

from seawall.audit.check import Check
from seawall.audit.host_subject import service_check
from seawall.model.finding import Severity

CHECK: Final[Check] = service_check(
    name="database",
    title="A database answers to the network",
    services=frozenset({"redis", "mongodb", "mysql", "postgresql", "elasticsearch"}),
    severity=Severity.HIGH,
    why=(
        "Databases are made for a network of friends: many ask for no password as they come, and "
        "all are searched for day and night. What was found open was copied and wiped for ransom "
        "by the ten thousand."
    ),
    fix=(
        "Have it listen on 127.0.0.1 alone (Redis and MongoDB: `bind`/`bindIp`, MySQL: "
        "`bind-address`, PostgreSQL: `listen_addresses`), with a password all the same."
    ),
    cwe=(306, 668),
    worst=lambda service: Severity.CRITICAL if service.lets_in else None,
)

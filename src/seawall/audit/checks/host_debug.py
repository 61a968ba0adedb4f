"""Debug bridges that the network can reach."""

from typing import Final

from seawall.audit.check import Check
from seawall.audit.host_subject import service_check
from seawall.model.finding import Item, Severity

CHECK: Final[Check] = service_check(
    name="debug-bridge",
    title="A debug bridge answers to the network",
    services=frozenset({"adb", "docker"}),
    severity=Severity.CRITICAL,
    why=(
        "The Android debug bridge and Docker's API over TCP give a root shell without a password "
        "to whoever connects; worms have gone round by either."
    ),
    fix=(
        "Turn it off in what is deployed: `setprop service.adb.tcp.port -1` on Android, and no "
        "`-H tcp://` for dockerd (use its socket, by SSH)."
    ),
    cwe=(489, 306),
    item=Item.DEFAULTS,
)

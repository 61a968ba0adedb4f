"""WebREPL: MicroPython's prompt over the network."""

from typing import Final

from seawall.audit.check import Check
from seawall.audit.host_subject import service_check
from seawall.model.finding import Item, Severity

CHECK: Final[Check] = service_check(
    name="webrepl",
    title="MicroPython's WebREPL answers",
    services=frozenset({"webrepl"}),
    severity=Severity.HIGH,
    why=(
        "Behind one password of four to nine characters, sent without TLS, stands a prompt that "
        "runs what one types and a way to read and write each file, keys too."
    ),
    fix=(
        "Take `webrepl.start()` out of boot.py and main.py, delete webrepl_cfg.py from the board, "
        "and restart it; send changes as signed updates."
    ),
    cwe=(319, 489),
    item=Item.DEFAULTS,
)

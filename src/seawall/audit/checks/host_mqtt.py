"""MQTT without TLS."""

from typing import Final

from seawall.audit.check import Check
from seawall.audit.host_subject import service_check
from seawall.model.finding import Severity

CHECK: Final[Check] = service_check(
    name="plain-mqtt",
    title="MQTT answers without TLS",
    services=frozenset({"mqtt"}),
    severity=Severity.HIGH,
    why=(
        "Passwords, readings and commands pass in plain text: who listens has them, and who sits "
        "in the way changes them. Audit the port as mqtt://... to see who is let in."
    ),
    fix=(
        "Listen by TLS alone, in mosquitto.conf: `listener 8883` with `cafile`, `certfile` and "
        "`keyfile`, and no `listener 1883` but on 127.0.0.1."
    ),
    cwe=(319,),
)

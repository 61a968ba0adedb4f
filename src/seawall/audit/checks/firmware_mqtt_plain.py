"""MQTT without TLS."""

from __future__ import annotations

from seawall.audit.check import Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, judge_spots
from seawall.audit.firmware.source import Language, Weakness
from seawall.model.finding import Fix, Item, References, Risk, Severity

_FIXES = {
    Language.PYTHON: Fix(
        "Connect with TLS and verify the broker: `MQTTClient(..., port=8883, ssl=context)` with a "
        "context that has `verify_mode = tls.CERT_REQUIRED` and the CA."
    ),
    Language.ARDUINO: Fix(
        "Connect with TLS and verify the broker: give the MQTT client a `WiFiClientSecure` with "
        "`setCACert(ca)`, and port 8883."
    ),
    Language.ESP_IDF: Fix(
        "Connect with TLS and verify the broker: `mqtts://` in `.broker.address.uri`, and its CA "
        "in `.broker.verification.certificate`."
    ),
}

CHECK = Check(
    id="firmware.mqtt.plain",
    title="MQTT goes without TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="MQTT sends user name, password and readings as they are. Who listens once can publish as "
    "the device for ever, and order it about.",
    references=References(("I7", "I2"), ("5.5-1", "5.5-7"), ("DP",), (319, 523)),
    jobs=firmware_jobs,
    judge=judge_spots(
        Weakness.PLAIN_MQTT, _FIXES, "no MQTT connection without TLS", "no MQTT connection here"
    ),
)

"""Wi-Fi networks that a device opens to everybody."""

from __future__ import annotations

from seawall.audit.check import Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, judge_spots
from seawall.audit.firmware.source import Language, Weakness
from seawall.model.finding import Fix, Item, References, Risk, Severity

_FIXES = {
    Language.PYTHON: Fix(
        "Give it a password of its own for each device: `ap.config(ssid=name, "
        "security=network.AUTH_WPA2_PSK, key=read_from_file)`, and close it after set-up."
    ),
    Language.ARDUINO: Fix(
        "Give it a password of its own for each device: `WiFi.softAP(name, password)`, and close "
        "it after set-up."
    ),
    Language.ESP_IDF: Fix(
        "Give it a password of its own for each device: `.authmode = WIFI_AUTH_WPA2_PSK`, and "
        "close it after set-up."
    ),
}

CHECK = Check(
    id="firmware.wifi.open",
    title="The device opens a Wi-Fi network to everybody",
    item=Item.DEFAULTS,
    kinds=FIRMWARE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Whoever is near joins it, reads what is set up over it, the password of the real network "
    "among it, and sets the device up for themselves.",
    references=References(("I9", "I2"), ("5.6-1",), ("LA",), (306,)),
    jobs=firmware_jobs,
    judge=judge_spots(
        Weakness.OPEN_WIFI,
        _FIXES,
        "no Wi-Fi network of its own without a password",
        "no Wi-Fi network of its own here",
    ),
)

"""sdkconfig and eFuse summaries: weak ones fail, the fix as printed makes them clean."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Limits, Unobserved
from seawall.audit.chip.efuses import read_summary
from seawall.audit.chip.sdkconfig import read_sdkconfig
from seawall.audit.runner import Outcome, Terms, audit_target
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Result, Severity, Status

CHECKS = find_checks()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
SECRET = "Walrus-4471-tide"


def audit(path: Path, kind: TargetKind) -> dict[str, list[Result]]:
    outcome = Outcome()
    target = Target(kind, path.name, path=path)
    asyncio.run(audit_target(target, CHECKS, Terms(Limits(), NOW), outcome))
    assert outcome.faults == []
    return outcome.by_check


def status(results: dict[str, list[Result]]) -> dict[str, Status]:
    return {check: found[0].status for check, found in results.items()}


WEAK_SDKCONFIG = f"""\
#
# Automatically generated file. DO NOT EDIT.
# Espressif IoT Development Framework (ESP-IDF) 5.1.2 Project Configuration
#
CONFIG_IDF_TARGET="esp32s3"
# CONFIG_SECURE_BOOT is not set
# CONFIG_SECURE_FLASH_ENC_ENABLED is not set
# CONFIG_NVS_ENCRYPTION is not set
# CONFIG_BOOTLOADER_APP_ANTI_ROLLBACK is not set
CONFIG_COMPILER_STACK_CHECK_MODE_NONE=y
# CONFIG_ESP_BROWNOUT_DET is not set
CONFIG_LOG_DEFAULT_LEVEL=5
CONFIG_ESP_TLS_INSECURE=y
CONFIG_ESP_TLS_SKIP_SERVER_CERT_VERIFY=y
CONFIG_ESP_HTTPS_OTA_ALLOW_HTTP=y
CONFIG_EXAMPLE_WIFI_PASSWORD="{SECRET}"
"""


@pytest.fixture
def weak(tmp_path: Path) -> Path:
    path = tmp_path / "my project" / "sdkconfig"
    path.parent.mkdir()
    path.write_text(WEAK_SDKCONFIG)
    return path


def test_a_weak_sdkconfig_fails_everywhere(weak: Path) -> None:
    results = audit(weak, TargetKind.SDKCONFIG)
    passed = [check for check, each in status(results).items() if each is not Status.FAIL]
    assert passed == []
    assert SECRET not in repr(results)
    items = {check: int(found[0].item) for check, found in results.items()}
    assert items["sdkconfig.boot.unsigned"] == items["sdkconfig.jtag.open"] == 10
    assert items["sdkconfig.update.rollback"] == 4
    assert items["sdkconfig.tls.insecure"] == 7
    assert {each.evidence.split("=")[0] for each in results["sdkconfig.tls.insecure"]} == {
        "CONFIG_ESP_TLS_INSECURE",
        "CONFIG_ESP_TLS_SKIP_SERVER_CERT_VERIFY",
    }
    [boot] = results["sdkconfig.boot.unsigned"]
    assert boot.location is not None
    assert boot.location.line == 6


def test_the_printed_commands_make_an_sdkconfig_clean(weak: Path) -> None:
    for found in audit(weak, TargetKind.SDKCONFIG).values():
        for result in found:
            if result.fix is not None and result.fix.command is not None:
                subprocess.run(["sh", "-c", result.fix.command], check=True)
    weak.write_text(weak.read_text().replace(SECRET, "").replace("5.1.2", "5.5.5"))
    results = audit(weak, TargetKind.SDKCONFIG)
    assert set(status(results).values()) == {Status.PASS}


@pytest.mark.parametrize(
    ("lines", "check", "severity"),
    [
        ("CONFIG_SECURE_BOOT_V1_ENABLED=y", "sdkconfig.boot.unsigned", Severity.HIGH),
        (
            "CONFIG_SECURE_FLASH_ENC_ENABLED=y\nCONFIG_SECURE_FLASH_ENCRYPTION_MODE_DEVELOPMENT=y",
            "sdkconfig.flash.plain",
            Severity.HIGH,
        ),
        (
            "CONFIG_SECURE_BOOT=y\nCONFIG_SECURE_BOOT_ALLOW_JTAG=y",
            "sdkconfig.jtag.open",
            Severity.HIGH,
        ),
        ("CONFIG_SECURE_INSECURE_ALLOW_DL_MODE=y", "sdkconfig.download.open", Severity.MEDIUM),
        (
            f'CONFIG_BROKER_URL="mqtts://me:{SECRET}@b.example"',
            "sdkconfig.secrets.built-in",
            Severity.HIGH,
        ),
        ('CONFIG_BROKER_URL="mqtt://b.example"', "sdkconfig.tls.insecure", Severity.HIGH),
        ('CONFIG_API_URL="http://a.example/x"', "sdkconfig.tls.insecure", Severity.MEDIUM),
        (
            'CONFIG_EXAMPLE_FIRMWARE_UPGRADE_URL="http://a.example/f.bin"',
            "sdkconfig.update.plain",
            Severity.HIGH,
        ),
        ('CONFIG_ESP_WIFI_PASSWORD="12345678"', "sdkconfig.secrets.built-in", Severity.CRITICAL),
    ],
)
def test_half_measures_fail(tmp_path: Path, lines: str, check: str, severity: Severity) -> None:
    path = tmp_path / "sdkconfig"
    path.write_text(lines + "\n")
    [result] = audit(path, TargetKind.SDKCONFIG)[check]
    assert (result.status, result.severity) == (Status.FAIL, severity)


def test_addresses_with_tls_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "sdkconfig"
    path.write_text(
        'CONFIG_BROKER_URL="mqtts://b.example"\nCONFIG_OTA_URL="https://a.example/f.bin"\n'
        'CONFIG_LOCAL_URL="http://localhost/x"\n'
    )
    results = audit(path, TargetKind.SDKCONFIG)
    for check in ("sdkconfig.secrets.built-in", "sdkconfig.tls.insecure", "sdkconfig.update.plain"):
        assert [each.status for each in results[check]] == [Status.PASS]


@pytest.mark.parametrize("content", [b"", b"hello\n", bytes(300), b"\xff\xfe" * 100])
def test_what_is_none_is_unknown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sdkconfig"
    path.write_bytes(content)
    for kind in (TargetKind.SDKCONFIG, TargetKind.EFUSE):
        assert set(status(audit(path, kind)).values()) == {Status.UNKNOWN}
    assert set(status(audit(tmp_path / "no", TargetKind.EFUSE)).values()) == {Status.UNKNOWN}


# ruff: noqa: E501
# As esptool 5 prints an ESP32-S3 and 4 an ESP32, shortened.
S3 = """\
Connecting....
Detecting chip type... ESP32-S3

=== Run "summary" command ===
EFUSE_NAME (Block) Description  = [Meaningful Value] [Readable/Writeable] (Hex Value)
----------------------------------------------------------------------------------------
Config fuses:
WR_DIS (BLOCK0)                                    Disable programming of individual eFuses           = 0 R/W (0x00000000)
PIN_POWER_SELECTION (BLOCK0)                       Set default power supply for GPIO33-GPIO37; set wh = VDD3P3_CPU R/W (0b0)
                                                   en SPI flash is initialized

Jtag fuses:
SOFT_DIS_JTAG (BLOCK0)                             Set these bits to disable JTAG in the soft way (od = 0 R/W (0b000)
                                                   d number 1 means disable ). JTAG can be enabled in
                                                    HMAC module
DIS_PAD_JTAG (BLOCK0)                              Set this bit to disable JTAG in the hard way. JTAG = False R/W (0b0)
                                                    is disabled permanently

Security fuses:
DIS_DOWNLOAD_MANUAL_ENCRYPT (BLOCK0)               Set this bit to disable flash encryption when in d = False R/W (0b0)
                                                   ownload boot modes
SPI_BOOT_CRYPT_CNT (BLOCK0)                        Enables flash encryption when 1 or 3 bits are set  = Disable R/W (0b000)
                                                   and disabled otherwise
KEY_PURPOSE_0 (BLOCK0)                             Purpose of Key0                                    = USER R/W (0x0)
SECURE_BOOT_EN (BLOCK0)                            Set this bit to enable secure boot                 = False R/W (0b0)
DIS_DOWNLOAD_MODE (BLOCK0)                         Set this bit to disable download mode (boot_mode[3 = False R/W (0b0)
                                                   :0] = 0; 1; 2; 3; 6; 7)
ENABLE_SECURITY_DOWNLOAD (BLOCK0)                  Set this bit to enable secure UART download mode   = False R/W (0b0)
BLOCK_KEY0 (BLOCK4)
Purpose: USER
            Key0 or user data
= 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 R/W

Usb fuses:
DIS_USB_JTAG (BLOCK0)                              Set this bit to disable function of usb switch to  = False R/W (0b0)
                                                   jtag in module of usb device
"""
FIRST = """\
espefuse.py v4.7.0
Connecting........__
Detecting chip type... ESP32

EFUSE_NAME (Block) Description  = [Meaningful Value] [Readable/Writeable] (Hex Value)
----------------------------------------------------------------------------------------
Flash fuses:
FLASH_CRYPT_CNT (BLOCK0):                          Flash encryption is enabled if this field has an o = 0 R/W (0b0000000)
                                                   dd number of bits set

Jtag fuses:
JTAG_DISABLE (BLOCK0):                             Disable JTAG                                       = False R/W (0b0)

Security fuses:
UART_DOWNLOAD_DIS (BLOCK0):                        Disable UART download mode. Valid for ESP32 V3 and = False R/W (0b0)
                                                    newer; only
ABS_DONE_0 (BLOCK0):                               Secure boot V1 is enabled for bootloader image     = False R/W (0b0)
ABS_DONE_1 (BLOCK0):                               Secure boot V2 is enabled for bootloader image     = False R/W (0b0)
DISABLE_DL_ENCRYPT (BLOCK0):                       Disable flash encryption in UART bootloader        = False R/W (0b0)
DISABLE_DL_DECRYPT (BLOCK0):                       Disable flash decryption in UART bootloader        = False R/W (0b0)
DISABLE_DL_CACHE (BLOCK0):                         Disable flash cache in UART bootloader             = False R/W (0b0)
BLOCK1 (BLOCK1):                                   Flash encryption key
   = 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 R/W
BLOCK2 (BLOCK2):                                   Security boot key
   = 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 R/W
"""
KEY = " ".join(["3f a7 11 c9"] * 8)
UNREADABLE = " ".join(["??"] * 32)


def burned(text: str, *names: str) -> str:
    for name in names:
        text = re.sub(rf"(?m)^({name} .*)= False R/W \(0b0\)", r"\1= True R/W (0b1)", text)
    return text


def efuses(tmp_path: Path, text: str) -> dict[str, list[Result]]:
    path = tmp_path / "efuse.txt"
    path.write_text(text)
    return audit(path, TargetKind.EFUSE)


@pytest.mark.parametrize("text", [S3, FIRST])
def test_a_chip_as_it_is_sold_fails(tmp_path: Path, text: str) -> None:
    results = efuses(tmp_path, text)
    assert status(results) == {
        "efuse.boot.unsigned": Status.FAIL,
        "efuse.flash.plain": Status.FAIL,
        "efuse.flash.development": Status.NOT_APPLICABLE,
        "efuse.jtag.open": Status.FAIL,
        "efuse.download.open": Status.FAIL,
        "efuse.keys.readable": Status.NOT_APPLICABLE,
    }
    assert {int(found[0].item) for found in results.values()} == {10}
    [jtag] = results["efuse.jtag.open"]
    assert jtag.fix is not None
    fuses = "DIS_PAD_JTAG 1 DIS_USB_JTAG 1" if text is S3 else "JTAG_DISABLE 1"
    chip = "esp32s3" if text is S3 else "esp32"
    assert jtag.fix.command == f"espefuse --chip {chip} burn-efuse {fuses}"


def sound(text: str) -> str:
    if text is S3:
        text = burned(
            text,
            *("DIS_PAD_JTAG", "DIS_USB_JTAG", "SECURE_BOOT_EN", "DIS_DOWNLOAD_MANUAL_ENCRYPT"),
            "ENABLE_SECURITY_DOWNLOAD",
        )
        text = text.replace("= Disable R/W (0b000)", "= Enable R/W (0b111)")
        text = text.replace("= USER R/W (0x0)", "= XTS_AES_128_KEY R/- (0x4)")
    else:
        text = burned(
            text,
            *("JTAG_DISABLE", "UART_DOWNLOAD_DIS", "ABS_DONE_1", "DISABLE_DL_ENCRYPT"),
            *("DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE"),
        )
        text = text.replace("= 0 R/W (0b0000000)", "= 1 R/- (0b0000001)")
    zeros = " ".join(["00"] * 32)
    return text.replace(f"= {zeros} R/W", f"= {UNREADABLE} -/-", 1)


@pytest.mark.parametrize("text", [S3, FIRST])
def test_a_chip_that_was_burned_passes(tmp_path: Path, text: str) -> None:
    assert set(status(efuses(tmp_path, sound(text))).values()) == {Status.PASS}


@pytest.mark.parametrize("text", [S3, FIRST])
def test_a_key_that_can_be_read_fails_and_is_not_shown(tmp_path: Path, text: str) -> None:
    results = efuses(tmp_path, sound(text).replace(f"= {UNREADABLE} -/-", f"= {KEY} R/W"))
    [result] = results["efuse.keys.readable"]
    assert result.status is Status.FAIL
    assert "3f a7" not in repr(results)
    assert "3f a7" not in repr(read_summary(sound(text).replace(UNREADABLE, KEY)))


def test_development_mode(tmp_path: Path) -> None:
    text = sound(S3).replace("= Enable R/W (0b111)", "= Enable R/W (0b001)")
    [result] = efuses(tmp_path, text)["efuse.flash.development"]
    assert result.status is Status.FAIL
    assert "may still be burned" in result.evidence


# Stands for a chip: burns into the summary what espefuse would burn into silicon.
ESPEFUSE = """\
#!{python}
import re, sys
from pathlib import Path

summary = Path({summary!r})
arguments = sys.argv[1:]
if arguments[0] == "--chip":
    assert arguments[1] in ("esp32", "esp32s3")
    arguments = arguments[2:]
verb, *names = arguments
names, values = (names[::2], names[1::2]) if verb == "burn-efuse" else (names, ["0"] * len(names))
text = summary.read_text()
for name, value in zip(names, values, strict=True):
    old = re.search(rf"(?m)^{{name}} [^=]*(?:\\n(?:[^=]*\\n)?)?[^\\n]*= .*$", text)[0]
    if verb == "burn-efuse":
        assert value == "1", "burnt bit by bit here"
        new = old.replace("= False R/W (0b0)", "= True R/W (0b1)")
    elif verb == "write-protect-efuse":
        new = old.replace(" R/W ", " R/- ")
    else:
        assert verb == "read-protect-efuse"
        new = re.sub("= .* R/W", "= " + " ".join(["??"] * 32) + " -/-", old)
    assert new != old, old
    text = text.replace(old, new)
summary.write_text(text)
"""


@pytest.mark.parametrize("text", [S3, FIRST], ids=["esp32s3", "esp32"])
@pytest.mark.parametrize("check", ["jtag.open", "download.open", "flash.development"])
def test_the_printed_command_closes_the_chip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, check: str
) -> None:
    spoiled = sound(text)
    for name in {
        "jtag.open": ("DIS_PAD_JTAG", "DIS_USB_JTAG", "JTAG_DISABLE"),
        "download.open": ("ENABLE_SECURITY_DOWNLOAD", "UART_DOWNLOAD_DIS"),
        "flash.development": ("DIS_DOWNLOAD_MANUAL_ENCRYPT", "DISABLE_DL_ENCRYPT"),
    }[check]:
        spoiled = re.sub(rf"(?m)^({name} .*)= True R/W \(0b1\)", r"\1= False R/W (0b0)", spoiled)
    burn_as_printed(tmp_path, monkeypatch, spoiled, f"efuse.{check}")


@pytest.mark.parametrize("text", [S3, FIRST], ids=["esp32s3", "esp32"])
def test_the_printed_command_protects_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    readable = sound(text).replace(f"= {UNREADABLE} -/-", f"= {KEY} R/W")
    burn_as_printed(tmp_path, monkeypatch, readable, "efuse.keys.readable")


def test_the_printed_command_locks_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sound(S3).replace("= Enable R/W (0b111)", "= Enable R/W (0b001)")
    burn_as_printed(tmp_path, monkeypatch, text, "efuse.flash.development")


def burn_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, check: str) -> None:
    path = tmp_path / "efuse.txt"
    program = tmp_path / "bin" / "espefuse"
    program.parent.mkdir()
    program.write_text(ESPEFUSE.format(python=sys.executable, summary=str(path)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    results = efuses(tmp_path, text)
    assert {name for name, each in status(results).items() if each is Status.FAIL} == {check}
    for result in results[check]:
        assert result.fix is not None
        assert result.fix.command is not None
        subprocess.run(["sh", "-ec", result.fix.command], check=True)
    assert set(status(audit(path, TargetKind.EFUSE)).values()) == {Status.PASS}


def test_two_burned_bits_switch_encryption_off(tmp_path: Path) -> None:
    text = sound(S3).replace("= Enable R/W (0b111)", "= Disable R/W (0b011)")
    results = efuses(tmp_path, text)
    assert status(results)["efuse.flash.plain"] is Status.FAIL
    assert "even" in results["efuse.flash.plain"][0].evidence


def test_json_of_espefuse(tmp_path: Path) -> None:
    def field(value: object, *, readable: bool = True) -> dict[str, object]:
        return {"value": value, "readable": readable, "writeable": True}

    fuses = {
        "SECURE_BOOT_EN": field(True),
        "SPI_BOOT_CRYPT_CNT": field(7),
        "DIS_DOWNLOAD_MANUAL_ENCRYPT": field(True),
        "DIS_PAD_JTAG": field(False),
        "DIS_DOWNLOAD_MODE": field(True),
        "KEY_PURPOSE_0": field("XTS_AES_128_KEY"),
        "BLOCK_KEY0": field(KEY),
    }
    results = efuses(tmp_path, json.dumps(fuses))
    failed = {check for check, each in status(results).items() if each is Status.FAIL}
    assert failed == {"efuse.jtag.open", "efuse.keys.readable"}
    assert "3f a7" not in repr(results)


def test_what_is_missing_is_unknown(tmp_path: Path) -> None:
    results = efuses(tmp_path, S3.replace("SECURE_BOOT_EN", "SOMETHING_ELSE"))
    assert status(results)["efuse.boot.unsigned"] is Status.UNKNOWN


@given(st.text() | st.lists(st.sampled_from([*S3.split("\n"), *FIRST.split("\n")])).map("\n".join))
def test_any_text_is_read(text: str) -> None:
    for fuse in read_summary(text).fields.values():
        with contextlib.suppress(Unobserved):
            assert fuse.bit_count >= 0
            assert isinstance(fuse.is_set, bool)
    read_sdkconfig(text)


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.dictionaries(st.sampled_from(["value", "raw"]), st.integers() | st.text(max_size=9)),
    )
)
def test_any_json_is_read(content: dict[str, dict[str, object]]) -> None:
    for fuse in read_summary(json.dumps(content)).fields.values():
        with contextlib.suppress(Unobserved):
            assert fuse.bit_count >= 0

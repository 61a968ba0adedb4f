"""The guides of the audit: their commands run, find what they say, and end as they say."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.model.installation import AuditSettings

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "audit.md").read_text(encoding="utf-8")
CHECK_GUIDE = (ROOT / "docs" / "guides" / "audit-checks.md").read_text(encoding="utf-8")
DATABASE_PAGE = (ROOT / "docs" / "reference" / "vulnerabilities.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SEAWALL = f"{sys.executable} -m seawall"

CODE = """
from umqtt.simple import MQTTClient
import network, webrepl

network.WLAN(network.STA_IF).connect("greenhouse", "tomatoes-42")
webrepl.start(password="reptile7")
client = MQTTClient("esp-1", "192.168.1.10")
"""
DEVICES = "name,model,firmware,last_seen\nesp-1,nodemcu,1.0,2020-06-01T08:00:00Z\n"


def blocks(text: str, kind: str) -> list[str]:
    return [content for each, content in BLOCK.findall(text) if each == kind]


@dataclass
class Evening:
    """Somebody's broker and boards, in a folder."""

    folder: Path
    port: int
    broker: subprocess.Popen[bytes] | None = None

    def start_broker(self) -> None:
        self.stop_broker()
        log = (self.folder / "mosquitto.log").open("ab")
        with log:
            self.broker = subprocess.Popen(
                ["mosquitto", "-c", "mosquitto.conf"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while True:
            assert self.broker.poll() is None, (self.folder / "mosquitto.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return

    def stop_broker(self) -> None:
        if self.broker is not None:
            self.broker.terminate()
            self.broker.wait(10)

    def run(self, command: str, *statuses: int) -> str:
        """Run a line of a guide, against this broker; return what it prints."""
        command = re.sub(r"\b(mqtts?)://[\w.]+(:\d+)?", rf"mqtt://127.0.0.1:{self.port}", command)
        command = command.replace("host://192.168.1.10", "host://127.0.0.1")
        command = re.sub(r"^seawall\b", SEAWALL, command).replace("--fix", "--fix --yes")
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=self.folder,
            env={**os.environ, "SEAWALL_STATE": str(self.folder / "state")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in statuses, command + done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = "user root\n" if os.geteuid() == 0 else ""
    (tmp_path / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\n{user}"
    )
    for folder in ("nodemcu", "firmware"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "main.py").write_text(CODE)
    (tmp_path / "devices.csv").write_text(DEVICES)
    (tmp_path / "sdkconfig").write_text(
        "# Espressif IoT Development Framework (ESP-IDF) 5.3.2 Project Configuration\n"
        'CONFIG_IDF_TARGET="esp32"\n# CONFIG_SECURE_BOOT is not set\n'
    )
    rig = Evening(tmp_path, port)
    rig.start_broker()
    yield rig
    rig.stop_broker()


def test_an_evening_finds_what_the_guide_lists(evening: Evening) -> None:
    first, mending, ports = blocks(GUIDE, "sh")[:3]
    shown = evening.run(first, 1)
    listed = re.findall(r"^\| `([a-z.-]+)` \|", GUIDE, re.MULTILINE)
    assert len(listed) == 6
    assert not [each for each in listed if each not in shown]
    assert "</html>" in (evening.folder / "audit.html").read_text(encoding="utf-8")

    fix, restart, again = mending.splitlines()
    evening.run(fix, 1)  # it takes away what it can; who gets in is for the owner to say
    configuration = evening.folder / "mosquitto.conf"
    assert "allow_anonymous true" in configuration.read_text()
    assert restart == "sudo systemctl restart mosquitto"
    evening.start_broker()
    assert "mqtt.auth.anonymous on" in evening.run(again, 1)
    # As the table says.
    made = ["mosquitto_passwd", "-c", "passwd", "pump"]
    words = b"Quiet-Harbour-58\n" * 2
    subprocess.run(made, input=words, cwd=evening.folder, check=True, timeout=10)
    (evening.folder / "passwd").chmod(0o644)
    text = configuration.read_text().replace("anonymous true", "anonymous false")
    if os.geteuid() == 0:  # only root gets into the folder of the test
        text = text.replace("user mosquitto", "user root")
    configuration.write_text(f"password_file passwd\n{text}")
    evening.start_broker()
    assert "mqtt.auth.anonymous on" not in evening.run(again, 1)
    # What else this machine has open is not for this test to say.
    asked = evening.run(ports.replace("22,", f"22,{evening.port},"), 0, 1)
    assert "Insecure network services" in asked


def test_an_own_installation_gets_the_grade_that_is_promised(evening: Evening) -> None:
    (evening.folder / "pw").write_text("a-long-and-unusual-horse-7351\n")
    evening.run("seawall init --password-file pw", 0)
    own, configured, before, schema = *blocks(GUIDE, "sh")[3:6], "seawall audit --schema"
    assert "\ngrade A: " in evening.run(own, 0)

    # What a report is compared with is what was kept of the same audit.
    keep, compare = before.splitlines()
    evening.run(keep, 0)
    assert ": 0 new, 0 gone" in evening.run(compare, 0)
    report = json.loads((evening.folder / "audit.json").read_text(encoding="utf-8"))
    assert schema in GUIDE
    assert set(json.loads(evening.run(schema, 0))["properties"]) >= set(report)

    settings = tomllib.loads(blocks(GUIDE, "toml")[0])["audit"]
    assert AuditSettings(**settings) == AuditSettings()
    assert configured == "seawall audit --config audit.toml\n"


def test_audit_toml_is_read_as_written(evening: Evening) -> None:
    _, identities, waiver = blocks(GUIDE, "toml")
    policy = re.search(r"`(minimum_firmware = .*?)`", GUIDE)
    assert policy
    for name in ("audit-1", "audit-2"):
        (evening.folder / f"{name}.password").write_text("unusual-horse-7351\n")
        (evening.folder / f"{name}.password").chmod(0o600)
    text = identities.replace("mqtts://broker.example:8883", f"mqtt://127.0.0.1:{evening.port}")
    text = text.replace('ca = "ca.pem"\n', "") + f"\n[policy]\n{policy[1]}\n\n{waiver}"
    (evening.folder / "audit.toml").write_text(text)
    shown = evening.run(blocks(GUIDE, "sh")[4], 1)
    # With a second identity the proof by delivery is whole.
    assert "mqtt.acl.foreign-read on" in shown
    assert "needs a second identity" not in shown


def test_the_job_of_ci_writes_sarif_and_fails(evening: Evening) -> None:
    command = re.search(r"- run: (.*)", GUIDE)
    assert command
    evening.run(command[1], 1)
    written = json.loads((evening.folder / "audit.sarif").read_text(encoding="utf-8"))
    assert {each["ruleId"] for each in written["runs"][0]["results"]} >= {"firmware.secrets.code"}


def test_the_test_of_the_guide_to_checks_runs(evening: Evening) -> None:
    whole, job, test = blocks(CHECK_GUIDE, "python")
    (evening.folder / "support_end.py").write_text(whole)
    (evening.folder / "try.py").write_text(f"from support_end import CHECK\n{test}")
    evening.run(f"{sys.executable} try.py", 0)

    header = (
        "import asyncio\nfrom dataclasses import dataclass\n"
        "from seawall.audit.check import Job, Limits, Unobserved\n"
        "from seawall.audit.target import Target, TargetKind\n"
    )
    body = "\n".join(line.removeprefix("  ") for line in job.splitlines())
    target = f'Target(TargetKind.HOST, "x", host="127.0.0.1", port={evening.port})'
    ask = f"\ntry:\n    asyncio.run(Banner().observe({target}, Limits()))\n"
    ending = "except Unobserved as reason:\n    print(reason)\n"
    (evening.folder / "banner.py").write_text(header + body + ask + ending)
    assert "says nothing by itself" in evening.run(f"{sys.executable} banner.py", 0)


def test_a_database_is_renewed_as_its_page_says(evening: Evening) -> None:
    (evening.folder / "renew.py").write_text(blocks(DATABASE_PAGE, "python")[0])
    assert "vulnerabilities" in evening.run(f"{sys.executable} renew.py", 0)
    (evening.folder / "firmware" / "version.h").write_text(
        '#define MBEDTLS_VERSION_STRING "3.6.8"\n'
    )
    shown = evening.run(blocks(DATABASE_PAGE, "sh")[0], 1)
    assert "CVE-2026-99999" in shown
    assert "database of vulnerabilities of 2026-11-20" in shown

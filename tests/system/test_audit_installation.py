"""The audit of an own installation: what init and up make is sound, and what spoils it is found."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import argon2
import pytest
from click.testing import CliRunner

from seawall.audit.check import Limits
from seawall.audit.fixing import apply, planned
from seawall.audit.installation import ANSWERED_BY_STATE
from seawall.audit.target import FleetPolicy, Target, TargetKind
from seawall.cli.commands.audit import command
from seawall.daemon.assemble import (
    create_store,
    now_ms,
    open_installation,
    open_store_to_read,
)
from seawall.daemon.nightly_audit import NightlyAudit, run_audit
from seawall.daemon.settings import read_settings, write_settings
from seawall.errors import ServiceError
from seawall.model.device import Board, DeviceStatus, Profile, Trust
from seawall.model.event import Event
from seawall.model.finding import Result, Risk, Severity, Status
from seawall.model.installation import Settings
from seawall.model.reading import Batch, Reading
from seawall.model.user import Role, User
from seawall.operations.add_device import NewDevice, add_device
from seawall.operations.audit_installation import state_ports
from seawall.operations.audit_targets import AuditOrder, audit_targets, list_checks
from seawall.operations.create_installation import NewInstallation, create_installation
from seawall.operations.create_update_keys import KeyPlan, create_update_keys
from seawall.operations.installation import Installation
from seawall.operations.keep_audit import last_audit
from seawall.operations.passwords import hash_password, matches
from seawall.operations.update_signing import NewKeys
from seawall.testing.daemon_process import DaemonProcess, make_installation

pytestmark = pytest.mark.system

PASSWORD = "a-long-and-unusual-horse-7351"
PASSPHRASE = b"another-unusual-passphrase-9924"
CHECKS = list_checks()


@dataclass
class Rig:
    """An installation, and its audit."""

    root: Path

    def audit(self) -> list[Result]:
        target = Target(TargetKind.STATE, "state", path=self.root, policy=FleetPolicy())
        order = AuditOrder(
            [target],
            CHECKS,
            ports=state_ports(open_store_to_read),
        )
        record = audit_targets(order)
        assert not record.faults
        return list(record.results)

    def failures(self) -> list[Result]:
        """Return the open failures but for what is for information."""
        return [
            each
            for each in self.audit()
            if each.status is Status.FAIL and each.severity is not Severity.INFO
        ]

    def opened(self) -> Installation:
        return open_installation(self.root, "test")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "state"
    create_installation(
        root,
        NewInstallation(
            replace(
                Settings(),
                mqtt=replace(Settings().mqtt, host="127.0.0.1"),
                updates=replace(Settings().updates, host="127.0.0.1"),
            ),
            password=PASSWORD,
        ),
        create_store=create_store,
        write_settings=write_settings,
        now_ms=lambda: int(datetime.now(UTC).timestamp() * 1000),
        actor="test",
    )
    return root


@pytest.fixture
def rig(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    # A guess takes 0.1 s on purpose: where passwords are not the matter, none is right.
    monkeypatch.setattr("seawall.operations.audit_state.matches", lambda *_: False)
    shutil.copytree(made, tmp_path / "state")
    return Rig(tmp_path / "state")


def a_device(rig: Rig, name: str = "cellar", **members: Any) -> None:
    """Add a device that was heard of a moment ago, changed as told."""
    installation = rig.opened()
    try:
        device = replace(add_device(installation, NewDevice(name)), **members)
        installation.store.put_device(device, installation.event("device-changed", name))
        a_reading(installation, name)
    finally:
        installation.store.close()


def a_reading(
    installation: Installation, name: str, body: str = "", *, days_ago: int = 0, seq: int = 1
) -> None:
    at_ms = installation.now_ms() - days_ago * 86_400_000
    text = body or f'{{"temp":20.5,"raw":700,"boot":1,"seq":{seq}}}'
    reading = Reading(name, at_ms, 1, seq, at_ms, text.encode())
    installation.store.append(Batch([reading]))


def of(results: list[Result], check: str) -> list[Result]:
    return [each for each in results if each.check == check]


def shell(command: str, **environment: str) -> None:
    subprocess.run(
        ["bash", "-euc", command], check=True, timeout=60, env={**os.environ, **environment}
    )


def as_module(command: str) -> str:
    """Return a printed command, of the Seawall that is tested."""
    assert command.startswith("seawall ")
    return f"{sys.executable} -m {command}"


def seawall(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seawall", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# Sound


def test_a_fresh_init_is_grade_a(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    state = str(tmp_path / "state")
    init = seawall("init", "--state", state, "--password-file", str(tmp_path / "password"))
    assert init.returncode == 0, init.stderr
    audit = seawall("audit", "--json", "--state", state)
    report = json.loads(audit.stdout)
    assert (audit.returncode, report["grade"]) == (0, "A"), audit.stdout
    assert all(item["grade"] in {"A", None} for item in report["items"])
    assert not [each for each in report["results"] if each["status"] == "unknown"]
    assert seawall("audit", "--strict", "--state", state).returncode == 0
    assert PASSWORD not in audit.stdout + audit.stderr


@pytest.fixture(scope="module", params=["builtin", "mosquitto"])
def running(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("running")
    make_installation(folder / "state", broker=request.param, password=PASSWORD).store.close()
    daemon = DaemonProcess(folder / "state", folder / "log")
    daemon.start()
    try:
        daemon.wait_ready()
        yield folder / "state"
    finally:
        daemon.stop()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give live targets the time that a busy machine may take: grades are asked for, not speed."""
    limits = Limits(connect_timeout_s=30.0, live_deadline_s=90.0, deadline_s=90.0)
    monkeypatch.setattr("seawall.cli.audit_run.AuditOrder", partial(AuditOrder, limits=limits))


@pytest.mark.usefixtures("patience")
def test_a_running_daemon_is_grade_a(running: Path) -> None:
    audit = CliRunner().invoke(command, ["--json", "--state", str(running)])
    report = json.loads(audit.stdout)
    faulty = [
        (each["check"], each["status"], each["evidence"])
        for each in report["results"]
        if each["status"] in {"fail", "unknown"} and each["severity"] != "info"
    ]
    assert (audit.exit_code, report["grade"], faulty) == (0, "A", []), audit.stderr
    kinds = [target["kind"] for target in report["targets"]]
    assert kinds[:3] == ["state", "mqtt", "api"]
    passed = {each["check"] for each in report["results"] if each["status"] == "pass"}
    # The lent identities were let in, and kept apart.
    assert {"mqtt.acl.foreign-read", "mqtt.acl.foreign-write", "mqtt.auth.anonymous"} <= passed
    assert {"tls.certificate.chain", "tls.certificate.name", "tls.certificate.pin"} <= passed


@pytest.mark.parametrize(
    ("arguments", "host"),
    [
        ([], "127.0.0.1"),
        (["--name", "iot.example.org"], "0.0.0.0"),
        (["--mqtt-host", "0.0.0.0"], "0.0.0.0"),
    ],
)
def test_init_listens_to_those_who_can_verify_it(
    tmp_path: Path, arguments: list[str], host: str
) -> None:
    assert seawall("init", "--state", str(tmp_path / "state"), *arguments).returncode == 0
    settings = read_settings(tmp_path / "state" / "seawall.toml")
    assert (settings.mqtt.host, settings.updates.host) == (host, host)
    assert settings.web.host == "127.0.0.1"


def test_what_is_left_out_exists() -> None:
    assert {check.id for check in CHECKS} >= ANSWERED_BY_STATE


def test_lent_identities_leave_nothing_behind(running: Path) -> None:
    seawall("audit", "--json", "--state", str(running))
    assert [path.name for path in (running / "run").iterdir()] == ["daemon.json"]
    listed = seawall("device", "list", "--json", "--state", str(running))
    assert json.loads(listed.stdout) == []


def test_read_only_writes_nothing_to_the_own_broker_and_interface(running: Path) -> None:
    report = json.loads(seawall("audit", "--read-only", "--json", "--state", str(running)).stdout)
    said = {each["check"]: (each["status"], each["evidence"]) for each in report["results"]}
    for check in (check.id for check in CHECKS if check.risk is Risk.WRITE and check.id in said):
        assert said[check] == ("unknown", "not made: the audit is --read-only")
    assert said["mqtt.acl.foreign-write"][0] == "unknown"
    assert "odd requests are not made" in said["api.methods.trace"][1]


def test_the_nightly_audit_is_a_process_of_its_own(running: Path) -> None:
    installation = open_installation(running, "daemon")
    try:
        evening = datetime.now(UTC).replace(hour=1)
        clock = iter((evening, evening.replace(hour=4), evening.replace(hour=5)))
        nightly = NightlyAudit(installation, clock=lambda: next(clock))
        kept = asyncio.run(nightly.step())
        assert kept is not None
        assert kept.grade in {"A", "B"}
        assert asyncio.run(nightly.step()) is None
        report = json.loads(last_audit(installation.paths) or b"")
        assert {"state", "mqtt", "api"} <= {each["kind"] for each in report["targets"]}
        assert "audited" in {each.kind for each in installation.store.events()}
    finally:
        installation.store.close()


def test_a_nightly_audit_that_cannot_run_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"ended with status 2: .*no installation"):
        asyncio.run(run_audit(["--json", "--state", str(tmp_path / "gone")]))


# What the audit must not do


def test_the_audit_changes_nothing(rig: Rig) -> None:
    a_device(rig)
    (rig.root / "seawall.db").chmod(0o644)

    def everything() -> dict[str, tuple[int, bytes]]:
        return {
            str(path.relative_to(rig.root)): (path.stat().st_mode, path.read_bytes())
            for path in rig.root.rglob("*")
            if path.is_file()
        }

    before = everything()
    rig.audit()
    assert everything() == before


def test_no_secret_is_told(rig: Rig) -> None:
    a_device(rig)
    secrets = [PASSWORD, (rig.root / "pki" / "master.key").read_bytes().hex()]
    installation = rig.opened()
    secrets += [user.password_hash for user in installation.store.users()]
    installation.store.close()
    for path in (rig.root / "pki").rglob("*.key.pem"):
        secrets += path.read_text().splitlines()[1:-1]
        path.chmod(0o644)
    told = repr(rig.audit())
    assert "has mode 0644" in told
    assert not [each for each in secrets if each in told]


# Weak, and mended


@pytest.mark.parametrize(
    ("path", "mode", "check", "severity"),
    [
        ("pki/master.key", 0o644, "state.files.keys", "low"),
        ("seawall.db", 0o640, "state.files.database", "low"),
        ("seawall.toml", 0o644, "state.files.folders", "low"),
        ("pki", 0o750, "state.files.folders", "low"),
        (".", 0o755, "state.files.folders", "medium"),
    ],
)
def test_an_open_file_is_found_and_mended(
    rig: Rig, path: str, mode: int, check: str, severity: str
) -> None:
    (rig.root / path).chmod(mode)
    (found,) = rig.failures()
    assert (found.check, found.severity) == (check, severity)
    assert f"{path} has mode {mode:04o}" in found.evidence
    assert found.fix is not None
    assert found.fix.command
    shell(found.fix.command)
    assert rig.failures() == []


def test_what_is_reachable_is_worse_and_fix_closes_all_of_it(rig: Rig) -> None:
    for path in (".", "pki"):
        (rig.root / path).chmod(0o755)
    (rig.root / "pki/issuing.key.pem").chmod(0o644)
    (rig.root / "seawall.toml").chmod(0o666)
    (rig.root / "backup-2026.tar").write_bytes(b"x")
    (rig.root / "backup-2026.tar").chmod(0o644)
    worst = {each.check: each.severity for each in rig.failures()}
    assert worst["state.files.keys"] is Severity.CRITICAL
    assert worst["state.files.database"] is Severity.HIGH
    assert worst["state.files.writable"] is Severity.CRITICAL
    for change in planned(rig.audit()):
        apply([change])
    assert rig.failures() == []


def test_a_checkout_above_is_found(rig: Rig) -> None:
    (rig.root.parent / ".git").mkdir()
    assert rig.failures() == []  # init left a .gitignore
    (rig.root / ".gitignore").unlink()
    (found,) = rig.failures()
    assert found.check == "state.files.checkout"
    assert found.fix is not None
    assert found.fix.command
    shell(found.fix.command)
    assert rig.failures() == []


def test_settings_are_found_and_mended_without_touching_the_rest(rig: Rig) -> None:
    path = rig.root / "seawall.toml"
    settings = read_settings(path)
    weak = replace(
        settings,
        mqtt=replace(settings.mqtt, host="0.0.0.0", connect_timeout_s=300.0),
    )
    write_settings(path, weak)
    path.write_text(path.read_text() + "# kept\n")
    found = rig.failures()
    assert {each.check for each in found} == {"state.settings.listeners", "state.settings.limits"}
    for _ in range(3):
        if changes := planned(rig.audit()):
            apply(changes[:1])
    assert rig.failures() == []
    assert path.read_text().endswith("# kept\n")
    assert read_settings(path).mqtt.connect_timeout_s == Settings().mqtt.connect_timeout_s


@pytest.mark.parametrize("weak", ["admin", "password1234", "adminadminadmin"])
def test_a_usual_password_is_found_offline(
    rig: Rig, weak: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seawall.operations.audit_state.matches", matches)
    monkeypatch.setattr("seawall.operations.audit_state.USUAL", ("password1234", "admin"))
    installation = rig.opened()
    (user,) = installation.store.users()
    installation.store.put_user(replace(user, password_hash=hash_password(weak)))
    installation.store.close()
    results = rig.audit()
    (found,) = [each for each in results if each.status is Status.FAIL and each.severity > "info"]
    assert (found.check, found.severity) == ("state.users.passwords", "critical")
    assert found.evidence.startswith("the password of admin (admin) is ")
    assert weak not in found.evidence.removeprefix("the password of admin (admin) is ")
    assert found.fix is not None
    assert found.fix.command
    shell(as_module(found.fix.command))
    assert rig.failures() == []


def test_a_quick_hash_is_found(rig: Rig) -> None:
    installation = rig.opened()
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    installation.store.put_user(User("eve", Role.VIEWER, quick, 0))
    installation.store.put_user(User("old", Role.VIEWER, "$2b$12$abcdefghijklmnopqrstuv", 0))
    installation.store.close()
    found = of(rig.failures(), "state.users.hashes")
    assert [each.evidence.split(" is kept as ")[1] for each in found] == [
        "argon2id, 1024 KiB and 1 passes a guess",
        "an unknown kind of hash, 0 KiB and 0 passes a guess",
    ]
    for each in found:
        assert each.fix is not None
        assert each.fix.command
        shell(as_module(each.fix.command))
    assert rig.failures() == []


@pytest.mark.parametrize(
    ("members", "check", "severity"),
    [
        ({"profile": Profile.PLAIN}, "state.devices.plain", Severity.LOW),
        ({"board": Board.ESP8266}, "state.devices.server", Severity.MEDIUM),
        ({"trust": Trust.PIN}, "state.devices.trust", Severity.INFO),
        ({"certificate_not_after_ms": 1_763_759_216_000}, "inventory.certificate.expired", None),
        ({"status": DeviceStatus.REVOKED}, "state.revocation.list", Severity.HIGH),
    ],
)
def test_a_weak_device_is_found(
    rig: Rig, members: dict[str, Any], check: str, severity: Severity | None
) -> None:
    a_device(rig, "sound")
    assert {each.check for each in rig.failures()} == {"state.updates.missing"}
    a_device(rig, "weak", **members)
    found = [each for each in of(rig.audit(), check) if each.status is Status.FAIL]
    assert found
    assert "weak" in found[0].evidence
    assert severity in {None, found[0].severity}


def test_a_device_never_seen_and_one_that_shares_a_certificate(rig: Rig) -> None:
    installation = rig.opened()
    device = add_device(installation, NewDevice("first"))
    month_ago_ms = installation.now_ms() - 31 * 86_400_000
    for name in ("lost", "twin"):
        twin = replace(device, device_id=name, added_ms=month_ago_ms)
        installation.store.add_device(twin, Event(month_ago_ms, "device-added", name))
    installation.store.close()
    checks = {each.check: each for each in rig.failures()}
    assert "never heard of since it was added" in checks["inventory.device.silent"].evidence
    assert "first, lost, twin" in checks["inventory.certificate.shared"].evidence


def test_a_revoked_device_that_still_talks_is_found(rig: Rig) -> None:
    a_device(rig, "stolen")
    installation = rig.opened()
    device = installation.store.device("stolen")
    assert device is not None
    long_ago_ms = installation.now_ms() - 5 * 86_400_000
    gone = device.with_status(DeviceStatus.REVOKED, long_ago_ms)
    installation.store.put_device(gone, installation.event("device-revoked", "stolen"))
    authority = installation.keystore.authority()
    installation.keystore.revoke(device.certificate_serial, installation.now(), authority)
    installation.store.close()
    (found,) = rig.failures()
    assert found.check == "inventory.certificate.revoked-active"
    assert found.severity is Severity.HIGH


def test_a_list_that_lacks_a_revoked_device_is_mended_as_printed(rig: Rig) -> None:
    a_device(rig, "stolen")
    installation = rig.opened()
    device = installation.store.device("stolen")
    assert device is not None
    gone = device.with_status(DeviceStatus.REVOKED, installation.now_ms())
    installation.store.put_device(gone, installation.event("device-revoked", "stolen"))
    installation.store.close()
    (found,) = rig.failures()
    assert found.check == "state.revocation.list"
    assert found.fix is not None
    assert found.fix.command
    shell(as_module(found.fix.command))
    assert rig.failures() == []


def test_personal_data_and_age_of_readings(rig: Rig) -> None:
    a_device(rig)
    installation = rig.opened()
    body = '{"temp":20.5,"heart_rate":61,"pir":1,"who":"ann@example.org","boot":1,"seq":2}'
    a_reading(installation, "cellar", body, days_ago=500, seq=2)
    installation.store.append(
        Batch(
            [Reading("cellar", installation.now_ms(), 1, 3, installation.now_ms(), body.encode())]
        )
    )
    installation.store.close()
    results = rig.failures()
    fields = {
        each.evidence.split("'")[1]: each.severity for each in of(results, "state.privacy.members")
    }
    assert fields == {"heart_rate": "medium", "pir": "low", "who": "medium"}
    (kept,) = of(results, "state.privacy.retention")
    assert kept.severity is Severity.LOW
    assert "500 days old" in kept.evidence
    assert "ann@" not in repr(results)


def test_update_keys_online_unsealed_alone_and_ended(rig: Rig) -> None:
    a_device(rig)
    installation = rig.opened()
    new_keys = NewKeys(passphrase=lambda _: PASSPHRASE)
    create_update_keys(installation, new_keys, KeyPlan(roots=1, root_threshold=1))
    installation.store.close()
    found = {each.check: each for each in rig.failures()}
    assert set(found) == {"state.updates.offline", "state.updates.threshold"}
    assert "under a passphrase" in found["state.updates.offline"].evidence
    fix = found["state.updates.offline"].fix
    assert fix is not None
    assert fix.command
    disk = rig.root.parent / "disk"
    disk.mkdir()
    shell(fix.command, DISK=str(disk))
    assert {each.check for each in rig.failures()} == {"state.updates.threshold"}
    assert len(list(disk.iterdir())) == 2


def with_passphrase(command: str, folder: Path) -> str:
    """Return a printed command that asks for a passphrase, with the answer to it."""
    (folder / "passphrase").write_bytes(PASSPHRASE)
    return f"{as_module(command)} --passphrase-fd 3 3<{folder / 'passphrase'}"


def test_devices_without_updates_get_them_as_printed(rig: Rig, tmp_path: Path) -> None:
    a_device(rig)
    (found,) = rig.failures()
    assert found.check == "state.updates.missing"
    assert (found.item, "1 active devices" in found.evidence) == (4, True)
    assert found.fix is not None
    assert found.fix.command
    shell(with_passphrase(found.fix.command, tmp_path))
    results = rig.audit()
    assert [each.status for each in of(results, "state.updates.missing")] == [Status.PASS]
    assert [each.status for each in of(results, "state.updates.threshold")] == [Status.PASS]
    assert [each.status for each in of(results, "state.updates.dates")] == [Status.PASS]


def test_ended_metadata_are_renewed_by_the_daemon_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seawall.operations.audit_state.USUAL", ("admin",))
    installation = make_installation(tmp_path / "state", password=PASSWORD)
    ago = replace(installation, now_ms=lambda: now_ms() - 10 * 86_400_000)
    create_update_keys(ago, NewKeys(passphrase=lambda _: PASSPHRASE), None)
    installation.store.close()
    rig = Rig(tmp_path / "state")
    found = [e for e in of(rig.audit(), "state.updates.dates") if e.status is Status.FAIL]
    assert "timestamp: ended on" in found[0].evidence
    assert found[0].item == 4
    assert found[0].fix is not None
    daemon = DaemonProcess(rig.root, tmp_path / "log")
    assert found[0].fix.command == f"seawall up --state {rig.root}"  # which is what it starts
    daemon.start()
    try:
        daemon.wait_ready()
    finally:
        daemon.stop()
    assert [each.status for each in of(rig.audit(), "state.updates.dates")] == [Status.PASS]


def test_files_of_another_user_are_found(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but root gives files away: here one only seems to be another's."""
    look, stranger = Path.stat, rig.root / "seawall.db"

    def seem(path: Path, **options: Any) -> os.stat_result:
        status = look(path, **options)
        if path != stranger:
            return status
        members = [*status[:4], status.st_uid + 1001, *status[5:]]
        return os.stat_result(members)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", seem)
        found = [e for e in of(rig.audit(), "state.files.owner") if e.status is Status.FAIL]
    assert [each.evidence.split(" ")[0] for each in found] == ["seawall.db"]
    assert found[0].fix is not None
    assert found[0].fix.command == f"sudo chown {os.getuid()} {stranger}"
    assert rig.failures() == []  # given back


def test_a_bundle_is_written_again_as_printed(rig: Rig, tmp_path: Path) -> None:
    """One that trusts nobody, of an installation that has no updates yet."""
    a_device(rig)
    bundle = tmp_path / "old"
    write = ("device", "bundle", "cellar", "--out", str(bundle), "--state", str(rig.root))
    assert seawall(*write, "--host", "localhost", "--port", "8883").returncode == 0
    settings = json.loads((bundle / "config.json").read_text())
    settings["trust"] = {"mode": "none", "pins": []}
    (bundle / "config.json").write_text(json.dumps(settings))
    found = {e.check: e for e in audit_of_bundle(bundle) if e.status is Status.FAIL}
    assert set(found) == {"firmware.bundle.trust", "firmware.update.missing"}
    assert found["firmware.update.missing"].fix is not None
    assert found["firmware.bundle.trust"].fix is not None
    make_keys = found["firmware.update.missing"].fix.text.split("`")[1]
    command = found["firmware.update.missing"].fix.command
    assert command == found["firmware.bundle.trust"].fix.command
    state = f"cd {tmp_path}; export SEAWALL_STATE={rig.root}; "
    shell(state + with_passphrase(make_keys, tmp_path))
    shell(f"{state}{as_module(str(command))}")
    again = audit_of_bundle(tmp_path / "cellar-bundle")
    assert [each for each in again if each.status in {Status.FAIL, Status.UNKNOWN}] == []


def audit_of_bundle(folder: Path) -> list[Result]:
    target = Target(TargetKind.FIRMWARE, "bundle", path=folder)
    record = audit_targets(AuditOrder([target], CHECKS))
    assert not record.faults
    return list(record.results)


def test_the_passphrase_of_the_authority_can_be_set_as_printed(rig: Rig) -> None:
    found = of(rig.audit(), "state.authority.sealed")
    assert {each.severity for each in found} == {Severity.INFO}
    for each in found:
        assert each.fix is not None
        assert each.fix.command
        command = each.fix.command.replace("pkcs8 ", "pkcs8 -passout env:PASSPHRASE ")
        shell(command, PASSPHRASE=PASSPHRASE.decode())
    assert [each.status for each in of(rig.audit(), "state.authority.sealed")] == [Status.PASS]
    installation = rig.opened()
    installation.keystore.authority(PASSPHRASE)
    installation.store.close()
    assert rig.failures() == []


# What cannot be read


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        ("seawall.toml", "state.settings.listeners"),
        ("pki/crl.pem", "state.revocation.list"),
        ("seawall.db", "state.users.passwords"),
        ("seawall.db", "inventory.device.silent"),
    ],
)
def test_what_is_damaged_or_gone_is_unknown(rig: Rig, spoil: str, check: str) -> None:
    (rig.root / spoil).write_bytes(b"\x00\xff nonsense")
    (found,) = of(rig.audit(), check)
    assert found.status is Status.UNKNOWN, found
    (rig.root / spoil).unlink()
    (found,) = of(rig.audit(), check)
    assert found.status is Status.UNKNOWN


def test_a_folder_that_is_no_installation_is_unknown(tmp_path: Path) -> None:
    results = Rig(tmp_path).audit()
    status = {each.check: each.status for each in results}
    assert status["state.settings.listeners"] is Status.UNKNOWN
    assert status["state.users.passwords"] is Status.UNKNOWN


def test_certificates_that_end_are_found(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = datetime.now(UTC) + timedelta(days=820)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return ahead.astimezone(tz)

    monkeypatch.setattr("seawall.operations.audit_targets.datetime", Later)
    found = {each.check for each in rig.failures()}
    assert {"state.certificate.dates", "state.revocation.list"} <= found

"""Operations on devices, on a real keystore and a store in memory."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.devices.bundle import Wifi
from seawall.devices.lifecycle import NewDevice
from seawall.devices.proof import Outcome, Proof
from seawall.errors import (
    ConfigurationError,
    ConflictError,
    KeyAccessError,
    NotFoundError,
    StoreError,
    UsageError,
)
from seawall.model.command import COMMAND_LIFETIME_MS, MAX_OPEN_COMMANDS, CommandAnswer
from seawall.model.device import Board, DeviceStatus, Profile, Trust
from seawall.model.installation import MqttSettings, Settings, StatePaths
from seawall.operations.add_device import add_device
from seawall.operations.bundle_device import BundleOptions, bundle_device
from seawall.operations.disable_device import disable_device
from seawall.operations.enable_device import enable_device
from seawall.operations.installation import Installation
from seawall.operations.list_commands import find_command, list_commands, watch_command
from seawall.operations.list_devices import list_devices
from seawall.operations.revoke_device import revoke_device
from seawall.operations.send_command import Order, send_command
from seawall.operations.show_authority import show_authority
from seawall.operations.show_device import show_device
from seawall.pki.keystore import Keystore
from seawall.pki.pins import certificate_sha256
from seawall.pki.secrets import derive_device_key
from seawall.testing.memory_store import MemoryStore
from seawall.wire.commands import parse_command
from seawall.wire.envelope import Verifier

NOW_MS = 1_795_000_000_000
PASSPHRASE = b"correct horse battery"


class Clock:
    now_ms = NOW_MS

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


def _installation(root: Path, passphrase: bytes | None = None) -> Installation:
    clock = Clock()
    installation = Installation(
        paths=StatePaths(root),
        settings=Settings(mqtt=MqttSettings(port=18883)),
        store=MemoryStore(),
        keystore=Keystore(root / "pki"),
        now_ms=clock,
        actor="cli:test",
    )
    Keystore.create(root / "pki", ("localhost", "127.0.0.1"), installation.now(), passphrase)
    return installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return _installation(tmp_path / "state")


def _events(installation: Installation) -> list[str]:
    return [event.kind for event in installation.store.events()]


def _agent(keep_source: bool) -> dict[str, bytes]:
    suffix = "py" if keep_source else "mpy"
    return {"main.py": b"# start", f"seawall_agent/app.{suffix}": b"code"}


# Adding


def test_an_added_device_is_in_the_registry_with_its_certificate(
    installation: Installation,
) -> None:
    device = add_device(installation, NewDevice("greenhouse-1", trust=Trust.PIN))
    assert installation.store.device("greenhouse-1") == device
    assert device.certificate_sha256 == certificate_sha256(
        installation.keystore.device_cert_der("greenhouse-1")
    )
    assert (device.status, device.key_generation) == (DeviceStatus.ACTIVE, 1)
    (event,) = installation.store.events()
    assert (event.kind, event.subject, event.actor) == ("device-added", "greenhouse-1", "cli:test")


def test_a_name_is_given_once(installation: Installation) -> None:
    first = add_device(installation, NewDevice("greenhouse-1"))
    revoke_device(installation, "greenhouse-1", prove=None)
    with pytest.raises(ConflictError) as caught:
        add_device(installation, NewDevice("greenhouse-1"))
    assert caught.value.reference == "device-exists"
    assert "the name of a revoked device stays taken" in caught.value.hint
    kept = installation.store.device("greenhouse-1")
    assert kept is not None
    assert kept.certificate_serial == first.certificate_serial


def test_a_store_that_fails_adds_nothing_and_the_next_try_works(
    installation: Installation,
) -> None:
    store = installation.store
    assert isinstance(store, MemoryStore)
    real = store.add_device

    def fail(*_: object) -> None:
        raise StoreError("disk full")

    store.add_device = fail  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        add_device(installation, NewDevice("greenhouse-1"))
    store.add_device = real  # type: ignore[method-assign]
    device = add_device(installation, NewDevice("greenhouse-1"))
    assert device.certificate_sha256 == certificate_sha256(
        installation.keystore.device_cert_der("greenhouse-1")
    )


def test_without_the_passphrase_nothing_is_added(tmp_path: Path) -> None:
    installation = _installation(tmp_path / "state", PASSPHRASE)
    for passphrase in (None, b"wrong"):
        with pytest.raises(KeyAccessError):
            add_device(installation, NewDevice("greenhouse-1"), passphrase=passphrase)
    assert installation.store.devices() == []
    add_device(installation, NewDevice("greenhouse-1"), passphrase=PASSPHRASE)
    assert len(installation.store.devices()) == 1


# Disabling and revoking


def test_disabling_and_enabling(installation: Installation) -> None:
    add_device(installation, NewDevice("greenhouse-1"))
    assert disable_device(installation, "greenhouse-1").status is DeviceStatus.DISABLED
    with pytest.raises(ConflictError):
        disable_device(installation, "greenhouse-1")
    assert enable_device(installation, "greenhouse-1").status is DeviceStatus.ACTIVE
    assert _events(installation) == ["device-added", "device-disabled", "device-enabled"]


def test_an_unknown_device_is_not_found_and_the_nearest_named(installation: Installation) -> None:
    add_device(installation, NewDevice("greenhouse-1"))
    for operation in (disable_device, enable_device, show_device):
        with pytest.raises(NotFoundError) as caught:
            operation(installation, "grenhouse-1")
        assert "greenhouse-1" in caught.value.hint


def _answer(outcome: Outcome, seen: list[str] | None = None) -> Callable[[str], Proof]:
    def prove(device_id: str) -> Proof:
        if seen is not None:
            seen.append(device_id)
        return Proof(outcome, "so it was", "localhost:8883", 1)

    return prove


def test_a_revocation_is_listed_registered_and_proven(installation: Installation) -> None:
    device = add_device(installation, NewDevice("greenhouse-1"))
    order: list[str] = []

    def prove(device_id: str) -> Proof:
        registered = installation.store.device(device_id)
        assert registered is not None
        assert registered.status is DeviceStatus.REVOKED
        assert installation.keystore.is_listed(device.certificate_serial)
        order.append(device_id)
        return Proof(Outcome.REFUSED, "refused in the TLS handshake", "localhost:8883", 2)

    revocation = revoke_device(installation, "greenhouse-1", prove=prove)
    assert order == ["greenhouse-1"]
    assert revocation.proof.is_refused
    assert not revocation.was_revoked
    assert _events(installation) == ["device-added", "device-revoked", "revocation-proven"]
    proven = installation.store.events()[-1]
    assert proven.detail["outcome"] == "refused"


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.UNREACHABLE])
def test_what_was_not_refused_is_not_called_proven(
    installation: Installation, outcome: Outcome
) -> None:
    add_device(installation, NewDevice("greenhouse-1"))
    revocation = revoke_device(installation, "greenhouse-1", prove=_answer(outcome))
    assert not revocation.proof.is_refused
    assert _events(installation)[-1] == "revocation-not-proven"


def test_without_a_daemon_the_proof_is_pending_and_comes_later(installation: Installation) -> None:
    add_device(installation, NewDevice("greenhouse-1"))
    first = revoke_device(installation, "greenhouse-1", prove=None)
    assert first.proof.outcome is Outcome.PENDING
    assert _events(installation)[-1] == "device-revoked"
    again = revoke_device(installation, "greenhouse-1", prove=_answer(Outcome.REFUSED))
    assert again.was_revoked
    assert _events(installation)[-1] == "revocation-proven"


def test_a_crash_after_the_list_is_completed_by_doing_it_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = add_device(installation, NewDevice("greenhouse-1"))

    def fail(*_: object) -> None:
        raise StoreError("power cut")

    monkeypatch.setattr(installation.store, "put_device", fail)
    with pytest.raises(StoreError):
        revoke_device(installation, "greenhouse-1", prove=None)
    monkeypatch.undo()
    assert installation.keystore.is_listed(device.certificate_serial)
    done = revoke_device(installation, "greenhouse-1", prove=None)
    assert done.device.status is DeviceStatus.REVOKED
    assert len(installation.keystore.revoked().revoked) == 1


def test_a_registry_ahead_of_the_list_is_completed_too(installation: Installation) -> None:
    """A database restored beside an older keystore."""
    device = add_device(installation, NewDevice("greenhouse-1"))
    event = installation.event("device-revoked", "greenhouse-1")
    installation.store.put_device(device.with_status(DeviceStatus.REVOKED, 1), event)
    revoke_device(installation, "greenhouse-1", prove=None)
    assert installation.keystore.is_listed(device.certificate_serial)


def test_without_the_passphrase_nothing_is_revoked_and_disabling_is_offered(
    tmp_path: Path,
) -> None:
    installation = _installation(tmp_path / "state", PASSPHRASE)
    add_device(installation, NewDevice("greenhouse-1"), passphrase=PASSPHRASE)
    with pytest.raises(KeyAccessError) as caught:
        revoke_device(installation, "greenhouse-1", prove=None)
    assert "device disable greenhouse-1" in caught.value.hint
    assert disable_device(installation, "greenhouse-1").status is DeviceStatus.DISABLED


# Seeing


def test_devices_are_listed_with_what_came_from_them(installation: Installation) -> None:
    for name in ("b", "a"):
        add_device(installation, NewDevice(name))
    disable_device(installation, "b")
    assert [entry.device.device_id for entry in list_devices(installation)] == ["a", "b"]
    (off,) = list_devices(installation, DeviceStatus.DISABLED)
    assert (off.device.device_id, off.activity.readings) == ("b", 0)
    details = show_device(installation, "b")
    assert [event.kind for event in details.events] == ["device-added", "device-disabled"]


def test_the_authority_is_shown(installation: Installation) -> None:
    facts = show_authority(installation)
    assert facts.server_pins == installation.keystore.server_pins()
    assert facts.server.fingerprint.replace(":", "").lower() == facts.server_pins[0]
    assert facts.root.pem.startswith("-----BEGIN CERTIFICATE-----")
    assert not facts.is_encrypted


# Bundles


def test_a_bundle_is_complete_and_private(installation: Installation, tmp_path: Path) -> None:
    add_device(installation, NewDevice("greenhouse-1"))
    directory = tmp_path / "out" / "greenhouse-1"
    written = bundle_device(installation, "greenhouse-1", directory, BundleOptions(), agent=_agent)
    for path in (directory, *directory.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    configuration = json.loads((directory / "config.json").read_bytes())
    assert configuration["broker"]["port"] == 18883
    assert configuration["trust"]["pins"] == list(installation.keystore.server_pins())
    key = derive_device_key(installation.keystore.master_key(), "greenhouse-1", 1)
    assert (directory / "hmac.key").read_bytes() == key
    assert (directory / "ca.der").read_bytes() == installation.keystore.root_der()
    assert written.files["config.json"] == (directory / "config.json").stat().st_size
    assert os.listdir(tmp_path / "out") == ["greenhouse-1"]


def test_a_bundle_behind_mosquitto_waits_for_stored(
    installation: Installation, tmp_path: Path
) -> None:
    settings = Settings(mqtt=MqttSettings(broker="mosquitto"))
    installation = replace(installation, settings=settings)
    add_device(installation, NewDevice("d"))
    bundle_device(installation, "d", tmp_path / "d", BundleOptions(), agent=_agent)
    assert json.loads((tmp_path / "d/config.json").read_bytes())["broker"]["ack"] == "stored"


def test_a_folder_is_replaced_on_request_only_and_keeps_what_the_device_wrote(
    installation: Installation, tmp_path: Path
) -> None:
    add_device(installation, NewDevice("d"))
    out = tmp_path / "d"
    out.mkdir()  # an empty folder is as good as none
    bundle_device(installation, "d", out, BundleOptions(keep_source=True), agent=_agent)
    (out / "state").mkdir()
    (out / "state" / "boot").write_text("7")
    (out / "adc.txt").write_text("750000\n")
    with pytest.raises(ConflictError) as caught:
        bundle_device(installation, "d", out, BundleOptions(), agent=_agent)
    assert "--force" in caught.value.hint
    bundle_device(installation, "d", out, BundleOptions(replace=True), agent=_agent)
    assert (out / "state" / "boot").read_text() == "7"
    assert (out / "adc.txt").exists()
    assert (out / "a" / "seawall_agent" / "app.mpy").exists()
    assert not (out / "a" / "seawall_agent" / "app.py").exists()
    assert os.listdir(tmp_path) == ["d"] or set(os.listdir(tmp_path)) == {"d", "state"}


def test_foreign_folders_are_never_replaced(installation: Installation, tmp_path: Path) -> None:
    for name in ("a", "b"):
        add_device(installation, NewDevice(name))
    bundle_device(installation, "a", tmp_path / "a", BundleOptions(), agent=_agent)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for place in ("a", "mine", "file", "link"):
        with pytest.raises(ConflictError):
            bundle_device(
                installation, "b", tmp_path / place, BundleOptions(replace=True), agent=_agent
            )
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_bundle_that_fails_leaves_the_old_one(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_device(installation, NewDevice("d"))
    out = tmp_path / "out" / "d"
    bundle_device(installation, "d", out, BundleOptions(), agent=_agent)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    real = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == out and ".new-" in self.name:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(Exception, match="cannot be written"):
        bundle_device(installation, "d", out, BundleOptions(replace=True), agent=_agent)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert os.listdir(out.parent) == ["d"]


def test_bundles_that_cannot_work_are_not_made(installation: Installation, tmp_path: Path) -> None:
    add_device(installation, NewDevice("d"))
    add_device(installation, NewDevice("old", Board.ESP8266, accept_unauthenticated_server=True))
    out = tmp_path / "out"
    for device_id, options, reference in (
        ("d", BundleOptions(host="elsewhere.example"), "host-not-in-certificate"),
        ("d", BundleOptions(port=0), "port-unknown"),
        ("d", BundleOptions(wifi=Wifi("net", "short")), "bad-configuration"),
        ("old", BundleOptions(), "no-rsa-listener"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            bundle_device(installation, device_id, out, options, agent=_agent)
        assert caught.value.reference == reference
    revoke_device(installation, "d", prove=None)
    with pytest.raises(ConflictError):
        bundle_device(installation, "d", out, BundleOptions(), agent=_agent)
    assert not out.exists()


def test_a_pinned_device_may_call_the_server_by_any_name(
    installation: Installation, tmp_path: Path
) -> None:
    add_device(installation, NewDevice("d", trust=Trust.PIN))
    options = BundleOptions(host="elsewhere.example")
    bundle_device(installation, "d", tmp_path / "d", options, agent=_agent)


def test_a_plain_device_gets_pem_files(installation: Installation, tmp_path: Path) -> None:
    add_device(installation, NewDevice("d", profile=Profile.PLAIN))
    bundle_device(installation, "d", tmp_path / "d", BundleOptions(), agent=_agent)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        assert (tmp_path / "d" / name).read_text().startswith("-----BEGIN ")


# Commands


def test_a_command_is_sealed_numbered_and_logged(installation: Installation) -> None:
    add_device(installation, NewDevice("d"))
    sent = [
        send_command(installation, "d", Order("identify")),
        send_command(installation, "d", Order("interval", 2000)),
    ]
    assert list_commands(installation, "d") == sent
    assert list_commands(installation, "d", last=1) == sent[1:]
    assert sent[0].n < sent[1].n
    assert {command.actor for command in sent} == {"cli:test"}
    key = derive_device_key(installation.keystore.master_key(), "d", 1)
    verifier = Verifier(key, "devices/d/commands")
    bodies = [verifier.open(command.payload) for command in sent]
    parsed = [parse_command(body) for body in bodies if body is not None]
    assert [(each.name, each.n) for each in parsed] == [
        ("identify", sent[0].n),
        ("interval", sent[1].n),
    ]
    assert parsed[1].interval_ms == 2000
    kept = installation.store.device("d")
    assert kept is not None
    assert kept.interval_ms == 2000
    assert _events(installation)[-3:] == ["command-queued", "command-queued", "interval-changed"]


def test_commands_that_are_not_queued(installation: Installation) -> None:
    add_device(installation, NewDevice("d"))
    for order in (Order("interval"), Order("interval", 1), Order("interval", 86_400_001)):
        with pytest.raises(UsageError):
            send_command(installation, "d", order)
    with pytest.raises(NotFoundError):
        send_command(installation, "other", Order("identify"))
    with pytest.raises(UsageError):
        list_commands(installation, "d", last=0)
    with pytest.raises(NotFoundError):
        list_commands(installation, "other")
    disable_device(installation, "d")
    with pytest.raises(ConflictError) as caught:
        send_command(installation, "d", Order("identify"))
    assert caught.value.reference == "device-not-active"
    assert installation.store.commands() == []
    assert "command-queued" not in _events(installation)


def test_a_number_that_another_process_took_is_not_used(installation: Installation) -> None:
    add_device(installation, NewDevice("d"))
    store = installation.store
    real, others = store.last_command_number, [send_command(installation, "d", Order("restart"))]

    def meanwhile(device_id: str) -> int:
        number = real(device_id)
        if len(others) == 1:
            taken = replace(others[0], n=NOW_MS * 2)
            others.append(taken)
            store.add_command(taken, installation.event("command-queued", "d"))
        return number

    store.last_command_number = meanwhile  # type: ignore[method-assign]
    assert send_command(installation, "d", Order("identify")).n == NOW_MS * 2 + 1


def test_commands_for_a_device_that_never_comes_do_not_pile_up(installation: Installation) -> None:
    add_device(installation, NewDevice("d"))
    for _ in range(MAX_OPEN_COMMANDS):
        send_command(installation, "d", Order("identify"))
    with pytest.raises(ConflictError) as caught:
        send_command(installation, "d", Order("identify"))
    assert caught.value.reference == "command-queue-full"
    clock = installation.now_ms
    assert isinstance(clock, Clock)
    clock.now_ms += COMMAND_LIFETIME_MS + 1000
    assert send_command(installation, "d", Order("identify")).n > NOW_MS + COMMAND_LIFETIME_MS


def test_a_command_is_watched_until_it_is_answered(installation: Installation) -> None:
    add_device(installation, NewDevice("d"))
    store = installation.store
    command = send_command(installation, "d", Order("identify"))
    steps = iter(
        [
            lambda: store.note_commands_sent([("d", command.n)]),
            lambda: None,
            lambda: store.answer_commands([CommandAnswer("d", command.n, NOW_MS, "{}")]),
        ]
    )

    def pause() -> None:
        next(steps)()

    seen = [each.state.value for each in watch_command(store, command, pause)]
    assert seen == ["queued", "sent", "sent", "answered"]
    with pytest.raises(NotFoundError):
        find_command(store, "d", 1)

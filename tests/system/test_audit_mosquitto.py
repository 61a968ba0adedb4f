"""mosquitto.conf as found in the field, its fixes, and the real broker with what they make."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Check, Limits
from seawall.audit.fixing import apply, planned
from seawall.audit.mosquitto_refusals import FLAGS, SINGLE
from seawall.audit.mosquitto_settings import BRIDGE_SETTINGS
from seawall.audit.runner import Outcome, Terms, audit_target
from seawall.audit.target import Target, TargetKind
from seawall.broker.drivers.mosquitto.configuration import (
    render_access,
    render_configuration,
    render_passwords,
)
from seawall.model.finding import Item, Result, Severity, Status
from seawall.model.installation import MqttSettings
from seawall.testing.broker_rig import Keys
from seawall.testing.mosquitto_process import MosquittoProcess, free_port

pytestmark = pytest.mark.system

CHECKS: Sequence[Check] = [check for check in find_checks() if TargetKind.MOSQUITTO in check.kinds]
ACL = "pattern write devices/%u/readings\npattern read devices/%u/commands\n"
TLS = "cafile ca.pem\ncertfile server.pem\nkeyfile server.key\n"
MUTUAL = (
    f"{TLS}crlfile crl.pem\nrequire_certificate true\nuse_identity_as_username true\n"
    "use_username_as_clientid true\ntls_version tlsv1.2\n"
)
GENERAL = (
    "per_listener_settings false\nallow_anonymous false\nacl_file access.acl\n"
    "max_packet_size 65536\npersistent_client_expiration 14d\n"
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def broker(keys: Keys) -> Iterator[MosquittoProcess]:
    with MosquittoProcess() as process:
        certificate, key = keys.keystore.server_paths()
        process.write("ca.pem", keys.keystore.ca_chain_path.read_bytes())
        process.write("crl.pem", keys.keystore.crl_pem())
        process.write("server.pem", certificate.read_bytes())
        process.write("server.key", key.read_bytes(), 0o600)
        process.write("access.acl", ACL)
        yield process


def audit(path: Path, deadline_s: float = 10.0) -> list[Result]:
    outcome = Outcome()
    target = Target(TargetKind.MOSQUITTO, "broker", path=path)
    terms = Terms(Limits(nonce="n0nce", deadline_s=deadline_s), datetime.now(UTC))
    asyncio.run(audit_target(target, CHECKS, terms, outcome))
    assert outcome.faults == []
    assert len(outcome.by_check) == len(CHECKS)
    return [result for results in outcome.by_check.values() for result in results]


def failures(results: Sequence[Result]) -> dict[str, Result]:
    return {each.check: each for each in results if each.status is Status.FAIL}


def sound(port: int, **changes: str) -> str:
    """A configuration without a finding, as a base to weaken."""
    listener = MUTUAL
    for name, value in changes.items():
        old = next(line for line in listener.splitlines() if line.startswith(f"{name} "))
        listener = listener.replace(old, f"{name} {value}" if value else "").replace("\n\n", "\n")
    return f"{GENERAL}listener {port}\nmax_connections 100\n{listener}"


def test_a_sound_configuration_is_silent_and_starts(broker: MosquittoProcess) -> None:
    broker.write("mosquitto.conf", sound(broker.port))
    results = audit(broker.configuration)
    assert {each.status for each in results} <= {Status.PASS, Status.NOT_APPLICABLE}, [
        (each.check, each.evidence) for each in results if each.status is Status.FAIL
    ]
    broker.start()


def test_what_seawall_writes_is_silent(keys: Keys, tmp_path: Path) -> None:
    identity = keys.device("a")
    for name, data in {
        "mosquitto.conf": render_configuration(MqttSettings(host="0.0.0.0"), 8883),
        "access.acl": render_access(keys.policy()),
        "control.passwd": render_passwords("Zf2" * 14, b"0123456789ab"),
        "server.key.pem": identity.key.read_text(),
        "revoked.pem": keys.keystore.crl_pem().decode(),
    }.items():
        (tmp_path / name).write_text(data)
        (tmp_path / name).chmod(0o600)
    results = audit(tmp_path / "mosquitto.conf")
    assert [
        (e.check, e.evidence) for e in results if e.status in {Status.FAIL, Status.UNKNOWN}
    ] == []


WEAK = {
    "anonymous": (
        lambda port: sound(port).replace("anonymous false", "anonymous true"),
        "mosquitto.auth.anonymous",
        Item.SERVICES,
        Severity.LOW,  # they need a certificate there
        "`allow_anonymous true` holds for the listener of every interface",
    ),
    "anonymous, listener by listener": (
        lambda port: (
            sound(port)
            .replace("settings false", "settings true")
            .replace("acl_file access.acl\n", "")
            .replace("allow_anonymous false\n", "")
            + "acl_file access.acl\nallow_anonymous true\n"
        ),
        "mosquitto.auth.anonymous",
        Item.SERVICES,
        Severity.LOW,
        "allow_anonymous true",
    ),
    "plaintext": (
        lambda port: (
            f"{sound(free_port())}listener {port}\n"
            "max_connections 9\nuse_username_as_clientid true\n"
        ),
        "mosquitto.transport.plaintext",
        Item.TRANSFER_AND_STORAGE,
        Severity.HIGH,
        "on every interface has no `certfile`",
    ),
    "plaintext on the default port": (
        lambda port: f"{GENERAL}port {port}\nmax_connections 9\nuse_username_as_clientid true\n",
        "mosquitto.transport.plaintext",
        Item.TRANSFER_AND_STORAGE,
        Severity.HIGH,
        "no `certfile`",
    ),
    "websockets": (
        lambda port: (
            f"{sound(port)}listener {free_port()}\nmax_connections 9\n"
            "use_username_as_clientid true\nprotocol websockets\n"
        ),
        "mosquitto.transport.websockets",
        Item.TRANSFER_AND_STORAGE,
        Severity.HIGH,
        "protocol websockets",
    ),
    "tls 1.1": (
        lambda port: sound(port, tls_version="tlsv1.1"),
        "mosquitto.tls.version",
        Item.TRANSFER_AND_STORAGE,
        Severity.MEDIUM,
        "tls_version tlsv1.1",
    ),
    "ciphers": (
        lambda port: sound(port) + "ciphers ALL:RC4-SHA:@SECLEVEL=0\n",
        "mosquitto.tls.ciphers",
        Item.TRANSFER_AND_STORAGE,
        Severity.MEDIUM,
        "RC4-SHA",
    ),
    "no client certificate": (
        lambda port: sound(port, require_certificate="", use_identity_as_username="", crlfile=""),
        "mosquitto.tls.client-certificate",
        Item.SERVICES,
        Severity.MEDIUM,
        "asks no certificate",
    ),
    "no identity": (
        lambda port: sound(port, use_identity_as_username=""),
        "mosquitto.tls.identity",
        Item.INTERFACES,
        Severity.MEDIUM,
        "does not take the user name",
    ),
    "client id": (
        lambda port: sound(port, use_username_as_clientid="false"),
        "mosquitto.session.client-id",
        Item.INTERFACES,
        Severity.LOW,
        "choose their client id",
    ),
    "no acl": (
        lambda port: sound(port).replace("acl_file access.acl\n", ""),
        "mosquitto.acl.missing",
        Item.INTERFACES,
        Severity.HIGH,
        "every client reads and writes every topic",
    ),
    "connections": (
        lambda port: sound(port).replace("max_connections 100\n", ""),
        "mosquitto.limits.connections",
        Item.DEFAULTS,
        Severity.LOW,
        "any number of connections",
    ),
    "packet size": (
        lambda port: sound(port).replace("max_packet_size 65536\n", ""),
        "mosquitto.limits.packet-size",
        Item.DEFAULTS,
        Severity.LOW,
        "256 MB",
    ),
    "queue": (
        lambda port: "max_queued_messages 0\n" + sound(port),
        "mosquitto.limits.queue",
        Item.DEFAULTS,
        Severity.LOW,
        "max_queued_messages 0",
    ),
    "sessions": (
        lambda port: (
            "persistence true\n" + sound(port).replace("persistent_client_expiration 14d\n", "")
        ),
        "mosquitto.limits.queue",
        Item.DEFAULTS,
        Severity.LOW,
        "kept for ever",
    ),
    "no log": (
        lambda port: "log_dest none\n" + sound(port),
        "mosquitto.logging.off",
        Item.MANAGEMENT,
        Severity.LOW,
        "log_dest none",
    ),
    "root": (
        lambda port: "user root\n" + sound(port),
        "mosquitto.process.root",
        Item.DEFAULTS,
        Severity.HIGH,
        "user root",
    ),
    "retained": (
        lambda port: "check_retain_source false\n" + sound(port),
        "mosquitto.retained.source",
        Item.MANAGEMENT,
        Severity.LOW,
        "check_retain_source false",
    ),
    "bridge": (
        lambda port: (
            sound(port) + "connection up\naddress broker.example:8883\n"
            "topic devices/# out\nbridge_cafile ca.pem\nbridge_insecure true\n"
        ),
        "mosquitto.bridge.insecure",
        Item.TRANSFER_AND_STORAGE,
        Severity.HIGH,
        "bridge_insecure true",
    ),
    "bridge, old TLS": (
        lambda port: (
            sound(port) + "connection up\naddress broker.example:8883\n"
            "topic devices/# out\nbridge_cafile ca.pem\nbridge_tls_version tlsv1.1\n"
        ),
        "mosquitto.bridge.insecure",
        Item.TRANSFER_AND_STORAGE,
        Severity.MEDIUM,
        "bridge_tls_version tlsv1.1",
    ),
}


BY_HAND = {
    "plaintext": ("listener {port}\n", "listener {port} localhost\n"),
    "plaintext on the default port": ("port {port}\n", "port {port}\nbind_address localhost\n"),
    "websockets": ("\nmax_connections 9\n", " localhost\nmax_connections 9\n"),
    "no client certificate": (
        "keyfile server.key\n",
        "keyfile server.key\nrequire_certificate true\nuse_identity_as_username true\n",
    ),
}
"""What keeps clients out is said, and is its owner's to do: a line, and what the fix says."""


@pytest.mark.parametrize("name", WEAK)
def test_a_weak_configuration_is_found_and_its_fix_works(
    name: str, broker: MosquittoProcess
) -> None:
    render, check, item, severity, evidence = WEAK[name]
    broker.write("mosquitto.conf", render(broker.port))
    found = failures(audit(broker.configuration))
    assert set(found) - {check} <= {"mosquitto.acl.system-topics", "mosquitto.tls.revocation"}
    assert (found[check].item, found[check].severity) == (item, severity)
    assert evidence in found[check].evidence
    assert found[check].location is not None
    if name in BY_HAND:
        fix = found[check].fix
        assert fix is not None
        before = broker.configuration.read_text()
        after = before.replace(*(each.format(port=broker.port) for each in BY_HAND[name]))
        lines = set(after.splitlines()) - set(before.splitlines())
        assert lines
        assert all(f"`{line}`" in fix.text for line in lines)
        broker.configuration.write_text(after)
    else:
        mend(found[check])
    again = failures(audit(broker.configuration))
    assert check not in again
    if check != "mosquitto.tls.client-certificate":  # what it brings in needs a list of its own
        assert not again
    broker.start()


def mend(result: Result) -> str:
    """Do what the fix says, as printed; returns what a command shows."""
    assert result.fix is not None
    if result.fix.command is not None:
        done = subprocess.run(
            ["/bin/sh", "-ec", result.fix.command],
            check=True,
            timeout=10,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout
    assert result.fix.changes
    apply(planned([result]))
    return ""


LISTENERS = {
    "each its own": "per_listener_settings true\n{one}\nallow_anonymous false\n\n{two}\n",
    "the default beside": (
        "per_listener_settings true\nport {spare}\nbind_address 127.0.0.1\n{one}\n{two}\n"
    ),
    "one ACL for all": "allow_anonymous false\n{one}\n{two}\n",
    "nothing above": "{one}\n{two}\nallow_anonymous false",
    "line ends of Windows": "per_listener_settings true\r\n{one}\r\n{two}\r\n",
}


@pytest.mark.parametrize("name", LISTENERS)
def test_acls_for_several_listeners_are_added_one_by_one(
    name: str, broker: MosquittoProcess
) -> None:
    """Commands in the order in which they are printed: each finds its section."""
    one = f"listener {broker.port} 127.0.0.1"
    two = f"  listener  {free_port()}  127.0.0.1"
    text = LISTENERS[name].format(one=one, two=two, spare=free_port())
    broker.write("mosquitto.conf", text)
    found = failed_by(audit(broker.configuration), "mosquitto.acl.missing")
    assert {each.severity for each in found} == {Severity.LOW}  # this machine only
    for each in found:
        mend(each)
    again = audit(broker.configuration)
    assert not failed_by(again, "mosquitto.acl.missing")
    assert not failed_by(again, "mosquitto.configuration.syntax")
    assert broker.configuration.read_text().count("acl_file") == max(1, len(found))
    broker.start()


def test_an_acl_that_is_there_is_kept(broker: MosquittoProcess) -> None:
    own = broker.write("seawall.acl", "topic read a\n")
    broker.write("mosquitto.conf", f"listener {broker.port}\n")
    (found,) = failed_by(audit(broker.configuration), "mosquitto.acl.missing")
    assert found.severity is Severity.HIGH
    mend(found)
    assert own.read_text() == "topic read a\n"
    assert not failed_by(audit(broker.configuration), "mosquitto.acl.missing")
    broker.start()


def test_a_machine_that_hears_itself_alone_may_do_without_an_acl(broker: MosquittoProcess) -> None:
    """As Debian's configuration before anybody touched it."""
    broker.write("mosquitto.conf", "persistence false\nlog_dest stderr\n")
    (found,) = failed_by(audit(broker.configuration), "mosquitto.acl.missing")
    assert found.severity is Severity.LOW
    broker.write("mosquitto.conf", "listener 1883 localhost\nlistener 8883\n")
    (found,) = failed_by(audit(broker.configuration), "mosquitto.acl.missing")
    assert found.severity is Severity.HIGH
    broker.write("mosquitto.conf", "")
    (found,) = failed_by(audit(broker.configuration), "mosquitto.acl.missing")
    mend(found)
    assert not failed_by(audit(broker.configuration), "mosquitto.acl.missing")


def test_a_revocation_list_is_missed(broker: MosquittoProcess) -> None:
    broker.write("mosquitto.conf", sound(broker.port, crlfile=""))
    found = failures(audit(broker.configuration))
    assert set(found) == {"mosquitto.tls.revocation"}
    assert found["mosquitto.tls.revocation"].item is Item.MANAGEMENT
    # As the fix says: a line below the listener.
    text = broker.configuration.read_text().replace("max_conn", "crlfile crl.pem\nmax_conn")
    broker.write("mosquitto.conf", text)
    assert not failures(audit(broker.configuration))
    broker.start()


def test_a_typing_error_is_found(broker: MosquittoProcess) -> None:
    wrong = "allow_anonymus false\n"
    broker.write("mosquitto.conf", wrong + sound(broker.port))
    found = failures(audit(broker.configuration))
    assert set(found) == {"mosquitto.configuration.syntax"}
    result = found["mosquitto.configuration.syntax"]
    assert (result.item, result.severity) == (Item.DEFAULTS, Severity.INFO)
    assert "allow_anonymus" in result.evidence
    assert result.location is not None
    assert (result.location.path, result.location.line) == ("mosquitto.conf", 1)
    # As the fix says: the line is taken out.
    broker.write("mosquitto.conf", broker.configuration.read_text().removeprefix(wrong))
    assert not failures(audit(broker.configuration))
    broker.start()


BRIDGE = "connection up\naddress 127.0.0.1:1\n"
REFUSED = {
    "allow_anonymous yes\n": (1, "`allow_anonymous` must be true or false"),
    "allow_anonymous TRUE\n": (1, "must be true or false"),
    "acl_file access.acl\nacl_file access.acl\n": (2, "a second time, after line 1"),
    "{listener}acl_file access.acl\nallow_anonymous false\nacl_file access.acl\n": (4, "line 2"),
    "user root\nuser root\n": (2, "`user` stands here a second time"),
    "allow_anonymous\ttrue\n": (1, "a tab stands beside `allow_anonymous`"),
    "allow_anonymous true\t\n": (1, "a tab is no blank"),
    "\tallow_anonymous true\n": (1, "a tab stands beside `allow_anonymous`"),
    "allow_anonymous\n": (1, "a setting has no value"),
    "allow_anonymous true\nper_listener_settings true\n": (2, "must stand above"),
    "max_packet_size 19\n": (1, "must be 20 or more"),
    "max_keepalive 70000\n": (1, "must be 65535 or less"),
    "max_qos three-and-more\nmax_qos 3\n": (2, "must be 2 or less"),
    "persistent_client_expiration 14\n": (1, "with h, d, w, m or y"),
    "log_type warnings\n": (1, "`log_type` must be a kind of message"),
    "log_dest file\n": (1, "file with a path"),
    "protocol MQTT\n": (1, "in small letters"),
    "listener 70000\n": (1, "must have a port"),
    "listener here\n": (1, "must have a port"),
    "listener 0\n": (1, "must have a port"),
    "connection up\ntopic a\n": (1, "no `address`"),
    BRIDGE: (1, "no `topic`"),
    f"{BRIDGE}topic a\n{BRIDGE}topic b\n": (4, "of this name"),
    f"{BRIDGE}topic a\nusername a\nremote_username b\n": (5, "a second time"),
    f"{BRIDGE}topic a\nstart_type manual\n": (4, "automatic, lazy or once"),
}
TAKEN = [
    "allow_anonymous false\nallow_anonymous true\n",
    "allow_anonymous true , so that it works\nallow_anonymous 1 x\n",
    "max_packet_size 20 bytes\nmax_connections ten\nmax_connections 10 x\n",
    "per_listener_settings true\n{listener}acl_file access.acl\n{other}acl_file access.acl\n",
    "auto_id_prefix a\nper_listener_settings false\n",
    "log_type error\nlog_type warning\nlog_dest stdout\nlog_dest stderr\nlog_dest topic x\n",
    "persistent_client_expiration 1h\npersistent_client_expiration 2w\n",
    f"{BRIDGE}topic a\ntopic b\nconnection down\naddress 127.0.0.1:1\ntopic a\n",
]


def with_listener(text: str, broker: MosquittoProcess) -> str:
    """Put in the listener, and where a text says nothing of it, behind all else."""
    listener = f"listener {broker.port} 127.0.0.1\n"
    if "{listener}" not in text:
        return text + listener
    other = f"listener {free_port()} 127.0.0.1\n"
    return text.replace("{listener}", listener).replace("{other}", other)


@pytest.mark.parametrize("text", REFUSED)
def test_what_mosquitto_refuses_is_named(text: str, broker: MosquittoProcess) -> None:
    line, words = REFUSED[text]
    broker.write("mosquitto.conf", with_listener(text, broker))
    (found,) = failed_by(audit(broker.configuration), "mosquitto.configuration.syntax")
    assert found.location is not None
    assert (found.location.line, words in found.evidence) == (line, True), found.evidence
    with pytest.raises(AssertionError, match="mosquitto ended with"):
        broker.start()


@pytest.mark.parametrize("text", TAKEN)
def test_what_mosquitto_takes_is_not_called_refused(text: str, broker: MosquittoProcess) -> None:
    broker.write("mosquitto.conf", with_listener(text, broker))
    assert not failed_by(audit(broker.configuration), "mosquitto.configuration.syntax")
    broker.start()


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_a_text_is_given_once(name: str, broker: MosquittoProcess) -> None:
    """Every setting that the table has as one, asked of Mosquitto."""
    section = f"{BRIDGE}topic a\n" if name in BRIDGE_SETTINGS else ""
    if name == "mount_point":
        section = with_listener("", broker)
    value = "lo" if name == "bind_interface" else "127.0.0.1" if "address" in name else "a"
    broker.write("mosquitto.conf", f"{section}{name} {value}\n{name} {value}\n")
    found = failed_by(audit(broker.configuration), "mosquitto.configuration.syntax")
    assert [each.evidence.split(", after")[0] for each in found] == [
        f"`{name}` stands here a second time"
    ]
    with pytest.raises(AssertionError, match=r"Duplicate|duplicate"):
        broker.start()


@pytest.mark.parametrize("name", sorted(FLAGS - {"listener_allow_anonymous"}))  # 2.1 has that
def test_a_yes_is_true(name: str, broker: MosquittoProcess) -> None:
    section = f"{BRIDGE}topic a\n" if name in BRIDGE_SETTINGS else ""
    broker.write("mosquitto.conf", f"{section}{name} yes\n")
    (found,) = failed_by(audit(broker.configuration), "mosquitto.configuration.syntax")
    assert "must be true or false" in found.evidence
    with pytest.raises(AssertionError, match=f"Invalid {name} value|{name}' option is now"):
        broker.start()


def test_of_yes_and_no_the_first_word_counts(broker: MosquittoProcess) -> None:
    text = f"allow_anonymous true, so that it works\nlistener {broker.port} 127.0.0.1\n"
    broker.write("mosquitto.conf", text.replace("true,", "true ,"))
    assert "mosquitto.auth.anonymous" in failures(audit(broker.configuration))
    broker.start()
    assert signs_in(broker)


def test_websockets_with_tls_are_sound(broker: MosquittoProcess) -> None:
    broker.write("mosquitto.conf", sound(broker.port) + "protocol websockets\n")
    results = audit(broker.configuration)
    assert not failures(results)
    (found,) = [each for each in results if each.check == "mosquitto.transport.websockets"]
    assert found.status is Status.PASS  # not started: not every build has them with TLS


OPEN_ACCESS = {
    "pattern readwrite #": ("everybody", Severity.HIGH, "mosquitto.acl.open"),
    "pattern read devices/+/readings": ("everybody", Severity.HIGH, "mosquitto.acl.open"),
    "pattern write devices/%c/readings": ("client id", Severity.MEDIUM, "mosquitto.acl.client-id"),
    "pattern read $SYS/#": ("opens `$SYS/#`", Severity.LOW, "mosquitto.acl.system-topics"),
}


@pytest.mark.parametrize("line", OPEN_ACCESS)
def test_an_open_acl_is_found_and_its_fix_works(line: str, broker: MosquittoProcess) -> None:
    evidence, severity, check = OPEN_ACCESS[line]
    # Without the binding of ids: `%c` is harmless with it.
    broker.write("mosquitto.conf", sound(broker.port, use_username_as_clientid=""))
    broker.write("access.acl", f"# of the field\n{line}\n{ACL}")
    found = failures(audit(broker.configuration))
    assert set(found) == {check, "mosquitto.session.client-id"}
    assert evidence in found[check].evidence
    assert found[check].severity is severity
    if check != "mosquitto.acl.system-topics":
        assert found[check].location is not None
        assert (found[check].location.path, found[check].location.line) == ("access.acl", 2)
    mend(found[check])
    mend(found["mosquitto.session.client-id"])
    assert not failures(audit(broker.configuration))
    broker.start()


def test_anonymous_topics_and_users_of_everything(broker: MosquittoProcess) -> None:
    text = sound(broker.port).replace("anonymous false", "anonymous true")
    broker.write("mosquitto.conf", text)
    broker.write("access.acl", f"topic read devices/#\nuser app\ntopic #\n{ACL}")
    results = audit(broker.configuration)
    found = [each for each in results if each.check == "mosquitto.acl.open"]
    assert [(each.severity, each.location.line) for each in found if each.location] == [
        (Severity.CRITICAL, 1),
        (Severity.MEDIUM, 3),
    ]


TREES = {
    "topic readwrite devices/#\n": True,
    "topic write devices/+/#\n": True,
    "topic devices/#\n": True,
    "topic read devices/#\ntopic write devices/+/commands\n": False,
    "topic readwrite devices/{user}/#\n": False,
    "topic readwrite {user}/#\n": False,
    "topic deny devices/#\n": False,
}


@pytest.mark.parametrize("lines", TREES)
def test_users_who_write_in_the_place_of_all_devices_are_named(
    lines: str, broker: MosquittoProcess
) -> None:
    """One or two are servers, who need it."""
    broker.write("mosquitto.conf", sound(broker.port))
    users = [f"user {name}\n{lines.format(user=name)}" for name in ("ingest", "pump", "tank")]
    broker.write("access.acl", f"{ACL}{''.join(users[:2])}")
    assert not failures(audit(broker.configuration))
    broker.write("access.acl", f"{ACL}{''.join(users)}")
    found = failed_by(audit(broker.configuration), "mosquitto.acl.open")
    assert bool(found) is TREES[lines]
    if found:
        assert {each.severity for each in found} == {Severity.MEDIUM}
        assert len(found) == 3
        assert "the user `ingest`, one of 3 who write in the place of all" in found[0].evidence
        fix = found[0].fix
        assert fix is not None
        named = re.findall(r"`(topic [^`]*)`", fix.text)
        assert named == ["topic read devices/#", "topic write devices/+/commands"]
        broker.write("access.acl", "\n".join([ACL, "user ingest", *named, ""]))
        assert not failures(audit(broker.configuration))
        broker.start()


def test_passwords_are_tried_offline(broker: MosquittoProcess) -> None:
    passwords = broker.folder / "passwd"
    for user, word in {"sensor7": "sensor7", "admin": "Admin123", "ok": "vX3-korrekt-47"}.items():
        create = [] if passwords.exists() else ["-c"]
        subprocess.run(
            ["mosquitto_passwd", *create, "-b", str(passwords), user, word], check=True, timeout=10
        )
    passwords.chmod(0o644)
    broker.write("mosquitto.conf", f"password_file passwd\n{sound(broker.port)}")
    results = audit(broker.configuration)
    weak = [e for e in results if e.check == "mosquitto.passwords.weak" and e.status is Status.FAIL]
    assert {each.evidence for each in weak} == {
        "the password of `sensor7` is the user's name",
        "the password of `admin` is made of the user's name (8 characters)",
    }
    assert {(e.item, e.severity) for e in weak} == {(Item.PASSWORDS, Severity.CRITICAL)}
    modes = failures(results)["mosquitto.files.passwords"]
    assert "0644" in modes.evidence
    for each in (*weak, modes):
        mend(each)
    os.chmod(passwords, 0o640)  # mosquitto_passwd writes it anew, as the umask says
    assert not failures(audit(broker.configuration))
    assert_silent(results, "Admin123", "vX3-korrekt-47", passwords.read_text().split("$")[-1])
    broker.start()


def test_a_password_is_set_anew_and_shown_to_who_sets_it(broker: MosquittoProcess) -> None:
    """`mosquitto_passwd` refuses the comment, and Mosquitto does not."""
    hash_password(broker.folder / "passwd", "pump's", "pump's")
    hash_password(broker.folder / "passwd", "app", "Quiet-Harbour-58")
    text = f"# of the field\n{(broker.folder / 'passwd').read_text()}"
    broker.write("passwd", text)
    broker.write("mosquitto.conf", f"password_file passwd\n{local(broker.port)}")
    (weak,) = failed_by(audit(broker.configuration), "mosquitto.passwords.weak")
    shown = mend(weak)
    password = re.search(r"new password of pump's: (\S{20,})\n", shown)
    assert password is not None, shown
    broker.start()
    assert signs_in(broker, "pump's", password[1])
    assert signs_in(broker, "app", "Quiet-Harbour-58")
    assert not signs_in(broker, "pump's", "pump's")


def local(port: int) -> str:
    """A listener without TLS, to try passwords at."""
    return f"acl_file access.acl\nallow_anonymous false\nlistener {port} 127.0.0.1\n"


def hash_password(path: Path, user: str, password: str) -> None:
    create = [] if path.exists() else ["-c"]
    subprocess.run(
        ["mosquitto_passwd", *create, "-b", str(path), user, password], check=True, timeout=10
    )


def signs_in(broker: MosquittoProcess, *named: str) -> bool:
    """Whether the broker lets a user in, or a client without a name."""
    flags = b"\xc2" if named else b"\2"
    body = b"\0\4MQTT\4" + flags + b"\0\x3c\0\1a"
    for word in map(str.encode, named):
        body += struct.pack("!H", len(word)) + word
    with socket.create_connection(("127.0.0.1", broker.port), 5) as connection:
        connection.settimeout(5)
        connection.sendall(bytes([0x10, len(body)]) + body)
        return connection.recv(4) == b"\x20\2\0\0"


def test_a_plain_password_file(broker: MosquittoProcess) -> None:
    """What is hashed stays what it is, however often the command of each entry is given."""
    passwords = broker.write("passwd", "# of the field\n\napp:Quiet-Harbour-58\nb:Calm-Bay-77\n")
    broker.write("mosquitto.conf", f"password_file passwd\n{local(broker.port)}")
    results = audit(broker.configuration)
    found = failed_by(results, "mosquitto.passwords.storage")
    assert [each.evidence for each in found] == [
        "the password of `app` (16 characters) stands in clear",
        "the password of `b` (11 characters) stands in clear",
    ]
    assert_silent(results, "Quiet-Harbour-58", "Calm-Bay-77")
    for each in found:
        mend(each)
    passwords.chmod(0o640)
    assert not failed_by(audit(broker.configuration), "mosquitto.passwords.storage")
    broker.start()
    assert signs_in(broker, "app", "Quiet-Harbour-58")
    assert signs_in(broker, "b", "Calm-Bay-77")


@pytest.mark.parametrize("user", ["app", "a.p[p]*^/$", "it's \\me"])
def test_plain_beside_hashed_passwords(user: str, broker: MosquittoProcess) -> None:
    """Those who are hashed keep their password, and so do those who are not."""
    passwords = broker.folder / "passwd"
    hash_password(passwords, "joe", "Quiet-Harbour-58")
    passwords.write_text(f"{user}:Calm-Bay:77\nalp:Other-Word-9\n{passwords.read_text()}")
    broker.write("mosquitto.conf", f"password_file passwd\n{local(broker.port)}")
    found = failed_by(audit(broker.configuration), "mosquitto.passwords.storage")
    assert len(found) == 2
    hashed = passwords.read_text().splitlines()[-1]
    for each in found:
        assert "Calm-Bay" not in repr(each)
        mend(each)
    again = passwords.read_text()
    with pytest.raises(subprocess.CalledProcessError):
        mend(found[0])  # once more: a hash is no password to hash
    assert passwords.read_text() == again
    assert hashed in again.splitlines()
    passwords.chmod(0o640)
    assert not failed_by(audit(broker.configuration), "mosquitto.passwords.storage")
    broker.start()
    assert signs_in(broker, "joe", "Quiet-Harbour-58")
    assert signs_in(broker, user, "Calm-Bay:77")
    assert signs_in(broker, "alp", "Other-Word-9")


def test_a_usual_password_in_clear_is_weak(broker: MosquittoProcess) -> None:
    broker.write("passwd", "admin:admin\napp:Quiet-Harbour-58\n")
    broker.write("mosquitto.conf", f"password_file passwd\n{sound(broker.port)}")
    (weak,) = failed_by(audit(broker.configuration), "mosquitto.passwords.weak")
    assert weak.severity is Severity.CRITICAL
    assert weak.evidence == "the password of `admin` is the user's name"
    mend(weak)
    results = audit(broker.configuration)
    assert not failed_by(results, "mosquitto.passwords.weak")
    (sound_now,) = [each for each in results if each.check == "mosquitto.passwords.weak"]
    assert sound_now.evidence == "none of 2 passwords is a usual one"


def failed_by(results: Sequence[Result], check: str) -> list[Result]:
    return [each for each in results if each.check == check and each.status is Status.FAIL]


def assert_silent(results: Sequence[Result], *secrets: str) -> None:
    shown = repr(results)
    for secret in secrets:
        assert secret not in shown


FILES = {
    "server.key": (0o644, "mosquitto.files.key", Severity.HIGH),
    "access.acl": (0o666, "mosquitto.files.configuration", Severity.HIGH),
    "mosquitto.conf": (0o646, "mosquitto.files.configuration", Severity.HIGH),
    "mosquitto.db": (0o644, "mosquitto.files.persistence", Severity.MEDIUM),
    "plugin.so": (0o666, "mosquitto.plugin.writable", Severity.HIGH),
}


@pytest.mark.parametrize("name", FILES)
def test_modes_of_files(name: str, broker: MosquittoProcess) -> None:
    mode, check, severity = FILES[name]
    extra = "plugin plugin.so\n" if name == "plugin.so" else ""
    text = f"persistence true\npersistence_file mosquitto.db\n{extra}{sound(broker.port)}"
    broker.write("mosquitto.conf", text)
    broker.write("mosquitto.db", b"")
    broker.write("plugin.so", b"")
    (broker.folder / name).chmod(mode)
    found = failures(audit(broker.configuration))
    assert set(found) == {check}
    assert found[check].severity is severity
    assert f"{mode:04o}" in found[check].evidence
    mend(found[check])
    assert not failures(audit(broker.configuration))
    (broker.folder / name).chmod(mode)
    apply(planned([found[check]]))
    assert not failures(audit(broker.configuration))


@pytest.mark.parametrize(
    "line",
    [
        "auth_opt_pg_password Calm-Bay-77",
        "plugin_opt_jwt_secret Calm-Bay-77",
        "auth_opt_http_api_key Calm-Bay-77",
        "plugin_opt_access_token Calm-Bay-77",
    ],
)
def test_secrets_of_a_plugin_are_for_its_owner(line: str, broker: MosquittoProcess) -> None:
    text = sound(broker.port)
    broker.write("plugin.so", b"", 0o644)
    broker.write("mosquitto.conf", f"{text}plugin plugin.so\n{line}\n", 0o644)
    results = audit(broker.configuration)
    (found,) = failed_by(results, "mosquitto.files.configuration")
    assert (
        found.evidence == "mode 0644: every user of this machine may read a password or key in it"
    )
    assert found.severity is Severity.MEDIUM
    assert_silent(results, "Calm-Bay-77")
    mend(found)
    assert broker.configuration.stat().st_mode & 0o7777 == 0o640
    assert not failed_by(audit(broker.configuration), "mosquitto.files.configuration")
    harmless = f"{text}plugin plugin.so\nauth_opt_pg_user app\nauth_opt_key_file k.pem\n"
    broker.write("k.pem", b"", 0o600)
    broker.write("mosquitto.conf", harmless, 0o644)
    assert not failed_by(audit(broker.configuration), "mosquitto.files.configuration")


@pytest.mark.parametrize("mode", [0o666, 0o644])
def test_what_a_plugin_decides_by_is_for_its_owner(mode: int, broker: MosquittoProcess) -> None:
    """With the plugin that comes with Mosquitto, where it is installed."""
    dynamic = sorted(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    plugin = f"plugin {dynamic[0]}\n" if dynamic else ""
    users = broker.write("dynamic-security.json", '{"defaultACLAccess": {}}', mode)
    users.chmod(mode)
    text = sound(broker.port).replace("allow_", f"{plugin}plugin_opt_config_file {users}\nallow_")
    broker.write("mosquitto.conf", text)
    (found,) = failed_by(audit(broker.configuration), "mosquitto.files.configuration")
    assert f"{mode:04o}" in found.evidence
    assert found.location is not None
    assert found.location.path == "dynamic-security.json"
    mend(found)
    assert not failed_by(audit(broker.configuration), "mosquitto.files.configuration")
    if plugin:
        broker.start()
    users.unlink()
    (gone,) = [
        each
        for each in audit(broker.configuration)
        if each.check == "mosquitto.files.configuration"
    ]
    assert gone.status is Status.UNKNOWN
    assert "`plugin_opt_config_file` cannot be looked at: no such file" in gone.evidence


def test_included_files_are_read_and_mended(broker: MosquittoProcess) -> None:
    broker.write("mosquitto.conf", f"include_dir conf.d\n{sound(broker.port)}")
    (broker.folder / "conf.d").mkdir(mode=0o755)
    port = free_port()
    text = "# left over\nlistener {port}\nmax_queued_messages 0\n"
    weak = broker.write("conf.d/10-old.conf", text.format(port=port))
    found = failures(audit(broker.configuration))
    result = found["mosquitto.transport.plaintext"]
    assert result.location is not None
    assert (result.location.path, result.location.line) == ("conf.d/10-old.conf", 2)
    assert result.fix is not None
    line = f"listener {port} localhost"
    assert line in result.fix.text
    weak.write_text(weak.read_text().replace(f"listener {port}", line))
    while changes := planned(audit(broker.configuration)):
        apply(changes)
    assert not failures(audit(broker.configuration))
    assert "max_queued_messages 0" not in weak.read_text()
    broker.start()


def test_what_was_included_from_elsewhere_is_said(broker: MosquittoProcess, tmp_path: Path) -> None:
    """A copied configuration names a folder of the machine that it came from."""
    (tmp_path / "10.conf").write_text("max_queued_messages 0\n")
    broker.write("mosquitto.conf", f"include_dir {tmp_path}\n{sound(broker.port)}")
    results = audit(broker.configuration)
    said = f" (read with 1 file(s) of {tmp_path} on this machine)"
    assert all(each.evidence.endswith(said) for each in results)
    assert failures(results)["mosquitto.limits.queue"].location is not None
    (broker.folder / "conf.d").mkdir()
    broker.write("mosquitto.conf", f"include_dir {broker.folder}/conf.d\n{sound(broker.port)}")
    assert not [each for each in audit(broker.configuration) if "read with" in each.evidence]


@pytest.mark.parametrize("head", ["", "per_listener_settings true\n"])
def test_a_fleet_without_passwords_is_not_cut_off(head: str, broker: MosquittoProcess) -> None:
    """The configuration of a hundred tutorials: what is changed unasked keeps devices in."""
    text = f"{head}listener {broker.port}\nallow_anonymous true\n"
    broker.write("mosquitto.conf", text, 0o666)
    first = failures(audit(broker.configuration))
    assert first["mosquitto.auth.anonymous"].severity is Severity.HIGH
    assert "nothing else proves" in first["mosquitto.auth.anonymous"].evidence
    assert {
        "mosquitto.auth.anonymous",
        "mosquitto.transport.plaintext",
        "mosquitto.acl.missing",
        "mosquitto.files.configuration",
    } <= set(first)
    while changes := planned(audit(broker.configuration)):
        apply(changes)
    left = failures(audit(broker.configuration))
    assert {"mosquitto.auth.anonymous", "mosquitto.transport.plaintext"} <= set(left)
    assert "mosquitto.files.configuration" not in left
    broker.start()
    assert signs_in(broker)


def test_the_fleet_of_another_listener_is_not_cut_off(broker: MosquittoProcess) -> None:
    """One `allow_anonymous` for two listeners, one of which asks for certificates."""
    text = sound(free_port()).replace("anonymous false", "anonymous true")
    broker.write("mosquitto.conf", f"{text}listener {broker.port}\n")
    while changes := planned(audit(broker.configuration)):
        apply(changes)
    assert "allow_anonymous true" in broker.configuration.read_text()
    broker.start()
    assert signs_in(broker)


def test_anonymous_clients_are_shut_out_where_others_have_passwords(
    broker: MosquittoProcess,
) -> None:
    hash_password(broker.folder / "passwd", "joe", "Quiet-Harbour-58")
    (broker.folder / "passwd").chmod(0o640)
    text = local(broker.port).replace("anonymous false", "anonymous true")
    broker.write("mosquitto.conf", f"password_file passwd\n{text}")
    mend(failures(audit(broker.configuration))["mosquitto.auth.anonymous"])
    assert "mosquitto.auth.anonymous" not in failures(audit(broker.configuration))
    broker.start()
    assert signs_in(broker, "joe", "Quiet-Harbour-58")
    assert not signs_in(broker)


def test_an_empty_configuration(broker: MosquittoProcess) -> None:
    """Mosquitto listens on this machine then, and lets everybody in."""
    broker.write("mosquitto.conf", "\n")
    found = failures(audit(broker.configuration))
    assert found["mosquitto.auth.anonymous"].severity is Severity.LOW
    assert "no listener is declared" in found["mosquitto.auth.anonymous"].evidence
    assert "mosquitto.transport.plaintext" not in found


HUGE = {
    "listeners": ("".join(f"listener {port}\n" for port in range(1, 5_000)), "more than 64"),
    "lines": ("allow_anonymous true\n" * 100_000, "larger than"),
    "zeros": ("\0" * 100, "no text"),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_is_no_configuration_is_unknown(name: str, broker: MosquittoProcess) -> None:
    text, reason = HUGE[name]
    broker.write("mosquitto.conf", text)
    results = audit(broker.configuration)
    assert {each.status for each in results} == {Status.UNKNOWN}
    assert all(reason in each.evidence for each in results)


def test_many_of_everything_end_in_time(broker: MosquittoProcess) -> None:
    """At the limits, all checks are judged, and what there was no time for is unknown."""
    names = "".join(f"listener {port}\n" for port in range(1, 65))
    text = f"acl_file access.acl\npassword_file passwd\n{names}" + "# filler\n" * 12_000
    broker.write("mosquitto.conf", text)
    broker.write("access.acl", "pattern readwrite a/#\n" * 45_000)
    salt_and_hash = "$".join(["A" * 16, "A" * 86 + "=="])
    broker.write("passwd", "".join(f"u{n}:$7$20000${salt_and_hash}\n" for n in range(2_000)))
    results = audit(broker.configuration, deadline_s=3)
    weak = [each for each in results if each.check == "mosquitto.passwords.weak"]
    assert {each.status for each in weak} == {Status.UNKNOWN}


def test_what_is_missing_is_unknown(broker: MosquittoProcess) -> None:
    text = sound(broker.port).replace("access.acl", "/etc/elsewhere/acl")
    broker.write("mosquitto.conf", f"password_file gone\n{text}".replace("server.key", "gone.key"))
    unknown = {e.check for e in audit(broker.configuration) if e.status is Status.UNKNOWN}
    assert unknown == {
        "mosquitto.acl.client-id",
        "mosquitto.acl.missing",
        "mosquitto.acl.open",
        "mosquitto.acl.system-topics",
        "mosquitto.files.key",
        "mosquitto.files.passwords",
        "mosquitto.passwords.storage",
        "mosquitto.passwords.weak",
    }
    results = audit(broker.folder / "nowhere.conf")
    assert {each.status for each in results} == {Status.UNKNOWN}
    assert {each.evidence for each in results} == {"no such file or folder"}

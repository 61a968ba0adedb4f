"""Brokers seen from outside: weak and sound Mosquitto, Seawall's own, and what is no broker."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Check, Limits
from seawall.audit.runner import Outcome, Terms, audit_target
from seawall.audit.target import Access, Target, TargetKind
from seawall.model.finding import Item, Result, Severity, Status
from seawall.testing.broker_rig import Keys
from seawall.testing.builtin_rig import BuiltinRig
from seawall.testing.mosquitto_process import MosquittoProcess
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.packets import ConnAck, Disconnect, Publish, SubAck

pytestmark = pytest.mark.system

CHECKS: Sequence[Check] = [check for check in find_checks() if check.id.startswith("mqtt.")]
NONCE = "k3xq9w"
GENERAL = "max_packet_size 65536\nmax_keepalive 600\nsys_interval 0\n"
ACL = "pattern write devices/%u/events\npattern read devices/%u/commands\n"
MUTUAL = (
    "cafile ca.pem\ncertfile server.pem\nkeyfile server.key\ncrlfile crl.pem\n"
    "require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\n"
)
WORD = "Quiet-Harbour-58"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    keys.device("a")
    keys.device("b")
    return keys


@pytest.fixture
def broker(keys: Keys) -> Iterator[MosquittoProcess]:
    with MosquittoProcess() as process:
        certificate, key = keys.keystore.server_paths()
        process.write("ca.pem", keys.keystore.ca_chain_path.read_bytes())
        process.write("crl.pem", keys.keystore.crl_pem())
        process.write("server.pem", certificate.read_bytes())
        process.write("server.key", key.read_bytes(), 0o600)
        process.write("access.acl", ACL)
        for user in ("app", "other"):
            create = [] if user == "other" else ["-c"]
            passwd = str(process.folder / "passwd")
            subprocess.run(["mosquitto_passwd", *create, "-b", passwd, user, WORD], check=True)
        yield process


def start(broker: MosquittoProcess, text: str) -> None:
    broker.stop()
    broker.write("mosquitto.conf", text)
    broker.start()


def device(keys: Keys, name: str, other: Access | None = None) -> Access:
    identity = keys.identities[name]
    return Access(keys.keystore.root_path, identity.certificate, identity.key, other=other)


def audit(port: int, access: Access | None = None, *, tls: bool = False) -> dict[str, list[Result]]:
    target = Target(TargetKind.MQTT, "broker", "127.0.0.1", port, tls, access=access or Access())
    return audit_of(target, Limits(nonce=NONCE))


def audit_of(target: Target, limits: Limits) -> dict[str, list[Result]]:
    outcome = Outcome()
    asyncio.run(audit_target(target, CHECKS, Terms(limits, datetime.now(UTC)), outcome))
    assert outcome.faults == []
    assert len(outcome.by_check) == len(CHECKS)
    shown = repr(outcome.by_check)
    assert WORD not in shown
    return outcome.by_check


def failures(results: dict[str, list[Result]]) -> dict[str, Result]:
    return {
        each.check: each
        for found in results.values()
        for each in found
        if each.status is Status.FAIL
    }


def statuses(results: dict[str, list[Result]]) -> dict[str, Status]:
    return {check: found[0].status for check, found in results.items()}


SOUND = {
    "mqtt.acl.foreign-read": Status.PASS,
    "mqtt.acl.foreign-write": Status.PASS,
    "mqtt.acl.system-topics": Status.PASS,
    "mqtt.acl.wildcard-read": Status.PASS,
    "mqtt.auth.anonymous": Status.PASS,
    "mqtt.auth.default-credentials": Status.NOT_APPLICABLE,
    "mqtt.auth.user-enumeration": Status.NOT_APPLICABLE,
    "mqtt.auth.wrong-password": Status.NOT_APPLICABLE,
    "mqtt.limits.in-flight": Status.PASS,
    "mqtt.limits.keep-alive": Status.PASS,
    "mqtt.limits.packet-size": Status.PASS,
    "mqtt.privacy.personal-data": Status.UNKNOWN,  # nothing is sent
    "mqtt.retained.foreign": Status.PASS,
    "mqtt.session.takeover": Status.PASS,
    "mqtt.transport.plaintext": Status.PASS,
}


def test_the_builtin_broker_is_sound(tmp_path: Path) -> None:
    rig = BuiltinRig(tmp_path)
    rig.start()
    try:
        access = device(rig.keys, "a", device(rig.keys, "b"))
        # `#` is refused there: what the fleet sends is not this identity's to see.
        refused = {"mqtt.privacy.personal-data": Status.NOT_APPLICABLE}
        assert statuses(audit(rig.endpoint.port, access, tls=True)) == SOUND | refused
        # What the audit publishes stays on made-up topics, and the second identity's own.
        topics = {each.topic for each in rig.sink.messages}
        assert topics <= {"devices/b/events"}
    finally:
        rig.stop()


def test_a_sound_mosquitto_is_silent(broker: MosquittoProcess, keys: Keys) -> None:
    """SUBACK grants everything there: only what is delivered, and what is not, proves."""
    start(broker, f"{GENERAL}acl_file access.acl\nlistener {broker.port}\n{MUTUAL}")
    access = device(keys, "a", device(keys, "b"))
    assert statuses(audit(broker.port, access, tls=True)) == SOUND


def test_without_a_second_identity_reading_stays_unknown(
    broker: MosquittoProcess, keys: Keys
) -> None:
    start(broker, f"{GENERAL}acl_file access.acl\nlistener {broker.port}\n{MUTUAL}")
    found = statuses(audit(broker.port, device(keys, "a"), tls=True))
    wanted = dict.fromkeys(
        ("mqtt.acl.foreign-read", "mqtt.acl.wildcard-read", "mqtt.session.takeover"),
        Status.UNKNOWN,
    )
    assert found == SOUND | wanted


def test_an_open_broker(broker: MosquittoProcess) -> None:
    start(broker, f"listener {broker.port}\nallow_anonymous true\n")
    payload = '{"owner":{"email":"ada@example.org"},"lat":48.13743,"lon":11.57549,"temp":20.5}'
    publish(broker, "home/ada/state", payload)
    found = failures(audit(broker.port))
    assert {check: (each.item, each.severity) for check, each in found.items()} == {
        "mqtt.auth.anonymous": (Item.SERVICES, Severity.HIGH),
        "mqtt.auth.wrong-password": (Item.PASSWORDS, Severity.HIGH),
        "mqtt.transport.plaintext": (Item.TRANSFER_AND_STORAGE, Severity.HIGH),
        "mqtt.acl.foreign-write": (Item.INTERFACES, Severity.CRITICAL),
        "mqtt.acl.foreign-read": (Item.INTERFACES, Severity.HIGH),
        "mqtt.acl.wildcard-read": (Item.INTERFACES, Severity.HIGH),
        "mqtt.acl.system-topics": (Item.SERVICES, Severity.LOW),
        "mqtt.retained.foreign": (Item.INTERFACES, Severity.MEDIUM),
        "mqtt.limits.packet-size": (Item.SERVICES, Severity.LOW),
        "mqtt.limits.keep-alive": (Item.SERVICES, Severity.INFO),
        "mqtt.privacy.personal-data": (Item.PRIVACY, Severity.MEDIUM),
    }
    assert "CONNACK 0 (accepted) without user name" in found["mqtt.auth.anonymous"].evidence
    assert "PUBACK 0, delivered" in found["mqtt.acl.foreign-write"].evidence
    assert "`home/ada/state`" in found["mqtt.retained.foreign"].evidence
    shown = repr(found)
    assert "ada@example.org" not in shown
    assert "48.13" not in shown
    reproduce = found["mqtt.retained.foreign"].reproduce
    assert reproduce is not None
    done = subprocess.run(reproduce, shell=True, capture_output=True, timeout=20, check=False)
    assert b"home/ada/state" in done.stdout


def test_an_open_broker_is_mended_by_the_settings_of_its_fixes(
    broker: MosquittoProcess, keys: Keys
) -> None:
    start(broker, f"listener {broker.port}\nallow_anonymous true\n")
    publish(broker, "devices/app/commands", '{"owner":{"email":"ada@example.org"}}')
    weak = failures(audit(broker.port))
    wanted = {
        "mqtt.auth.anonymous": "allow_anonymous false\npassword_file passwd\n",
        "mqtt.auth.wrong-password": "allow_anonymous false\npassword_file passwd\n",
        "mqtt.acl.system-topics": "acl_file access.acl\n",
        "mqtt.retained.foreign": "acl_file access.acl\n",
        "mqtt.limits.packet-size": "max_packet_size 65536\n",
        "mqtt.limits.keep-alive": "max_keepalive 300\n",
        "mqtt.transport.plaintext": f"listener {broker.port}\ncertfile server.pem\n"
        "keyfile server.key\ncafile ca.pem\ntls_version tlsv1.2\n",
    }
    for check, lines in wanted.items():
        fix = weak[check].fix
        assert fix is not None
        for line in lines.splitlines():
            assert line.split()[0] in fix.text
    settings = dict.fromkeys("".join(wanted.values()).splitlines())
    broker.write("access.acl", f"{ACL}user other\ntopic write devices/app/commands\n")
    start(broker, "\n".join(settings) + "\n")
    ca = keys.keystore.root_path
    options = ("--cafile", str(ca), "-h", "localhost", "-u", "other", "-P", WORD)
    access = replace(APP, ca=ca, other=replace(OTHER, ca=ca))
    publish(broker, "devices/app/commands", '{"temp":20.5}', *options)
    mended = audit(broker.port, access, tls=True)
    assert set(failures(mended)) <= {"mqtt.session.takeover"}
    assert statuses(mended)["mqtt.privacy.personal-data"] is Status.PASS


def test_a_broker_that_tells_which_users_exist(broker: MosquittoProcess) -> None:
    def answers(code_of: Callable[[bytes], int]) -> Behaviour:
        def behave(sock: socket.socket) -> None:
            connect = sock.recv(1024)
            sock.sendall(encode(ConnAck(code=code_of(connect), properties={}), 5))

        return behave

    check = "mqtt.auth.user-enumeration"
    with serving(answers(lambda connect: 0x86 if b"\0\x03app" in connect else 0x87)) as port:
        found = audit(port, APP)[check][0]
    assert (found.status, found.severity, found.item) == (
        Status.FAIL,
        Severity.LOW,
        Item.PASSWORDS,
    )
    assert "CONNACK 0x86; unknown user: CONNACK 0x87" in found.evidence
    assert found.fix is not None
    assert "0x87" in found.fix.text
    with serving(answers(lambda _: 0x87)) as port:  # `app` is refused too: two strangers
        found = audit(port, APP)[check][0]
        assert (found.status, "refuses this identity" in found.evidence) == (Status.UNKNOWN, True)
    start(broker, f"listener {broker.port} 127.0.0.1\n{PASSWORDS}")
    assert audit(broker.port, APP)[check][0].status is Status.PASS


def publish(broker: MosquittoProcess, topic: str, payload: str, *options: str) -> None:
    line = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-r", "-t", topic, "-m", payload]
    subprocess.run([*line, *options], check=True, timeout=10)


PASSWORDS = "allow_anonymous false\npassword_file passwd\n"
OTHER = Access(username="other", password=WORD)
APP = Access(username="app", password=WORD, other=OTHER)

WEAK: dict[str, tuple[str, str, str]] = {
    "$SYS": ("", "acl_file access.acl\n", "mqtt.acl.system-topics"),
    "packets": ("", GENERAL, "mqtt.limits.packet-size"),
    "large packets": (
        f"{GENERAL}max_packet_size 9000000\n",
        GENERAL,
        "mqtt.limits.packet-size",
    ),
    "keep-alive": ("", "max_keepalive 300\n", "mqtt.limits.keep-alive"),
    "in flight": ("max_inflight_messages 0\n", "", "mqtt.limits.in-flight"),
    "foreign write": ("", "acl_file access.acl\n", "mqtt.acl.foreign-write"),
    "foreign read": ("", "acl_file access.acl\n", "mqtt.acl.foreign-read"),
    "everything": ("", "acl_file access.acl\n", "mqtt.acl.wildcard-read"),
    "takeover": ("", "use_username_as_clientid true\n", "mqtt.session.takeover"),
}


@pytest.mark.parametrize("name", WEAK)
def test_a_weakness_is_found_and_its_settings_mend_it(name: str, broker: MosquittoProcess) -> None:
    weak, mended, check = WEAK[name]
    base = f"listener {broker.port} 127.0.0.1\n{PASSWORDS}"
    start(broker, base + weak)
    found = audit(broker.port, APP)
    assert found[check][0].status is Status.FAIL, found[check][0].evidence
    assert found["mqtt.auth.anonymous"][0].status is Status.PASS
    assert found["mqtt.auth.wrong-password"][0].status is Status.PASS
    assert found["mqtt.auth.user-enumeration"][0].status is Status.PASS
    fix = found[check][0].fix
    assert fix is not None
    for line in mended.replace(GENERAL, "max_packet_size 65536\n").splitlines():
        assert line.split()[0] in fix.text  # the settings are those that the fix names
    start(broker, base + mended)
    again = audit(broker.port, APP)
    assert again[check][0].status is Status.PASS, again[check][0].evidence


def test_reading_alone_is_proven_by_the_second_identity(broker: MosquittoProcess) -> None:
    """Nobody publishes for others, but everybody reads: PUBACK 135 must not hide it."""
    broker.write("access.acl", f"{ACL}pattern read devices/+/events\n")
    start(broker, f"listener {broker.port}\n{PASSWORDS}acl_file access.acl\n")
    found = audit(broker.port, APP)
    assert found["mqtt.acl.foreign-write"][0].status is Status.PASS
    assert "PUBACK 135 (not authorized)" in found["mqtt.acl.foreign-write"][0].evidence
    assert found["mqtt.acl.foreign-read"][0].status is Status.FAIL
    assert "second identity" in found["mqtt.acl.foreign-read"][0].evidence


def test_default_credentials_only_when_asked(broker: MosquittoProcess) -> None:
    passwd = str(broker.folder / "passwd")
    subprocess.run(["mosquitto_passwd", "-b", passwd, "admin", "admin"], check=True)
    start(broker, f"{GENERAL}listener {broker.port}\n{PASSWORDS}")
    check = "mqtt.auth.default-credentials"
    assert audit(broker.port, APP)[check][0].status is Status.UNKNOWN
    asked = replace(APP, try_defaults=True)
    result = audit(broker.port, asked)[check][0]
    assert (result.status, result.severity) == (Status.FAIL, Severity.CRITICAL)
    assert result.evidence == "user `admin` is let in with its name as password"
    # As printed, with the file and the name of this broker: it asks, and takes no argument.
    assert result.fix is not None
    (command,) = re.findall(r"`(mosquitto_passwd [^`]*)`", result.fix.text)
    assert "-b" not in command.split()
    words = [{"/etc/mosquitto/passwd": passwd, "NAME": "admin"}.get(e, e) for e in command.split()]
    subprocess.run(words, input=b"Quiet-Harbour-58\n" * 2, check=True, timeout=10)
    start(broker, f"{GENERAL}listener {broker.port}\n{PASSWORDS}")
    assert audit(broker.port, asked)[check][0].status is Status.PASS


def test_no_password_goes_to_a_stranger(broker: MosquittoProcess) -> None:
    server_only = MUTUAL.replace("require_certificate true\n", "").replace("crlfile crl.pem\n", "")
    text = server_only.replace("use_identity_as_username true\n", "")
    start(broker, f"{GENERAL}listener {broker.port}\n{text}{PASSWORDS}")
    found = audit(broker.port, APP, tls=True)
    reason = found["mqtt.acl.wildcard-read"][0]
    assert reason.status is Status.UNKNOWN
    assert "is not trusted" in reason.evidence
    assert "no password was sent" in reason.evidence
    wrong_pin = replace(APP, pin="0" * 64)
    assert "pinned" in audit(broker.port, wrong_pin, tls=True)["mqtt.acl.wildcard-read"][0].evidence
    log = (broker.folder / "stderr.txt").read_text()
    assert "as seawall" not in log
    assert "u'app'" not in log


def test_a_trusted_server_gets_the_password(broker: MosquittoProcess, keys: Keys) -> None:
    text = "cafile ca.pem\ncertfile server.pem\nkeyfile server.key\n"
    start(broker, f"{GENERAL}acl_file access.acl\nlistener {broker.port}\n{text}{PASSWORDS}")
    ca = keys.keystore.root_path
    access = replace(APP, ca=ca, other=replace(OTHER, ca=ca))
    found = statuses(audit(broker.port, access, tls=True))
    assert found["mqtt.acl.foreign-read"] is Status.PASS
    assert found["mqtt.auth.wrong-password"] is Status.PASS
    pin = keys.keystore.server_pins()[0]
    pinned = replace(APP, pin=pin, other=None)
    assert statuses(audit(broker.port, pinned, tls=True))["mqtt.acl.foreign-write"] is Status.PASS


# What is no broker, or a bad one


Behaviour = Callable[[socket.socket], None]


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[int]:
    """A TCP server that treats each connection so, in a thread of its own."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            threads = []
            while not over.is_set():
                try:
                    sock, _ = server.accept()
                except TimeoutError:
                    continue
                threads.append(threading.Thread(target=handle, args=(sock,), daemon=True))
                threads[-1].start()
            for each in threads:
                each.join(5)

        def handle(sock: socket.socket) -> None:
            with sock:
                sock.settimeout(5)
                try:
                    behaviour(sock)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def hangs(sock: socket.socket) -> None:
    while sock.recv(1024):
        pass


def resets(sock: socket.socket) -> None:
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def answers_http(sock: socket.socket) -> None:
    sock.recv(1024)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def banner_without_end(sock: socket.socket) -> None:
    sock.recv(1024)
    while True:
        sock.sendall(b"220 welcome " * 4096)


def floods(sock: socket.socket) -> None:
    """Takes anybody, and answers with retained messages without end."""
    sock.recv(1024)
    sock.sendall(encode(ConnAck(properties={}), 5))
    sock.recv(1024)
    message = encode(Publish("a/b", b"x" * 1000, retain=True), 5)
    while True:
        sock.sendall(message * 64)


def drips(sock: socket.socket) -> None:
    """Begins a packet, and sends a byte of it now and then."""
    sock.recv(1024)
    sock.sendall(b"\x20\xff\xff\x7f")
    for _ in range(50):
        sock.sendall(b"\0")
        threading.Event().wait(0.1)


BAD: dict[str, tuple[Behaviour, str]] = {
    "hangs": (hangs, "no CONNACK within 0.3 s"),
    "resets": (resets, "closed without CONNACK"),
    "speaks HTTP": (answers_http, "speaks no MQTT"),
    "banner": (banner_without_end, "speaks no MQTT"),
    "drips": (drips, "speaks no MQTT"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("tls", [False, True])
def test_no_broker_is_unknown_with_the_reason(name: str, tls: bool) -> None:
    behaviour, reason = BAD[name]
    with serving(behaviour) as port:
        target = Target(TargetKind.MQTT, "broker", "127.0.0.1", port, tls, access=APP)
        limits = Limits(connect_timeout_s=0.3, read_timeout_s=0.3, nonce=NONCE)
        found = audit_of(target, limits)
    assert {each.status for results in found.values() for each in results} <= (
        {Status.UNKNOWN, Status.PASS} if tls else {Status.UNKNOWN}
    )
    if not tls:
        assert reason in found["mqtt.auth.anonymous"][0].evidence


def test_a_flood_ends(broker: MosquittoProcess) -> None:
    with serving(floods) as port:
        target = Target(TargetKind.MQTT, "broker", "127.0.0.1", port)
        found = audit_of(target, Limits(nonce=NONCE, read_timeout_s=0.5))
    assert "flooded" in found["mqtt.acl.foreign-read"][0].evidence
    assert found["mqtt.acl.foreign-read"][0].status is Status.UNKNOWN


def knows_the_old_protocol_alone(sock: socket.socket) -> None:
    """A broker of 3.1.1 that wants a client id, and takes everything."""
    connect = sock.recv(1024)
    level, client_id_length = connect[connect.index(b"MQTT") + 4], connect[-1]
    if level == 5 or not client_id_length:
        sock.sendall(b"\x20\x02\x00\x01")
        return
    sock.sendall(b"\x20\x02\x00\x00")
    while data := sock.recv(4096):
        if data[0] == 0x82:
            sock.sendall(b"\x90\x03" + data[2:4] + b"\x01")
        elif data[0] == 0xC0:
            sock.sendall(b"\xd0\x00")
        elif data[0] == 0x32:
            length = data[3]
            sock.sendall(b"\x40\x02" + data[4 + length : 6 + length])


def test_a_broker_of_the_old_protocol() -> None:
    """Its PUBACK says nothing, and what does not come back proves no right to write."""
    with serving(knows_the_old_protocol_alone) as port:
        found = audit(port)
    assert found["mqtt.auth.anonymous"][0].status is Status.FAIL
    assert found["mqtt.transport.plaintext"][0].status is Status.FAIL
    write = found["mqtt.acl.foreign-write"][0]
    assert (write.status, "3.1.1" in write.evidence) == (Status.UNKNOWN, True)
    assert found["mqtt.acl.foreign-read"][0].status is Status.UNKNOWN
    assert found["mqtt.limits.keep-alive"][0].status is Status.UNKNOWN


def ends_instead_of_suback(sock: socket.socket) -> None:
    """Says yes to CONNECT, and goes away without a word when it is asked for something."""
    sock.recv(1024)
    sock.sendall(encode(ConnAck(properties={}), 5))
    sock.recv(1024)


def denies_with_disconnect(sock: socket.socket) -> None:
    """As AWS IoT does: what is not allowed ends the connection, with the reason."""
    ends_instead_of_suback(sock)
    sock.sendall(encode(Disconnect(0x87), 5))


def test_in_version_5_an_end_denies_only_with_its_reason() -> None:
    for behaviour, status in (
        (ends_instead_of_suback, Status.UNKNOWN),
        (denies_with_disconnect, Status.PASS),
    ):
        with serving(behaviour) as port:
            found = audit(port)
        for check in ("mqtt.acl.foreign-read", "mqtt.acl.wildcard-read"):
            assert found[check][0].status is status, found[check][0].evidence
        # It ended at `#`: nobody knows what it would have said to `$SYS/#`.
        assert found["mqtt.acl.system-topics"][0].status is Status.UNKNOWN


def ends_after_puback(sock: socket.socket) -> None:
    """Takes a publication, and ends the connection before it could be delivered."""
    sock.recv(1024)
    sock.sendall(encode(ConnAck(properties={}), 5))
    while data := sock.recv(4096):
        if data[0] == 0x82:
            sock.sendall(encode(SubAck(int.from_bytes(data[2:4], "big"), (0,)), 5))
        elif data[0] == 0x32:
            length = data[3]
            sock.sendall(b"\x40\x02" + data[4 + length : 6 + length])
            if b"readings" in data:
                return


def test_an_end_of_the_connection_is_no_denial() -> None:
    """What was taken, and did not come back because the broker went away, proves nothing."""
    with serving(ends_after_puback) as port:
        found = audit(port)
    for check in ("mqtt.acl.foreign-read", "mqtt.acl.wildcard-read"):
        assert found[check][0].status is Status.UNKNOWN, found[check][0].evidence


def test_a_session_that_another_takes_over_proves_nothing(broker: MosquittoProcess) -> None:
    """A device that comes with the same identity ends ours: that is no denial."""
    start(broker, f"listener {broker.port}\n{PASSWORDS}use_username_as_clientid true\n")
    line = ["mosquitto_sub", "-p", str(broker.port), "-u", "app", "-P", WORD, "-t", "x"]
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
                stop.wait(0.05)
                process.kill()  # one that is still connecting does not end at SIGTERM

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        found = audit(broker.port, APP)
    finally:
        stop.set()
        thread.join()
    for check in ("mqtt.acl.foreign-read", "mqtt.acl.foreign-write", "mqtt.acl.wildcard-read"):
        assert found[check][0].status is not Status.PASS, found[check][0].evidence


def test_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        found = audit(sock.getsockname()[1])
    texts = {each.evidence for results in found.values() for each in results}
    assert {e.status for results in found.values() for e in results} == {Status.UNKNOWN}
    assert "connection refused" in texts


def test_connections_are_bounded(broker: MosquittoProcess) -> None:
    """Every job at its worst stays within the limit of 40."""
    start(broker, f"listener {broker.port}\n{PASSWORDS}")
    access = replace(APP, try_defaults=True)
    target = Target(TargetKind.MQTT, "broker", "127.0.0.1", broker.port, access=access)
    jobs = {job for check in CHECKS for job in check.jobs(target)}
    assert sum(job.connections for job in jobs) <= 40
    audit_of(target, Limits(nonce=NONCE))
    log = (broker.folder / "stderr.txt").read_text()
    assert 0 < log.count("New connection from") <= 40

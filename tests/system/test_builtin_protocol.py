"""The builtin broker's words, packet by packet, over real TLS."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seawall.errors import ServiceError
from seawall.model.reading import Reason
from seawall.testing.broker_rig import Identity, PahoDevice, mosquitto_pub, wait_for
from seawall.testing.builtin_rig import BuiltinRig
from seawall.testing.raw_client import RawClient
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import V5, V311, Property
from seawall.wire.mqtt.encoder import encode

pytestmark = pytest.mark.system

READINGS = "devices/a/readings"
STATUS = "devices/a/status"
COMMANDS = "devices/a/commands"
PERSISTENT = {Property.SESSION_EXPIRY: 3600}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[BuiltinRig]:
    rig = BuiltinRig(tmp_path)
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()


@pytest.fixture
def client(rig: BuiltinRig) -> Iterator[Callable[..., RawClient]]:
    made: list[RawClient] = []

    def connect(name: str = "a", version: int = V311, **options) -> RawClient:
        made.append(
            RawClient(rig, rig.keys.identities[name], p.Connect(name, version=version, **options))
        )
        return made[-1]

    yield connect
    for each in made:
        each.vanish()


def publish(number: int, payload: bytes = b"x", qos: int = 1, topic: str = READINGS, **flags):
    return p.Publish(topic, payload, qos, packet_id=number, **flags)


# -- acknowledgement


@pytest.mark.parametrize("version", [V311, V5])
def test_puback_waits_until_the_message_is_settled(rig, client, version):
    rig.sink.holding = True
    device = client(version=version)
    device.send(publish(1), publish(2), p.PingReq())
    assert device.next() == p.PingResp()
    wait_for(lambda: len(rig.sink.messages) == 2, "both messages")
    assert device.quiet(0.3)
    rig.loop.call(rig.sink.release)
    assert device.take(2) == [p.PubAck(1), p.PubAck(2)]


def test_what_is_settled_after_the_end_of_a_connection_hurts_nobody(rig, client):
    rig.sink.holding = True
    device = client()
    device.send(publish(1))
    wait_for(lambda: rig.sink.messages, "the message")
    device.vanish()
    other = client()
    rig.loop.call(rig.sink.release)
    other.send(publish(1, dup=True))
    assert other.next() == p.PubAck(1)
    assert other.quiet(0.2)
    assert [m.may_be_resend for m in rig.sink.messages] == [False, True]


def test_qos2_exactly_once_over_a_reconnect(rig, client):
    rig.sink.holding = True
    device = client(clean_start=False)
    device.send(publish(7, qos=2), publish(7, qos=2, dup=True), p.PingReq())
    assert device.next() == p.PingResp()
    device.vanish()
    device = client(clean_start=False)
    assert device.connack == p.ConnAck(True)
    device.send(publish(7, qos=2, dup=True), p.PingReq())
    assert device.next() == p.PingResp()
    rig.loop.call(rig.sink.release)
    assert device.next() == p.PubRec(7)
    device.send(p.PubRel(7))
    assert device.next() == p.PubComp(7)
    assert rig.sink.payloads(READINGS) == [b"x"]
    device.send(publish(7, b"y", qos=2))
    assert device.next() == p.PubRec(7)
    assert rig.sink.payloads(READINGS) == [b"x", b"y"]


def test_congestion_stops_reading_and_excuses_silence(tmp_path):
    now = [1000.0]
    rig = BuiltinRig(tmp_path, clock=lambda: now[0])
    rig.start()
    try:
        rig.sink.congested = True
        device = RawClient(rig, rig.keys.identities["a"], p.Connect("a", keep_alive_s=10))
        device.send(publish(1))
        assert device.next() == p.PubAck(1)
        device.send(publish(2), p.PingReq())
        assert device.quiet(0.4)
        for _ in range(8):  # sixteen seconds, in steps that are no absence of the process
            now[0] += 4
            rig.loop.call(rig.broker._endpoint.sweep)
        assert rig.sink.payloads(READINGS) == [b"x"]
        rig.sink.congested = False
        assert device.take(2) == [p.PingResp(), p.PubAck(2)]
        device.vanish()
    finally:
        rig.stop()


def test_keep_alive_ends_a_silent_client_and_publishes_its_will(tmp_path):
    now = [1000.0]
    rig = BuiltinRig(tmp_path, clock=lambda: now[0])
    rig.start()
    try:
        will = p.Will(STATUS, b'{"online":false}', 1, True)
        quiet = RawClient(rig, rig.keys.identities["a"], p.Connect("a", True, 10, will=will))
        lively = RawClient(rig, rig.keys.identities["b"], p.Connect("b", True, 10))
        for step in (4, 4, 4, 3):
            now[0] += step
            assert lively.ping()
            rig.loop.call(rig.broker._endpoint.sweep)
        assert quiet.closed()
        wait_for(lambda: rig.sink.payloads(STATUS) == [b'{"online":false}'], "the will")
        assert lively.ping()
        # The process stood still (a suspended laptop): nobody is to blame.
        now[0] += 3600
        rig.loop.call(rig.broker._endpoint.sweep)
        assert lively.ping()
        assert rig.sink.refusals == []
        lively.vanish()
    finally:
        rig.stop()


# -- wills and takeover


@pytest.mark.parametrize("version", [V311, V5])
def test_takeover_ends_the_older_connection(rig, client, version):
    will = p.Will(STATUS, b"gone", 1, True)
    older = client(version=version, will=will)
    newer = client(version=version)
    if version == V5:
        assert older.next() == p.Disconnect(0x8E)
    assert older.closed()
    assert newer.ping()
    wait_for(lambda: rig.sink.payloads(STATUS) == [b"gone"], "the will")


def test_a_delayed_will_is_withdrawn_by_who_comes_back(rig, client):
    will = p.Will(STATUS, b"gone", 1, False, {Property.WILL_DELAY: 60})
    device = client(version=V5, will=will, clean_start=False, properties=PERSISTENT)
    device.vanish()
    wait_for(lambda: rig.loop.call(lambda: rig.broker.connected) == 0, "the end")
    device = client(version=V5, clean_start=False, properties=PERSISTENT)
    assert device.connack.session_present
    assert device.ping()
    assert rig.sink.payloads(STATUS) == []


def test_a_will_on_another_device_is_refused(rig):
    will = p.Will("devices/b/status", b"gone", 1, True)
    for version, code in ((V311, 5), (V5, 0x87)):
        connect = p.Connect("a", version=version, will=will)
        device = RawClient(rig, rig.keys.identities["a"], connect)
        assert device.connack.code == code
        assert device.closed()
        device.vanish()
    wait_for(lambda: Reason.WRONG_TOPIC in rig.sink.reasons("a"), "the refusal")


# -- client ids


@pytest.mark.parametrize(
    ("version", "client_id", "clean", "code"),
    [
        (V311, "", True, 0),
        (V311, "", False, 2),
        (V311, "b", True, 2),
        (V5, "", False, 0),
        (V5, "b", True, 0x85),
        (V5, "A", True, 0x85),
    ],
)
def test_the_client_id_is_the_certificates(rig, version, client_id, clean, code):
    device = RawClient(rig, rig.keys.identities["a"], p.Connect(client_id, clean, 0, version))
    assert device.connack.code == code
    assert device.ping() if code == 0 else device.closed()
    if version == V5 and code == 0:
        assert device.connack.properties[Property.ASSIGNED_CLIENT_ID] == "a"
    device.vanish()


# -- retained messages and orders


def test_retained_status_is_told_on_subscription(rig, client):
    device = client()
    device.send(
        publish(1, b"old", topic=STATUS, retain=True), publish(2, b"on", topic=STATUS, retain=True)
    )
    assert device.take(2) == [p.PubAck(1), p.PubAck(2)]
    assert [m.retained for m in rig.sink.messages] == [False, False]
    device.send(p.Subscribe(3, (p.Subscription("devices/a/#", 1),)))
    assert device.next() == p.SubAck(3, (1,))
    kept = device.next()
    assert (kept.topic, kept.payload, kept.retain) == (STATUS, b"on", True)
    # A listener hears what it sends itself, live and not retained (4.7, 3.3.1.3).
    device.send(p.PubAck(kept.packet_id), publish(4, b"live", 0))
    live = device.next()
    assert (live.topic, live.payload, live.retain) == (READINGS, b"live", False)
    # An empty one removes it.
    device.send(publish(5, b"", topic=STATUS, retain=True))
    assert {type(each) for each in device.take(2)} == {p.PubAck, p.Publish}
    again = client()
    again.send(p.Subscribe(3, (p.Subscription("devices/a/#", 1),)))
    assert again.next() == p.SubAck(3, (1,))
    assert again.quiet(0.3)


def test_no_local_of_v5(client):
    device = client(version=V5)
    device.send(p.Subscribe(3, (p.Subscription("devices/a/#", 1, no_local=True),)), publish(1))
    assert device.next() == p.SubAck(3, (1,))
    assert device.next() == p.PubAck(1)
    assert device.quiet(0.3)


def test_an_observing_service_hears_all_devices_and_they_hear_nobody(rig, client):
    directory = rig.keys.directory
    issued = rig.keys.authority.issue_service("ingest", datetime.now(UTC))
    observer = RawClient(
        rig, Identity(directory, "@ingest", issued), p.Connect("@ingest", version=V5)
    )
    observer.send(p.Subscribe(1, (p.Subscription("devices/#", 1),)))
    assert observer.next() == p.SubAck(1, (1,))
    a, b = client("a"), client("b")
    b.send(p.Subscribe(1, (p.Subscription("devices/b/#", 1),)))
    assert b.next() == p.SubAck(1, (1,))
    a.send(publish(1, b"from a"))
    assert a.next() == p.PubAck(1)
    heard = observer.next()
    assert (heard.topic, heard.payload) == (READINGS, b"from a")
    assert b.quiet(0.3)
    observer.vanish()


def test_orders_wait_for_a_sleeping_device_and_are_repeated(rig, client):
    for number in range(3):
        rig.publish(COMMANDS, b"order %d" % number)
    device = client(clean_start=False)
    device.send(p.Subscribe(1, (p.Subscription(COMMANDS, 1),)))
    assert device.next() == p.SubAck(1, (1,))
    orders = device.take(3)
    assert [(o.payload, o.dup) for o in orders] == [(b"order %d" % n, False) for n in range(3)]
    device.send(p.PubAck(orders[0].packet_id), p.PingReq())
    device.next()
    device.vanish()
    rig.publish(COMMANDS, b"order 3")
    device = client(clean_start=False)
    assert device.connack == p.ConnAck(True)
    orders = device.take(3)
    assert [(o.payload, o.dup) for o in orders] == [
        (b"order 1", True),
        (b"order 2", True),
        (b"order 3", False),
    ]
    device.vanish()
    # A clean session has lost its subscription, but no order.
    device = client()
    assert device.connack == p.ConnAck(False)
    assert device.quiet(0.2)
    device.send(p.Subscribe(1, (p.Subscription(COMMANDS, 1),)))
    assert device.next() == p.SubAck(1, (1,))
    assert [o.payload for o in device.take(3)] == [b"order 1", b"order 2", b"order 3"]


def test_orders_that_cannot_arrive_are_refused(rig):
    for topic, payload, reference in (
        ("devices/stranger/commands", b"x", "device-not-active"),
        (READINGS, b"x", "wrong-topic"),
        ("commands", b"x", "wrong-topic"),
        (COMMANDS, b"x" * 10_000, "command-too-long"),
    ):
        with pytest.raises(ServiceError) as caught:
            rig.publish(topic, payload)
        assert caught.value.reference == reference
    for number in range(100):
        rig.publish(COMMANDS, b"%d" % number)
    rig.publish(COMMANDS, b"99")  # waits already
    with pytest.raises(ServiceError) as caught:
        rig.publish(COMMANDS, b"one too many")
    assert caught.value.reference == "command-queue-full"
    rig.publish("devices/b/commands", b"x")


# -- refusals


def test_v5_says_that_a_publication_is_not_authorized(rig, client):
    device = client(version=V5)
    device.send(publish(1, topic="devices/b/readings"), publish(2, topic="x"), publish(3))
    assert set(device.take(3)) == {p.PubAck(1, 0x87), p.PubAck(2, 0x87), p.PubAck(3)}
    wait_for(lambda: rig.sink.reasons("a") == [Reason.WRONG_TOPIC] * 2, "the refusals")
    refusal = rig.sink.refusals[0]
    assert (refusal.topic, refusal.payload, refusal.payload_bytes) == (
        "devices/b/readings",
        b"x",
        1,
    )
    assert refusal.peer == f"127.0.0.1:{device.port}"
    assert rig.sink.payloads("devices/b/readings") == []


def test_v311_is_closed_for_a_forbidden_publication(rig, client):
    device, other = client(), client("b")
    device.send(publish(1, topic="devices/b/readings"), publish(2))
    assert device.closed()
    assert other.ping()
    assert [m.payload for m in rig.sink.messages] == []
    result = mosquitto_pub(
        rig, rig.keys.identities["a"], "-i", "a", "-t", "devices/b/readings", "-q", "1", "-m", "x"
    )
    assert result.returncode != 0


MALFORMED = {
    "type 0": b"\x00\x00",
    "reserved flags": b"\xc1\x00",
    "length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "too large": b"\x30\xff\xff\x7f",
    "qos 3": b"\x36\x05\x00\x01a\x00\x01",
    "packet id 0": b"\x32\x05\x00\x01a\x00\x00",
    "wildcard in a topic name": b"\x30\x03\x00\x01#",
    "empty topic name": b"\x30\x02\x00\x00",
    "NUL": b"\x30\x03\x00\x01\x00",
    "surrogate": b"\x30\x05\x00\x03\xed\xa0\x80",
    "not UTF-8": b"\x30\x03\x00\x01\xff",
    "shorter than its fields": b"\x30\x02\x00\x09",
    "subscribe without filters": b"\x82\x02\x00\x01",
    "bad filter": b"\x82\x07\x00\x01\x00\x02a#\x00",
    "second connect": b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a",
    "connack": b"\x20\x02\x00\x00",
    "pubrec": b"\x50\x02\x00\x01",
    "pingreq with a body": b"\xc0\x01x",
    "auth in 3.1.1": b"\xf0\x00",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


def test_malformed_packets_close_their_connection_alone(rig, client):
    other = client("b")
    for name, data in MALFORMED.items():
        device = client()
        device.send(publish(1))
        assert device.next() == p.PubAck(1), name
        device.send(data)
        assert device.closed(), name
        assert other.ping(), name
    other.send(publish(1, topic="devices/b/readings"))
    assert other.next() == p.PubAck(1)
    # Bounded: one device cannot fill the store with its refusals.
    assert 5 <= len(rig.sink.reasons("a")) < len(MALFORMED)
    assert set(rig.sink.reasons("a")) == {Reason.MALFORMED, Reason.TOO_LARGE}


def test_malformed_first_packets_are_closed_too(rig, client):
    other = client("b")
    for data in [*MALFORMED.values(), b"\xc0\x00", b"\x10\x00", b"\x10\x04\x00\x04MQTT"]:
        device = RawClient(rig, rig.keys.identities["a"], None)
        device.send(data)
        if data != MALFORMED["second connect"]:
            assert device.closed(), data
        device.vanish()
    old = RawClient(rig, rig.keys.identities["a"], None)
    old.send(b"\x10\x0d\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a")
    assert old.next() == p.ConnAck(False, 1)
    assert old.closed()
    assert other.ping()


def test_a_packet_of_the_limit_passes_and_one_byte_more_does_not(rig, client):
    device = client(version=V5)
    assert device.connack.properties[Property.MAXIMUM_PACKET_SIZE] == 16_384
    rest = 16_384 - len(encode(publish(1, bytes(1000)), V5)) + 1000
    assert len(encode(publish(1, bytes(rest)), V5)) == 16_384
    device.send(publish(1, bytes(rest)))
    assert device.next() == p.PubAck(1)
    device.send(publish(2, bytes(rest + 1)))
    assert device.next() == p.Disconnect(0x95)
    assert device.closed()
    wait_for(lambda: Reason.TOO_LARGE in rig.sink.reasons("a"), "the refusal")


# -- certificates


def issue(rig: BuiltinRig, names: list[str], uris: list[str]) -> Identity:
    """Sign any names with the real authority's key, as a faulty authority might."""
    pki = rig.keys.directory / "pki"
    issuer = x509.load_pem_x509_certificate((pki / "issuing.crt.pem").read_bytes())
    issuer_key = serialization.load_pem_private_key((pki / "issuing.key.pem").read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n) for n in names]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    )
    if uris:
        alternative = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in uris])
        builder = builder.add_extension(alternative, False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    directory = rig.keys.directory / f"odd-{certificate.serial_number:x}"
    directory.mkdir()
    identity = Identity.__new__(Identity)
    identity.device_id, identity.serial = names[0], format(certificate.serial_number, "x")
    identity.certificate, identity.key = directory / "crt.pem", directory / "key.pem"
    identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    identity.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return identity


@pytest.mark.parametrize(
    ("names", "uris"),
    [
        (["a"], []),
        (["a"], ["urn:seawall:device:b"]),
        (["a"], ["urn:seawall:device:a", "urn:seawall:device:b"]),
        (["a", "b"], ["urn:seawall:device:a"]),
        (["@ingest"], ["urn:seawall:device:@ingest"]),
        (["a"], ["urn:seawall:service:a"]),
        (["../a"], ["urn:seawall:device:../a"]),
    ],
)
def test_a_certificate_must_name_one_device_twice(rig, names, uris):
    odd = issue(rig, names, uris)
    rig.keys.identities[names[0]] = odd
    rig.apply()
    device = RawClient(rig, odd, None)
    assert device.closed()
    device.vanish()
    wait_for(lambda: rig.sink.reasons(None) == [Reason.UNKNOWN_DEVICE], "the refusal")


def test_the_control_a_certificate_made_the_same_way_is_let_in(rig):
    good = issue(rig, ["a"], ["urn:seawall:device:a"])
    rig.keys.identities["a"] = good
    rig.apply()
    device = RawClient(rig, good, p.Connect("a"))
    assert device.ping()
    device.vanish()


def test_an_older_certificate_of_the_device_is_refused(rig):
    old = rig.keys.identities["a"]
    for name in ("certificate", "key"):
        path = getattr(old, name)
        setattr(old, name, path.rename(path.with_suffix(".old")))
    rig.keys.device("a")
    rig.apply()
    device = RawClient(rig, old, p.Connect("a", version=V5))
    assert device.connack.code == 0x87
    device.vanish()
    wait_for(lambda: rig.sink.reasons("a") == [Reason.REVOKED_DEVICE], "the refusal")


def test_handshakes_that_fail_are_told_with_their_reason(rig):
    def fails(identity: Identity | None) -> None:
        try:
            device = RawClient(rig, identity, None)
            assert device.closed()
        except (ssl.SSLError, ConnectionError):
            pass

    fails(None)
    wait_for(lambda: len(rig.sink.refusals) == 1, "the refusal")
    assert rig.sink.refusals[0].reason is Reason.UNKNOWN_DEVICE
    assert "no certificate" in rig.sink.refusals[0].detail
    rig.keys.revoke(rig.keys.identities["b"])
    rig.apply()
    fails(rig.keys.identities["b"])
    wait_for(lambda: len(rig.sink.refusals) == 2, "the refusal")
    assert rig.sink.refusals[1].reason is Reason.REVOKED_DEVICE


def test_a_certificate_that_expires_ends_its_session(tmp_path):
    ahead_ms = [0]
    rig = BuiltinRig(tmp_path, now_ms=lambda: time.time_ns() // 1_000_000 + ahead_ms[0])
    rig.start()
    try:
        device = RawClient(rig, rig.keys.identities["a"], p.Connect("a", version=V5))
        rig.loop.call(rig.broker._endpoint.sweep)
        assert device.ping()
        ahead_ms[0] = 100 * 365 * 86_400_000
        rig.loop.call(rig.broker._endpoint.sweep)
        assert device.next() == p.Disconnect(0x87)
        device.vanish()
    finally:
        rig.stop()


# -- policy


def test_apply_ends_sessions_before_it_returns(rig, client):
    device, other = client(version=V5), client("b")
    device.send(p.Subscribe(1, (p.Subscription(COMMANDS, 1),)))
    device.next()
    rig.publish("devices/b/commands", b"kept")
    rig.keys.revoke(rig.keys.identities["a"])
    rig.apply()
    assert rig.loop.call(lambda: rig.broker.connected) == 1
    device.send(publish(1))
    assert device.next() == p.Disconnect(0x87)
    assert device.closed()
    assert rig.sink.messages == []
    with pytest.raises(ServiceError):
        rig.publish(COMMANDS, b"x")
    assert other.ping()


def test_stop_says_good_bye_and_publishes_no_wills(tmp_path):
    rig = BuiltinRig(tmp_path)
    rig.start()
    will = p.Will(STATUS, b"gone", 1, True)
    device = RawClient(rig, rig.keys.identities["a"], p.Connect("a", version=V5, will=will))
    rig.loop.do(rig.broker.stop())
    rig.loop.do(rig.broker.stop())
    assert device.next() == p.Disconnect(0x8B)
    assert device.closed()
    assert rig.sink.messages == []
    device.vanish()
    rig.stop()


def test_a_taken_port_is_named(rig, tmp_path):
    from dataclasses import replace

    from seawall.testing.builtin_rig import SETTINGS

    (tmp_path / "second").mkdir()
    second = BuiltinRig(tmp_path / "second", replace(SETTINGS, port=rig.endpoint.port))
    with pytest.raises(ServiceError) as caught:
        second.start()
    assert caught.value.reference == "port-taken"
    second.stop()


def test_paho_v5_sees_the_reason_of_a_denied_publication(rig):
    from paho.mqtt.enums import MQTTProtocolVersion

    reasons: list[int] = []
    device = PahoDevice(rig, rig.keys.identities["a"], version=MQTTProtocolVersion.MQTTv5)
    device.client.on_publish = lambda _c, _u, _mid, reason, _p: reasons.append(reason.value)
    device.connect()
    device.publish("devices/b/readings", b"x")
    device.publish(READINGS, b"x")
    device.publish(READINGS, b"x", qos=2)
    wait_for(lambda: len(reasons) == 3, "three answers")
    assert reasons == [0x87, 0, 0]
    device.close()

"""The builtin broker's pure parts: identity, admission, refusals, sessions."""

from __future__ import annotations

import ssl

import pytest

from seawall.broker.drivers.builtin.admission import judge_connect
from seawall.broker.drivers.builtin.hub import MAX_RETAINED_BYTES, Hub
from seawall.broker.drivers.builtin.reception import source_of
from seawall.broker.policy import AccessPolicy
from seawall.model.reading import Reason, Refusal
from seawall.pki.peers import Peer, handshake_refusal, peer_of
from seawall.store.refusal_filter import (
    BURST,
    MAX_SOURCES,
    REFILL_S,
    TOTAL_BURST,
    RefusalFilter,
)
from seawall.wire.mqtt.codes import V5, V311
from seawall.wire.mqtt.packets import Connect, Publish, Subscription, Will
from seawall.wire.mqtt.session import MAX_WAITING, MAX_WAITING_BYTES, Outgoing, ServerSession

STATUS = "devices/a/status"


def certificate(names=("a",), uris=("urn:seawall:device:a",), serial="0A1B"):
    return {
        "subject": tuple((("commonName", name),) for name in names),
        "subjectAltName": (*(("URI", uri) for uri in uris), ("DNS", "a")),
        "serialNumber": serial,
        "notAfter": "Jan  1 00:00:00 2030 GMT",
    }


def test_a_certificate_names_its_device_twice():
    assert peer_of(certificate()) == Peer("a", "a1b", 1893456000)
    assert peer_of(certificate(["@x"], ["urn:seawall:service:x"])).identity == "@x"


@pytest.mark.parametrize(
    ("names", "uris"),
    [
        ([], ["urn:seawall:device:a"]),
        (["a"], []),
        (["a", "a"], ["urn:seawall:device:a"]),
        (["a"], ["urn:seawall:device:a", "urn:seawall:device:b"]),
        (["a"], ["urn:seawall:device:a", "urn:seawall:service:a"]),
        (["a"], ["urn:seawall:device:A"]),
        (["a"], ["urn:seawall:device:a/"]),
        (["a"], ["urn:other:device:a"]),
        (["a\0"], ["urn:seawall:device:a\0"]),
        (["a/b"], ["urn:seawall:device:a/b"]),
        (["+"], ["urn:seawall:device:+"]),
        (["@"], ["urn:seawall:service:"]),
        (["@a"], ["urn:seawall:device:@a"]),
        (["a"], ["urn:seawall:service:a"]),
    ],
)
def test_other_certificates_name_nobody(names, uris):
    assert peer_of(certificate(names, uris)) is None


def test_a_certificate_without_names():
    assert peer_of({}) is None


def test_why_a_handshake_failed():
    revoked = ssl.SSLCertVerificationError(1, "x")
    revoked.verify_code, revoked.verify_message = 23, "certificate revoked"
    assert handshake_refusal(revoked)[0] is Reason.REVOKED_DEVICE
    stranger = ssl.SSLCertVerificationError(1, "x")
    stranger.verify_code, stranger.verify_message = 20, "unable to get issuer"
    assert handshake_refusal(stranger)[0] is Reason.UNKNOWN_DEVICE
    assert handshake_refusal(ConnectionResetError()) is None
    assert handshake_refusal(ssl.SSLError(1, "x")) is None


POLICY = AccessPolicy({"a": "1", "b": "2"}, {"off": Reason.DISABLED_DEVICE})


@pytest.mark.parametrize(
    ("peer", "connect", "expected"),
    [
        (Peer("a", "1", 0), Connect("a"), None),
        (Peer("a", "1", 0), Connect(""), None),
        (Peer("a", "1", 0), Connect("", False, version=V5), None),
        (Peer("a", "1", 0), Connect("a", username="b", password=b"x"), None),
        (Peer("a", "1", 0), Connect("", False, version=V311), Reason.MALFORMED),
        (Peer("a", "1", 0), Connect("b"), Reason.MALFORMED),
        (Peer("a", "2", 0), Connect("a"), Reason.REVOKED_DEVICE),
        (Peer("c", "1", 0), Connect("c"), Reason.UNKNOWN_DEVICE),
        (Peer("off", "1", 0), Connect("off"), Reason.DISABLED_DEVICE),
        (Peer("@ingest", "9", 0), Connect("@ingest"), None),
        (Peer("@other", "9", 0), Connect("@other"), Reason.UNKNOWN_DEVICE),
        (Peer("a", "1", 0), Connect("a", will=Will(STATUS, b"")), None),
        (Peer("a", "1", 0), Connect("a", will=Will("devices/b/status", b"")), Reason.WRONG_TOPIC),
    ],
)
def test_who_may_connect(peer, connect, expected):
    no = judge_connect(POLICY, peer, connect)
    assert (no.reason if no else None) is expected


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def filtered() -> tuple[RefusalFilter, list[Refusal], Clock]:
    kept: list[Refusal] = []
    clock = Clock()
    return RefusalFilter(kept.append, clock=clock, now_ms=lambda: 5), kept, clock


def test_a_flood_of_refusals_is_counted_and_told_later():
    refusals, kept, clock = filtered()
    for _ in range(1000):
        refusals.note(Reason.MALFORMED, "x", device_id="a")
    assert len(kept) == BURST
    assert refusals.suppressed == 1000 - BURST
    refusals.note(Reason.MALFORMED, "x", device_id="b")
    refusals.note(Reason.WRONG_TOPIC, "x", device_id="a")
    assert len(kept) == BURST + 2
    clock.now += REFILL_S
    refusals.note(Reason.MALFORMED, "x", device_id="a")
    assert kept[-1].detail == f"x (and {1000 - BURST:.0f} more like it that were not kept)"
    refusals.note(Reason.MALFORMED, "x", device_id="a")
    assert len(kept) == BURST + 3


def test_many_sources_together_are_limited_as_well():
    refusals, kept, _ = filtered()
    for number in range(3 * MAX_SOURCES):
        refusals.note(Reason.MALFORMED, "x", peer=f"10.0.{number >> 8}.{number & 255}:{number}")
    assert len(kept) == TOTAL_BURST
    assert len(refusals._sources) == MAX_SOURCES


def test_a_refusal_keeps_a_part_of_the_payload():
    refusals, kept, _ = filtered()
    refusals.note(Reason.MALFORMED, "x", payload=b"y" * 5000, topic="t", peer="1.2.3.4:5")
    assert (len(kept[0].payload), kept[0].payload_bytes, kept[0].at_ms) == (1024, 5000, 5)


def join(hub: Hub, name: str, *filters: str, clean: bool = True, expiry_s: int = 0):
    session, present = hub.join(name, clean_start=clean)
    session.expiry_s = expiry_s
    for topic_filter in filters:
        session.subscribe(Subscription(topic_filter, 1), lambda _: True)
    hub.note_subscriptions(name, session)
    return session, present


def test_a_session_lives_as_long_as_it_was_asked_to():
    hub = Hub()
    session, present = join(hub, "a", expiry_s=10)
    assert not present
    hub.leave(session, 100.0)
    assert hub.expire(109.9) == []
    assert join(hub, "a", clean=False, expiry_s=10) == (session, True)
    hub.leave(session, 200.0)
    hub.expire(210.0)
    fresh, present = join(hub, "a", clean=False)
    assert not present
    assert fresh is not session
    hub.leave(session, 300.0)  # of an older connection: no matter
    hub.leave(fresh, 300.0)
    assert hub._sessions == {}


def test_orders_outlive_clean_sessions_and_devices_that_never_came():
    hub = Hub()
    assert hub.command("a", "devices/a/commands", b"1")
    session, present = join(hub, "a")
    assert not present
    assert session.open_commands == 1
    hub.leave(session, 1.0)
    assert join(hub, "a")[0].open_commands == 1


def test_only_the_device_itself_and_observers_hear_it():
    hub = Hub()
    join(hub, "a", "devices/a/#")
    join(hub, "b", "devices/b/#")
    observer, _ = join(hub, "@o", "devices/+/status")
    assert {s.client_id for s in hub.audience("a", itself=True)} == {"a", "@o"}
    assert {s.client_id for s in hub.audience("a", itself=False)} == {"@o"}
    assert hub.pass_on(Publish(STATUS, b"x", 2), "a", observer)
    assert hub.pass_on(Publish("devices/a/readings", b"x", 2), "a", observer)
    assert [message.topic for message in observer.waiting] == [STATUS]
    hub.leave(observer, 1.0)
    assert not hub.observed


def test_retained_messages_are_bounded_and_die_with_their_device():
    hub = Hub()
    hub.retain(Publish(STATUS, b"on", 1, True))
    hub.retain(Publish("devices/a/events", bytes(MAX_RETAINED_BYTES + 1), 1, True))
    hub.retain(Publish("elsewhere", b"x", 1, True))
    hub.retain(Publish("devices/b/status", b"on", 0, True))
    assert set(hub._retained) == {STATUS, "devices/b/status"}
    session, _ = join(hub, "@o", "devices/#")
    hub.send_retained(session, list(session.subscriptions.values()))
    assert [(m.topic, m.qos, m.retain) for m in session.waiting] == [
        (STATUS, 1, True),
        ("devices/b/status", 0, True),
    ]
    hub.restrict(AccessPolicy({}, {"b": Reason.DISABLED_DEVICE}))
    assert set(hub._retained) == {"devices/b/status"}
    hub.retain(Publish("devices/b/status", b"", 1, True))
    assert hub._retained == {}


def test_who_subscribes_again_and_again_is_not_sent_more_than_fits():
    hub = Hub()
    hub.retain(Publish(STATUS, bytes(4000), 0, True))
    session, _ = join(hub, "a", "devices/a/#")
    wanted = list(session.subscriptions.values())
    assert sum(hub.send_retained(session, wanted) for _ in range(3000)) < 100


def test_an_ipv6_network_counts_as_one_address():
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8::1")
    assert source_of("::ffff:10.0.0.1") == source_of("10.0.0.1") == "10.0.0.1"
    assert source_of("fe80::1%eth0") == "fe80::/64"


def test_what_waits_for_a_client_is_bounded():
    many = ServerSession("a")
    assert sum(many.add_message(Outgoing("t", b"")) for _ in range(3000)) == MAX_WAITING
    large = ServerSession("a")
    taken = sum(large.add_message(Outgoing("t", bytes(16_000))) for _ in range(3000))
    assert MAX_WAITING_BYTES <= taken * 16_000 < MAX_WAITING_BYTES + 16_000
    while large.take(5000):
        pass
    assert large.waiting_bytes == 0
    assert large.add_message(Outgoing("t", b""))

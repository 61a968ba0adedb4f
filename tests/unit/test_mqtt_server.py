"""The server's machine for one connection: what it says, and when it ends one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.client import ClientConnection, Connected, Published, Received
from seawall.wire.mqtt.codes import V5, V311, Property, ReasonCode
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.events import (
    Arrived,
    Closing,
    Event,
    Forbidden,
    Opening,
    ServerLimits,
    Subscribed,
)
from seawall.wire.mqtt.server import ServerConnection
from seawall.wire.mqtt.session import MAX_COMMANDS, MAX_SUBSCRIPTIONS, Outgoing, ServerSession

OWN = "devices/a/readings"
COMMANDS = "devices/a/commands"


class Served:
    """A machine with an owner that accepts, and a decoder for what it says."""

    def __init__(
        self,
        connect: p.Connect | None = None,
        *,
        session: ServerSession | None = None,
        present: bool = False,
        limits: ServerLimits | None = None,
        tail: bytes = b"",
    ) -> None:
        self.machine = ServerConnection(limits or ServerLimits(), now=0.0)
        connect = connect or p.Connect("a", keep_alive_s=30)
        self.version = connect.version
        self.decoder = Decoder(1 << 20, version=connect.version)
        self.session = session or ServerSession("a")
        opening = self.machine.receive_data(encode(connect) + tail, 0.0)
        assert opening == [Opening(connect)]
        assert self.machine.data_to_send() == b""
        self.early = self.machine.accept(
            self.session,
            present=present,
            may_publish=lambda topic: topic.startswith("devices/a/"),
            may_subscribe=lambda wanted: wanted.startswith("devices/a/"),
        )

    def said(self) -> list[p.Packet]:
        return self.decoder.feed(self.machine.data_to_send())

    def hear(self, *packets: p.Packet, now: float = 1.0) -> list[Event]:
        data = b"".join(encode(packet, self.version) for packet in packets)
        return self.machine.receive_data(data, now)


def v5(**options: Any) -> p.Connect:
    return p.Connect("a", version=V5, **options)


def closing(events: list[Event]) -> Closing:
    assert isinstance(events[-1], Closing), events
    return events[-1]


@pytest.mark.parametrize("version", [V311, V5])
def test_connack_comes_first(version):
    served = Served(p.Connect("a", version=version), tail=encode(p.PingReq()))
    first, second = served.said()
    assert isinstance(first, p.ConnAck)
    assert (first.code, first.session_present) == (0, False)
    assert second == p.PingResp()


def test_v5_tells_its_limits_and_assigns_the_client_id():
    served = Served(
        p.Connect("", version=V5, properties={Property.SESSION_EXPIRY: 0xFFFFFFFF}),
        limits=ServerLimits(max_packet_bytes=1000, max_in_flight=7, max_session_expiry_s=60),
    )
    (connack,) = served.said()
    assert connack.properties == {
        Property.RECEIVE_MAXIMUM: 7,
        Property.MAXIMUM_PACKET_SIZE: 1000,
        Property.SESSION_EXPIRY: 60,
        Property.ASSIGNED_CLIENT_ID: "a",
        Property.SERVER_KEEP_ALIVE: 3600,  # it asked for none
        Property.SUBSCRIPTION_ID_AVAILABLE: 0,
        Property.SHARED_AVAILABLE: 0,
    }
    assert served.session.expiry_s == 60


@pytest.mark.parametrize(
    ("version", "code", "said"),
    [
        (V311, ReasonCode.NOT_AUTHORIZED, 5),
        (V311, ReasonCode.CLIENT_ID_NOT_VALID, 2),
        (V311, ReasonCode.SERVER_BUSY, 3),
        (V5, ReasonCode.NOT_AUTHORIZED, 0x87),
    ],
)
def test_a_refusal_is_said_in_the_words_of_the_version(version, code, said):
    machine = ServerConnection(ServerLimits(), now=0.0)
    machine.receive_data(encode(p.Connect("b", version=version)), 0.0)
    assert machine.refuse(code, "no") == Closing("no", code, violation=True)
    decoder = Decoder(100, version=version)
    assert decoder.feed(machine.data_to_send()) == [p.ConnAck(False, said)]
    assert machine.receive_data(encode(p.PingReq()), 0.0) == []


def test_nothing_is_done_before_the_owner_has_decided():
    machine = ServerConnection(ServerLimits(), now=0.0)
    early = encode(p.Publish(OWN, b"x", 1, packet_id=1))
    assert machine.receive_data(encode(p.Connect("a")) + early, 0.0) == [Opening(p.Connect("a"))]
    assert machine.receive_data(early, 0.0) == []
    assert machine.data_to_send() == b""
    events = machine.accept(
        ServerSession("a"), present=False, may_publish=lambda _: True, may_subscribe=lambda _: True
    )
    assert len(events[0].messages) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (encode(p.PingReq()), b""),
        (encode(p.Publish("devices/a/readings", b"x")), b""),
        (b"GET / HTTP/1.1\r\n\r\n", b""),
        (b"\x10\x0c\x00\x06MQIsdp\x03\x02\x00\x3c", b"\x20\x02\x00\x01"),
        (b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x00\x00\x00", b"\x20\x02\x00\x01"),
        (b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x00\x00\x00", b"\x20\x03\x00\x84\x00"),
    ],
)
def test_what_is_no_connect_of_ours_ends_it(data, said):
    machine = ServerConnection(ServerLimits(), now=0.0)
    assert closing(machine.receive_data(data, 0.0)).violation
    assert machine.data_to_send() == said


def test_extended_authentication_is_refused():
    machine = ServerConnection(ServerLimits(), now=0.0)
    connect = v5(properties={Property.AUTH_METHOD: "SCRAM"})
    assert closing(machine.receive_data(encode(connect), 0.0)).code == 0x8C
    assert Decoder(99, version=V5).feed(machine.data_to_send()) == [p.ConnAck(False, 0x8C)]


def test_publications_come_in_one_list_and_puback_waits_for_the_owner():
    served = Served()
    served.said()
    messages = [p.Publish(OWN, b"%d" % n, 1, packet_id=n) for n in range(1, 4)]
    (arrived,) = served.hear(*messages, p.Publish(OWN, b"zero"))
    assert arrived.messages == [*messages, p.Publish(OWN, b"zero")]
    assert served.said() == []
    assert served.machine.unsettled == 3
    served.machine.acknowledge([1, 2, 3])
    assert served.said() == [p.PubAck(1), p.PubAck(2), p.PubAck(3)]
    assert served.machine.unsettled == 0


def test_retained_publications_are_named():
    served = Served()
    kept = p.Publish("devices/a/status", b"on", 1, True, packet_id=2)
    (arrived,) = served.hear(p.Publish(OWN, b"x"), kept)
    assert arrived.retained == [kept]


def test_a_forbidden_publication_closes_3_1_1_and_nothing_behind_it_is_taken():
    served = Served()
    served.said()
    bad = p.Publish("devices/b/readings", b"x", 1, packet_id=2)
    events = served.hear(
        p.Publish(OWN, b"1", 1, packet_id=1), bad, p.Publish(OWN, b"3", 1, packet_id=3)
    )
    assert [type(event) for event in events] == [Arrived, Forbidden, Closing]
    assert [message.payload for message in events[0].messages] == [b"1"]
    assert events[1].message == bad
    assert served.said() == []
    served.machine.acknowledge([1])
    assert served.said() == []


def test_a_forbidden_publication_is_denied_in_v5_and_others_go_on():
    served = Served(v5())
    served.said()
    one = p.Publish("devices/b/readings", b"x", 1, packet_id=1)
    two = p.Publish("devices/b/readings", b"x", 2, packet_id=2)
    good = p.Publish(OWN, b"y", 1, packet_id=3)
    events = served.hear(one, two, good)
    assert events == [Forbidden(one), Forbidden(two), Arrived([good], [])]
    assert served.said() == [p.PubAck(1, 0x87), p.PubRec(2, 0x87)]
    events = served.hear(p.Publish("devices/b/readings", b"x"))
    assert closing(events).code == 0x87
    assert served.said() == [p.Disconnect(0x87)]


def test_qos2_is_taken_exactly_once():
    served = Served()
    served.said()
    message = p.Publish(OWN, b"x", 2, packet_id=5)
    (arrived,) = served.hear(message, message._replace(dup=True))
    assert arrived.messages == [message]
    assert served.said() == []  # not durable yet
    served.machine.acknowledge_received(5)
    assert served.said() == [p.PubRec(5)]
    assert served.hear(message._replace(dup=True)) == []
    assert served.said() == [p.PubRec(5)]
    served.hear(p.PubRel(5), p.PubRel(5))
    assert served.said() == [p.PubComp(5), p.PubComp(5)]
    assert [type(e) for e in served.hear(message)] == [Arrived]


def test_qos2_survives_a_reconnect_in_the_session():
    first = Served(p.Connect("a", False))
    message = p.Publish(OWN, b"x", 2, packet_id=5)
    first.hear(message)
    second = Served(p.Connect("a", False), session=first.session, present=True)
    second.said()
    assert second.hear(message._replace(dup=True)) == []
    second.machine.acknowledge_received(5)
    assert second.said() == [p.PubRec(5)]
    second.hear(p.PubRel(5))
    assert second.said() == [p.PubComp(5)]


def test_pubrel_before_pubrec_and_unknown_pubrel():
    served = Served(v5())
    served.said()
    served.hear(p.PubRel(9))
    assert served.said() == [p.PubComp(9, 0x92)]
    assert closing(served.hear(p.Publish(OWN, b"", 2, packet_id=1), p.PubRel(1))).code == 0x82


def test_a_v5_client_that_exceeds_the_receive_maximum_is_ended():
    limits = ServerLimits(max_in_flight=3)
    served = Served(v5(), limits=limits)
    many = [p.Publish(OWN, b"", 1, packet_id=n) for n in range(1, 5)]
    assert closing(served.hear(*many)).code == 0x93
    older = Served(limits=limits)
    assert not older.machine.saturated
    assert [type(event) for event in older.hear(*many)] == [Arrived]
    assert older.machine.saturated
    older.machine.acknowledge([1, 2])
    assert not older.machine.saturated


@pytest.mark.parametrize("version", [V311, V5])
def test_open_qos2_messages_are_bounded(version):
    served = Served(p.Connect("a", version=version), limits=ServerLimits(max_in_flight=3))
    many = [p.Publish(OWN, b"", 2, packet_id=n) for n in range(1, 5)]
    assert closing(served.hear(*many)).code == 0x93


@pytest.mark.parametrize(
    ("version", "codes"), [(V311, (1, 0x80, 0x80, 0)), (V5, (1, 0x87, 0x9E, 0))]
)
def test_suback_is_honest(version, codes):
    served = Served(p.Connect("a", version=version))
    served.said()
    events = served.hear(
        p.Subscribe(
            7,
            (
                p.Subscription(COMMANDS, 2),
                p.Subscription("devices/b/#", 1),
                p.Subscription("$share/g/devices/a/#", 1),
                p.Subscription("devices/a/status", 0),
            ),
        )
    )
    assert served.said() == [p.SubAck(7, codes)]
    assert isinstance(events[0], Subscribed)
    assert [each.topic_filter for each in events[0].subscriptions] == [COMMANDS, "devices/a/status"]
    assert set(served.session.subscriptions) == {COMMANDS, "devices/a/status"}


def test_retain_handling_of_v5():
    served = Served(v5())
    once = p.Subscription(COMMANDS, 1, retain_handling=1)
    assert served.hear(p.Subscribe(1, (once,)))[0].subscriptions == [once]
    assert served.hear(p.Subscribe(2, (once,)))[0].subscriptions == []
    never = once._replace(retain_handling=2)
    assert served.hear(p.Subscribe(3, (never,)))[0].subscriptions == []


def test_subscriptions_are_bounded():
    served = Served(v5())
    served.said()
    filters = tuple(p.Subscription(f"devices/a/{n}") for n in range(MAX_SUBSCRIPTIONS + 1))
    served.hear(p.Subscribe(1, filters))
    (suback,) = served.said()
    assert suback.codes == (0,) * MAX_SUBSCRIPTIONS + (0x97,)


def test_subscription_identifiers_are_refused():
    served = Served(v5())
    wanted = p.Subscribe(1, (p.Subscription(COMMANDS),), {Property.SUBSCRIPTION_ID: 4})
    assert closing(served.hear(wanted)).code == 0xA1


def test_unsubscribe():
    served = Served(v5())
    served.hear(p.Subscribe(1, (p.Subscription(COMMANDS),)))
    served.said()
    served.hear(p.Unsubscribe(2, (COMMANDS, "devices/a/x")))
    assert served.said() == [p.UnsubAck(2, (0, 0x11))]
    assert not served.session.subscriptions


def test_orders_wait_for_the_subscription_and_for_puback():
    session = ServerSession("a")
    for number in range(3):
        assert session.add_command(COMMANDS, b"%d" % number)
    served = Served(session=session)
    assert [type(packet) for packet in served.said()] == [p.ConnAck]
    served.hear(p.Subscribe(1, (p.Subscription(COMMANDS, 1),)))
    suback, *orders = served.said()
    assert isinstance(suback, p.SubAck)
    assert [(o.payload, o.qos, o.dup) for o in orders] == [(b"%d" % n, 1, False) for n in range(3)]
    served.hear(p.PubAck(orders[0].packet_id), p.PubAck(999))
    assert session.open_commands == 2
    # The connection breaks; the session goes on with DUP and the same packet ids ...
    again = Served(p.Connect("a", False), session=session, present=True)
    resent = again.said()[1:]
    assert [(o.payload, o.dup, o.packet_id) for o in resent] == [
        (b"1", True, orders[1].packet_id),
        (b"2", True, orders[2].packet_id),
    ]
    # ... and a clean start gets the orders once it subscribes.
    clean = Served(session=session.renewed())
    assert len(clean.said()) == 1
    clean.hear(p.Subscribe(1, (p.Subscription(COMMANDS, 1),)))
    assert [(o.payload, o.dup) for o in clean.said()[1:]] == [(b"1", True), (b"2", True)]


def test_orders_are_bounded_and_windowed():
    session = ServerSession("a")
    for number in range(MAX_COMMANDS):
        assert session.add_command(COMMANDS, b"%d" % number)
    assert not session.add_command(COMMANDS, b"one too many")
    session.subscribe(p.Subscription(COMMANDS, 1), lambda _: True)
    served = Served(v5(properties={Property.RECEIVE_MAXIMUM: 2}), session=session, present=True)
    _, first, second = served.said()
    served.hear(p.PubAck(first.packet_id))
    (third,) = served.said()
    assert [first.payload, second.payload, third.payload] == [b"0", b"1", b"2"]
    assert not session.add_command(COMMANDS, b"x") or session.open_commands == MAX_COMMANDS


def test_a_client_is_not_sent_more_than_it_takes():
    session = ServerSession("a")
    session.subscribe(p.Subscription(COMMANDS, 1), lambda _: True)
    session.add_command(COMMANDS, b"x" * 200)
    session.add_command(COMMANDS, b"short")
    served = Served(
        v5(properties={Property.MAXIMUM_PACKET_SIZE: 100}), session=session, present=True
    )
    _, order = served.said()
    assert order.payload == b"short"
    assert session.open_commands == 1


def test_a_burst_is_bounded_and_goes_on_when_there_is_room():
    session = ServerSession("a")
    for _ in range(50):
        session.add_message(Outgoing(OWN, b"x" * 10_000, 0), bounded=False)
    served = Served(session=session)
    total = 0
    while data := served.machine.data_to_send():
        assert len(data) < 80_000
        total += data.count(b"x" * 10_000)
        served.machine.pump()
    assert total == 50


def test_keep_alive():
    served = Served(p.Connect("a", keep_alive_s=10))
    assert served.machine.tick(14.9) == []
    served.hear(p.PingReq(), now=14.0)
    assert served.machine.tick(28.9) == []
    # Half a packet is no packet.
    served.machine.receive_data(b"\x30", 28.0)
    (end,) = served.machine.tick(29.0)
    assert end.code == 0x8D
    assert not end.violation
    other = Served(p.Connect("a", keep_alive_s=0))
    assert other.machine.tick(1e9) == []
    excused = Served(p.Connect("a", keep_alive_s=10))
    excused.machine.excuse(100.0)
    assert excused.machine.tick(101.0) == []


WILL = p.Will("devices/a/status", b"gone", 1, True)


def test_the_will_is_for_every_end_but_a_good_bye():
    broken = Served(p.Connect("a", will=WILL))
    broken.hear(p.PingReq())
    assert broken.machine.take_will() == WILL
    assert broken.machine.take_will() is None
    polite = Served(p.Connect("a", will=WILL))
    assert closing(polite.hear(p.Disconnect())) == Closing("the client disconnects", 0)
    assert polite.machine.take_will() is None
    silent = Served(p.Connect("a", will=WILL, keep_alive_s=1))
    silent.machine.tick(100.0)
    assert silent.machine.take_will() == WILL
    wanted = Served(v5(will=WILL))
    wanted.hear(p.Disconnect(0x04))
    assert wanted.machine.take_will() == WILL
    malformed = Served(p.Connect("a", will=WILL))
    malformed.machine.receive_data(b"\x00\x00", 1.0)
    assert malformed.machine.take_will() == WILL


def test_disconnect_may_shorten_but_not_begin_a_session():
    served = Served(v5(properties={Property.SESSION_EXPIRY: 100}))
    served.hear(p.Disconnect(0, {Property.SESSION_EXPIRY: 5}))
    assert served.session.expiry_s == 5
    served = Served(v5())
    assert closing(served.hear(p.Disconnect(0, {Property.SESSION_EXPIRY: 5}))).code == 0x82


@pytest.mark.parametrize(
    "packet",
    [
        p.Connect("a"),
        p.ConnAck(),
        p.SubAck(1, (0,)),
        p.UnsubAck(1),
        p.PingResp(),
        p.PubRec(1),
        p.PubComp(1),
    ],
)
def test_what_a_client_may_not_send_ends_it(packet):
    served = Served()
    served.said()
    end = closing(served.hear(packet))
    assert (end.code, end.violation) == (0x82, True)
    assert served.said() == []


def test_v5_says_why_it_ends():
    served = Served(v5(), limits=ServerLimits(max_packet_bytes=100))
    served.said()
    assert closing(served.machine.receive_data(b"\x30\xff\x7f", 1.0)).code == 0x95
    assert served.said() == [p.Disconnect(0x95)]
    taken = Served(v5())
    taken.said()
    taken.machine.disconnect(ReasonCode.SESSION_TAKEN_OVER, "x")
    assert taken.said() == [p.Disconnect(0x8E)]
    assert taken.machine.receive_data(encode(p.PingReq()), 2.0) == []


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=12), st.sampled_from([V311, V5]), st.booleans())
def test_whatever_a_client_sends_nothing_is_raised(chunks, version, accepted):
    """Bytes of any kind, before and after CONNECT: events, and one `Closing` at most."""
    served = Served(p.Connect("a", version=version)) if accepted else None
    machine = served.machine if served else ServerConnection(ServerLimits(), now=0.0)
    ends = 0
    for chunk in chunks:
        for event in machine.receive_data(chunk, 1.0):
            ends += isinstance(event, Closing)
            assert not isinstance(event, Opening) or not accepted
    assert ends <= 1
    assert len(machine.data_to_send()) < 10_000


frames = st.builds(
    lambda first, body: bytes((first, len(body))) + body,
    st.integers(16, 255),
    st.binary(max_size=30),
)


@settings(max_examples=100)
@given(st.lists(frames, max_size=8), st.sampled_from([V311, V5]))
def test_well_framed_nonsense_never_raises(chunks, version):
    served = Served(p.Connect("a", version=version))
    for chunk in chunks:
        served.machine.receive_data(chunk, 1.0)
    served.machine.take_will()


@settings(max_examples=50)
@given(
    st.sampled_from([V311, V5]),
    st.lists(st.sampled_from(["publish", "settle", "order", "exchange", "break"]), max_size=40),
)
def test_two_machines_lose_nothing(version, steps):
    """Client and server trade bytes over breaking connections: at least once, both ways."""
    server_session, client_session = ServerSession("a"), None
    server_session.subscribe(p.Subscription(COMMANDS, 1), lambda _: True)
    stored: list[bytes] = []
    waiting: list[p.Publish] = []
    confirmed: set[int] = set()
    orders: list[bytes] = []
    heard: list[bytes] = []
    sent: dict[int, bytes] = {}
    expiry = {Property.SESSION_EXPIRY: 1000} if version == V5 else None
    connect = p.Connect("a", False, 0, version, properties=expiry)

    def join() -> tuple[ClientConnection, ServerConnection]:
        client = ClientConnection(connect, now=0.0, session=client_session)
        machine = ServerConnection(ServerLimits(), now=0.0)
        assert machine.receive_data(client.data_to_send(), 0.0)
        machine.accept(
            server_session, present=True, may_publish=lambda _: True, may_subscribe=lambda _: True
        )
        waiting.clear()
        return client, machine

    client, machine = join()
    client_session = client.session

    def exchange() -> None:
        while True:
            up, down = client.data_to_send(), machine.data_to_send()
            if not up and not down:
                return
            for event in machine.receive_data(up, 1.0) if up else ():
                assert isinstance(event, Arrived)
                waiting.extend(event.messages)
            for event in client.receive_data(down, 1.0) if down else ():
                if isinstance(event, Received):
                    heard.extend(message.payload for message in event.messages)
                    client.acknowledge([m.packet_id for m in event.messages if m.qos], now=1.0)
                elif isinstance(event, Published):
                    confirmed.update(event.packet_ids)
                else:
                    assert isinstance(event, Connected)

    def settle() -> None:
        stored.extend(message.payload for message in waiting)
        machine.acknowledge([message.packet_id for message in waiting])
        waiting.clear()

    for number, step in enumerate([*steps, "break", "exchange", "settle", "exchange"]):
        if step == "publish":
            payload = b"%d" % number
            sent[client.publish(OWN, payload, now=1.0, qos=1)] = payload
        elif step == "order":
            orders.append(b"%d" % number)
            server_session.add_command(COMMANDS, orders[-1])
            machine.pump()
        elif step == "settle" and waiting:
            settle()
        elif step == "exchange":
            exchange()
        elif step == "break":
            client, machine = join()
    assert set(stored) == set(sent.values())
    assert confirmed == set(sent)
    assert set(heard) == set(orders)
    assert not client_session.unacknowledged
    assert server_session.open_commands == 0

"""The client's machine, against answers that a server would give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.client import (
    MAX_IN_FLIGHT,
    ClientConnection,
    ClientSession,
    Connected,
    Lost,
    Published,
    Received,
    Subscribed,
)
from seawall.wire.mqtt.codes import V5, V311, Property
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode


def sent(machine: ClientConnection, version: int = V311) -> list[p.Packet]:
    return Decoder(1 << 20, version=version).feed(machine.data_to_send())


def answer(machine, *packets, now=0.0, version=V311):
    return machine.receive_data(b"".join(encode(each, version) for each in packets), now)


def connected(session=None, *, present=False, keep_alive_s=30, version=V311, **options):
    machine = ClientConnection(
        p.Connect("me", False, keep_alive_s, version), now=0.0, session=session, **options
    )
    machine.data_to_send()
    assert [type(e) for e in answer(machine, p.ConnAck(present), version=version)] == [Connected]
    return machine


def test_connect_carries_will_and_session():
    will = p.Will("devices/me/status", b"gone", 1, True)
    machine = ClientConnection(p.Connect("me", False, 30, will=will), now=0.0)
    assert sent(machine) == [p.Connect("me", False, 30, will=will)]
    assert machine.data_to_send() == b""
    assert answer(machine, p.ConnAck(True)) == [Connected(True)]


def test_a_refused_connection_is_lost_with_its_code():
    machine = ClientConnection(p.Connect("me"), now=0.0)
    (lost,) = answer(machine, p.ConnAck(False, 5))
    assert isinstance(lost, Lost)
    assert lost.code == 5
    assert machine.receive_data(b"\xd0\x00", 0.0) == []


def test_messages_come_in_lists_and_are_acknowledged_in_one_piece():
    machine = connected()
    messages = [p.Publish(f"t/{n}", b"x", 1, packet_id=n) for n in range(1, 6)]
    assert answer(machine, *messages) == [Received(messages)]
    assert machine.data_to_send() == b""
    machine.acknowledge([1, 2, 3, 4, 5], now=1.0)
    assert sent(machine) == [p.PubAck(n) for n in range(1, 6)]


def test_qos2_is_delivered_once():
    machine = connected()
    message = p.Publish("t", b"x", 2, packet_id=9)
    assert answer(machine, message) == [Received([message])]
    assert answer(machine, message._replace(dup=True)) == []
    assert machine.data_to_send() == b""  # not safe yet
    machine.acknowledge([9], now=1.0)
    assert sent(machine) == [p.PubRec(9)]
    assert answer(machine, message._replace(dup=True)) == []
    assert sent(machine) == [p.PubRec(9)]
    assert answer(machine, p.PubRel(9)) == []
    assert sent(machine) == [p.PubComp(9)]
    assert answer(machine, message) == [Received([message])]


def test_publications_are_sent_again_with_dup_until_acknowledged():
    session = ClientSession()
    machine = connected(session)
    assert machine.publish("t", b"zero", now=0.0) == 0
    first = machine.publish("t", b"a", now=0.0, qos=1)
    second = machine.publish("t", b"b", now=0.0, qos=1)
    assert sent(machine)[1:] == [
        p.Publish("t", b"a", 1, packet_id=first),
        p.Publish("t", b"b", 1, packet_id=second),
    ]
    assert answer(machine, p.PubAck(first), p.PubAck(77)) == [Published([first], [0])]
    (lost,) = machine.receive_data(b"", 1.0)
    assert isinstance(lost, Lost)
    again = connected(session, present=True)
    assert sent(again) == [p.Publish("t", b"b", 1, False, True, second)]
    answer(again, p.PubAck(second))
    assert not session.unacknowledged


def test_what_was_published_before_connack_goes_out_once_without_dup():
    machine = ClientConnection(p.Connect("me"), now=0.0)
    number = machine.publish("t", b"early", now=0.0, qos=1)
    assert sent(machine) == [p.Connect("me")]
    answer(machine, p.ConnAck())
    assert sent(machine) == [p.Publish("t", b"early", 1, packet_id=number)]


def test_the_window_is_kept():
    machine = connected()
    numbers = [machine.publish("t", b"", now=0.0, qos=1) for _ in range(MAX_IN_FLIGHT + 3)]
    assert len(sent(machine)) == MAX_IN_FLIGHT
    answer(machine, p.PubAck(numbers[0]), p.PubAck(numbers[1]))
    assert [each.packet_id for each in sent(machine)] == numbers[-3:-1]


def test_v5_receive_maximum_keep_alive_and_negative_acknowledgement():
    machine = ClientConnection(p.Connect("me", version=V5, keep_alive_s=600), now=0.0)
    limits = {int(Property.RECEIVE_MAXIMUM): 1, int(Property.SERVER_KEEP_ALIVE): 10}
    answer(machine, p.ConnAck(properties=limits), version=V5)
    machine.data_to_send()
    first = machine.publish("t", b"", now=0.0, qos=1)
    second = machine.publish("t", b"", now=0.0, qos=1)
    assert len(sent(machine, V5)) == 1
    assert answer(machine, p.PubAck(first, 0x87), version=V5) == [Published([first], [0x87])]
    assert [each.packet_id for each in sent(machine, V5)] == [second]
    assert machine.deadline == 10.0


def test_subscriptions():
    machine = connected()
    number = machine.subscribe([p.Subscription("a/#", 1), p.Subscription("b")], now=0.0)
    assert sent(machine) == [
        p.Subscribe(number, (p.Subscription("a/#", 1), p.Subscription("b", 0)))
    ]
    assert answer(machine, p.SubAck(number, (1, 0x80))) == [Subscribed(number, (1, 0x80))]


def test_ping_and_silence():
    machine = connected(keep_alive_s=30)
    assert machine.deadline == 30.0
    assert machine.tick(29.9) == []
    assert machine.data_to_send() == b""
    assert machine.tick(30.0) == []
    assert sent(machine) == [p.PingReq()]
    answer(machine, p.PingResp(), now=31.0)
    assert machine.deadline == 60.0
    machine.tick(60.0)
    assert machine.tick(69.9) == []
    (lost,) = machine.tick(70.0)
    assert "PINGRESP" in str(lost.error)
    assert machine.deadline is None


def test_who_only_sends_notices_a_dead_server():
    machine = connected(keep_alive_s=30)
    for second in range(1, 30):
        machine.publish("t", b"", now=float(second))
    machine.data_to_send()
    machine.tick(30.0)
    assert sent(machine) == [p.PingReq()]


def test_connack_must_come_in_time():
    machine = ClientConnection(p.Connect("me"), now=0.0, timeout_s=5.0)
    assert machine.tick(4.9) == []
    (lost,) = machine.tick(5.0)
    assert "CONNACK" in str(lost.error)


def test_messages_before_a_malformed_packet_are_delivered():
    machine = connected()
    message = p.Publish("t", b"x", 1, packet_id=1)
    events = machine.receive_data(encode(message) + b"\x00\x00", 0.0)
    assert events[0] == Received([message])
    assert isinstance(events[1], Lost)


def test_good_bye():
    machine = connected()
    machine.disconnect(now=1.0)
    assert sent(machine) == [p.Disconnect()]
    assert machine.tick(1000.0) == []


@given(st.lists(st.binary(max_size=40), max_size=10), st.sampled_from([V311, V5]))
def test_whatever_a_server_sends_nothing_is_raised(chunks, version):
    machine = connected(version=version)
    for chunk in chunks:
        machine.receive_data(chunk, 1.0)
    machine.tick(2.0)

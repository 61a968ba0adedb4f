"""The codec: what is encoded is decoded, what is malformed is refused, nothing else happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.errors import ProtocolError
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import V5, V311, PacketError, PacketType, Property
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode, encode_acknowledgements
from seawall.wire.mqtt.fields import encode_variable, matches

BIG = 1 << 20

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
topic = text.map(lambda t: t.replace("+", "").replace("#", "")).filter(bool)
topic_filter = topic.filter(lambda t: not t.startswith("$share")) | st.sampled_from(
    ["#", "+", "a/+/b", "a/#", "+/+", "/", "$share/g/a/#"]
)
packet_id = st.integers(1, 65535)
blob = st.binary(max_size=300)
user = st.lists(st.tuples(text, text), min_size=1, max_size=3)


def properties(**values: st.SearchStrategy) -> st.SearchStrategy:
    """None, or a non-empty dict of some of these."""
    strategy = st.fixed_dictionaries(
        {}, optional={int(Property[name]): each for name, each in values.items()}
    )
    return strategy.map(lambda found: found or None)


u32 = st.integers(0, 2**32 - 1)
flag = st.integers(0, 1)
reasoned = properties(REASON_STRING=text, USER_PROPERTY=user)
message = {
    "PAYLOAD_FORMAT": flag,
    "MESSAGE_EXPIRY": u32,
    "CONTENT_TYPE": text,
    "RESPONSE_TOPIC": topic,
    "CORRELATION_DATA": blob,
    "USER_PROPERTY": user,
}
publishes = st.builds(
    lambda qos, dup, packet, properties_, topic_, payload, retain: p.Publish(
        topic_, payload, qos, retain, dup and qos > 0, packet if qos else 0, properties_
    ),
    st.integers(0, 2),
    st.booleans(),
    packet_id,
    properties(
        **message, SUBSCRIPTION_ID=st.lists(st.integers(1, 268_435_455), min_size=1, max_size=3)
    ),
    topic,
    blob,
    st.booleans(),
)
wills = st.builds(
    p.Will,
    topic,
    blob,
    st.integers(0, 2),
    st.booleans(),
    properties(**message, WILL_DELAY=u32),
)
connects = st.builds(
    p.Connect,
    text,
    st.booleans(),
    st.integers(0, 65535),
    st.just(V5),
    st.none() | text,
    st.none() | blob,
    st.none() | wills,
    properties(
        SESSION_EXPIRY=u32,
        RECEIVE_MAXIMUM=st.integers(1, 65535),
        MAXIMUM_PACKET_SIZE=st.integers(1, 2**32 - 1),
        TOPIC_ALIAS_MAXIMUM=st.integers(0, 65535),
        REQUEST_PROBLEM_INFO=flag,
        USER_PROPERTY=user,
        AUTH_METHOD=text,
    ),
)
failure = st.sampled_from([0, 0x80, 0x83, 0x87])
release = st.sampled_from([0, 0x92])
subscriptions = st.builds(
    lambda f, q, nl, rap, rh: p.Subscription(f, q, nl and not f.startswith("$share/"), rap, rh),
    topic_filter,
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2),
)
packets5 = st.one_of(
    publishes,
    connects,
    st.builds(
        p.ConnAck,
        st.just(False),
        failure,
        properties(MAXIMUM_QOS=flag, ASSIGNED_CLIENT_ID=text, SERVER_KEEP_ALIVE=packet_id),
    ),
    st.builds(p.PubAck, packet_id, failure, reasoned),
    st.builds(p.PubRec, packet_id, failure, reasoned),
    st.builds(p.PubRel, packet_id, release, reasoned),
    st.builds(p.PubComp, packet_id, release, reasoned),
    st.builds(
        p.Subscribe,
        packet_id,
        st.lists(subscriptions, min_size=1, max_size=4).map(tuple),
        properties(SUBSCRIPTION_ID=st.integers(1, 268_435_455), USER_PROPERTY=user),
    ),
    st.builds(p.SubAck, packet_id, st.lists(failure, min_size=1, max_size=4).map(tuple), reasoned),
    st.builds(
        p.Unsubscribe,
        packet_id,
        st.lists(topic_filter, min_size=1, max_size=4).map(tuple),
        properties(USER_PROPERTY=user),
    ),
    st.builds(
        p.UnsubAck, packet_id, st.lists(failure, min_size=1, max_size=4).map(tuple), reasoned
    ),
    st.just(p.PingReq()),
    st.just(p.PingResp()),
    st.builds(p.Disconnect, failure, properties(SESSION_EXPIRY=u32, REASON_STRING=text)),
    st.builds(p.Auth, st.sampled_from([0, 0x18]), properties(AUTH_METHOD=text)),
)
packets311 = st.one_of(
    publishes.map(lambda each: each._replace(properties=None)),
    st.builds(
        lambda c, u, w: p.Connect(
            c.client_id,
            c.clean_start,
            c.keep_alive_s,
            V311,
            u,
            c.password if u is not None else None,
            p.Will(w.topic, w.payload, w.qos, w.retain) if w else None,
        ),
        connects,
        st.none() | text,
        st.none() | wills,
    ),
    st.builds(p.ConnAck, st.just(False), st.integers(0, 5)),
    st.builds(p.ConnAck, st.booleans()),
    st.builds(p.PubAck, packet_id),
    st.builds(p.PubRec, packet_id),
    st.builds(p.PubRel, packet_id),
    st.builds(p.PubComp, packet_id),
    st.builds(
        p.Subscribe,
        packet_id,
        st.lists(
            st.tuples(topic_filter, st.integers(0, 2)).map(lambda fq: p.Subscription(*fq)),
            min_size=1,
        ).map(tuple),
    ),
    st.builds(
        p.SubAck, packet_id, st.lists(st.sampled_from([0, 1, 2, 128]), min_size=1).map(tuple)
    ),
    st.builds(p.Unsubscribe, packet_id, st.lists(topic_filter, min_size=1).map(tuple)),
    st.builds(p.UnsubAck, packet_id),
    st.sampled_from([p.PingReq(), p.PingResp(), p.Disconnect()]),
)
sequences = st.one_of(
    st.tuples(st.just(V5), st.lists(packets5, max_size=8)),
    st.tuples(st.just(V311), st.lists(packets311, max_size=8)),
)


@given(sequences, st.integers(1, 50))
def test_a_stream_is_decoded_as_it_was_encoded_however_it_is_cut(sequence, cut):
    version, packets = sequence
    stream = b"".join(encode(packet, version) for packet in packets)
    assert Decoder(BIG, version=version).feed(stream) == packets
    slow = Decoder(BIG, version=version)
    got = []
    for start in range(0, len(stream), cut):
        got += slow.feed(stream[start : start + cut])
    assert got == packets
    assert [type(each) for each in got] == [type(each) for each in packets]
    assert slow.buffered_bytes == 0


def drain(decoder: Decoder, data: bytes) -> tuple[list[p.Packet], str | None]:
    try:
        packets = decoder.feed(data)
    except ProtocolError as error:
        return [], str(error)
    return packets, str(decoder.error) if decoder.error else None


@given(sequences, st.data())
def test_damaged_streams_give_packets_or_one_error_and_nothing_else(sequence, data):
    version, packets = sequence
    stream = bytearray(b"".join(encode(packet, version) for packet in packets))
    for _ in range(data.draw(st.integers(1, 6))):
        if stream:
            stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    whole, error = drain(Decoder(4096, version=version), bytes(stream))
    byte_wise = Decoder(4096, version=version)
    got: list[p.Packet] = []
    for value in stream:
        more, late = drain(byte_wise, bytes((value,)))
        got += more
        if late:
            break
        assert byte_wise.buffered_bytes <= 4096
    # The same packets, whether the bytes come at once or singly.
    assert got == whole
    if error:
        assert byte_wise.error is not None


@given(st.binary(max_size=200), st.sampled_from([V311, V5]))
def test_arbitrary_bytes_never_raise_anything_else(data, version):
    drain(Decoder(100, version=version), data)


@given(st.sampled_from(range(1, 16)), st.binary(max_size=60), st.sampled_from([V311, V5]))
def test_well_framed_nonsense_never_raises_anything_else(kind, body, version):
    flags = {3: 2, 6: 2, 8: 2, 10: 2}.get(kind, 0)
    drain(Decoder(100, version=version), bytes((kind << 4 | flags, len(body))) + body)


def frame(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable(len(body)) + body


CONNECT_HEAD = b"\x00\x04MQTT"
MALFORMED = {
    # name: (version, bytes, part of the message, reason code of MQTT 5.0)
    "type 0": (V311, b"\x00\x00", "reserved (2.1.2)", 0x81),
    "type 15 in 3.1.1": (V311, b"\xf0\x00", "reserved (2.1.2)", 0x81),
    "length of five bytes": (V311, b"\xc0\xff\xff\xff\xff\x01", "longer than four", 0x81),
    "length not shortest in 5.0": (V5, b"\xc0\x80\x00", "MQTT-1.5.5-1", 0x81),
    "pingreq flags": (V311, b"\xc1\x00", "MQTT-2.1.3-1", 0x81),
    "subscribe flags": (V311, b"\x80\x06\x00\x01\x00\x01a\x00", "MQTT-2.1.3-1", 0x81),
    "pubrel flags": (V311, b"\x60\x02\x00\x01", "MQTT-2.1.3-1", 0x81),
    "pingreq with a body": (V311, b"\xc0\x01x", "follow the last field", 0x81),
    "publish qos 3": (V311, frame(0x36, b"\x00\x01a\x00\x01"), "QoS 3", 0x81),
    "publish dup with qos 0": (V311, frame(0x38, b"\x00\x01a"), "DUP with QoS 0", 0x81),
    "publish id 0": (V311, frame(0x32, b"\x00\x01a\x00\x00"), "identifier 0", 0x82),
    "publish + in topic": (V311, frame(0x30, b"\x00\x03a/+"), "MQTT-3.3.2-2", 0x90),
    "publish # in topic": (V311, frame(0x30, b"\x00\x01#"), "MQTT-3.3.2-2", 0x90),
    "publish empty topic": (V311, frame(0x30, b"\x00\x00"), "MQTT-4.7.3-1", 0x90),
    "publish empty topic in 5.0": (V5, frame(0x30, b"\x00\x00\x00"), "alias", 0x94),
    "publish alias": (V5, frame(0x30, b"\x00\x01a\x03\x23\x00\x01"), "alias", 0x94),
    "publish NUL in topic": (V311, frame(0x30, b"\x00\x01\x00"), "MQTT-1.5.4-2", 0x81),
    "publish surrogate": (V311, frame(0x30, b"\x00\x03\xed\xa0\x80"), "MQTT-1.5.4-1", 0x81),
    "publish overlong": (V311, frame(0x30, b"\x00\x02\xc0\xaf"), "MQTT-1.5.4-1", 0x81),
    "publish bare": (V311, b"\x30\x00", "shorter", 0x81),
    "publish one byte": (V311, b"\x30\x01\x00", "shorter", 0x81),
    "publish topic too long": (V311, frame(0x30, b"\x00\x09abc"), "shorter", 0x81),
    "publish no packet id": (V311, frame(0x32, b"\x00\x01a"), "shorter", 0x81),
    "publish half a packet id": (V311, frame(0x32, b"\x00\x01a\x00"), "shorter", 0x81),
    "publish no properties": (V5, frame(0x30, b"\x00\x01a"), "properties", 0x81),
    "publish properties too long": (V5, frame(0x30, b"\x00\x01a\x05\x01"), "shorter", 0x81),
    "property twice": (V5, frame(0x30, b"\x00\x01a\x04\x01\x00\x01\x00"), "twice", 0x82),
    "property of another packet": (V5, frame(0x30, b"\x00\x01a\x03\x21\x00\x01"), "0x21", 0x81),
    "property unknown": (V5, frame(0x30, b"\x00\x01a\x02\x7f\x00"), "0x7f", 0x81),
    "property not 0 or 1": (V5, frame(0x30, b"\x00\x01a\x02\x01\x02"), "not 0 or 1", 0x82),
    "response topic with wildcard": (
        V5,
        frame(0x30, b"\x00\x01a\x04\x08\x00\x01#"),
        "wildcard",
        0x90,
    ),
    "receive maximum 0": (
        V5,
        frame(0x10, CONNECT_HEAD + b"\x05\x02\x00\x00\x03\x21\x00\x00\x00\x00"),
        "is 0",
        0x82,
    ),
    "auth data without method": (
        V5,
        frame(0x10, CONNECT_HEAD + b"\x05\x02\x00\x00\x04\x16\x00\x01x\x00\x00"),
        "without a method",
        0x82,
    ),
    "connect name": (V311, frame(0x10, b"\x00\x04HTTP\x04\x02\x00\x00\x00\x00"), "'MQTT'", 0x84),
    "connect level": (
        V311,
        frame(0x10, CONNECT_HEAD + b"\x06\x02\x00\x00\x00\x00"),
        "level 6",
        0x84,
    ),
    "connect 3.1": (V311, frame(0x10, b"\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00"), "level 3", 0x84),
    "connect reserved": (
        V311,
        frame(0x10, CONNECT_HEAD + b"\x04\x03\x00\x00\x00\x00"),
        "3.1.2-3",
        0x81,
    ),
    "connect will qos without will": (
        V311,
        frame(0x10, CONNECT_HEAD + b"\x04\x0a\x00\x00\x00\x00"),
        "3.1.2-11",
        0x81,
    ),
    "connect will qos 3": (
        V311,
        frame(0x10, CONNECT_HEAD + b"\x04\x1e\x00\x00\x00\x00\x00\x01a\x00\x00"),
        "3.1.2-12",
        0x81,
    ),
    "connect password alone": (
        V311,
        frame(0x10, CONNECT_HEAD + b"\x04\x42\x00\x00\x00\x00\x00\x00"),
        "3.1.2-22",
        0x81,
    ),
    "connect will topic wildcard": (
        V311,
        frame(0x10, CONNECT_HEAD + b"\x04\x06\x00\x00\x00\x00\x00\x01#\x00\x00"),
        "wildcard",
        0x90,
    ),
    "connect short": (V311, frame(0x10, CONNECT_HEAD + b"\x04\x02\x00"), "shorter", 0x81),
    "connect trailing": (
        V311,
        frame(0x10, CONNECT_HEAD + b"\x04\x02\x00\x00\x00\x00x"),
        "follow",
        0x81,
    ),
    "subscribe empty": (V311, frame(0x82, b"\x00\x01"), "3.8.3-2", 0x82),
    "subscribe id 0": (V311, frame(0x82, b"\x00\x00\x00\x01a\x00"), "identifier 0", 0x82),
    "subscribe qos 3": (V311, frame(0x82, b"\x00\x01\x00\x01a\x03"), "QoS 3", 0x82),
    "subscribe reserved": (V311, frame(0x82, b"\x00\x01\x00\x01a\x04"), "reserved", 0x81),
    "subscribe reserved in 5.0": (V5, frame(0x82, b"\x00\x01\x00\x00\x01a\x40"), "reserved", 0x81),
    "subscribe retain handling 3": (
        V5,
        frame(0x82, b"\x00\x01\x00\x00\x01a\x30"),
        "handling",
        0x82,
    ),
    "subscribe no local shared": (
        V5,
        frame(0x82, b"\x00\x01\x00\x00\x0a$share/g/a\x04"),
        "No Local",
        0x82,
    ),
    "subscribe share without filter": (
        V5,
        frame(0x82, b"\x00\x01\x00\x00\x08$share/g\x00"),
        "4.8.2",
        0x8F,
    ),
    "subscription id 0": (V5, frame(0x82, b"\x00\x01\x02\x0b\x00\x00\x01a\x00"), "is 0", 0x82),
    "filter a#": (V311, frame(0x82, b"\x00\x01\x00\x02a#\x00"), "4.7.1-2", 0x8F),
    "filter #/a": (V311, frame(0x82, b"\x00\x01\x00\x03#/a\x00"), "4.7.1-1", 0x8F),
    "filter a+": (V311, frame(0x82, b"\x00\x01\x00\x02a+\x00"), "4.7.1-2", 0x8F),
    "filter empty": (V311, frame(0x82, b"\x00\x01\x00\x00\x00"), "4.7.3-1", 0x8F),
    "unsubscribe empty": (V311, frame(0xA2, b"\x00\x01"), "3.10.3-2", 0x82),
    "puback id 0": (V311, b"\x40\x02\x00\x00", "identifier 0", 0x82),
    "puback short": (V311, b"\x40\x01\x00", "shorter", 0x81),
    "puback long in 3.1.1": (V311, b"\x40\x03\x00\x01\x00", "follow", 0x81),
    "puback code": (V5, b"\x40\x03\x00\x01\x42", "0x42", 0x81),
    "pubrel code": (V5, b"\x62\x03\x00\x01\x80", "0x80", 0x81),
    "connack flags": (V311, b"\x20\x02\x02\x00", "3.2.2-1", 0x81),
    "connack present and refused": (V311, b"\x20\x02\x01\x05", "3.2.2-6", 0x82),
    "connack code": (V311, b"\x20\x02\x00\x06", "reserved", 0x81),
    "suback empty": (V311, b"\x90\x02\x00\x01", "without", 0x82),
    "suback code": (V311, b"\x90\x03\x00\x01\x03", "0x03", 0x81),
    "disconnect code": (V5, b"\xe0\x01\x01", "0x01", 0x81),
    "disconnect body in 3.1.1": (V311, b"\xe0\x01\x00", "follow", 0x81),
    "http": (V311, b"GET / HTTP/1.1\r\n", "MQTT-2.1.3-1", 0x81),
    "too large": (V311, b"\x30\xff\x7f", "over the limit", 0x95),
    "too large, whole": (V311, frame(0x30, b"\x00\x01a" + bytes(300)), "over the limit", 0x95),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name):
    version, data, part, code = MALFORMED[name]
    with pytest.raises(PacketError) as caught:
        Decoder(256, version=version).feed(data)
    assert part in str(caught.value)
    assert caught.value.code == code
    # A good packet in front is delivered; the error follows.
    decoder = Decoder(256, version=version)
    assert decoder.feed(b"\xc0\x00" + data) == [p.PingReq()]
    assert part in str(decoder.error)
    with pytest.raises(PacketError):
        decoder.feed(b"")


def test_no_more_is_kept_than_one_packet():
    decoder = Decoder(100)
    assert decoder.feed(b"\x30\x62\x00\x01a" + bytes(90)) == []
    assert decoder.buffered_bytes == 95
    with pytest.raises(PacketError):
        Decoder(100).feed(b"\x30\x63")


def test_grouped_acknowledgements_are_those_of_single_packets():
    for ids in ([7], [1, 65535, 256], list(range(1, 300))):
        for kind, packet in ((PacketType.PUBACK, p.PubAck), (PacketType.PUBREC, p.PubRec)):
            assert encode_acknowledgements(kind, ids) == b"".join(encode(packet(i)) for i in ids)


@pytest.mark.parametrize("bad", ["a\0b", "\ud800", "x" * 65536])
def test_text_that_cannot_be_sent_is_refused(bad):
    with pytest.raises(PacketError):
        encode(p.Publish(bad, b""))


def test_wildcards():
    assert matches("devices/+/readings", "devices/a/readings")
    assert matches("devices/#", "devices/a/readings")
    assert matches("devices/a/#", "devices/a")
    assert matches("#", "a")
    assert matches("+/+", "/a")
    assert not matches("+", "a/b")
    assert not matches("a/+", "a")
    assert not matches("devices/a/#", "devices/b/readings")
    assert not matches("#", "$SYS/x")
    assert not matches("+/x", "$SYS/x")

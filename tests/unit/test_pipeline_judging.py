"""The judge: what is accepted, refused and passed over, and that it never raises."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall import errors
from seawall.ingest.pipeline import MAX_AHEAD_MS, DeviceKey, Pipeline
from seawall.model.device import DeviceStatus, Profile
from seawall.model.message import Inbound
from seawall.model.reading import MAX_KEPT_PAYLOAD_BYTES, Reading, Reason, ReplayWindow
from seawall.wire.envelope import seal
from seawall.wire.plain import sign_plain

NOW = 1_763_759_217_000
KEYS = {
    "pump-1": DeviceKey(b"1" * 32, Profile.SEAWALL_1, DeviceStatus.ACTIVE),
    "pump-2": DeviceKey(b"2" * 32, Profile.SEAWALL_1, DeviceStatus.ACTIVE),
    "old": DeviceKey(b"p" * 32, Profile.PLAIN, DeviceStatus.ACTIVE),
    "off": DeviceKey(b"o" * 32, Profile.SEAWALL_1, DeviceStatus.DISABLED),
    "gone": DeviceKey(b"g" * 32, Profile.SEAWALL_1, DeviceStatus.REVOKED),
}
READINGS = "devices/pump-1/readings"


def pipeline(**options):
    judge = Pipeline(max_payload_bytes=4096, **options)
    judge.set_keys(KEYS)
    return judge


def sealed(body, device="pump-1", channel="readings", key=None):
    topic = f"devices/{device}/{channel}"
    return topic, seal(body, topic, key or KEYS[device].key)


def reading(seq, boot=1, device="pump-1", **members):
    body = json.dumps({"temp": 23.5, "boot": boot, "seq": seq, **members}).encode()
    return *sealed(body, device), body


def inbound(topic, payload, identity=None, *, resend=False, retained=False, token=None):
    return Inbound(identity, topic, payload, resend, NOW, retained, token, "192.0.2.1:5000")


def only_refusal(judgement):
    assert judgement.batch.readings == []
    assert judgement.batch.windows == []
    (refusal,) = judgement.batch.refusals
    assert refusal.detail
    assert refusal.at_ms == NOW
    return refusal


@pytest.mark.parametrize("identity", [None, "pump-1"])
def test_a_good_reading_is_taken_as_it_was_written(identity):
    topic, wire, body = reading(7, ts=NOW - 1000)
    judgement = pipeline().judge([inbound(topic, wire, identity)])
    assert judgement.batch.readings == [Reading("pump-1", NOW - 1000, 1, 7, NOW, body)]
    assert judgement.batch.windows == [ReplayWindow("pump-1", 1, 7, 1)]
    assert judgement.batch.refusals == []
    assert isinstance(judgement.batch.readings[0], Reading)


def test_without_a_clock_the_time_of_receipt_stands():
    topic, wire, _ = reading(7)
    assert pipeline().judge([inbound(topic, wire)]).batch.readings[0].ts_ms == NOW


def test_one_window_for_a_batch_however_many_readings():
    messages = [inbound(*reading(seq)[:2]) for seq in (1, 2, 3, 5)]
    batch = pipeline().judge(messages).batch
    assert [r.seq for r in batch.readings] == [1, 2, 3, 5]
    assert batch.windows == [ReplayWindow("pump-1", 1, 5, 0b11101)]


def refusals():
    topic, wire, _ = reading(7)
    return {
        "no device's topic": ("weather/readings", wire, None, Reason.WRONG_TOPIC),
        "downward": ("devices/pump-1/commands", wire, None, Reason.WRONG_TOPIC),
        "a topic too deep": (topic + "/x", wire, None, Reason.WRONG_TOPIC),
        "another's topic": (topic, wire, "pump-2", Reason.WRONG_TOPIC),
        "unknown": (*sealed(b'{"a":1}', "nobody", key=b"x"), None, Reason.UNKNOWN_DEVICE),
        "disabled": (*sealed(b'{"a":1}', "off"), None, Reason.DISABLED_DEVICE),
        "revoked": (*sealed(b'{"a":1}', "gone"), None, Reason.REVOKED_DEVICE),
        "too large": (*reading(7, note="x" * 4096)[:2], None, Reason.TOO_LARGE),
        "tampered": (topic, wire.replace(b"23.5", b"99.5"), None, Reason.BAD_SIGNATURE),
        "unsigned": (topic, b'{"temp":1,"boot":1,"seq":7}', None, Reason.BAD_SIGNATURE),
        "empty": (topic, b"", None, Reason.BAD_SIGNATURE),
        "huge and unsigned": (topic, b"[" * 5000, None, Reason.TOO_LARGE),
        "of another device": (topic, reading(7, device="pump-2")[1], None, Reason.BAD_SIGNATURE),
        "for another channel": (topic, sealed(b'{"a":1}', channel="events")[1], None,
                                Reason.BAD_SIGNATURE),
        "no boot": (*sealed(b'{"t":1,"seq":1}'), None, Reason.MALFORMED),
        "not JSON": (*sealed(b"{temp}"), None, Reason.MALFORMED),
        "years ahead": (*reading(7, ts=NOW + 400 * 86_400_000)[:2], None, Reason.MALFORMED),
        "event unsigned": ("devices/pump-1/events", b'{"event":"x"}', None, Reason.BAD_SIGNATURE),
        "event not flat": (*sealed(b'{"a":{}}', channel="events"), None, Reason.MALFORMED),
        "reply to nothing": (*sealed(b'{"ok":true}', channel="replies"), None, Reason.MALFORMED),
        "status unclear": ("devices/pump-1/status", b'{"online":1}', None, Reason.MALFORMED),
        "status of a disabled": ("devices/off/status", b'{"online":true}', None,
                                 Reason.DISABLED_DEVICE),
        "plain unsigned": ("devices/old/readings", b'{"t":1,"ts":1763759216000}', None,
                           Reason.BAD_SIGNATURE),
        "plain not UTF-8": ("devices/old/readings", b'{"t":"\xff"}', None, Reason.BAD_SIGNATURE),
        "plain without time": ("devices/old/readings",
                               sign_plain({"t": 1}, b"p" * 32).encode(), None, Reason.MALFORMED),
        "plain from a seawall/1 device": (topic, sign_plain({"t": 1, "boot": 1, "seq": 1},
                                          b"1" * 32).encode(), None, Reason.MALFORMED),
        "seawall/1 from a plain device": (*sealed(b'{"t":1,"boot":1,"seq":1}', "old"), None,
                                          Reason.BAD_SIGNATURE),
    }  # fmt: skip


@pytest.mark.parametrize("name", refusals())
def test_refusals_carry_their_reason(name):
    topic, payload, identity, reason = refusals()[name]
    if name == "plain from a seawall/1 device":
        reason = Reason.BAD_SIGNATURE
    judge = pipeline()
    for _ in range(2):  # the lane of the topic is not there the first time
        refusal = only_refusal(judge.judge([inbound(topic, payload, identity)]))
        assert refusal.reason is reason
        assert refusal.topic == topic
        assert refusal.payload == payload[:MAX_KEPT_PAYLOAD_BYTES]
        assert refusal.payload_bytes == len(payload)
        assert refusal.peer == "192.0.2.1:5000"


def test_a_refusal_names_who_sent_it_or_else_whose_topic_it_is():
    topic, wire, _ = reading(7)
    judge = pipeline()
    assert only_refusal(judge.judge([inbound(topic, wire, "pump-2")])).device_id == "pump-2"
    assert only_refusal(judge.judge([inbound(topic, wire[1:])])).device_id == "pump-1"
    assert only_refusal(judge.judge([inbound("x" * 9000, wire)])).device_id is None


def test_what_was_refused_may_be_sent_right_afterwards():
    judge = pipeline()
    topic, wire, _ = reading(7)
    judge.judge([inbound(topic, wire.replace(b"23.5", b"99.5"))])
    assert len(judge.judge([inbound(topic, wire)]).batch.readings) == 1


def test_a_replay_is_refused_and_a_resend_is_not():
    judge = pipeline()
    topic, wire, _ = reading(7)
    judge.judge([inbound(topic, wire)])
    again = judge.judge([inbound(topic, wire, resend=True)])
    assert (again.duplicates, again.batch.refusals, again.batch.readings) == (1, [], [])
    kept_by_broker = judge.judge([inbound(topic, wire, retained=True)])
    assert kept_by_broker.duplicates == 1
    assert only_refusal(judge.judge([inbound(topic, wire)])).reason is Reason.REPLAY


def test_a_replay_within_one_batch_is_refused():
    topic, wire, _ = reading(7)
    judgement = pipeline().judge([inbound(topic, wire), inbound(topic, wire)])
    assert len(judgement.batch.readings) == 1
    assert judgement.batch.refusals[0].reason is Reason.REPLAY


def test_windows_of_the_store_are_remembered():
    judge = pipeline(windows=[ReplayWindow("pump-1", 1, 7, 0b101)])
    batch = judge.judge([inbound(*reading(seq)[:2]) for seq in (5, 6, 7, 8)]).batch
    assert [r.seq for r in batch.readings] == [6, 8]


def test_a_reading_from_the_future_leaves_no_trace_in_the_window():
    judge = pipeline()
    judge.judge([inbound(*reading(6)[:2])])
    ahead = judge.judge([inbound(*reading(7, ts=NOW + MAX_AHEAD_MS + 1)[:2])])
    refusal = only_refusal(ahead)
    assert "24 hours ahead of the server's clock" in refusal.detail
    on_time = judge.judge([inbound(*reading(7, ts=NOW + MAX_AHEAD_MS)[:2])])
    assert len(on_time.batch.readings) == 1


def test_the_past_is_taken_whatever_its_age():
    batch = pipeline().judge([inbound(*reading(7, ts=946_684_800_000)[:2])]).batch
    assert batch.readings[0].ts_ms == 946_684_800_000


def test_a_plain_device():
    judge = pipeline()
    for payload in ({"temp": 1.5, "ts": NOW}, {"temp": 2, "boot": 3, "seq": 4, "a": "ä"}):
        wire = sign_plain(payload, b"p" * 32).encode()
        (taken,) = judge.judge([inbound("devices/old/readings", wire, "old")]).batch.readings
        assert json.loads(taken.body) == payload
        assert (taken.boot, taken.seq) == (payload.get("boot", 0), payload.get("seq", NOW))
        assert taken.ts_ms == NOW
        again = only_refusal(judge.judge([inbound("devices/old/readings", wire, "old")]))
        assert again.reason is Reason.REPLAY


def test_keys_and_status_change_at_once():
    judge = pipeline()
    judge.judge([inbound(*reading(1)[:2])])
    judge.set_keys({**KEYS, "pump-1": KEYS["pump-1"]._replace(status=DeviceStatus.REVOKED)})
    refusal = only_refusal(judge.judge([inbound(*reading(2)[:2])]))
    assert refusal.reason is Reason.REVOKED_DEVICE
    judge.set_keys({**KEYS, "pump-1": KEYS["pump-1"]._replace(key=b"n" * 32)})
    assert only_refusal(judge.judge([inbound(*reading(3)[:2])])).reason is Reason.BAD_SIGNATURE
    judge.set_keys(KEYS)
    assert len(judge.judge([inbound(*reading(4)[:2])]).batch.readings) == 1
    assert only_refusal(judge.judge([inbound(*reading(1)[:2])])).reason is Reason.REPLAY


def test_status_events_and_replies():
    judge = pipeline()
    status = "devices/pump-1/status"
    judgement = judge.judge([
        inbound(status, b'{"online":true}'),
        inbound(status, b'{"online":false}', retained=True),
        inbound(status, b""),
        inbound("devices/nobody/status", b'{"online":true}', retained=True),
        inbound("devices/gone/status", b'{"online":true}', retained=True),
        inbound("devices/gone/status", b'{"online":false}'),
        inbound(*sealed(b'{"event":"sensor-fault","n":1,"on":true}', channel="events")),
        inbound(*sealed(b'{"re":4,"ok":false}', channel="replies")),
    ])  # fmt: skip
    assert judgement.batch.refusals == []
    assert [(c.device_id, c.online, c.retained) for c in judgement.statuses] == [
        ("pump-1", True, False), ("pump-1", False, True), ("gone", False, False),
    ]  # fmt: skip
    event, reply = judgement.events
    assert (event.kind, event.subject, event.actor) == ("device-event", "pump-1", "device:pump-1")
    assert event.detail == {"event": "sensor-fault", "n": "1", "on": "true"}
    assert (reply.kind, reply.detail) == ("device-reply", {"re": "4", "ok": "false"})


def test_events_are_cut_to_a_size():
    members = {f"m{number}": "x" * 100 for number in range(20)}
    body = json.dumps({"long": "y" * 900, **members}).encode()
    (event,) = pipeline().judge([inbound(*sealed(body, channel="events"))]).events
    assert len(event.detail) == 16
    assert len(event.detail["long"]) == 200


def test_notices_cover_what_is_settled_and_nothing_lost():
    judge = pipeline(track_progress=True)
    online = inbound("devices/pump-1/status", b'{"online":true}')
    messages = [inbound(*reading(seq)[:2]) for seq in (1, 2, 4)]
    assert judge.judge([online, *messages]).notices == {"pump-1": (1, 2)}
    assert judge.judge([inbound(*reading(5)[:2])]).notices == {}
    resent = [inbound(*reading(seq)[:2], resend=True) for seq in (3, 4, 5)]
    judgement = judge.judge([online, *resent])
    assert judgement.notices == {"pump-1": (1, 5)}
    assert judgement.duplicates == 2


@pytest.mark.parametrize(("seen", "told"), [(0b11111111, {"pump-1": (1, 8)}), (0b11111011, {})])
def test_after_a_restart_a_gap_still_holds_the_line(seen, told):
    judge = pipeline(track_progress=True, windows=[ReplayWindow("pump-1", 1, 7, seen)])
    assert judge.judge([inbound(*reading(8)[:2])]).notices == told


topics = st.sampled_from([
    READINGS, "devices/pump-1/status", "devices/pump-1/events", "devices/pump-1/replies",
    "devices/old/readings", "devices/off/readings", "devices/nobody/readings", "a/b", "",
]) | st.text(max_size=12)  # fmt: skip
payloads = (
    st.binary(max_size=120)
    | st.binary(max_size=60).map(lambda b: seal(b"{" + b + b"x}", READINGS, KEYS["pump-1"].key))
    | st.builds(lambda seq: reading(seq)[1], st.integers(0, 5))
    | st.text(max_size=40).map(lambda t: t.encode("utf-8", "surrogatepass"))
)
inbounds = st.builds(
    Inbound,
    st.sampled_from([None, "pump-1", "old", "@ingest"]),
    topics,
    payloads,
    st.booleans(),
    st.just(NOW),
    st.booleans(),
    st.integers(),
    st.just(""),
)


@settings(max_examples=200)
@given(st.lists(inbounds, max_size=8))
def test_whatever_comes_is_judged_and_nothing_is_raised(messages):
    judge = pipeline(track_progress=True)
    judgement = judge.judge(messages)
    counts = [len(judgement.batch.readings), len(judgement.batch.refusals), judgement.duplicates]
    assert sum(counts) <= len(messages)
    for taken in judgement.batch.readings:
        with contextlib.suppress(errors.SeawallError):
            assert taken.metrics
    assert len({(r.device_id, r.boot, r.seq) for r in judgement.batch.readings}) == counts[0]

"""Bodies of readings: what is accepted, and that nothing but the documented error comes out."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from seawall.errors import ProtocolError
from seawall.model.reading import Reading
from seawall.wire.payload import (
    MAX_NUMBER,
    MISFITS,
    parse_body,
    parse_members,
    plain_counters,
    shape_reader,
)

VECTORS = Path(__file__).parents[2] / "vectors"
ROWS = json.loads((VECTORS / "bodies.json").read_text("ascii"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_bodies(row):
    body = bytes.fromhex(row["body"])
    for _ in range(2):  # once with the shape unknown, once with it remembered
        if row["verdict"] == "accept":
            parsed = parse_body(body)
            members = json.loads(body)
            assert parsed == (members["boot"], members["seq"], members.get("ts"))
            assert Reading("d", 1, *parsed[:2], 1, body).metrics
        else:
            with pytest.raises(ProtocolError) as refused:
                parse_body(body)
            assert 10 < len(refused.value.message) < 200
            assert "unreachable" not in refused.value.message


@pytest.mark.parametrize(("body", "words"), [
    (b'{"t":1,"boot":1}', '"seq" is missing'),
    (b'{"t":1,"t":2,"boot":1,"seq":1}', "'t' stands there twice"),
    (b'{"t":1,"boot":1,"seq":1.0}', '"seq" is not a whole number'),
    (b'{"t":1e999,"boot":1,"seq":1}', "out of range"),
    (b'{"t":[1],"boot":1,"seq":1}', "an object or an array"),
    (b"[1]", "not a JSON object"),
    (b'{"t":"\xff"}', "not valid UTF-8"),
    (b'{"t":1,"boot":1,"seq":1,"ts":1}', '"ts" is not a time'),
    (b'{"a":"b","boot":1,"seq":1}', "no number to store"),
    (b'{"t":1,"boot":1,"seq":1,"sig":""}', 'second "sig"'),
    (b'{"t":1,"boot":1,"seq":1,', "not valid JSON"),
    (b'{"t":' + b"[" * 100_000, "an object or an array"),
    (b'{"_t":1,"boot":1,"seq":1}', "metric name '_t'"),
    (b"", "not valid JSON"),
])  # fmt: skip
def test_the_sentence_says_what_is_wrong(body, words):
    with pytest.raises(ProtocolError) as refused:
        parse_body(body)
    assert words in refused.value.message
    assert refused.value.reference == "malformed-payload"


names = st.sampled_from(["boot", "seq", "ts", "t", "temp", "sig", "", "a:b", "ä", "\0"]) | st.text(
    max_size=6
)
numbers = (
    st.integers(-(2**70), 2**70)
    | st.integers(0, 20)
    | st.floats()
    | st.integers(946_684_800_000, 4_102_444_800_000)
)
values = st.recursive(
    numbers | st.text(max_size=6) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
pairs = st.lists(st.tuples(names, values), max_size=8)


@st.composite
def written(draw):
    """An object written by hand, so that names may stand twice and be escaped."""
    parts = []
    for name, value in draw(pairs):
        quoted = json.dumps(name, ensure_ascii=draw(st.booleans()))
        if name and draw(st.booleans()) and ord(name[0]) < 0x10000:
            quoted = f'"\\u{ord(name[0]):04x}' + json.dumps(name[1:])[1:]
        space = draw(st.sampled_from(["", " ", "\n\t"]))
        parts.append(quoted + space + ":" + json.dumps(value))
    return ("{" + ",".join(parts) + "}").encode("utf-8", "surrogatepass")


def independent_verdict(body):
    """The same rules once more, slowly, on the standard library's reader."""
    collected = []

    def no_constant(_):
        raise ValueError

    def collect(found):
        collected.append(found)
        return dict(found)

    try:
        text = body.decode()
        members = json.loads(text, object_pairs_hook=collect, parse_constant=no_constant)
    except ValueError:
        return None
    if not isinstance(members, dict) or len(collected[-1]) != len(members):
        return None
    if len(members) > 64 or "sig" in members or not {"boot", "seq"} <= members.keys():
        return None
    for value in members.values():
        if isinstance(value, list | dict) or value in (float("inf"), float("-inf")):
            return None
        if type(value) is int and abs(value) > MAX_NUMBER:
            return None
        if isinstance(value, str) and any(0xD800 <= ord(char) < 0xE000 for char in value):
            return None
    ts = members.get("ts", 946_684_800_000)
    whole = [members["boot"], members["seq"], ts]
    if any(type(value) is not int or value < 0 for value in whole):
        return None
    if not 946_684_800_000 <= ts < 4_102_444_800_000:
        return None
    metrics = {name: value for name, value in members.items() if name not in {"boot", "seq", "ts"}}
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for name in metrics:
        rest = set(name) - set(letters + "0123456789_.-")
        if not name or name[0] not in letters or rest or len(name) > 32:
            return None
    if not any(type(value) in (int, float) for value in metrics.values()):
        return None
    return members["boot"], members["seq"], members.get("ts")


@given(written())
@example(rb'{"\u0074emp":1,"temp":2,"boot":1,"seq":1}')
@example(b'{"t":1,"boot":1,"seq":1,"t2":"\xed\xa0\x80"}')
def test_the_fast_reader_agrees_with_a_slow_one(body):
    try:
        verdict = tuple(parse_body(body))
    except ProtocolError:
        verdict = None
    assert verdict == independent_verdict(body)


few_names = st.sampled_from(["t", "a", "boot", "seq", "ts", "sig", "b.c"])
few_values = st.sampled_from(["1", "0", "-1", "2.5", '"x"', '":"', "true", "null", "1e999", "[]",
                              "1763759216000", "1763759216000.0", "9007199254740992"])  # fmt: skip
few_pairs = st.tuples(few_names, few_values)


def join(pairs):
    return ("{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}").encode()


@st.composite
def good_and_similar(draw):
    """A body that is accepted, and one that differs from it in a member or two."""
    metrics = draw(st.lists(st.tuples(st.sampled_from(["a", "b.c", "d"]), few_values), max_size=2))
    counters = [("boot", draw(st.sampled_from("01"))), ("seq", draw(st.sampled_from("019")))]
    ts = draw(st.lists(st.just(("ts", "1763759216000")), max_size=1))
    members = draw(st.permutations([("t", "1"), *counters, *ts, *metrics]))
    changed = list(members)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(changed) - 1))
        changed[at : at + draw(st.integers(0, 1))] = draw(st.lists(few_pairs, max_size=1))
        changed = changed or [("t", "1")]
    return join(members), join(changed)


@given(good_and_similar())
@example((b'{"t":1,"boot":1,"seq":1}', b'{"t":1,"t":2,"boot":1,"seq":1}'))
@example((b'{"t":1,"boot":1,"seq":1}', b'{"t":"x:y","boot":1,"seq":1}'))
@example((b'{"t":1,"boot":1,"seq":1}', b'{"boot":1,"boot":1,"seq":1}'))
@example((b'{"t":1,"boot":1,"seq":1}', b'{"t":1,"boot":1,"ts":null}'))
@example((b'{"t":1,"a":"x","boot":1,"seq":1}', b'{"t":1,"a":"x:","boot":1,"a":1}'))
def test_what_the_reader_of_a_shape_accepts_is_accepted_alike(bodies):
    first, second = bodies
    assume(independent_verdict(first) is not None)
    reader = shape_reader(first)
    for body in (first, second):
        if body.count(b":") != reader.colons:
            continue
        try:
            read = reader.decode(body)
        except MISFITS:
            continue
        assert (read.boot, read.seq, read.ts) == independent_verdict(body)
    if first.count(b":") == reader.colons:
        assert reader.decode(first).seq == parse_body(first).seq


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_the_documented_error(body):
    for parse in (parse_body, parse_members, plain_counters):
        with contextlib.suppress(ProtocolError):
            parse(body)


@given(
    st.binary(max_size=20),
    st.integers(0, 60),
    st.sampled_from([r["body"] for r in ROWS if len(r["body"]) < 200]),
)
def test_damaged_bodies_raise_only_the_documented_error(splice, at, row):
    body = bytes.fromhex(row)
    for damaged in (body[:at] + splice + body[at:], body[:at] + splice + body[at + len(splice) :]):
        with contextlib.suppress(ProtocolError):
            parse_body(damaged)


def test_many_shapes_do_not_fill_the_memory():
    from seawall.wire import payload

    for number in range(3000):
        parse_body(b'{"m%d":1,"boot":1,"seq":1}' % number)
    assert len(payload._shapes) <= payload._MAX_SHAPES
    for number in range(1100):
        shape_reader(b'{"m%d":1,"boot":1,"seq":1}' % number)
    assert len(payload._readers) <= payload._MAX_SHAPES


def test_plain_messages_are_told_apart_by_counters_or_by_time():
    assert plain_counters(b'{"boot": 2, "seq": 3, "t": 1}') == (2, 3, None)
    assert plain_counters(b'{"t": 1, "ts": 1763759216000}') == (0, 1763759216000, 1763759216000)
    for body in (b'{"t": 1}', b'{"boot": 1, "t": 1}', b'{"t": 1, "ts": null}', b'{"ts": "x"}'):
        with pytest.raises(ProtocolError):
            plain_counters(body)

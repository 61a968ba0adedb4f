"""The plain profile and the public functions, from outside."""

import hashlib
import hmac
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seawall
from seawall.errors import ProtocolError
from seawall.wire.plain import open_plain

VECTORS = Path(__file__).parents[2] / "vectors"
KEY = b"correct horse battery staple"


@pytest.mark.parametrize(
    "row", json.loads((VECTORS / "plain.json").read_text("ascii")), ids=lambda row: row["name"]
)
def test_vectors(row):
    verified = seawall.verify_payload(row["text"], bytes.fromhex(row["key"]))
    if row["verdict"] == "refuse":
        assert verified is None
    else:
        expected = json.loads(row["text"])
        del expected["sig"]
        assert verified == expected


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
payloads = st.dictionaries(st.text().filter(lambda name: name != "sig"), values, max_size=6)


@given(payloads, st.binary(min_size=1))
def test_what_is_signed_verifies_and_the_argument_is_not_changed(payload, key):
    before = json.dumps(payload)
    text = seawall.sign_payload(payload, key)
    assert json.dumps(payload) == before
    assert seawall.verify_payload(text, key) == payload
    assert seawall.verify_payload(text, key + b"x") is None
    sent = json.loads(text)
    sig = sent.pop("sig")
    wanted = json.dumps(sent, sort_keys=True).encode()
    assert sig == hmac.new(key, wanted, hashlib.sha256).hexdigest()


@given(payloads, st.permutations(range(8)))
def test_the_order_of_members_does_not_matter(payload, order):
    members = list(json.loads(seawall.sign_payload(payload, KEY)).items())
    shuffled = [members[at] for at in order if at < len(members)]
    assert seawall.verify_payload(json.dumps(dict(shuffled)), KEY) == payload


@given(st.text(max_size=60) | st.text('{}[]",:sig0123 eE+-.\\u', max_size=60))
def test_no_text_makes_it_raise(text):
    assert seawall.verify_payload(text, KEY) is None


@pytest.mark.parametrize("text", [
    "[" * 100_000,
    '{"a":' * 100_000,
    '{"a": ' + "9" * 5000 + "}",
    '{"a": 1e999, "sig": "' + "0" * 64 + '"}',
    "\ud800",
    "\0",
    "null",
    "\ufeff{}",
])  # fmt: skip
def test_hostile_texts(text):
    assert seawall.verify_payload(text, KEY) is None


@pytest.mark.parametrize("payload", [
    {"sig": "x"},
    {1: "x"},
    {"1": "a", 1: "b"},
    {"t": float("nan")},
    {"t": float("inf")},
    {"t": b"bytes"},
    {"t": {1, 2}},
    {None: 1},
])  # fmt: skip
def test_what_cannot_be_signed(payload):
    with pytest.raises(ProtocolError):
        seawall.sign_payload(payload, KEY)


def test_a_key_may_be_a_text():
    text = seawall.sign_payload({"t": 1}, "Schlüssel")
    assert seawall.verify_payload(text, "Schlüssel".encode()) == {"t": 1}


def test_the_signed_bytes_are_what_is_stored():
    opened = open_plain(seawall.sign_payload({"b": 1, "a": "ä"}, KEY), KEY)
    assert opened is not None
    assert opened.signed == b'{"a": "\\u00e4", "b": 1}'


TOPIC = "devices/pump-1/readings"


def test_seawall_1_siblings():
    for body in ({"temp": 23.5, "boot": 1, "seq": 7}, b'{ "temp": 23.50 }'):
        wire = seawall.seal_payload(body, TOPIC, b"k" * 32)
        expected = body if isinstance(body, dict) else {"temp": 23.5}
        assert seawall.open_payload(wire, TOPIC, b"k" * 32) == expected
        assert seawall.open_payload(wire.decode(), TOPIC, "k" * 32) == expected
        assert seawall.open_payload(wire, TOPIC + "x", b"k" * 32) is None
        assert seawall.open_payload(wire.replace(b"23.5", b"99.5"), TOPIC, b"k" * 32) is None


@pytest.mark.parametrize("body", [{}, {"a": [1]}, {"sig": "x"}, b'{"a":1,"a":2}', b"{}", b"x",
                                  {"a": float("nan")}, {"a": object()}])  # fmt: skip
def test_seawall_1_refuses_to_seal_what_nobody_would_open(body):
    with pytest.raises(ProtocolError):
        seawall.seal_payload(body, TOPIC, b"k" * 32)


@given(st.binary(max_size=200) | st.text(max_size=100))
def test_no_payload_makes_open_raise(payload):
    assert seawall.open_payload(payload, TOPIC, b"k" * 32) is None


def test_importing_seawall_loads_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import seawall; "
        "print(sorted(m for m in set(sys.modules) - before if m.startswith(('seawall.', 'paho'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names():
    for name in seawall.__all__:
        assert getattr(seawall, name)
    assert set(dir(seawall)) == set(seawall.__all__)
    with pytest.raises(AttributeError):
        seawall.nothing  # noqa: B018

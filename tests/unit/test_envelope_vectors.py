"""The envelope and the commands, judged by the vectors that the agent is judged by."""

import contextlib
import hashlib
import hmac
import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.errors import ProtocolError, UsageError
from seawall.wire import commands, tmp36
from seawall.wire.envelope import OVERHEAD_BYTES, Verifier, hash_states, open_sealed, seal

VECTORS = Path(__file__).parents[2] / "vectors"


def rows(name):
    return json.loads((VECTORS / name).read_text("ascii"))


def ids(row):
    return row.get("name", "")


def unhex(row, *names):
    return [bytes.fromhex(row[name]) for name in names]


def test_the_files_are_what_the_generator_writes():
    generator = runpy.run_path(str(VECTORS / "generate.py"))
    for name, make in generator["FILES"].items():
        assert (VECTORS / name).read_text("ascii") == generator["render"](make()), name


@pytest.mark.parametrize("row", rows("hmac.json"), ids=ids)
def test_cached_states_give_the_hmac_of_rfc_4231(row):
    key, data = unhex(row, "key", "data")
    for cut in (0, len(data) // 2, len(data)):
        inner, outer = hash_states(key, data[:cut])
        inner.update(data[cut:])
        outer.update(inner.digest())
        assert outer.hexdigest()[: len(row["mac"])] == row["mac"]


@pytest.mark.parametrize("row", rows("envelope.json"), ids=ids)
def test_envelope(row):
    key, body, wire = unhex(row, "key", "body", "wire")
    if row["verdict"] == "accept":
        assert open_sealed(wire, row["topic"], key) == body
        assert seal(body, row["topic"], key) == wire
        assert json.loads(wire)["sig"]
    else:
        assert open_sealed(wire, row["topic"], key) is None


@pytest.mark.parametrize("row", rows("commands.json"), ids=ids)
def test_command(row):
    key, wire = unhex(row, "key", "wire")
    body = open_sealed(wire, row["topic"], key)
    if row["verdict"] == "bad-signature":
        assert body is None
        return
    assert body is not None
    if row["verdict"] == "malformed":
        with pytest.raises(ProtocolError):
            commands.parse_command(body)
        return
    command = commands.parse_command(body)
    if row["verdict"] == "replay":
        assert command.n is not None
        assert command.n <= row["last_n"]
        return
    assert command.name == row["cmd"]
    assert command.n == row.get("n")
    assert command.interval_ms == row.get("ms")
    assert (command.boot, command.seq) == (row.get("boot"), row.get("seq"))
    update = (command.target, command.version, command.trial_s)
    assert update == (row.get("target"), row.get("version"), row.get("trial_s"))


@pytest.mark.parametrize("row", rows("tmp36.json"))
def test_tmp36(row):
    if row["formula"] == "tmp36-tutorial":
        assert tmp36.temperature_tutorial_mc(row["raw"]) == row["temperature_mc"]
        return
    rail = False
    if "raw" in row:
        adc = {"nodemcu": tmp36.NODEMCU, "esp8266": tmp36.ESP8266, "rp2": tmp36.RP2}[row["board"]]
        assert adc == tmp36.Converter(row["full_scale_uv"], row["divisor"], row["top"])
        assert adc.microvolts(row["raw"]) == row["microvolts"]
        rail = adc.at_rail(row["raw"])
    temperature = tmp36.temperature_mc(row["microvolts"])
    assert temperature == row["temperature_mc"]
    assert tmp36.temperature_mf(temperature) == row["temperature_mf"]
    fault = "rail" if rail else ("" if tmp36.is_in_range(temperature) else "range")
    assert fault == row["fault"]


bodies = st.dictionaries(
    st.text(max_size=8), st.integers() | st.floats(allow_nan=False) | st.text(), min_size=1
).map(lambda members: json.dumps(members).encode())


@given(bodies, st.text(max_size=40), st.binary(max_size=100))
def test_what_is_sealed_opens_to_the_same_bytes(body, topic, key):
    wire = seal(body, topic, key)
    assert len(wire) == len(body) + OVERHEAD_BYTES
    assert Verifier(key, topic).open(wire) == body
    message = b"seawall/1\0" + topic.encode() + b"\0" + body
    assert hmac.new(key, message, hashlib.sha256).hexdigest().encode() in wire


@given(bodies, st.data())
def test_any_changed_byte_is_refused(body, data):
    key = b"k" * 32
    wire = bytearray(seal(body, "t", key))
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    assert open_sealed(bytes(wire), "t", key) is None


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_open_and_never_raise(payload):
    assert open_sealed(payload, "t", b"k" * 32) is None


@given(st.binary(max_size=300) | bodies)
def test_arbitrary_bodies_of_commands_raise_only_the_documented_error(body):
    for parse in (commands.parse_command, commands.parse_reply):
        with contextlib.suppress(ProtocolError):
            parse(body)


@pytest.mark.parametrize("body", [b"", b"{}", b"{ \n}", b"[1]", b'{"a":1', b'{"a":1} ', b"{"])
def test_what_is_no_object_is_not_sealed(body):
    with pytest.raises(ProtocolError):
        seal(body, "t", b"k")


def test_commands_read_back_as_they_were_made():
    assert commands.parse_command(commands.identify(3)) == commands.Command("identify", 3)
    assert commands.parse_command(commands.restart(4)) == commands.Command("restart", 4)
    assert commands.parse_command(commands.set_interval(5, 250)).interval_ms == 250
    assert commands.parse_command(commands.stored(2, 9))[3:5] == (2, 9)
    update = commands.parse_command(commands.update(6, "unix/1.2.0.json", "1.2.0", 30))
    assert update[-3:] == ("unix/1.2.0.json", "1.2.0", 30)
    assert commands.parse_command(commands.abort_update(7)) == commands.Command("update-abort", 7)
    topic, wire = commands.seal_command(commands.restart(4), "pump-1", b"k" * 32)
    assert topic == "devices/pump-1/commands"
    assert open_sealed(wire, topic, b"k" * 32) == commands.restart(4)
    reply = commands.parse_reply(b'{"re":4,"ok":true,"uptime_s":9}')
    assert reply == commands.Reply(4, True, {"uptime_s": 9})


@pytest.mark.parametrize("make", [
    lambda: commands.identify(-1),
    lambda: commands.restart(2**53),
    lambda: commands.set_interval(1, 0),
    lambda: commands.set_interval(1, 10**9),
    lambda: commands.stored(-1, 0),
    lambda: commands.update(1, "", "1.2.0", 30),
    lambda: commands.update(1, "unix/\0", "1.2.0", 30),
    lambda: commands.update(1, "unix/1.2.0.json", "1.2.0", 0),
    lambda: commands.abort_update(-1),
])  # fmt: skip
def test_orders_out_of_range_are_not_made(make):
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize("body", [b'{"re":1}', b'{"ok":true}', b'{"re":1,"ok":1}', b"[" * 5000])
def test_bad_replies(body):
    with pytest.raises(ProtocolError):
        commands.parse_reply(body)

"""`seawall payload`, run as people run it."""

import hashlib
import hmac
import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system

KEY = b"an old secret"
BODY = {"device": "esp8266-1", "temp": 23.5, "humidity": 40, "ts": 1763759216000}
TOPIC = "devices/pump-1/readings"


def payload(*args, data=b""):
    return subprocess.run(
        [sys.executable, "-m", "seawall.cli.main", "payload", *map(str, args)],
        input=data,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key.txt"
    path.write_bytes(KEY + b"\n")
    return path


def seed_program(body):
    sig = hmac.new(KEY, json.dumps(body, sort_keys=True).encode(), hashlib.sha256).hexdigest()
    return json.dumps({**body, "sig": sig})


def test_a_payload_of_the_seed_program_verifies(key_file):
    text = seed_program(BODY)
    done = payload("verify", "--profile", "plain", "--key-file", key_file, data=text.encode())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == BODY


def test_with_another_temperature_it_is_refused(key_file):
    text = seed_program(BODY).replace("23.5", "99.5")
    done = payload("verify", "--profile", "plain", "--key-file", key_file, data=text.encode())
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"refused: bad-signature: ")


def test_the_seed_program_verifies_what_we_sign(key_file, tmp_path):
    file = tmp_path / "body.json"
    file.write_text(json.dumps(BODY, indent=2))
    done = payload("sign", "--profile", "plain", "--key-file", key_file, file)
    assert done.returncode == 0, done.stderr
    received = json.loads(done.stdout)
    sig = received.pop("sig")
    signed = json.dumps(received, sort_keys=True).encode()
    assert hmac.compare_digest(sig, hmac.new(KEY, signed, hashlib.sha256).hexdigest())
    received["temp"] = 99.5
    tampered = json.dumps(received, sort_keys=True).encode()
    assert sig != hmac.new(KEY, tampered, hashlib.sha256).hexdigest()


def test_seawall_1_round_trip_keeps_the_bytes(tmp_path):
    key_file = tmp_path / "hmac.key"
    key_file.write_bytes(os.urandom(31) + b"\n")  # a random key may end so, and keeps its byte
    body = b'{"temp": 23.50, "boot": 1, "seq": 7}'
    options = ("--topic", TOPIC, "--key-file", key_file)
    signed = payload("sign", *options, data=body + b"\n")
    assert signed.returncode == 0, signed.stderr
    message = b"seawall/1\0" + TOPIC.encode() + b"\0" + body
    assert hmac.new(key_file.read_bytes(), message, "sha256").hexdigest().encode() in signed.stdout
    verified = payload("verify", *options, data=signed.stdout)
    assert (verified.returncode, verified.stdout) == (0, body + b"\n")
    tampered = payload("verify", *options, data=signed.stdout.replace(b"23.50", b"99.50"))
    assert tampered.returncode == 1


@pytest.mark.parametrize(("args", "data", "status", "words"), [
    (["--text", "{}", "--topic", TOPIC], b"", 1, b"refused: bad-signature"),
    (["--text", "{}"], b"", 2, b"signs the topic too"),
    (["--profile", "plain", "--text", "[1]"], b"", 1, b"refused: malformed: it is not a JSON obj"),
    (["--profile", "plain"], b'{"t":"\xff"}', 1, b"refused: malformed: it is not valid UTF-8"),
    (["--profile", "plain"], b"[" * 100_000, 1, b"refused: malformed: "),
    (["--profile", "plain"], b"1" * (2 << 20), 2, b"more than 1048576 bytes"),
    (["--profile", "plain", "no-such-file"], b"", 2, b"cannot read no-such-file"),
])  # fmt: skip
def test_refusals_and_mistakes(key_file, args, data, status, words):
    done = payload("verify", "--key-file", key_file, *args, data=data)
    assert (done.returncode, words in done.stderr) == (status, True), done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_json_facts(key_file):
    text = seed_program({"t": 1})
    options = ("--profile", "plain", "--key-file", key_file, "--json")
    assert json.loads(payload("verify", *options, data=text.encode()).stdout) == {
        "accepted": True, "body": '{"t": 1}', "reason": None, "detail": None,
    }  # fmt: skip
    refused = payload("verify", *options, data=text.replace('"t": 1', '"t": 2').encode())
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["accepted"] is False


def test_key_files(tmp_path):
    text = seed_program(BODY).encode()
    options = ("verify", "--profile", "plain", "--text", text.decode(), "--key-file")
    file = tmp_path / "key"
    for data, extra, status in [
        (KEY, [], 0),
        (KEY + b"\r\n", [], 0),
        (KEY + b"\n\n", [], 1),
        (KEY.hex().encode() + b"\n", ["--key-format", "hex"], 0),
        (KEY, ["--key-format", "hex"], 5),
        (b"\n", [], 5),
    ]:
        file.write_bytes(data)
        done = payload(*options, file, *extra)
        assert done.returncode == status, (data, done.stderr)
    assert payload(*options, tmp_path / "none").returncode == 5

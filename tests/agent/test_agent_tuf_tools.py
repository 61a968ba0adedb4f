"""The command lines around the device's TUF client and its ECDSA verifier, as processes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tuf_rig import Repository, new_signer

pytestmark = pytest.mark.system

SEED = 20270301
CONTENT = b"what a device runs\n" * 100


@dataclass
class Client:
    """`agent/tools/tuf-client` on a folder, and a web server."""

    program: Path
    folder: Path
    repository: Repository
    port: int
    asked: list[str] = field(default_factory=list)

    def run(self, *words: str, heap: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ, **({"SEAWALL_TUF_HEAP": heap} if heap else {}))
        url = f"http://127.0.0.1:{self.port}"
        return subprocess.run(
            [
                *(str(self.program), "--metadata-dir", str(self.folder / "metadata")),
                *("--metadata-url", f"{url}/metadata/", "--target-base-url", f"{url}/targets/"),
                *("--target-dir", str(self.folder / "targets"), *words),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )

    def downloaded(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "targets").iterdir()}


@pytest.fixture
def client(tmp_path: Path, repository: Path) -> Iterator[Client]:
    """A client whose repository is good for a month from now."""
    tree = Repository(tmp_path / "site" / "metadata")
    for document in tree.documents.values():
        document.expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: Any) -> None:
            asked.append(self.path)

        def log_message(self, *_: Any) -> None:
            pass

    handler = partial(Handler, directory=str(tmp_path / "site"))
    folder = tmp_path / "client"
    (folder / "targets").mkdir(parents=True)  # `init` makes the other one
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        program = repository / "agent" / "tools" / "tuf-client"
        publish(tree, tmp_path / "site", "unix/1.0.0.json", CONTENT)
        made = Client(program, folder, tree, server.server_address[1], asked)
        root = tmp_path / "root.json"
        root.write_bytes((tree.served / "1.root.json").read_bytes())
        assert made.run("init", str(root)).returncode == 0
        assert asked == []
        yield made
        server.shutdown()
        thread.join()


def publish(tree: Repository, site: Path, target: str, content: bytes) -> None:
    tree.add_target(target, content)
    folder, _, name = target.rpartition("/")
    path = site / "targets" / folder / f"{sha256(content).hexdigest()}.{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    tree.publish("root", "targets")


def test_refresh_and_download(client: Client) -> None:
    done = client.run("refresh")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(p.name for p in (client.folder / "metadata").glob("*.json")) == [
        "root.json",
        "snapshot.json",
        "targets.json",
        "timestamp.json",
    ]
    done = client.run("--target-name", "unix/1.0.0.json", "download")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(client.downloaded().values()) == [CONTENT]
    # The second time nothing is fetched that is there.
    client.asked.clear()
    assert client.run("--target-name", "unix/1.0.0.json", "download").returncode == 0
    assert client.asked == ["/metadata/3.root.json", "/metadata/timestamp.json"]


def test_what_cannot_be_trusted_ends_with_1_and_a_reason(client: Client) -> None:
    assert client.run("refresh").returncode == 0
    done = client.run("--target-name", "unix/none.json", "download")
    assert (done.returncode, done.stderr) == (1, "refused: unknown-target\n")
    path = next(client.repository.served.parent.glob("targets/unix/*"))
    path.write_bytes(CONTENT[:-1] + b"x")
    done = client.run("--target-name", "unix/1.0.0.json", "download")
    assert (done.returncode, done.stderr) == (1, "refused: wrong-hash\n")
    path.write_bytes(CONTENT + b"x")
    done = client.run("--target-name", "unix/1.0.0.json", "download")
    assert (done.returncode, done.stderr) == (1, "refused: endless-data\n")
    path.unlink()
    done = client.run("--target-name", "unix/1.0.0.json", "download")
    assert (done.returncode, done.stderr) == (1, "refused: missing\n")
    assert client.downloaded() == {}
    client.repository.signers["timestamp"] = [new_signer()]
    client.repository.publish()
    done = client.run("refresh")
    assert (done.returncode, done.stderr) == (1, "refused: bad-signature\n")


def test_days_in_future(client: Client) -> None:
    assert client.run("--days-in-future", "29", "refresh").returncode == 0
    done = client.run("--days-in-future", "31", "refresh")
    assert (done.returncode, done.stderr) == (1, "refused: expired\n")


def test_a_heap_that_is_too_small_ends_with_1(client: Client) -> None:
    assert client.run("refresh", heap="20k").returncode == 1
    assert client.run("refresh", heap="64k").returncode == 0


@pytest.mark.parametrize(
    "words",
    [[], ["fly"], ["init"], ["init", "/none"], ["refresh", "more"], ["--what"], ["download"]],
    ids=str,
)
def test_a_wrong_command_line_ends_with_1_and_says_so(words: list[str], client: Client) -> None:
    done = client.run(*words)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_server_that_is_away_ends_with_1(client: Client) -> None:
    client.port = 9
    done = client.run("refresh")
    assert done.returncode == 1
    assert done.stderr.startswith("error: OSError")


# ecdsa-verify


def verdicts(repository: Path, lines: bytes) -> list[str]:
    done = subprocess.run(
        [str(repository / "agent" / "tools" / "ecdsa-verify")],
        input=lines,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def test_each_line_is_judged(repository: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    lines, expected = [], []
    for size in (0, 1, 100, 5000, 100_000):
        message = random.Random(SEED).randbytes(size)
        line = {
            "key": point.hex(),
            "msg": message.hex(),
            "sig": private.sign(message, ec.ECDSA(SHA256())).hex(),
        }
        for changed, verdict in [
            (line, "valid"),
            ({**line, "sig": line["sig"].upper()}, "valid"),
            ({"tcId": 1, "flags": ["a"], **line}, "valid"),
            ({**line, "msg": line["msg"] + "00"}, "invalid"),
            ({**line, "key": "05" + line["key"][2:]}, "invalid"),
            ({**line, "sig": line["sig"] + "00"}, "invalid"),
        ]:
            lines.append(json.dumps(changed))
            expected.append(verdict)
    assert verdicts(repository, "\n".join(lines).encode()) == expected


def test_garbage_is_invalid_and_never_a_crash(repository: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    good = json.dumps(
        {"key": point.hex(), "msg": "", "sig": private.sign(b"", ec.ECDSA(SHA256())).hex()}
    ).encode()
    chance = random.Random(SEED)
    garbage = [
        b"",
        b" ",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 5000,
        b"9" * 100_000,
        b'"' + b"\\u0041" * 1000,
        b'{"key":"","msg":"","sig":""}',
        b'{"key":null,"msg":1,"sig":[]}',
        b'{"key":"zz","msg":"0","sig":"0"}',
        good[:-1],
        good + b"x",
        good.replace(b'"msg": ""', b'"msg": {}'),
        b"x" * 3_000_000,
    ]
    for _ in range(300):
        changed = bytearray(good)
        for _ in range(chance.randint(1, 5)):
            changed[chance.randrange(len(changed))] = chance.choice(b'{}[]",:\\0aZ\x00\xc3')
        if bytes(changed).lower() != good:
            garbage.append(bytes(changed))
    answers = verdicts(repository, b"\n".join([*garbage, good]) + b"\n")
    assert answers == ["invalid"] * len(garbage) + ["valid"]

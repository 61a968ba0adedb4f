"""`seawall import` against a real wire server: documents, modes, errors, sign-in, TLS."""

from __future__ import annotations

import gzip
import ipaddress
import json
import lzma
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pymongo import MongoClient

from seawall.testing.mongo_server import MongoServer
from seawall.testing.wire_sink import WireSink

pytestmark = pytest.mark.system

Collection = Any


class Ended(NamedTuple):
    status: int
    words: str
    output: bytes

    @property
    def summary(self) -> str:
        return self.words.strip().splitlines()[-1].partition("\t")[2]


def seawall(*arguments: str, data: bytes = b"", **environment: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "seawall", "import", *arguments],
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    return Ended(ended.returncode, ended.stderr.decode(), ended.stdout)


def imported(count: int, failed: int = 0) -> str:
    return f"{count} document(s) imported successfully. {failed} document(s) failed to import."


@pytest.fixture(scope="module")
def server(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MongoServer]:
    running = MongoServer(program("secantusd-py"), tmp_path_factory.mktemp("server"))
    yield running
    running.close()


@pytest.fixture
def posts(server: MongoServer) -> Iterator[Collection]:
    with server.client() as client:
        client.drop_database("blog")
        yield client["blog"]["posts"]


@pytest.fixture
def into(server: MongoServer) -> tuple[str, ...]:
    return ("--host", server.address, "-d", "blog", "-c", "posts")


# Connecting


def test_file_host_and_port(server: MongoServer, posts: Collection, tmp_path: Path) -> None:
    file = tmp_path / "posts.json"
    file.write_text('{"title": "a"}\n{"title": "b"}\n')
    ended = seawall("-d", "blog", "-c", "posts", "--port", str(server.port), "--file", str(file))
    assert (ended.status, ended.summary) == (0, imported(2))
    assert [each["title"] for each in posts.find()] == ["a", "b"]
    again = seawall("-h", server.address, "-d", "blog", str(file))
    assert "no collection specified" in again.words
    assert posts.count_documents({}) == 4
    dropped = seawall(
        f"mongodb://{server.address}/blog", "-c", "posts", "--drop", "--file", str(file)
    )
    assert "dropping: `blog.posts`" in dropped.words
    assert posts.count_documents({}) == 2


def test_no_server(free_port: Callable[[], int]) -> None:
    ended = seawall("--port", str(free_port()), "-c", "x", "--serverSelectionTimeout", "1")
    assert ended.status == 1
    assert "error connecting to host" in ended.words
    assert "imported" not in ended.words


@pytest.fixture(scope="module")
def secure(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[MongoServer, Path]]:
    folder = tmp_path_factory.mktemp("secure")
    ca = make_certificates(folder)
    tls = ("--tls-cert-file", str(folder / "cert.pem"), "--tls-key-file", str(folder / "key.pem"))
    first = MongoServer(program("secantusd-py"), folder, tls, tls=True, tlsCAFile=str(ca))
    with first.client() as client:
        client.admin.command("createUser", "ann", pwd="s3cr:t/", roles=["root"])
    first.close()
    running = MongoServer(
        program("secantusd-py"), folder, (*tls, "--auth"), tls=True, tlsCAFile=str(ca)
    )
    yield running, ca
    running.close()


def make_certificates(folder: Path) -> Path:
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "ca.pem").write_bytes(pem)
    return folder / "ca.pem"


def test_sign_in_over_tls(secure: tuple[MongoServer, Path], tmp_path: Path) -> None:
    server, ca = secure
    base = ("--host", server.address, "-d", "blog", "-c", "posts", "--ssl")
    user = ("-u", "ann", "--authenticationDatabase", "admin")
    trust = ("--sslCAFile", str(ca))
    good = seawall(*base, *user, "-p", "s3cr:t/", *trust, data=b'{"a":1}')
    assert (good.status, good.summary) == (0, imported(1))
    asked = seawall(*base, *user, *trust, data=b's3cr:t/\n{"a":2}')
    assert "Enter password for mongo user:" in asked.words
    assert (asked.status, asked.summary) == (0, imported(1))
    config = tmp_path / "config.yaml"
    config.write_text("password: 's3cr:t/'\n")
    configured = seawall(*base, *user, *trust, "--config", str(config), data=b'{"a":3}')
    assert configured.summary == imported(1)
    wrong = seawall(*base, *user, "-p", "sesame-wrong", *trust, data=b'{"a":1}')
    assert wrong.status == 1
    assert "auth error" in wrong.words
    assert "sesame" not in wrong.words
    distrusted = seawall(*base, *user, "-p", "x", "--serverSelectionTimeout", "2")
    assert distrusted.status == 1
    assert "--sslCAFile" in distrusted.words
    missing = seawall(*base, "--sslCAFile", str(tmp_path / "none.pem"))
    assert "can't load CA file: open" in missing.words
    uri = (
        f"mongodb://ann:s3cr%3At%2F@{server.address}/blog?authSource=admin&tls=true&tlsCAFile={ca}"
    )
    by_uri = seawall(uri, "-c", "posts", data=b'{"a":4}')
    assert by_uri.summary == imported(1)
    assert "s3cr" not in by_uri.words
    lax = seawall(*base, *user, "-p", "s3cr:t/", "--tlsInsecure", data=b'{"a":5}')
    assert lax.summary == imported(1)


# Documents


def test_typed_columns(posts: Collection, into: tuple[str, ...]) -> None:
    ended = seawall(
        *(*into, "--type", "csv", "--columnsHaveTypes"),
        *("--fields", "isAdmin.bool(),at.date(2006-01-02),n.int32()"),
        data=b"true,2020-02-29,7\n",
    )
    assert ended.status == 1
    assert "invalid type bool in header isAdmin.bool()" in ended.words
    ended = seawall(
        *(*into, "--type", "csv", "--columnsHaveTypes"),
        *("--fields", "isAdmin.boolean(),at.date(2006-01-02),n.int32()"),
        data=b"true,2020-02-29,7\n",
    )
    assert ended.summary == imported(1)
    found = posts.find_one({}, {"_id": 0})
    assert found == {"isAdmin": True, "at": datetime(2020, 2, 29), "n": 7}  # noqa: DTZ001  the driver gives it so


def test_large_files_keep_every_row(
    posts: Collection, into: tuple[str, ...], tmp_path: Path
) -> None:
    plain = "".join(f'{i},"x, {i}",{i / 8}\n' for i in range(20_000)).encode()
    lines = "".join(json.dumps({"n": i, "t": f"x, {i}", "f": i / 8}) + "\n" for i in range(20_000))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(plain))
    (tmp_path / "b.csv.xz").write_bytes(lzma.compress(plain))
    csv = ("--type", "csv", "--fields", "n,t,f")
    many = seawall(*into, *csv, "--files", str(tmp_path / "*.csv.*"))
    assert (many.status, many.summary) == (0, imported(40_000))
    assert seawall(*into, data=lines.encode()).summary == imported(20_000)
    group = {"_id": "$n", "t": {"$addToSet": "$t"}, "k": {"$sum": 1}}
    found = posts.aggregate([{"$group": group}])
    assert all(each["k"] == 3 and each["t"] == [f"x, {each['_id']}"] for each in found)


@pytest.mark.parametrize(
    ("arguments", "data", "words"),
    [
        (("--headerline",), b"", "cannot use --headerline when input type is JSON"),
        (("--file", "/nowhere.json"), b"", "open /nowhere.json: no such file or directory"),
        (("--file", "/tmp"), b"", "is a directory"),
        (("--type", "csv", "--headerline"), b"", "Failed: EOF"),
        (("--type", "csv", "-f", "a"), b'1\n"x', 'entry #2: line 2, column 2: extraneous "'),
        (("--type", "csv", "-f", "a.int8()", "--columnsHaveTypes"), b"1", "invalid type int8"),
        ((), b'[{"a":1}]', "--jsonArray"),
        ((), b'{"a":1}\n{"a":', "error processing document #2: unexpected EOF"),
        ((), b'{"a":"' + b"x" * (16 << 20) + b'"}', "an inserted document is too large"),
    ],
)  # fmt: skip
def test_bad_input(
    posts: Collection, into: tuple[str, ...], arguments: tuple[str, ...], data: bytes, words: str
) -> None:
    ended = seawall(*into, *arguments, data=data)
    assert ended.status == 1
    assert words in ended.words
    if "imported" in ended.summary:
        assert ended.summary == imported(posts.count_documents({}))


@pytest.mark.parametrize(
    ("grace", "status", "expected"),
    [
        ("stop", 1, [{"a": 1}]),
        ("autoCast", 0, [{"a": 1}, {"a": "x"}, {"a": 3}]),
        ("skipField", 0, [{"a": 1}, {}, {"a": 3}]),
        ("skipRow", 0, [{"a": 1}, {"a": 3}]),
    ],
)
def test_parse_grace(
    posts: Collection, into: tuple[str, ...], grace: str, status: int, expected: list[Any]
) -> None:
    typed = ("--type", "csv", "--columnsHaveTypes", "-f", "a.int32()", "--parseGrace", grace)
    ended = seawall(*into, *typed, data=b"1\nx\n3\n")
    assert (ended.status, ended.summary) == (status, imported(len(expected)))
    assert list(posts.find({}, {"_id": 0})) == expected
    assert ended.output == (b"x\n" if grace == "skipRow" else b"")


def test_bad_rows_can_be_left_out(posts: Collection, into: tuple[str, ...], tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    data = b'a;b\n1;2\nx"y;3\n4;5\n'
    csv = ("--type", "csv", "--headerline", "--delimiter", ";", "--string-columns", "b")
    ended = seawall(*into, *csv, f"--skip-bad-rows={bad}", data=data)
    assert (ended.status, ended.summary) == (0, imported(2))
    assert "1 record(s) could not be read" in ended.words
    assert bad.read_text() == 'x"y;3\n'
    assert list(posts.find({}, {"_id": 0})) == [{"a": 1, "b": "2"}, {"a": 4, "b": "5"}]


# Writing


def test_modes(posts: Collection, into: tuple[str, ...]) -> None:
    posts.insert_many([{"_id": 1, "k": "a", "s": {"x": 1}}, {"_id": 2, "k": "b"}])
    by_k = ("--upsertFields", "k")
    upsert = seawall(*into, *by_k, data=b'{"k":"a","n":5}{"k":"c","n":6}')
    assert upsert.summary == imported(2)
    assert posts.find_one({"k": "a"}) == {"_id": 1, "k": "a", "n": 5}
    merge = seawall(
        *into, "--mode", "merge", *by_k, data=b'{"k":"b","s":{"y":2}}{"k":"b","s":{"y":2}}'
    )
    assert merge.summary == imported(1)
    assert posts.find_one({"k": "b"}) == {"_id": 2, "k": "b", "s": {"y": 2}}
    assert seawall(*into, "--mode", "upsert", data=b'{"_id":1,"z":1}{"z":2}').summary == imported(2)
    deleted = seawall(*into, "--mode", "delete", *by_k, data=b'{"k":"b"}{"k":"none"}{"z":1}')
    assert deleted.summary == "1 document(s) deleted successfully. 0 document(s) failed to delete."


def test_duplicate_keys(posts: Collection, into: tuple[str, ...]) -> None:
    data = b'{"_id":1}{"_id":1}{"_id":2}'
    on = seawall(*into, data=data)
    assert (on.status, on.summary) == (0, imported(2, 1))
    assert "continuing through error:" in on.words
    stopped = seawall(*into, "--drop", "--maintainInsertionOrder", data=data)
    assert (stopped.status, stopped.summary) == (1, imported(1, 1))
    assert "Failed: bulk write exception: write errors: [" in stopped.words
    unordered = seawall(*into, "--drop", "--stopOnError", data=data)
    assert (unordered.status, unordered.summary) == (1, imported(2, 1))
    posts.drop()
    posts.create_index("k", unique=True)
    unique = seawall(
        *into, "--mode", "upsert", data=b'{"_id":1,"k":1}{"_id":2,"k":1}{"_id":3,"k":2}'
    )
    assert (unique.status, unique.summary) == (1, imported(1, 1))


def test_unacknowledged(
    posts: Collection, into: tuple[str, ...], wait_until: Callable[..., Any]
) -> None:
    ended = seawall(*into, "--writeConcern", "{w:0}", data=b'{"a":1}')
    assert (ended.status, ended.summary) == (0, "done")
    wait_until(lambda: posts.count_documents({}) == 1)


def test_several_workers(posts: Collection, into: tuple[str, ...]) -> None:
    data = b"".join(b'{"_id":%d}\n' % i for i in range(5000))
    assert seawall(*into, "-j", "3", data=data).summary == imported(5000)
    assert posts.count_documents({}) == 5000


# Ends


def test_a_server_that_goes_away(program: Callable[[str], str], tmp_path: Path) -> None:
    server = MongoServer(program("secantusd-py"), tmp_path / "server", ("--standalone",))
    process = _slow_import(server.address)
    assert process.stdin
    process.stdin.write(b'{"a":1}\n' * 5000)
    process.stdin.flush()
    with server.client() as client:
        deadline = time.monotonic() + 20
        while client["blog"]["posts"].estimated_document_count() < 4000:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    server.kill()
    _, words = process.communicate(b'{"a":2}\n' * 5000, timeout=60)
    assert process.returncode == 1
    assert b"Failed: connection lost" in words
    assert b"document(s) imported successfully" in words


def _slow_import(address: str) -> subprocess.Popen[bytes]:
    words = ("--host", address, "-d", "blog", "-c", "posts", "--serverSelectionTimeout", "2")
    return subprocess.Popen(
        [sys.executable, "-m", "seawall", "import", *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_interrupted(
    server: MongoServer, posts: Collection, wait_until: Callable[..., Any]
) -> None:
    process = _slow_import(server.address)
    assert process.stdin
    process.stdin.write(b'{"a":1}\n' * 20_000)
    process.stdin.flush()
    wait_until(lambda: posts.estimated_document_count() >= 4000)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"signal 'interrupt' received" in words
    assert imported(posts.count_documents({})).encode() in words


def test_a_pipe_is_written_as_it_comes() -> None:
    with WireSink(keep=True) as sink, socket.socket():
        process = _slow_import(f"127.0.0.1:{sink.port}")
        _, words = process.communicate(b'{"a":1}\n' * 2500, timeout=30)
    sizes = [len(each.documents) for each in sink.messages if "insert" in each.body]
    assert sizes == [1000, 1000, 500]
    assert imported(2500).encode() in words


def test_any_server_in_the_environment(server: MongoServer) -> None:
    uri = os.environ.get("MONGODB_URI", f"mongodb://{server.address}/")
    ended = seawall("--uri", uri, "-d", "seawall_test", "-c", "import", "--drop", data=b'{"a":1}')
    assert ended.summary == imported(1)
    with MongoClient[dict[str, Any]](uri) as client:
        assert client["seawall_test"]["import"].count_documents({}) == 1
        client.drop_database("seawall_test")

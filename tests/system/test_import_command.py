"""`seawall import` against a real wire server: documents, modes, errors, sign-in, TLS."""

from __future__ import annotations

import gzip
import json
import lzma
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives import serialization

from seawall.testing.mongo_process import MongoProcess, TlsFiles
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


def run(*arguments: str, data: bytes = b"") -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "seawall", *arguments],
        input=data,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Ended(ended.returncode, ended.stderr.decode(), ended.stdout)


def seawall(*arguments: str, data: bytes = b"") -> Ended:
    return run("import", *arguments, data=data)


def imported(count: int, failed: int = 0) -> str:
    return f"{count} document(s) imported successfully. {failed} document(s) failed to import."


@pytest.fixture
def posts(mongo_db: Any) -> Collection:
    return mongo_db["posts"]


@pytest.fixture
def into(mongodb_uri: str, mongo_db: Any) -> tuple[str, ...]:
    return ("--uri", mongodb_uri, "-d", mongo_db.name, "-c", "posts")


# Connecting


def test_file_host_and_port(plain_mongodb: MongoProcess, tmp_path: Path) -> None:
    server = plain_mongodb
    file = tmp_path / "posts.json"
    file.write_text('{"title": "a"}\n{"title": "b"}\n')
    named = ("-d", "blog", "-c", "posts", "--file", str(file))
    with server.client() as client:
        client.drop_database("blog")
        posts = client["blog"]["posts"]
        ended = seawall(*named, "--host", "127.0.0.1", "--port", str(server.port))
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
    assert "Connection refused }" in ended.words
    assert "TopologyDescription" not in ended.words


def test_a_compressor_that_nobody_knows_is_not_used(into: tuple[str, ...]) -> None:
    uri = into[1].rstrip("/") + ("&" if "?" in into[1] else "/?") + "compressors=nope"
    ended = seawall("--uri", uri, *into[2:], data=b'{"a":1}')
    assert (ended.status, ended.summary) == (0, imported(1))
    assert "Warning" not in ended.words


@pytest.fixture
def secure(secure_mongodb: MongoProcess) -> tuple[str, ...]:
    return ("--host", secure_mongodb.address, "-d", "blog", "-c", "posts", "--ssl")


def test_scram_over_tls(
    secure_mongodb: MongoProcess, secure: tuple[str, ...], mongo_tls_files: TlsFiles, tmp_path: Path
) -> None:
    assert secure_mongodb.user
    name, password = secure_mongodb.user
    user = ("-u", name, "--authenticationDatabase", "admin")
    trust = ("--sslCAFile", str(mongo_tls_files.ca))
    good = seawall(*secure, *user, "-p", password, *trust, data=b'{"a":1}')
    assert (good.status, good.summary) == (0, imported(1))
    asked = seawall(*secure, *user, *trust, data=password.encode() + b'\n{"a":2}')
    assert "Enter password for mongo user:" in asked.words
    assert (asked.status, asked.summary) == (0, imported(1))
    config = tmp_path / "config.yaml"
    config.write_text(f"password: '{password}'\n")
    configured = seawall(*secure, *user, *trust, "--config", str(config), data=b'{"a":3}')
    assert configured.summary == imported(1)
    lax = seawall(*secure, *user, "-p", password, "--tlsInsecure", data=b'{"a":5}')
    assert lax.summary == imported(1)
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
        words = ("--authenticationMechanism", mechanism)
        by_name = seawall(*secure, *user, "-p", password, *trust, *words, data=b'{"a":6}')
        assert by_name.status == (0 if mechanism == "SCRAM-SHA-256" else 1), by_name.words
    uri = secure_mongodb.uri.replace("/?", "/blog?")
    by_uri = seawall(uri, "-c", "posts", data=b'{"a":4}')
    assert (by_uri.status, by_uri.summary) == (0, imported(1))
    for ended in (good, asked, configured, lax, by_uri):
        assert password not in ended.words
        assert quote_plus(password) not in ended.words
    with secure_mongodb.client() as client:
        assert client["blog"]["posts"].count_documents({"a": {"$in": [1, 2, 3, 4, 5]}}) == 5


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_wrong_password_or_user(
    secure_mongodb: MongoProcess, secure: tuple[str, ...], mongo_tls_files: TlsFiles, command: str
) -> None:
    assert secure_mongodb.user
    name, password = secure_mongodb.user
    trust = ("--sslCAFile", str(mongo_tls_files.ca))
    for who, secret in ((name, "sesame-wrong"), ("nobody", password)):
        words = ("-u", who, "-p", secret, "--authenticationDatabase", "admin")
        wrong = run(command, *secure, *trust, *words, data=b'{"a":1}')
        assert wrong.status == 1
        assert "error connecting to host: failed to connect to" in wrong.words
        assert "auth error" in wrong.words
        assert secret not in wrong.words
        assert "imported" not in wrong.words
        assert wrong.output == b""
    anonymous = run(command, *secure, *trust, data=b'{"a":1}')
    assert anonymous.status == 1
    assert "authenti" in anonymous.words.lower()


def test_signing_in_by_certificate(
    secure_mongodb: MongoProcess, secure: tuple[str, ...], mongo_tls_files: TlsFiles, tmp_path: Path
) -> None:
    trust = ("--sslCAFile", str(mongo_tls_files.ca))
    by_certificate = ("--authenticationMechanism", "MONGODB-X509")
    key = ("--sslPEMKeyFile", str(mongo_tls_files.client))
    good = seawall(*secure, *trust, *key, *by_certificate, data=b'{"x":1}')
    assert (good.status, good.summary) == (0, imported(1)), good.words
    named = seawall(*secure, *trust, *key, *by_certificate, "-u", "CN=importer", data=b'{"x":2}')
    assert (named.status, named.summary) == (0, imported(1)), named.words
    out = run("export", *secure, *trust, *key, *by_certificate, "-q", '{"x":{"$gt":0}}')
    assert (out.status, out.output.count(b"\n")) == (0, 2)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(_encrypted(mongo_tls_files.client, b"12345678"))
    words = (*secure, *trust, "--sslPEMKeyFile", str(locked), *by_certificate)
    given = seawall(*words, "--sslPEMKeyPassword", "12345678", data=b'{"x":3}')
    assert (given.status, given.summary) == (0, imported(1)), given.words
    asked = seawall(*words, data=b'12345678\n{"x":4}')
    assert "Enter password for client certificate:" in asked.words
    assert asked.summary == imported(1)
    wrong = seawall(*words, "--sslPEMKeyPassword", "other", data=b'{"x":5}')
    assert (wrong.status, "other" in wrong.words) == (1, False), wrong.words
    without = seawall(*secure, *trust, *by_certificate, data=b'{"x":5}')
    assert without.status == 1
    assert "error connecting to host" in without.words


def _encrypted(pem: Path, password: bytes) -> bytes:
    certificate, mark, key = pem.read_bytes().partition(b"-----BEGIN PRIVATE KEY")
    loaded = serialization.load_pem_private_key(mark + key, None)
    return certificate + loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )


def test_a_server_that_is_not_trusted(secure: tuple[str, ...], tmp_path: Path) -> None:
    distrusted = seawall(*secure, "--serverSelectionTimeout", "2")
    assert distrusted.status == 1
    assert "--sslCAFile" in distrusted.words
    missing = seawall(*secure, "--sslCAFile", str(tmp_path / "none.pem"))
    assert "can't load CA file: open" in missing.words
    (tmp_path / "no.pem").write_text("no certificate")
    broken = seawall(*secure, "--sslCAFile", str(tmp_path / "no.pem"))
    assert "is no PEM file of certificates" in broken.words
    no_key = seawall(*secure, "--sslPEMKeyFile", str(tmp_path / "none.pem"))
    assert "can't load client certificate: open" in no_key.words
    plain = seawall(*secure[:-1], "--serverSelectionTimeout", "2")
    assert plain.status == 1
    assert "does the server speak TLS" in plain.words


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
    assert found == {"isAdmin": True, "at": datetime(2020, 2, 29, tzinfo=UTC), "n": 7}


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


def test_a_server_that_goes_away(
    tmp_path: Path, wait_until: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    server = MongoProcess(tmp_path / "server")
    request.addfinalizer(server.kill)
    server.start()
    process = _slow_import("--host", server.address, "-d", "blog", "-c", "posts")
    assert process.stdin
    process.stdin.write(b'{"a":1}\n' * 5000)
    process.stdin.flush()
    with server.client() as client:
        posts = client["blog"]["posts"]
        wait_until(lambda: posts.count_documents({}) == 5000, timeout_s=60)
    server.kill()
    _, words = process.communicate(b'{"a":2}\n' * 5000, timeout=60)
    assert process.returncode == 1
    assert b"Failed: connection lost" in words
    # What was confirmed is counted; the answer to the last batch may have been lost.
    found = re.search(rb"(\d+) document\(s\) imported successfully. 0 document", words)
    assert found, words
    assert int(found[1]) in {4000, 5000}
    assert b"the last batch may be there in part" in words


def _slow_import(*arguments: str) -> subprocess.Popen[bytes]:
    words = (*arguments, "--serverSelectionTimeout", "2")
    return subprocess.Popen(
        [sys.executable, "-m", "seawall", "import", *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, b"interrupt"), (signal.SIGTERM, b"terminated")]
)
def test_interrupted(
    posts: Collection,
    into: tuple[str, ...],
    wait_until: Callable[..., Any],
    number: int,
    name: bytes,
) -> None:
    process = _slow_import(*into)
    assert process.stdin
    process.stdin.write(b'{"a":1}\n' * 20_000)
    process.stdin.flush()
    wait_until(lambda: posts.count_documents({}) >= 4000, timeout_s=60)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"signal '%s' received" % name in words
    assert imported(posts.count_documents({})).encode() in words


def test_a_pipe_is_written_as_it_comes() -> None:
    with WireSink(keep=True) as sink:
        process = _slow_import("--host", f"127.0.0.1:{sink.port}", "-d", "blog", "-c", "posts")
        _, words = process.communicate(b'{"a":1}\n' * 2500, timeout=60)
    sizes = [len(each.documents) for each in sink.messages if "insert" in each.body]
    assert sizes == [1000, 1000, 500]
    assert imported(2500).encode() in words

"""`seawall export` against a real server: command line, messages, files, exit statuses."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from seawall.testing.mongo_process import MongoProcess, TlsFiles

pytestmark = pytest.mark.system

ID = ObjectId("5f00000000000000000000ab")


class Done(NamedTuple):
    """How a run ended; ``words`` are its log without times."""

    status: int
    out: str
    words: list[str]


def run(*arguments: str, stdin: str = "") -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "seawall", *arguments],
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    lines = done.stderr.decode().splitlines()
    return Done(done.returncode, done.stdout.decode(), [line.split("\t", 1)[-1] for line in lines])


Export = Callable[..., Done]


@pytest.fixture
def export(mongo_db: Any, mongodb_uri: str) -> Export:
    """Export from the collection ``c`` of a database of its own."""

    def call(*arguments: str, collection: str = "c") -> Done:
        return run(
            "export", "--uri", mongodb_uri, "-d", mongo_db.name, "-c", collection, *arguments
        )

    return call


def fill(mongo_db: Any, count: int = 5) -> None:
    mongo_db.c.insert_many([{"_id": n, "n": n, "a": {"b": [n, -n]}} for n in range(count)])


def test_a_document_a_line(mongo_db: Any, export: Export) -> None:
    fill(mongo_db, 2)

    done = export()

    assert done.status == 0
    assert done.out == '{"_id":0,"n":0,"a":{"b":[0,0]}}\n{"_id":1,"n":1,"a":{"b":[1,-1]}}\n'
    assert done.words[0].startswith("connected to: mongodb://")
    assert done.words[-1] == "exported 2 records"


def test_one_document_is_a_record(mongo_db: Any, export: Export) -> None:
    fill(mongo_db, 1)
    assert export().words[-1] == "exported 1 record"


def test_query_sort_skip_and_limit(mongo_db: Any, export: Export) -> None:
    fill(mongo_db)

    done = export(
        *("-q", '{"n": {"$gt": 0}}', "--sort", "{n: -1}", "--skip", "1", "--limit=2"),
        *("--fields", "n,a.b"),
    )

    assert done.out == '{"_id":3,"n":3,"a":{"b":[3,-3]}}\n{"_id":2,"n":2,"a":{"b":[2,-2]}}\n'
    assert export("--limit", "-2", "--fields=n").out == '{"_id":0,"n":0}\n{"_id":1,"n":1}\n'


def test_a_query_from_a_file(mongo_db: Any, export: Export, tmp_path: Path) -> None:
    fill(mongo_db)
    (tmp_path / "q").write_text('{"_id": {"$in": [{"$numberInt": "4"}]}}\n')

    assert export("--queryFile", str(tmp_path / "q"), "-f", "n").out == '{"_id":4,"n":4}\n'
    (tmp_path / "empty").write_text("")
    nothing = export("--queryFile", str(tmp_path / "empty"))
    assert (nothing.status, nothing.out) == (1, "")
    assert "query '' is not valid JSON" in nothing.words[0]
    done = export("--queryFile", str(tmp_path / "none"))
    assert done.status == 1
    assert done.words[0].startswith("error reading queryFile: open ")


def test_csv_with_dotted_fields(mongo_db: Any, export: Export, tmp_path: Path) -> None:
    fill(mongo_db, 2)
    (tmp_path / "fields").write_text("n\r\na.b.1\n")

    assert export("--type", "CSV", "--fields", "n,a.b.1").out == "n,a.b.1\n0,0\n1,-1\n"
    assert export("--csv", "-fn,a.b").out == 'n,a.b\n0,"[0,0]"\n1,"[1,-1]"\n'
    done = export("--type=csv", "--fieldFile", str(tmp_path / "fields"), "--noHeaderLine")
    assert done.out == "0,0\n1,-1\n"
    done = export("--type=csv")
    assert (done.status, done.words[-2]) == (1, "Failed: CSV mode requires a field list")


def test_forms_of_json(mongo_db: Any, export: Export) -> None:
    mongo_db.c.insert_one({"_id": ID, "x": 1.0})

    assert export("--jsonArray").out == f'[{{"_id":{{"$oid":"{ID}"}},"x":1.0}}]\n'
    pretty = f'{{\n\t"_id": {{\n\t\t"$oid": "{ID}"\n\t}},\n\t"x": 1.0\n}}\n'
    assert export("--pretty").out == pretty
    canonical = export("--jsonFormat", "canonical").out
    assert canonical == f'{{"_id":{{"$oid":"{ID}"}},"x":{{"$numberDouble":"1.0"}}}}\n'


def test_nothing_found_and_no_collection(mongo_db: Any, export: Export) -> None:
    fill(mongo_db, 1)
    nothing = ("-q", '{"n": 77}')

    assert export(*nothing).out == ""
    assert export(*nothing, "--jsonArray").out == "[]\n"
    assert export(*nothing, "--pretty").out == "\n"
    missing = export("--jsonArray", collection="other")
    assert (missing.status, missing.out, missing.words[-1]) == (0, "", "exported 0 records")
    asserted = export("--assertExists", collection="other")
    assert (asserted.status, asserted.out) == (1, "")
    assert asserted.words[-1] == "Failed: collection 'other' does not exist"


def test_a_file_in_a_new_folder(mongo_db: Any, export: Export, tmp_path: Path) -> None:
    fill(mongo_db, 1)
    place = tmp_path / "a" / "b" / "out.json"

    assert export("--out", str(place)).out == ""
    assert place.read_text() == '{"_id":0,"n":0,"a":{"b":[0,0]}}\n'
    done = export("-o", str(tmp_path))
    assert done.status == 1
    assert done.words[-1].startswith("error opening output stream: ")


def test_a_view(mongo_db: Any, export: Export) -> None:
    fill(mongo_db)
    mongo_db.command("create", "big", viewOn="c", pipeline=[{"$match": {"n": {"$gt": 3}}}])

    assert export("-f", "n", collection="big").out == '{"_id":4,"n":4}\n'


def test_many_documents_come_in_batches(mongo_db: Any, export: Export) -> None:
    mongo_db.c.insert_many([{"_id": n, "text": "x" * 100} for n in range(3000)])

    done = export()

    assert done.out.count("\n") == 3000
    assert done.words[-1] == "exported 3000 records"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["x"], "error parsing positional arguments: provide only one MongoDB connection string."),
        (["-k", "--readPreference", "nearest"], "--slaveOk can't be specified when"),
        (
            ["--readPreference", "foo"],
            "error parsing --readPreference: unknown read preference foo",
        ),
        (["--nope"], "unknown option `nope`"),
        (["--limit", "x"], "invalid argument for flag `--limit' (expected int)"),
        (["--device", "attic"], "--device is about Seawall's own store, which needs --readings"),
    ],
)
def test_lines_that_are_not_understood(arguments: list[str], text: str) -> None:
    done = run("export", "-c", "c", *arguments)

    assert done.status == 1
    assert done.words[0].startswith(f"error parsing command line options: {text}")
    assert done.words[-1] == "try 'seawall export --help' for more information"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "must specify a collection"),
        (["-c", "a$b"], "invalid collection name: illegal character '$' found in 'a$b'"),
        (["-c", "c", "-d", "a.b"], "invalid database name: illegal character '.' found in"),
        (["-c", "c", "--type="], "--type cannot be empty"),
        (["-c", "c", "--type", "tsv"], "invalid output type 'tsv', choose 'json' or 'csv'"),
        (["-c", "c", "--jsonFormat", "x"], "invalid JSON format 'x', choose"),
        (["-c", "c", "-q", "{}", "--forceTableScan"], "cannot use --forceTableScan when"),
        (["-c", "c", "-q", "{}", "--queryFile", "f"], "either --query or --queryFile can be"),
        (["-c", "c", "-q", "{i:"], "query '{i:' is not valid JSON: unexpected end of JSON input"),
        (["-c", "c", "-q", '{"i":1} x'], "query '{\"i\":1} x' is not valid JSON: invalid char"),
        (["-c", "c", "--sort", "[1]"], "sort '[1]' is not valid JSON"),
    ],
)
def test_settings_that_do_not_go_together(arguments: list[str], text: str) -> None:
    done = run("export", *arguments)

    assert done.status == 1
    assert done.words[0].startswith(text)
    assert done.words[-1] == "try 'seawall export --help' for more information"


def test_queries_have_to_be_strict(mongo_db: Any, export: Export) -> None:
    fill(mongo_db, 1)

    done = export("-q", "{n:{$gt:1}}")

    assert done.status == 1
    assert any(
        each.startswith("Failed: error parsing query as Extended JSON: invalid JSON input")
        for each in done.words
    )


def test_what_the_server_refuses(mongo_db: Any, export: Export) -> None:
    fill(mongo_db, 1)

    done = export("-q", '{"n": {"$nope": 1}}')

    assert done.status == 1
    assert re.match(r"Failed: \(\w+\) .*\$nope", done.words[-1])
    for form in (("--jsonArray",), ("--type", "csv", "-f", "n")):
        done = export("-q", '{"n": {"$nope": 1}}', *form)
        assert (done.status, done.out) == (1, ""), "nothing is written before the server agrees"


def test_no_server(free_port: Callable[[], int]) -> None:
    done = run("export", "-c", "c", "--port", str(free_port()), "--serverSelectionTimeout", "1")

    assert done.status == 1
    assert done.words[0].startswith("error connecting to host: failed to connect to mongodb://")


def test_passwords_are_asked_for_and_never_shown(scram_mongodb: MongoProcess) -> None:
    assert scram_mongodb.user is not None
    name, password = scram_mongodb.user
    with scram_mongodb.client() as client:
        client.blog.posts.replace_one({"_id": 1}, {"_id": 1}, upsert=True)
    place = ("-h", f"127.0.0.1:{scram_mongodb.port}", "-d", "blog", "-c", "posts")
    who = ("-u", name, "--authenticationDatabase", "admin")

    done = run("export", *place, *who, stdin=password + "\n")
    assert (done.status, done.out) == (0, '{"_id":1}\n')
    wrong = run("export", *place, *who, "-p", "wrong-one")
    assert wrong.status == 1
    assert "error connecting to host" in wrong.words[-2] + wrong.words[-1]
    assert "wrong-one" not in str(wrong.words)


def test_over_tls(tls_mongodb: MongoProcess, mongo_tls_files: TlsFiles) -> None:
    place = ("--host", "localhost", "--port", str(tls_mongodb.port), "-c", "c", "--ssl")

    trusted = run("export", *place, "--sslCAFile", str(mongo_tls_files.ca))
    assert trusted.status == 0, trusted.words
    assert run("export", *place, "--serverSelectionTimeout", "1").status == 1


def test_a_reader_that_goes_away_is_a_failed_write(mongo_db: Any, mongodb_uri: str) -> None:
    mongo_db.c.insert_many([{"_id": n, "text": "x" * 1000} for n in range(2000)])
    with subprocess.Popen(
        [sys.executable, "-m", "seawall", "export", mongodb_uri, "-d", mongo_db.name, "-c", "c"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        words = running.stderr.read().decode()
        assert running.wait(60) == 1
    assert "Failed: write standard output: broken pipe" in words


def test_the_connection_string_may_stand_alone(mongo_db: Any, mongodb_uri: str) -> None:
    fill(mongo_db, 1)
    host = urlsplit(mongodb_uri).netloc

    done = run("export", f"mongodb://{host}/{mongo_db.name}", "--collection=c", "--quiet")

    assert (done.status, done.words) == (0, [])
    assert done.out.startswith('{"_id":0')


def test_help_and_version() -> None:
    done = run("export", "--help")
    assert done.status == 0
    assert "--jsonFormat=<format>" in done.out
    assert "--readings" in done.out
    assert "--csv" not in done.out
    assert run("export", "--version").out.startswith("seawall export version: ")


@pytest.mark.parametrize(
    "form",
    [
        ("--jsonFormat", "canonical"),
        ("--jsonFormat", "canonical", "--jsonArray", "--pretty"),
        ("--jsonFormat", "relaxed"),
        ("--jsonFormat", "relaxed", "--jsonArray"),
    ],
)
def test_documents_come_back_through_both_commands(
    mongo_db: Any, mongodb_uri: str, export: Export, tmp_path: Path, form: tuple[str, ...]
) -> None:
    values = [
        *(1, Int64(2**40), 1.5, 1e300, -0.0, "é\u2028\n", True, None, ID, DatetimeMS(-1)),
        *(DatetimeMS(1577934245678), Binary(b"\0\1", 5), Decimal128("1.50"), Timestamp(1, 2)),
        *(Regex("a/b", "ix"), Code("f()"), MinKey(), MaxKey(), [], {}, [1, {"a": [None]}]),
    ]
    mongo_db.c.insert_many([{"_id": n, "a": {"b": value}} for n, value in enumerate(values)])
    place = str(tmp_path / "c.json")

    assert export(*form, "--sort", "{_id: 1}", "--out", place).status == 0
    array = ["--jsonArray"] if "--jsonArray" in form else []
    done = run(
        *("import", "--uri", mongodb_uri, "-d", mongo_db.name, "-c", "back", "--file", place),
        *array,
    )

    assert done.status == 0, done.words
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    before, after = (
        [each.raw for each in mongo_db.get_collection(name, raw).find().sort("_id", 1)]
        for name in ("c", "back")
    )
    assert len(before) == len(values)
    assert after == before

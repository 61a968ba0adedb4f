"""Every kind of bad input: a clear line, its status, and a summary that the server confirms."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.system

CSV = ("--type", "csv")
A = (*CSV, "-f", "a")
TYPED = (*CSV, "--columnsHaveTypes", "-f", "a.int32()", "--parseGrace")
GOOD = b"".join(b"%d\n" % number for number in range(2500))
MISFIT = "could not parse token 'x' to type int32"


class Case(NamedTuple):
    """Arguments, input, and what comes of it: status, words, documents, refused writes.

    ``documents`` is None where the run ends before its summary.
    """

    arguments: tuple[str, ...]
    data: bytes
    status: int
    words: str
    documents: int | None
    refused: int = 0


CASES = {
    "a missing file": Case(
        ("--file", "/nowhere/x.json"),
        *(b"", 1, "Failed: open /nowhere/x.json: no such file or directory", 0),
    ),
    "a directory": Case(("--file", "/tmp"), b"", 1, "Failed: open /tmp: is a directory", 0),
    "UTF-16": Case(
        (*CSV, "--headerline"),
        *("a,b\n1,2\n".encode("utf-16"), 1, "it is UTF-16, not UTF-8", 0),
    ),
    "Latin-1": Case(
        (*CSV, "--headerline"),
        *("a\nx\nä\n".encode("latin-1"), 0, "from line 3 on there are bytes that are no UTF-8", 2),
    ),
    "a BOM before CSV": Case((*CSV, "--headerline"), b'\xef\xbb\xbf"a"\n1\n', 0, "1 document", 1),
    "a BOM before JSON": Case((), b'\xef\xbb\xbf{"a":1}', 0, "1 document", 1),
    "CRLF": Case((*CSV, "--headerline"), b'a\r\n1\r\n"2"\r\n', 0, "2 document", 2),
    "a quote that never closes": Case(
        A,
        GOOD + b'"x\ny\n',
        1,
        'read error on entry #2501: line 2503, column 0: extraneous "',
        2500,
    ),
    "a quote in a cell": Case(
        A, b'1\nx"y\n', 1, 'read error on entry #2: line 2, column 1: bare " in non-quoted', 1
    ),
    "too many cells": Case(A, b"1,2,3\n", 0, "1 document", 1),
    "too many cells, and a column of that name": Case(
        (*CSV, "-f", "a,field2"), b"1,2\n1,2,3\n", 1, "duplicate field name - on field2", 1
    ),
    "too few cells": Case((*CSV, "-f", "a,b"), b"1\n", 0, "1 document", 1),
    "a bad typed cell, stop": Case((*TYPED, "stop"), GOOD + b"x\n3\n", 1, MISFIT, 2500),
    "a bad typed cell, autoCast": Case((*TYPED, "autoCast"), b"1\nx\n3\n", 0, "3 document", 3),
    "a bad typed cell, skipField": Case((*TYPED, "skipField"), b"1\nx\n3\n", 0, "3 docum", 3),
    "a bad typed cell, skipRow": Case(
        (*TYPED, "skipRow"), b"1\nx\n3\n", 0, "skipping row #1: [x]", 2
    ),
    "an unknown grace": Case((*TYPED, "maybe"), b"", 1, "invalid parse grace: maybe", None),
    "an unknown type of input": Case(("--type", "xml"), b"", 1, "unknown type xml", None),
    "an unknown type of a column": Case(
        (*CSV, "--columnsHaveTypes", "-f", "a.int8()"),
        *(b"1\n", 1, "Failed: invalid type int8 in header a.int8()", 0),
    ),
    "no type of a column": Case(
        (*CSV, "--columnsHaveTypes", "-f", "a"),
        *(b"1\n", 1, "Failed: could not parse type from header a", 0),
    ),
    "--headerline with JSON": Case(
        ("--headerline",), b"{}", 1, "cannot use --headerline when input type is JSON", None
    ),
    "--fields with JSON": Case(
        ("--fields", "a"), b"{}", 1, "cannot use --fields when input type is JSON", None
    ),
    "--fieldFile with JSON": Case(
        ("--fieldFile", "f"), b"{}", 1, "cannot use --fieldFile when input type is JSON", None
    ),
    "--ignoreBlanks with JSON": Case(
        ("--ignoreBlanks",), b"{}", 1, "cannot use --ignoreBlanks when input type is JSON", None
    ),
    "--columnsHaveTypes with JSON": Case(
        ("--columnsHaveTypes",), b"{}", 1, "cannot use --columnsHaveTypes when input type is", None
    ),
    "CSV without names": Case(CSV, b"1\n", 1, "must specify --fields, --fieldFile or", None),
    "an empty CSV": Case((*CSV, "--headerline"), b"", 1, "Failed: EOF", 0),
    "an array without --jsonArray": Case((), b'[{"a":1}]', 1, "--jsonArray", 0),
    "no array with --jsonArray": Case(
        ("--jsonArray",), b'{"a":1}', 1, "found no opening bracket '[' in input source", 0
    ),
    "JSON that ends early": Case(
        (), b'{"a":1}\n{"a":', 1, "Failed: error processing document #2: unexpected EOF", 1
    ),
    "a duplicate key": Case(
        (), b'{"_id":1}{"_id":1}{"_id":2}', 0, "continuing through error: ", 2, 1
    ),
    "a duplicate key, --stopOnError": Case(
        ("--stopOnError",), b'{"_id":1}{"_id":1}', 1, "Failed: bulk write exception", 1, 1
    ),
    "a duplicate key, in order": Case(
        ("--maintainInsertionOrder",),
        *(b'{"_id":1}{"_id":1}{"_id":2}', 1, "Failed: bulk write exception: write errors: [", 1, 1),
    ),
    "a document over 16 MB": Case(
        (), b'{"a":1}{"a":"' + b"x" * (16 << 20) + b'"}', 1, "document is too large: 16777", 1
    ),
}


def run(*arguments: str, data: bytes) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "seawall", "import", *arguments],
        input=data,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stderr.decode()


@pytest.mark.parametrize("name", CASES)
def test_bad_input(mongodb_uri: str, mongo_db: Any, name: str) -> None:
    case = CASES[name]
    place = ("--uri", mongodb_uri, "-d", mongo_db.name, "-c", "posts")
    status, words = run(*place, *case.arguments, data=case.data)
    assert (status, case.words in words) == (case.status, True), words
    there = mongo_db.posts.count_documents({})
    if case.documents is None:
        assert "imported" not in words
        assert there == 0
        return
    summary = f"{case.documents} document(s) imported successfully. {case.refused} document(s)"
    assert f"\t{summary} failed to import." in words.splitlines()[-1]
    assert there == case.documents


def test_what_cells_without_a_column_become(mongodb_uri: str, mongo_db: Any) -> None:
    place = ("--uri", mongodb_uri, "-d", mongo_db.name, "-c", "posts")
    status, _ = run(*place, *CSV, "-f", "a,b", data=b"1,2,3,x\n4\n")
    assert status == 0
    found = list(mongo_db.posts.find({}, {"_id": 0}))
    assert found == [{"a": 1, "b": 2, "field2": 3, "field3": "x"}, {"a": 4}]


def test_a_file_that_may_not_be_read(mongodb_uri: str, mongo_db: Any, tmp_path: Path) -> None:
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    status, words = run("--uri", mongodb_uri, "-d", mongo_db.name, str(loop), data=b"")
    assert status == 1
    assert f"Failed: open {loop}: too many levels of symbolic links" in words


def test_a_server_that_is_not_there(free_port: Callable[[], int]) -> None:
    status, words = run(
        *("--port", str(free_port()), "-c", "x", "--serverSelectionTimeout", "1"), data=b"{}"
    )
    assert status == 1
    assert re.search(r"error connecting to host: failed to connect to mongodb://\S+: server", words)
    assert "hint: is the server running, and are --host and --port right?" in words
    assert "imported" not in words

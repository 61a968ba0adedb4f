# ruff: noqa: E501  tables of cases are read better in long lines
"""The command line of mongoimport: what it takes, what it refuses, in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seawall.cli.commands import import_
from seawall.cli.import_flags import import_options, read_line
from seawall.cli.tool_secrets import apply_config
from seawall.transfer.failures import OptionError, SettingsError, VerbosityError
from seawall.transfer.options import ImportOptions
from seawall.transfer.progress import bar_line, shown_bytes
from seawall.transfer.server_uri import address_of
from seawall.transfer.validation import validated


def options_of(text: str) -> ImportOptions:
    return import_options(read_line(text.split()))


REFUSED = [
    ("-type=csv", "unknown option `type=csv`"),
    ("--headerl", "unknown option `headerl`"),
    ("--drop=true", "bool flag `--drop' cannot have an argument"),
    ("-c --file=x", "expected argument for flag `-c, --collection', but got option `--file=x'"),
    ("-c", "expected argument for flag `-c, --collection'"),
    ("-j x", "invalid argument for flag `-j, --numInsertionWorkers' (expected int): strconv.ParseInt: parsing \"x\": invalid syntax"),
    ("--mode replace", "Invalid value `replace' for option `--mode'. Allowed values are: insert, upsert, merge or delete"),
    ("--uri mongodb://x mongodb://y", "illegal argument combination: cannot specify a URI in a positional argument and --uri"),
    ("a --file b", "error parsing positional arguments: cannot use both --file and a positional argument to set the input file"),
    ("--delimiter ab", "--delimiter needs one ASCII character, not 'ab'"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words"), REFUSED)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        options_of(line)
    assert caught.value.message == words


def test_too_many_positionals() -> None:
    with pytest.raises(OptionError, match=r"^too many URIs found in positional arguments"):
        options_of("mongodb://x mongodb://y")
    with pytest.raises(OptionError, match="provide only one file name and only one MongoDB"):
        options_of("a b")


def test_taken() -> None:
    found = options_of(
        "-hhost:1 -d=db -c coll -uann -p=x -j-2 -vv --verbose --legacy mongodb://h/ in.json"
    )
    assert found.connection.host == "host:1"
    assert (found.database, found.collection) == ("db", "coll")
    assert (found.auth.username, found.auth.password) == ("ann", "x")
    assert found.ingest.insertion_workers == -2
    assert found.verbosity == 3
    assert found.input.files == ("in.json",)
    assert found.connection.uri == "mongodb://h/"
    assert options_of("-vv=5").verbosity == 5
    assert options_of("--type CSV --type= --fields=").input.fields == ""
    assert options_of("--drop -- -x").input.files == ("-x",)
    assert options_of("--batchSize 5000").ingest.batch_size == 1000
    assert options_of("--skip-bad-rows -c x").input.skip_bad_rows == ""
    with pytest.raises(VerbosityError):
        options_of("-vx")


SETTINGS = [
    ("-d a.b", "invalid database name: illegal character '.' found in db name 'a.b'"),
    ("-d " + "d" * 64, f"invalid database name: db name '{'d' * 64}' is longer than 63 characters"),
    ("--type xml", "unknown type xml"),
    ("--type csv", "must specify --fields, --fieldFile or --headerline to import this file type"),
    ("--type csv --fieldFile=", "--fieldFile cannot be empty string"),
    ("--type csv -f a --fieldFile b", "incompatible options: --fields and --fieldFile"),
    ("--type tsv --headerline -f a", "incompatible options: --fields and --headerline"),
    ("--type csv --headerline --parseGrace Stop", "invalid parse grace: Stop"),
    ("--type csv --headerline --legacy", "cannot use --legacy if input type is not JSON"),
    ("--headerline --fields=", "cannot use --headerline when input type is JSON"),
    ("--fields=", "cannot use --fields when input type is JSON"),
    ("--mode insert --upsertFields a", "cannot use --upsertFields with --mode=insert"),
    ("--upsertFields a.", "invalid --upsertFields argument: field `a.` cannot end with a '.'"),
    ("-c system.x", "invalid collection name: collection name 'system.x' is not allowed to begin with 'system.'"),
    ("-c a$b", "invalid collection name: illegal character '$' found in 'a$b'"),
    ("", "invalid collection name: collection name cannot be an empty string"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words"), SETTINGS)
def test_settings(line: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        validated(options_of(line), lambda _: None)
    assert caught.value.message == words


def test_defaults_are_filled_in() -> None:
    told: list[str] = []
    found = validated(options_of("--upsertFields a -j 5 dir/my.data.json"), told.append)
    assert told == ["no collection specified", "using filename `my.data` as collection"]
    assert (found.database, found.collection) == ("test", "my.data")
    assert (found.ingest.mode, found.ingest.insertion_workers) == ("upsert", 1)
    assert found.ingest.stop_on_error
    assert found.ingest.maintain_insertion_order


CONFLICTS = [
    "--uri mongodb://a/ -h b",
    "-h b:2 --port 1", "--uri mongodb://a:5/ --port 6", "--uri mongodb://a/x -d y",
    "--uri mongodb://u@a/ -u v", "--uri mongodb://a/?ssl=false --ssl", "--uri mongodb://u:p@a/ -p q",
]  # fmt: skip


@pytest.mark.parametrize("line", CONFLICTS)
def test_flags_and_uri_have_to_agree(line: str) -> None:
    asked = options_of(line)
    with pytest.raises(OptionError, match=r"^Invalid Options: Cannot specify different"):
        address_of(asked.connection, asked.tls, asked.auth, asked.database)


def test_addresses() -> None:
    asked = options_of("-h rs/a,b --port 1 --ssl --serverSelectionTimeout 2")
    found = address_of(asked.connection, asked.tls, asked.auth, "")
    assert found.hosts == ("a:1", "b:1")
    assert found.parameters == {
        "replicaSet": "rs",
        "tls": "true",
        "serverSelectionTimeoutMS": "2000",
    }
    asked = options_of("mongodb://u:p%40@a/db?w=2&wat=1&ssl=true")
    found = address_of(asked.connection, asked.tls, asked.auth, "")
    assert (found.username, found.password, found.database) == ("u", "p@", "db")
    assert (found.concern, found.ignored) == ({"w": 2}, ("wat",))
    assert found.shown == "mongodb://[**REDACTED**]@a/db?w=2&wat=1&ssl=true"
    assert "p@" not in repr(found)
    with pytest.raises(OptionError, match="port must be an integer"):
        address_of(options_of("--port abc").connection, asked.tls, asked.auth, "")


def run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    status = import_.TOOL.run(line.split())
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_what_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, words = run(capsys, "--nope")
    assert (status, out) == (1, "")
    lines = [each.partition("\t") for each in words.splitlines()]
    assert [each[2] for each in lines] == [
        "error parsing command line options: unknown option `nope`",
        "try 'seawall import --help' for more information",
    ]
    assert len(lines[0][0]) == len("2006-01-02T15:04:05.000-0700")
    assert run(capsys, "-v=x") == (255, "", "Invalid verbosity value given\n")
    assert run(capsys, "--quiet --type xml")[:2] == (1, "")
    status, out, words = run(capsys, "--help --version")
    assert (status, words) == (0, "")
    assert "--columnsHaveTypes" in out
    assert "seawall import version: " in run(capsys, "--version")[1]
    config = tmp_path / "c.yaml"
    config.write_text("user: x\n")
    assert "field user not found" in run(capsys, f"--config {config}")[2]
    assert "open nope.yaml: no such file" in run(capsys, "--config nope.yaml")[2]
    assert "invalid 'w' argument: -1" in run(capsys, "--writeConcern={w:-1}")[2]


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("password: x # why", "x"),
        ("password: x#y", "x#y"),
        ("password: 'it''s: x' # why", "it's: x"),
        ('password: "a\\tb\\"c" # why', 'a\tb"c'),
        ("---\n  password: 5\n", "5"),
        ("password:\n", ""),
        ("password: ~\n", ""),
        ("password: 'null'\n", "null"),
        ("password: yes\n", "yes"),
        ("password: 0123\n", "0123"),
        ("password: 2001-01-01\n", "2001-01-01"),
        ("password: =\n", "="),
        ('password: "\\x41\\u00e9"\n', "A\u00e9"),
        ("password:\tx\t# why\n", "x"),
        ("\ufeff'password': x\r\n...\n", "x"),
        ("password: x\n---\npassword: y\n", "x"),
    ],
)
def test_passwords_in_a_settings_file(text: str, password: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text, encoding="utf-8", newline="")
    line = read_line(["--config", str(config)])
    apply_config(line)
    assert line.take("password", None) == password


@pytest.mark.parametrize(
    "text",
    [
        *("password: 'x", 'password: "x', "password: [1]", "password: {a: 1}", "password: 'a' b"),
        *("password: x\npassword: y", "password: |\n  x", "password:x", "{password: x}"),
    ],
)
def test_settings_files_that_are_not_understood(text: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    with pytest.raises(OptionError, match=r"^error parsing config file .*: yaml: line"):
        apply_config(read_line(["--config", str(config)]))


@pytest.mark.parametrize(
    "value",
    [
        *("@sesame", "%sesame", "`sesame", "!sesame", "*sesame", "- sesame", "se: sesame"),
        *(
            "'sesame",
            '"sesame\\q"',
            "[sesame",
            "!!binary sesame",
            "[" * 200_000,
            "ses\x07ame",
            "\n  - sesame",
        ),
    ],
)
@pytest.mark.parametrize("before", ["password: ", "password:", "uri: x\npassword: ", ""])
@pytest.mark.parametrize("fast", [True, False])
def test_what_a_settings_file_holds_is_not_told(
    before: str, value: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:  # as where PyYAML was built without libyaml
        monkeypatch.delattr("yaml.CSafeLoader")
    config = tmp_path / "c.yaml"
    config.write_text(before + value + "\n", encoding="utf-8")
    line = read_line(["--config", str(config)])
    with pytest.raises(OptionError) as caught:
        apply_config(line)
    assert caught.value.message.startswith(f"error parsing config file {config}: yaml: ")
    assert "sesame" not in caught.value.message + caught.value.hint
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_uri_on_the_line_and_in_the_settings_file(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("uri: mongodb://file/\n")
    line = read_line(["--config", str(config), "--uri", "mongodb://flag/"])
    apply_config(line)
    assert line.take("uri", "") == "mongodb://flag/"
    with pytest.raises(OptionError, match="cannot specify a URI in a positional argument"):
        apply_config(read_line(["--config", str(config), "mongodb://word/"]))


def test_progress_is_told_as_by_the_original() -> None:
    assert [shown_bytes(n) for n in (512, 1536, 72456601, 261095424)] == [
        "512B",
        "1.50KB",
        "69.1MB",
        "249MB",
    ]
    assert bar_line("d.c", 0, None) == "d.c\t0B"
    assert bar_line("d.c", 12, 24) == "[############............] d.c\t12B/24B (50.0%)"


def test_a_wrong_line_loads_nothing_heavy() -> None:
    code = "import sys, seawall.cli.commands.import_; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pymongo", "pyarrow", "numpy", "orjson", "rich", "yaml"} & set(loaded)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("", None),
        ("--skip-bad-rows", ""),
        ("--skip-bad-rows=bad", "bad"),
        ("--skip-bad-rows --skip-bad-rows=bad", "bad"),
        ("--skip-bad-rows=bad --skip-bad-rows", ""),
    ],
)
def test_bad_rows_go_where_the_last_flag_says(line: str, place: str | None) -> None:
    assert options_of(line).input.skip_bad_rows == place

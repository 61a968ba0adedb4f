# ruff: noqa: E501  tables of cases are read better in long lines
"""Connection strings that are wrong, flags that contradict them, and write concerns as typed."""

from __future__ import annotations

from typing import Any

import pytest

from seawall.cli.import_flags import import_options, read_line
from seawall.transfer.concern import concern_of
from seawall.transfer.failures import OptionError
from seawall.transfer.server_uri import ServerAddress, address_of, parsed


def address(line: str) -> ServerAddress:
    asked = import_options(read_line(line.split()))
    return address_of(asked.connection, asked.tls, asked.auth, asked.database)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("mongodb://u@sesame@h/", "unescaped @ sign in user info"),
        ("mongodb://u:sesame:x@h/", "unescaped colon in password"),
        ("mongodb://u:sesame%@h/", "invalid password: invalid URL escape"),
        ("mongodb://u:sesame/x@h/", "unescaped slash in user info"),
        ("mongodb://u:sesame?x@h/", "unescaped slash in user info"),
        ("mongodb://h:1:2/", "too many colons in address"),
        ("mongodb://[::1/", "too many colons in address"),
        ("mongodb://h/?ssl=x", 'invalid value for "ssl": "x"'),
        ("mongodb://h/?journal=x", 'invalid value for "journal": "x"'),
        ("mongodb://h/?retryWrites=1", 'invalid value for "retryWrites": "1"'),
        ("mongodb://h/?w=-1", 'invalid value for "w": "-1"'),
        ("mongodb://h/?maxPoolSize=-1", 'invalid value for "maxPoolSize": "-1"'),
        ("mongodb://h/?authMechanism=FOO", 'invalid value for "authMechanism": "FOO"'),
        ("mongodb://h/?tls=false&ssl=true", "tls and ssl options, when both specified"),
    ],
)
def test_a_wrong_connection_string(uri: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        parsed(uri)
    assert words in caught.value.message
    assert "sesame" not in caught.value.message


def test_hosts_and_parameters_that_look_wrong() -> None:
    assert parsed("mongodb://[::1]:27/").hosts == ("[::1]:27",)
    assert parsed("mongodb://h/?appName=a@b").shown == "mongodb://h/?appName=a@b"
    assert parsed("mongodb://h/?w=").concern == {}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("mongodb://h/?connectTimeoutMS=5000 --dialTimeout 7", "connectTimeout"),
        ("mongodb://h/?socketTimeoutMS=5000 --socketTimeout 7", "SocketTimeout"),
        ("mongodb://h/?serverSelectionTimeoutMS=5 --serverSelectionTimeout 7", "serverSelectionTimeout"),
        ("mongodb://h/?authSource=a --authenticationDatabase b", "authSource"),
        ("mongodb://h/?authMechanism=PLAIN --authenticationMechanism GSSAPI", "authMechanism"),
        ("mongodb://h/?ssl=false --ssl", "ssl"),
    ],
)  # fmt: skip
def test_flags_that_contradict_the_connection_string(line: str, what: str) -> None:
    with pytest.raises(OptionError) as caught:
        address(line)
    assert caught.value.message.startswith(f"Invalid Options: Cannot specify different {what} in")


def test_flags_that_repeat_the_connection_string() -> None:
    found = address("mongodb://h/?connectTimeoutMS=7000 --dialTimeout 7")
    assert found.parameters["connectTimeoutMS"] == "7000"


@pytest.mark.parametrize(
    ("typed", "concern"),
    [
        ("{w:1.5}", {"w": 1}),
        ("{w:NumberInt(2)}", {"w": 2}),
        ("{w:'2'}", {"w": 2}),
        ("{w:''}", {"w": "majority"}),
        ("null", {"w": "majority"}),
        ("{j:1}", {"w": "majority", "j": True}),
        ("{j:'no'}", {"w": "majority", "j": True}),
        ("{j:0}", {"w": "majority"}),
        ("{wtimeout:NumberLong(5)}", {"w": "majority", "wtimeout": 5}),
    ],
)
def test_write_concerns(typed: str, concern: dict[str, Any]) -> None:
    assert concern_of(typed, {}) == concern


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("{w:null}", "invalid 'w' argument"),
        ("{w:NaN}", "invalid 'w' argument"),
        ("{w:true}", "invalid 'w' argument"),
        ("{wtimeout:'a'}", "invalid 'wtimeout' argument: a"),
        ("{wtimeout:-1}", "'wtimeout' field cannot be negative"),
        ("{w:0,j:true}", "cannot have both w=0 and j=true"),
    ],
)
def test_write_concerns_that_are_none(typed: str, words: str) -> None:
    with pytest.raises(OptionError, match="error constructing write concern") as caught:
        concern_of(typed, {})
    assert words in caught.value.message

"""Mosquitto's files: read as it reads them, whatever stands in them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.firmware.words import literal_of
from seawall.audit.fixing import planned
from seawall.audit.mosquitto_access import Right, parse_access
from seawall.audit.mosquitto_configuration import (
    Source,
    included_folders,
    parse_configuration,
)
from seawall.audit.mosquitto_files import (
    BrokerFiles,
    Editor,
    line_for_this_machine,
    setting_changes,
)
from seawall.audit.mosquitto_passwords import (
    Scheme,
    candidates,
    is_judged,
    parse_passwords,
    weakness_of,
)
from seawall.audit.mosquitto_settings import (
    GENERAL_SETTINGS,
    LISTENER_SETTINGS,
    SECURITY_SETTINGS,
)


def configuration(text: str, *included: str):
    others = [Source(f"{number}.conf", each.encode()) for number, each in enumerate(included)]
    return parse_configuration(Source("mosquitto.conf", text.encode()), others)


def test_without_a_listener_only_this_machine_is_heard() -> None:
    (listener,) = configuration("persistence true\n").listeners
    assert listener.is_local_only
    assert listener.is_loopback
    assert configuration("").allows_anonymous(listener)


def test_listeners_and_where_they_listen() -> None:
    found = configuration(
        "listener 1883\nlistener 8883 127.0.0.1\nlistener 0 /run/m.sock\nlistener 9001 ::1\n"
        "listener 1 localhost\nlistener 2 10.0.0.1\n"
    )
    assert [each.is_loopback for each in found.listeners] == [
        *(False, True, True, True),
        *(True, False),
    ]
    assert [each.port for each in found.listeners] == [1883, 8883, 0, 9001, 1, 2]
    assert found.listeners[2].is_socket


def test_the_default_listener_opens_by_any_of_its_settings() -> None:
    assert [each.port for each in configuration("port 1884\nlistener 1885\n").listeners] == [
        1884,
        1885,
    ]
    assert [each.port for each in configuration("max_connections 5\n").listeners] == [1883]
    (only,) = configuration("allow_anonymous true\nlistener 1885\n").listeners
    assert only.port == 1885
    (bound,) = configuration("port 1884\nbind_address 127.0.0.1\n").listeners
    assert bound.is_loopback
    assert not bound.is_local_only


def test_comments_blanks_and_line_ends() -> None:
    found = configuration("#allow_anonymous true\r\n\r\n   \n  allow_anonymous   false  \r\n")
    setting = found.general.find("allow_anonymous")
    assert setting is not None
    assert (setting.value, setting.line) == ("false", 4)
    # A comment begins in the first column alone: Mosquitto refuses this.
    assert configuration(" # no comment\n").problems[0].line == 1
    # A value is the rest of the line, with what looks like a comment.
    assert configuration("acl_file /a b # c\n").general.text("acl_file") == "/a b # c"


def test_the_first_word_of_yes_no_and_numbers_counts() -> None:
    found = configuration("allow_anonymous true x\nmax_queued_messages 7 or so\n").general
    assert found.flag("allow_anonymous")
    number = found.find("max_queued_messages")
    assert number is not None
    assert number.number == 7


def test_the_last_of_a_name_counts() -> None:
    assert (
        configuration("allow_anonymous true\nallow_anonymous 0\n").general.flag("allow_anonymous")
        is False
    )


def test_authentication_belongs_to_listeners_only_if_so_said() -> None:
    text = "listener 1\nallow_anonymous true\nlistener 2\nallow_anonymous false\n"
    whole = configuration(text)
    assert [whole.allows_anonymous(each) for each in whole.listeners] == [False, False]
    single = configuration(f"per_listener_settings true\n{text}")
    assert [single.allows_anonymous(each) for each in single.listeners] == [True, False]


def test_bridges_and_what_stands_outside_of_them() -> None:
    found = configuration("address x:1\nconnection up\naddress y:2\ntopic # both\n")
    assert [(each.line, "outside" in each.text) for each in found.problems] == [(1, True)]
    assert [each.value for each in found.bridges[0].settings] == ["y:2", "# both"]


def test_included_files_begin_outside_of_sections() -> None:
    found = configuration("listener 1\ninclude_dir d\n", "max_connections 5\n")
    assert [each.port for each in found.listeners] == [1883, 1]
    assert included_folders(Source("m", b"include_dir a b\n")) == ["a b"]


def test_unknown_and_empty_settings_are_named() -> None:
    found = configuration("allow_anonymus false\nacl_file\n")
    assert [(each.line, each.text) for each in found.problems] == [
        (1, "unknown setting `allow_anonymus`, like `allow_anonymous`"),
        (2, "a setting has no value"),
    ]


def test_access_lines() -> None:
    rules, problems = parse_access(
        Source(
            "acl",
            b"# c\ntopic read a/#\nuser x y\ntopic b\ntopic deny c\npattern write d/%u\n"
            b"topic rw e\nuser\npattern\nwhat\ntopic read\n",
        )
    )
    assert [(e.right, e.topic, e.user, e.line) for e in rules] == [
        (Right.READ, "a/#", "", 2),
        (Right.READWRITE, "b", "x y", 4),
        (Right.DENY, "c", "x y", 5),
        (Right.WRITE, "d/%u", None, 6),
        (Right.READWRITE, "read", "x y", 11),
    ]
    assert [each.line for each in problems] == [7, 8, 9, 10]


def test_how_much_a_line_opens() -> None:
    lines = ["#", "/#", "+/#", "+/+/#", "a/#", "a/+/#", "a/b/#", "a/+", "+", "a", "%u/#", "a/#/b"]
    source = Source("acl", "".join(f"topic {each}\n" for each in lines).encode())
    rules = parse_access(source)[0]
    assert [each.topic for each in rules if each.is_everything] == lines[:4]
    assert [each.topic for each in rules if each.tree] == ["a/#", "a/+/#"]
    assert {each.tree for each in rules} == {"", "a"}


def entry(user: str, password: str, rounds: int = 101, scheme: str = "7") -> bytes:
    salt = b"twelve bytes"
    if scheme == "7":
        digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
        fields = ["", "7", str(rounds)]
    else:
        digest = hashlib.sha512(password.encode() + salt).digest()
        fields = ["", "6"]
    kept = "$".join([*fields, *(base64.b64encode(each).decode() for each in (salt, digest))])
    return f"{user}:{kept}\n".encode()


def test_password_entries() -> None:
    data = entry("a", "a") + entry("b", "", scheme="6") + b"c:plain text\nd\ne:$7$0$a$b\n"
    data += b"f:$argon2id$v=19$m=1$c2FsdA$aGFzaA\n" + entry("g", "vX3-korrekt-47")
    found = parse_passwords(Source("passwd", data))
    assert [each.scheme for each in found] == [
        Scheme.PBKDF2,
        Scheme.SHA512,
        Scheme.PLAIN,
        Scheme.BROKEN,
        Scheme.BROKEN,
        Scheme.ARGON2,
        Scheme.PBKDF2,
    ]
    assert [weakness_of(each) for each in found] == [
        *("is the user's name", "is empty", None),
        *(None, None, None, None),
    ]
    assert found[2].plain_length == 10
    assert "plain text" not in repr(found[2]).replace("PLAIN: 'plain text'", "")


def test_what_stands_in_clear_is_tried_where_it_is_read_and_not_kept() -> None:
    found = parse_passwords(Source("passwd", b"admin:admin\npump:pump-123\nb:Kx9-lagoon\n"))
    assert [weakness_of(each) for each in found] == [
        "is the user's name",
        None,
        None,
    ]
    (own, usual) = parse_passwords(Source("passwd", b"pump:PUMP\nc:letmein\n"))
    assert weakness_of(own) is None
    assert weakness_of(usual) == "is in the list of usual ones (7 characters)"
    assert all(is_judged(each) for each in (*found, own, usual))
    assert "letmein" not in repr(usual)
    assert "Kx9" not in repr(found)


def test_a_hash_that_would_take_for_ever_is_left_alone() -> None:
    (slow,) = parse_passwords(
        Source("passwd", b"a:$7$2000000000$c2FsdA==$" + base64.b64encode(bytes(64)) + b"\n")
    )
    assert slow.scheme is Scheme.PBKDF2
    assert not is_judged(slow)


def test_candidates_are_few_and_each_once() -> None:
    tried = list(candidates("Sensor"))
    assert len(tried) == len(set(tried)) < 120
    assert {"Sensor", "sensor", "sensor123", "", "admin"} <= set(tried)


@pytest.mark.parametrize("password", ["micropythoN", "test1234", "zigbee2mqtt", "iot123"])
def test_what_is_usual_in_firmware_is_usual_at_the_broker(password: str) -> None:
    literal = literal_of("connect()", password, 1, certain=True)
    assert literal is not None
    assert literal.is_default
    (hashed,) = parse_passwords(Source("passwd", entry("somebody", password)))
    assert weakness_of(hashed) == f"is in the list of usual ones ({len(password)} characters)"


# Whatever stands in a file


WORDS = st.sampled_from(
    [
        *sorted(GENERAL_SETTINGS | LISTENER_SETTINGS | SECURITY_SETTINGS),
        *["listener", "connection", "address", "topic", "#", "bogus", "", "auth_opt_x"],
    ]
)
VALUES = st.sampled_from(
    ["true", "false", "1883", "1883 0.0.0.0", "0 /s", "-1", "99999999999", "/a b", "", "é", "\x00"]
)
LINES = st.builds("{}{} {}".format, st.sampled_from(["", " ", "\t"]), WORDS, VALUES)
TEXTS = st.lists(LINES | st.text(max_size=30), max_size=12).map("\n".join)


def facts_of(data: bytes) -> BrokerFiles:
    source = Source("d/mosquitto.conf", data)
    found = parse_configuration(source)
    return BrokerFiles(found, {source.path: source}, {source.path: 0o640}, (), "/d")


@given(st.binary(max_size=300) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read(data: bytes) -> None:
    facts = facts_of(data)
    lines = data.count(b"\n") + 1
    assert all(1 <= each.line <= lines for each in facts.configuration.problems)
    assert facts.configuration.listeners
    for listener in facts.configuration.listeners:
        assert listener.label
        facts.configuration.allows_anonymous(listener)
    parse_access(Source("acl", data))
    for each in parse_passwords(Source("passwd", data)):
        if is_judged(each):
            weakness_of(each)


@given(TEXTS.map(str.encode))
def test_a_change_does_what_it_says(data: bytes) -> None:
    """A setting that was set has the value then, and nothing else has changed."""
    facts = facts_of(data)
    for listener in facts.configuration.listeners:
        for section in (listener, facts.configuration.security(listener)):
            name = "max_connections" if section is listener else "allow_anonymous"
            value = "77" if section is listener else "false"
            for change in setting_changes(facts, section, {name: value}):
                after = facts_of(change.after)
                assert any(e.text(name) == value for e in after.configuration.listeners) or (
                    after.configuration.general.text(name) == value
                )
                kept = [line for line in change.before.split(b"\n") if line]
                new = change.after.split(b"\n")
                assert sum(line not in new for line in kept) <= 1
        if not listener.is_loopback and "socket" not in listener.label:
            line, editor = line_for_this_machine(listener), Editor(facts.sources)
            head = listener.head
            if head is not None:
                editor.replace(head.path, head.line, line)
            else:
                old = listener.find("bind_address")
                place = editor.replace if old else editor.add
                place(facts.configuration.main, old.line if old else 0, line)
            (change,) = editor.changes()
            before = sum(not e.is_loopback for e in facts.configuration.listeners)
            later = facts_of(change.after).configuration.listeners
            assert sum(not e.is_loopback for e in later) < before


def test_two_changes_of_one_file_come_together() -> None:
    facts = facts_of(b"listener 1\n")
    (listener,) = facts.configuration.listeners
    one = setting_changes(facts, listener, {"max_connections": "9"})[0]
    other = setting_changes(facts, facts.configuration.general, {"max_packet_size": "9"})[0]
    assert one.after == b"listener 1\nmax_connections 9\n"
    assert other.after == b"max_packet_size 9\nlistener 1\n"
    assert planned([]) == ()


def test_an_editor_keeps_undecodable_bytes() -> None:
    source = Source("m", b"# \xff\nuser root\nlast")
    (change,) = Editor({"m": source}).replace("m", 2, "user mosquitto").changes()
    assert change.after == b"# \xff\nuser mosquitto\nlast\n"

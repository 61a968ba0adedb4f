"""audit.toml: what it says, and what is said of one that is wrong."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.policy import read_policy, waived, waiver_notes
from seawall.audit.target import TargetKind
from seawall.errors import ConfigurationError
from seawall.model.finding import Confidence, Item, Result, Severity, Status, Waiver

TODAY = date(2026, 5, 1)
WAIVER = """
[[waiver]]
check = "mqtt.transport.plaintext"
reason = "the old gateway cannot speak TLS"
expires = 2026-06-01
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "audit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("secret-one\n")
    (tmp_path / "pw2").write_text("secret-two\n")
    (tmp_path / "sdkconfig").write_text("CONFIG_X=y\n")
    text = f"""
[policy]
fail_on = "high"
strict = true
profile = "etsi-303645"
silent_days = 7
minimum_firmware = {{ esp32 = "1.4.0" }}

[[target]]
at = "mqtts://broker.example"
ca = "ca.pem"
username = "audit-1"
password_file = "pw"
pin = "{"AB:" * 31}AB"
expect_ports = [8883, 443, 443]
read_only = true
openapi = "api.json"

[target.other]
username = "audit-2"
password_file = "pw2"

[[target]]
at = "sdkconfig"
name = "board"
{WAIVER}"""
    policy = read_policy(write(tmp_path, text))
    first, second = policy.targets
    assert (policy.fail_on, policy.strict, policy.profile) == (Severity.HIGH, True, "etsi-303645")
    assert policy.fleet.minimum_firmware == (("esp32", "1.4.0"),)
    assert (policy.fleet.silent_days, policy.fleet.expiring_days) == (7, 30)
    assert (first.name, first.policy) == ("mqtts://broker.example:8883", policy.fleet)
    assert first.access.ca == tmp_path / "ca.pem"
    assert first.access.openapi == str(tmp_path / "api.json")
    assert (first.access.password, first.access.pin) == ("secret-one", "ab" * 32)
    assert first.access.expect_ports == (443, 8883)
    assert not first.access.may_write
    assert first.access.other is not None
    assert first.access.other.password == "secret-two"
    assert "secret" not in repr(policy)
    assert (second.kind, second.name, second.path) == (
        TargetKind.SDKCONFIG,
        "board",
        tmp_path / "sdkconfig",
    )
    (waiver,) = policy.waivers
    assert (waiver.check, waiver.expires) == ("mqtt.transport.plaintext", date(2026, 6, 1))


def test_an_empty_one_says_nothing(tmp_path: Path) -> None:
    policy = read_policy(write(tmp_path, ""))
    assert (policy.targets, policy.waivers, policy.fail_on) == ((), (), None)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[policy\n", 1, "TOML"),
        ("\n[polcy]\n", 2, "'polcy' is unknown"),
        ("[policy]\n\nfailon = 'high'\n", 3, "'failon' in [policy] is unknown"),
        ("[policy]\nfail_on = 'bad'\n", 2, "'fail_on' in [policy] is 'bad': one of info"),
        ("[policy]\nstrict = 1\n", 2, "must be true or false"),
        ("[policy]\nsilent_days = true\n", 2, "a number of days"),
        ("policy = 1\n", 1, "write [policy]"),
        ("target = 1\n", 1, "write [[target]]"),
        ("[[target]]\nname = 'x'\n", 1, "'at' in [[target]] is missing"),
        ("[[target]]\nat = 'mqtt://a'\n\n[[target]]\nat = 'mqtt://b:x'\n", 5, "'at' in [[target]]"),
        ("[[target]]\nat = 'nowhere'\n", 2, "No such file"),
        ("[[target]]\nat = 'mqtt://a'\npassword = 'p'\n", 3, "password_file"),
        ("[[target]]\nat = 'mqtt://a'\npassword_file = 'gone'\n", 3, "is not there"),
        ("[[target]]\nat = 'mqtt://a'\nexpect_ports = [0]\n", 3, "ports are 1 to 65535"),
        ("[[target]]\nat = 'mqtt://a'\npin = 'xx'\n", 3, "64 hex digits"),
        ("[[target]]\nat = 'mqtt://a'\n[target.other]\nca = 'x'\n", 4, "'ca'"),
        ("[[target]]\nat = 'x'\nkind = 'toaster'\n", 3, "is none of mqtt"),
        (WAIVER.replace("reason", "reasons"), 4, "'reasons' in [[waiver]] is unknown"),
        (WAIVER.replace("the old gateway cannot speak TLS", " "), 4, "say why"),
        (
            "[[waiver]]\ncheck = 'a.b'\nexpires = 2026-01-01\n",
            1,
            "'reason' in [[waiver]] is missing",
        ),
        ("[[waiver]]\ncheck = 'a.b'\nreason = 'long enough'\n", 1, "'expires' in [[waiver]]"),
        (WAIVER.replace("2026-06-01", "'never'"), 5, "must be a date"),
        (WAIVER.replace("2026-06-01", "2026-06-01T00:00:00Z"), 5, "must be a date"),
        (WAIVER + "fingerprint = 'abc'\n", 6, "32 hex digits"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_field(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        read_policy(write(tmp_path, text))
    assert words in wrong.value.message
    assert f"line {line}" in wrong.value.message
    assert "audit.toml" in wrong.value.message


def test_a_secret_in_the_file_is_not_repeated(tmp_path: Path) -> None:
    text = "[[target]]\nat = 'mqtt://a'\ntoken = 'hunter2'\n"
    with pytest.raises(ConfigurationError) as wrong:
        read_policy(write(tmp_path, text))
    assert "hunter2" not in wrong.value.message + wrong.value.hint


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (2 << 20)])
def test_a_file_that_is_no_text_or_far_too_big_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"audit\.toml"):
        read_policy(path)


@given(text=st.text(max_size=200), name=st.sampled_from(["policy", "target", "waiver"]))
def test_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for full in (text, f"[{name}]\n{text}", f"[[{name}]]\nat = {text!r}\n{text}"):
        (folder / "audit.toml").write_bytes(full.encode("utf-8", "replace"))
        # Nothing but this may come out of it.
        with contextlib.suppress(ConfigurationError):
            read_policy(folder / "audit.toml")


# Waivers


def result(check: str = "a.b", status: Status = Status.FAIL, target: str = "t") -> Result:
    return Result(
        target,
        check,
        Item.SERVICES,
        status,
        Severity.HIGH,
        Confidence.HIGH,
        "e",
        None,
        None,
        "f" * 32,
    )


def test_a_waiver_covers_its_failure_until_it_expires() -> None:
    waiver = Waiver("a.b", "because", TODAY)
    results = [result(), result("a.c"), result(status=Status.UNKNOWN)]
    assert [each.waived for each in waived(results, [waiver], TODAY)] == [waiver, None, None]
    assert not any(each.waived for each in waived(results, [waiver], date(2026, 5, 2)))


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"target": "t"}, True),
        ({"target": "other"}, False),
        ({"fingerprint": "f" * 32}, True),
        ({"fingerprint": "0" * 32}, False),
    ],
)
def test_a_waiver_can_be_narrow(fields: dict[str, str], fits: bool) -> None:
    (judged,) = waived([result()], [Waiver("a.b", "because", TODAY, **fields)], TODAY)
    assert (judged.waived is not None) is fits


def test_waivers_that_do_nothing_are_named() -> None:
    waivers = [
        Waiver("a.b", "fits", TODAY),
        Waiver("a.b", "is old", date(2026, 4, 30)),
        Waiver("a.x", "is misspelt", TODAY),
        Waiver("a.c", "was mended", TODAY),
    ]
    results = [result(), result("a.c", Status.PASS)]
    notes = list(waiver_notes(waivers, results, ["a.b", "a.c"], TODAY))
    assert [
        words in note for words, note in zip(("expired", "no such", "can go"), notes, strict=True)
    ]
    assert len(notes) == 3

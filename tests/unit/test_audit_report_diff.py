"""What an audit says about an earlier one, and about files that are none."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.report import json_report
from seawall.audit.report.diff import Earlier, parse_earlier
from seawall.audit.report.terminal import change_lines
from seawall.errors import ConfigurationError
from seawall.model.finding import Result, Status
from seawall.testing.audit_sample import (
    ANONYMOUS,
    BROKER,
    CORS,
    FOREIGN_READ,
    PLAINTEXT,
    make_result,
    sample_record,
    sample_results,
)


def earlier_of(*results: Result) -> Earlier:
    report = json_report.report(sample_record(results=results))
    return parse_earlier(json.dumps(report).encode())


def failure(key: str = "", **fields: Any) -> Result:
    return make_result(ANONYMOUS, BROKER, Status.FAIL, "seen", key=key, **fields)


def test_new_gone_unchanged() -> None:
    then = earlier_of(failure("a"), failure("b"))
    changes = sample_record(results=(failure("b"), failure("c")), earlier=then).changes
    assert changes is not None
    assert [each.fingerprint for each in changes.new] == [failure("c").fingerprint]
    assert [each.fingerprint for each in changes.unchanged] == [failure("b").fingerprint]
    assert [each.fingerprint for each in changes.gone] == [failure("a").fingerprint]


def test_what_was_not_answered_is_not_gone() -> None:
    then = earlier_of(failure("a"))
    unknown = make_result(ANONYMOUS, BROKER, Status.UNKNOWN, "connection refused")
    other = make_result(PLAINTEXT, BROKER, Status.PASS, "TLS alone")
    for now in ((), (unknown,), (other,), (unknown, failure("z"))):
        changes = sample_record(results=now, earlier=then).changes
        assert changes is not None
        assert changes.gone == ()
        assert [each.fingerprint for each in changes.unchecked] == [failure("a").fingerprint]


def test_what_was_waived_since_is_not_gone() -> None:
    waiver = next(each.waived for each in sample_results() if each.check == CORS.id)
    then = earlier_of(failure("a"))
    changes = sample_record(results=(failure("a", waived=waiver),), earlier=then).changes
    assert changes is not None
    assert (len(changes.waived), changes.gone, changes.new) == (1, (), ())


def test_the_same_audit_twice_has_no_news() -> None:
    changes = sample_record(earlier=earlier_of(*sample_results())).changes
    assert changes is not None
    assert (changes.new, changes.gone, changes.unchecked, changes.waived) == ((), (), (), ())


def test_the_change_of_a_line_changes_nothing_but_evidence_may() -> None:
    then = earlier_of(failure("a"))
    moved = make_result(ANONYMOUS, BROKER, Status.FAIL, "seen elsewhere", key="a")
    changes = sample_record(results=(moved,), earlier=then).changes
    assert changes is not None
    assert len(changes.unchanged) == 1


def test_changes_are_told_in_lines() -> None:
    passed = make_result(FOREIGN_READ, BROKER, Status.PASS, "denied, 135")
    old = make_result(FOREIGN_READ, BROKER, Status.FAIL, "delivered")
    record = sample_record(results=(failure("n"), passed), earlier=earlier_of(old, failure("u")))
    assert change_lines(record) == [
        "since 2026-11-22T03:24:00Z: 1 new, 2 gone, 0 unchanged",
        "  + critical  mqtt.access.anonymous on mqtt://broker.example:1883",
        "  - critical  mqtt.access.anonymous on mqtt://broker.example:1883",
        "  - high  mqtt.acl.foreign-read on mqtt://broker.example:1883",
    ]
    assert change_lines(sample_record()) == []


WHOLE = json_report.report(sample_record())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is not JSON: Expecting value in line 1"),
        (b'{"a": "\xff"}', "is not text: byte 7 is not UTF-8"),
        (b"[]", "is not one JSON object"),
        (b"{}", "has no `schema`"),
        (b'{"schema": "seawall-audit/2"}', "has the schema 'seawall-audit/2'; this is not"),
        (b'{"schema": ["' + b"x" * 999 + b'"]}', "has the schema"),
        (b'{"schema": "seawall-audit/1"}', "the report has no text `generated_at`"),
        (b'{"schema": "seawall-audit/1", "generated_at": "x"}', "has no list of `results`"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"n": ' + b"9" * 10_000 + b"}", "a number too long"),
    ],
)
def test_a_file_that_is_no_report_is_refused_with_the_reason(text: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_earlier(text, "old.json")
    assert caught.value.reference == "bad-audit-report"
    assert str(caught.value).startswith("old.json ")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("status", "failed", "results[0] has the status 'failed'"),
        ("status", 3, "results[0] has no text `status`"),
        ("severity", "bad\x1b[2J", "results[0] has the severity"),
        ("fingerprint", None, "results[0] has no text `fingerprint`"),
        ("target", {}, "results[0] has no text `target`"),
    ],
)
def test_a_damaged_result_is_named(field: str, value: object, says: str) -> None:
    damaged = json.loads(json.dumps(WHOLE))
    damaged["results"][0][field] = value
    with pytest.raises(ConfigurationError) as caught:
        parse_earlier(json.dumps(damaged).encode())
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    damaged["results"][0] = None
    with pytest.raises(ConfigurationError, match=r"results\[0\] is not an object"):
        parse_earlier(json.dumps(damaged).encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.sampled_from(["schema", "generated_at", "results", "grade", "items"]), json_values)
def test_any_damage_is_read_or_refused(member: str, value: object) -> None:
    with contextlib.suppress(ConfigurationError):
        parse_earlier(json.dumps({**WHOLE, member: value}).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with pytest.raises(ConfigurationError):
        parse_earlier(text)

"""Grades, the order of results, what standards say, and how results read in a terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.catalogue import find_checks
from seawall.audit.report import terminal
from seawall.audit.report.grades import GRADE_OF, grade_results, worst
from seawall.audit.report.listing import listing
from seawall.audit.report.record import DatabaseAge
from seawall.audit.report.standards import (
    ETSI,
    ITEM_TITLES,
    OWASP,
    PROFILES,
    find_profile,
    unknown_references,
)
from seawall.audit.report.visible import MAX_LINE, visible_block, visible_line
from seawall.errors import UsageError
from seawall.model.finding import Grade, Item, References, Result, Severity, Status, Waiver
from seawall.testing.audit_sample import (
    ANONYMOUS,
    BROKER,
    CHECKS,
    make_result,
    sample_record,
    sample_results,
)


def result(
    status: Status, severity: Severity = Severity.HIGH, item: Item = Item.DEFAULTS
) -> Result:
    made = make_result(ANONYMOUS, BROKER, status, "seen")
    return replace(made, severity=severity, item=item)


def waived(made: Result) -> Result:
    return replace(made, waived=Waiver(made.check, "known", date(2027, 1, 1)))


def grade_of(*results: Result) -> Grade | None:
    return grade_results(results).items[Item.DEFAULTS - 1].grade


@pytest.mark.parametrize(
    ("severity", "grade"), list(zip(Severity, ("A", "B", "C", "D", "F"), strict=True))
)
def test_the_worst_failure_sets_the_grade(severity: Severity, grade: str) -> None:
    assert grade_of(result(Status.PASS), result(Status.FAIL, severity)) == grade
    # A hole is a hole, whether anything else of the item passed or not.
    assert grade_of(result(Status.FAIL, severity)) == grade


def test_unknown_is_no_pass() -> None:
    assert grade_of(result(Status.UNKNOWN)) is None
    assert grade_of(result(Status.PASS), result(Status.UNKNOWN)) == "B"
    assert grade_of(result(Status.FAIL, Severity.INFO), result(Status.UNKNOWN)) == "B"
    assert grade_of(result(Status.FAIL, Severity.MEDIUM), result(Status.UNKNOWN)) == "C"


def test_waived_and_not_applicable_count_for_nothing() -> None:
    assert grade_of(waived(result(Status.FAIL, Severity.CRITICAL))) is None
    assert grade_of(waived(result(Status.FAIL)), result(Status.PASS)) == "A"
    assert grade_of(result(Status.NOT_APPLICABLE)) is None
    assert grade_results([]).overall is None


def test_overall_is_the_worst_item() -> None:
    grades = grade_results(sample_results())
    assert grades.overall == "F"
    assert [each.grade for each in grades.items] == [
        *("D", "C", "D", "A", None, None, "D", None, "F", None)
    ]
    assert worst([None, Grade.B, Grade.C]) == "C"


statuses = st.sampled_from(Status)
results = st.builds(result, statuses, st.sampled_from(Severity), st.sampled_from(Item))


@given(st.lists(results, max_size=12), results)
def test_more_results_never_hide_a_failure(before: list[Result], more: Result) -> None:
    was, now = grade_results(before).overall, grade_results([*before, more]).overall
    if was is not None:
        assert now is not None
        assert now >= was
    if more.status is Status.FAIL:
        assert now is not None
        assert now >= GRADE_OF[more.severity]


def test_the_order_does_not_hang_on_the_order_of_results() -> None:
    some = sample_results()[:4]
    orders = {sample_record(results=each).results for each in permutations(some)}
    assert len(orders) == 1
    assert [each.severity for each in sample_record().failures] == sorted(
        (each.severity for each in sample_record().failures), reverse=True
    )


# Standards


def test_the_ten_are_the_issue_s_in_its_order() -> None:
    assert [title.split()[0] for title in ITEM_TITLES.values()] == [
        *("Weak,", "Insecure", "Insecure", "Lack", "Insecure"),
        *("Insufficient", "Insecure", "Lack", "Insecure", "Lack"),
    ]
    assert list(OWASP) == [f"I{number}" for number in range(1, 11)]


@pytest.mark.parametrize("profile", list(PROFILES.values()), ids=list(PROFILES))
def test_every_item_stands_for_something_in_every_profile(profile: object) -> None:
    found = find_profile(profile.id)  # type: ignore[attr-defined]
    for item in Item:
        assert found.of_item(item)
        assert all(each.title for each in found.of_item(item))
    assert found.source.startswith("https://")


def test_a_check_s_own_references_come_first() -> None:
    etsi = find_profile("etsi-303645")
    assert [each.id for each in etsi.of_check(ANONYMOUS.item, ANONYMOUS.references)] == ["5.5-4"]
    assert etsi.of_check(Item.UPDATES, References()) == etsi.of_item(Item.UPDATES)
    nist = find_profile("nist-8259a")
    own = nist.of_check(Item.UPDATES, References(nist=("DP",)))
    assert [(each.id, each.title) for each in own] == [("DP", "Data Protection")]


def test_an_unknown_profile_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="iso") as caught:
        find_profile("iso")
    assert "etsi-303645, nist-8259a, owasp-iot-2018" in caught.value.hint


def test_provisions_are_in_the_order_of_the_document() -> None:
    def numbers(name: str) -> list[int]:
        return [int(part) for part in name.replace("-", ".").split(".")]

    assert list(ETSI) == sorted(ETSI, key=numbers)


def test_checks_refer_to_what_the_standards_have() -> None:
    wrong = {each.id: unknown_references(each.references) for each in (*find_checks(), *CHECKS)}
    assert {name: unknown for name, unknown in wrong.items() if unknown} == {}
    assert unknown_references(References(owasp=("I11",), etsi=("9",), nist=("X",), cwe=(0,))) == [
        *("owasp I11", "etsi 9", "nist X", "cwe 0")
    ]


# Text from strangers


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_nothing_in_shown_text_acts(text: str) -> None:
    shown = visible_line(text)
    assert shown.encode("utf-8").decode() == shown
    assert not set(shown) & set(map(chr, [*range(32), *range(127, 160)]))
    assert not set(shown) & set("\u200b\u200e\u202a\u202e\u2066\u2028\ufeff\u00ad")
    assert visible_line(shown) == shown
    assert set(visible_block(text)) - set(shown) <= set("\n\t")


def test_huge_text_is_cut_and_says_so() -> None:
    shown = visible_line("x" * 5_000_000)
    assert len(shown) < MAX_LINE + 40
    assert shown.endswith("… (4,998,000 more characters)")


def test_what_is_hidden_can_be_read() -> None:
    assert (
        visible_line("a\x1b[2Jb\r\n\u202egpj.exe\udc80") == "a\\x1b[2Jb\\r\\n\\u202egpj.exe\\udc80"
    )


# The terminal


def test_the_headline_counts_what_matters() -> None:
    assert terminal.headline(sample_record()) == (
        "grade F: 1 critical, 4 high, 1 medium, 1 low, 1 info; "
        "2 unknown; 1 waived; 4 of 10 items not assessed"
    )
    assert terminal.headline(sample_record(results=())) == (
        "grade none (nothing was assessed): nothing was found out; 10 of 10 items not assessed"
    )
    dead = [each for each in sample_record().results if each.status is Status.UNKNOWN]
    assert terminal.headline(sample_record(results=dead)).startswith(
        "grade none (nothing was assessed): nothing was found out; 2 unknown"
    )
    sound = [each for each in sample_record().results if each.status is Status.PASS]
    assert "nothing to mend" in terminal.headline(sample_record(results=sound))


def test_rows_have_their_columns() -> None:
    record = sample_record()
    for columns, rows, count in (
        (terminal.ITEM_COLUMNS, terminal.item_rows(record), 10),
        (terminal.WAIVER_COLUMNS, terminal.waiver_rows(record), 1),
    ):
        assert len(rows) == count
        assert {len(row) for row in rows} == {len(columns)}
    assert terminal.place_of(record.failures[0]) == BROKER.name
    assert terminal.place_of(record.failures[5]) == "/etc/mosquitto/mosquitto.conf:1"


def test_the_ten_fit_into_a_terminal_of_80_columns() -> None:
    lines = terminal.item_lines(sample_record())
    assert len(lines) == 11
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["weakness", "grade", "failed", "unknown", "passed", "waived"]
    assert lines[10].split()[:5] == ["10", "Lack", "of", "physical", "hardening"]


@given(st.text("ab `-…", max_size=200), st.integers(1, 120), st.sampled_from(["", "  Fix: "]))
def test_wrapped_prose_keeps_its_words_and_fits(text: str, width: int, beginning: str) -> None:
    line = beginning + "x " + text.rstrip()
    shown = terminal.wrapped(line, width)
    assert " ".join(shown).split() == line.split()
    longest = max(map(len, line.split()))
    assert all(len(each) <= max(width, 20, longest + 7) for each in shown)


def test_what_is_copied_is_never_wrapped() -> None:
    command = "    mosquitto_pub " + "-t topic " * 20
    assert terminal.wrapped(command, 40) == [command]


def test_a_finding_is_told_with_its_fix() -> None:
    record = sample_record()
    lines = terminal.finding_lines(record, record.failures[0])
    assert lines[0] == "CRITICAL  The broker lets anybody in"
    assert "    +allow_anonymous false" in lines
    key = next(each for each in record.failures if each.evidence.startswith("mode 0644"))
    assert "    chmod 600 greenhouse-1/key.der" in terminal.finding_lines(record, key)


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_no_line_for_the_terminal_acts(text: str) -> None:
    hostile = make_result(ANONYMOUS, text, Status.FAIL, text)
    record = sample_record(results=(hostile,), faults=(text,))
    lines = terminal.finding_lines(record, record.failures[0])
    lines += [terminal.place_of(each) for each in record.failures] + [*record.faults]
    assert all(line.isprintable() or visible_line(line) == line for line in lines)


def test_the_database_s_age_is_told() -> None:
    assert terminal.database_line(sample_record(database=None)) is None
    old = sample_record(database=DatabaseAge(date(2025, 1, 1), 690, is_too_old=True))
    assert "690 days old: too old" in (terminal.database_line(old) or "")


def test_the_list_of_checks_is_whole() -> None:
    listed = listing(CHECKS)
    assert [each["item"] for each in listed] == sorted(each["item"] for each in listed)
    assert {each["id"] for each in listed} == {each.id for each in CHECKS}
    assert set(listed[0]) == {
        *("id", "title", "item", "item_title", "kinds", "risk"),
        *("severity", "needs", "references", "why"),
    }


def test_the_report_looks_like_the_dashboard() -> None:
    package = Path(terminal.__file__).parents[2]
    ours = (package / "audit" / "report" / "page" / "report.css").read_text(encoding="utf-8")
    theirs = (package / "web" / "static" / "css" / "base.css").read_text(encoding="utf-8")
    blocks = [text.split("{", 1)[1].split("}")[0] for text in (theirs, ours)]
    light = [{line.strip() for line in block.splitlines()} for block in blocks]
    assert light[0] == light[1]
    dark = theirs.split(':root[data-look="dark"] {')[1].split("}")[0]
    assert {line.strip() for line in dark.splitlines()} <= {
        line.strip() for line in ours.splitlines()
    }

"""The HTML report holds what was found, and nothing in it can act."""

from __future__ import annotations

import json
import re
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.audit.report import html
from seawall.audit.report.diff import parse_earlier
from seawall.audit.report.json_report import report
from seawall.audit.report.record import AuditRecord, DatabaseAge
from seawall.audit.report.standards import PROFILES
from seawall.audit.report.visible import visible_line
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import ChangeText, Fix, Location, Status, Waiver
from seawall.testing.audit_sample import (
    ANONYMOUS,
    make_check,
    make_result,
    sample_record,
    sample_results,
)


class Outline(HTMLParser):
    """Tags with their attributes' names and values, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_record(text: str) -> AuditRecord:
    check = make_check("made.up.check", text, ANONYMOUS.item, ANONYMOUS.severity, text)
    waiver = Waiver(check.id, text, date(2027, 1, 1))
    fix = Fix(text, text, (ChangeText(text, b"a\n", f"{text}\n".encode("utf-8", "replace")),))
    named = [
        make_result(
            check,
            text,
            status,
            text,
            location=Location(text),
            fix=fix,
            reproduce=text,
            waived=waived,
        )
        for status, waived in (*((status, None) for status in Status), (Status.FAIL, waiver))
    ]
    targets = (Target(TargetKind.API, text),)
    return sample_record(results=named, checks=(check,), targets=targets, faults=(text,))


texts = st.one_of(
    st.text(
        st.characters(exclude_categories=[], exclude_characters="`\n"), min_size=1, max_size=30
    ),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "</style></script><img src=x onerror=alert(1)>",
            '" onmouseover="alert(1)',
            "{{ 7 * 7 }}{% raw %}",
            "<!--",
            "]]>",
            "&lt;b&gt;&#60;",
            "javascript:alert(1)",
            "\x1b[2J\u202e\u2066",
        ]
    ),
)


@settings(max_examples=60)
@given(texts)
def test_no_text_becomes_markup(text: str) -> None:
    hostile, calm = (
        Outline(html.page(hostile_record(text))),
        Outline(html.page(hostile_record("x"))),
    )
    assert hostile.tags == calm.tags
    assert hostile.attributes == calm.attributes
    assert visible_line(text) in hostile.text


def test_backticks_are_code_and_nothing_else() -> None:
    assert str(html.prose("set `a<b>` and `c`")) == "set <code>a&lt;b&gt;</code> and <code>c</code>"
    assert str(html.prose("one ` alone")) == "one ` alone"
    assert str(html.prose("`a` then ` alone")) == "<code>a</code> then ` alone"


@given(st.text("`<&a ", max_size=20))
def test_prose_loses_only_backticks(text: str) -> None:
    told = Outline(str(html.prose(text)))
    assert set(told.tags) <= {"code"}
    assert told.text.replace("`", "") == text.replace("`", "")


def test_the_page_asks_for_nothing() -> None:
    page = html.page(sample_record())
    outline = Outline(page)
    assert not {"img", "iframe", "object", "embed", "base", "form", "video"} & set(outline.tags)
    loads = [
        (name, value) for name, value in outline.attributes if name in {"src", "srcset", "href"}
    ]
    assert all(
        value == "data:," or value.startswith(("#finding-", "https://cwe.mitre.org/"))
        for _, value in loads
    )
    style = page[page.index("<style>") : page.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert not [name for name, _ in outline.attributes if name.startswith("on") or name == "style"]


def test_the_policy_allows_its_own_style_and_script_alone() -> None:
    page = html.page(sample_record())
    found = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert found
    policy = found[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_everything_is_told() -> None:
    page = Outline(html.page(sample_record())).text
    for result in sample_results():
        for part in result.evidence.split("`"):
            assert part in page
        assert result.fingerprint in page or result.status is not Status.FAIL or result.waived
    assert "chmod 600 greenhouse-1/key.der" in page
    assert "database of 30 October 2026, 23 days old" in page
    assert "Read-only status page for the museum" in page
    assert "4 of 10 items not assessed" in page


@pytest.mark.parametrize("profile", ["etsi-303645", "nist-8259a"])
def test_another_standard_has_its_table(profile: str) -> None:
    page = Outline(html.page(sample_record(profile=PROFILES[profile]))).text
    assert PROFILES[profile].title in page
    assert "titles shortened" in page


def test_changes_an_old_database_and_faults_are_told() -> None:
    earlier = parse_earlier(json.dumps(report(sample_record())).encode())
    page = Outline(
        html.page(
            sample_record(
                earlier=earlier,
                results=sample_results()[3:],
                database=DatabaseAge(date(2025, 1, 1), 690, is_too_old=True),
                faults=("check `a.b` raised KeyError",),
            )
        )
    ).text
    assert "0 new · 0 gone · 5 unchanged · 3 not answered this time" in page
    assert "Too old: what it does not know counts as unknown" in page
    assert "The audit itself had 1 fault" in page


def test_a_flood_of_results_is_cut_and_counted() -> None:
    flood = [
        make_result(ANONYMOUS, "t", Status.PASS, f"seen {place}", key=str(place))
        for place in range(html.MAX_ROWS + 5)
    ]
    page = html.page(sample_record(results=flood))
    assert page.count("seen ") == html.MAX_ROWS
    assert "5 more results: all of them are in the JSON report." in page


def test_an_empty_audit_has_a_page() -> None:
    page = html.page(sample_record(results=(), targets=(), checks=(), database=None, seconds=None))
    assert "Nothing was assessed" in page
    assert "Nothing was found out" in page
    assert "No open finding." not in page
    sound = [each for each in sample_record().results if each.status is Status.PASS]
    assert "No open finding." in html.page(sample_record(results=sound))

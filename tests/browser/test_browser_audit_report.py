"""The audit's report in Chromium: on screen, in the dark, on a phone, on paper, without script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from seawall.audit.report import html
from seawall.audit.report.diff import parse_earlier
from seawall.audit.report.json_report import report
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.standards import PROFILES
from seawall.model.finding import Status
from seawall.testing.audit_sample import (
    ANONYMOUS,
    BROKER,
    make_check,
    make_result,
    sample_record,
    sample_results,
)

pytestmark = pytest.mark.browser

ATTACK = (
    "</style></script><img src=http://evil.invalid/x onerror=\"document.title='owned'\">"
    "<script>document.title='owned'</script>"
)


@pytest.fixture
def open_report(new_page: Callable[..., Page], tmp_path: Path) -> Callable[..., Page]:
    """Return a function that writes a report and opens the file."""

    def open_file(record: AuditRecord, **options: Any) -> Page:
        path = tmp_path / "report.html"
        path.write_text(html.page(record), encoding="utf-8")
        page = new_page(**options)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
        assert requests == [path.as_uri()], "one file, and nothing from elsewhere"
        return page

    return open_file


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_reads_well_and_is_accessible(
    open_report: Callable[..., Page],
    violations: Callable[[Page], list[str]],
    screenshot: Callable[..., Path],
    dark: bool,
) -> None:
    earlier = parse_earlier(
        json.dumps(report(sample_record(results=sample_results()[2:]))).encode()
    )
    # The checker is put in from outside, which the report's own policy forbids.
    page = open_report(sample_record(earlier=earlier), dark=dark, bypass_csp=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("Security audit")
    expect(page.locator(".grade.large")).to_have_text("F")
    expect(page.locator(".tile")).to_have_count(10)
    expect(page.locator(".index tbody tr")).to_have_count(8)
    expect(page.locator("article.finding")).to_have_count(8)
    expect(page.get_by_text("New", exact=True).first).to_be_visible()
    screenshot(page, f"audit-report-{'dark' if dark else 'light'}")
    assert violations(page) == []


def test_passes_are_folded_away(open_report: Callable[..., Page]) -> None:
    page = open_report(sample_record())
    seen = page.get_by_text("a root of trust of 3 keys, threshold 2")
    expect(seen).to_be_hidden()
    page.get_by_text("3 weaknesses looked for and not found").click()
    expect(seen).to_be_visible()


def test_a_fix_is_copied_exactly(open_report: Callable[..., Page]) -> None:
    page = open_report(sample_record(), permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="A private key that others can read").click()
    finding = page.locator("article:target")
    finding.get_by_role("button", name="Copy the command").click()
    expect(finding.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "chmod 600 greenhouse-1/key.der"
    first = page.locator("article.finding").first
    first.get_by_role("button", name=re.compile("^Copy the change")).click()
    expect(first.get_by_text("Copied")).to_be_visible()
    diff = report(sample_record())["results"][0]["fix"]["diff"]
    assert page.evaluate("navigator.clipboard.readText()") == diff


def test_hostile_evidence_stays_text(open_report: Callable[..., Page]) -> None:
    check = make_check("a.b", ATTACK, ANONYMOUS.item, ANONYMOUS.severity, ATTACK)
    results = [make_result(check, BROKER, each, ATTACK, reproduce=ATTACK) for each in Status]
    page = open_report(sample_record(results=results, checks=(check,), faults=(ATTACK,)))
    assert page.title().startswith("Security audit, grade F")
    expect(page.get_by_text(ATTACK).first).to_be_visible()
    assert page.locator("img").count() == 0


def test_a_phone_needs_no_sideways_scrolling(
    open_report: Callable[..., Page], screenshot: Callable[..., Path]
) -> None:
    long = replace(sample_results()[0], evidence="x" * 1500, target="mqtt://" + "a" * 300)
    page = open_report(sample_record(results=(long, *sample_results()[1:])), width=390)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    screenshot(page, "audit-report-phone")


def test_it_is_whole_without_script(open_report: Callable[..., Page]) -> None:
    page = open_report(sample_record(), java_script_enabled=False)
    expect(page.locator("pre").first).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    page.get_by_text("3 weaknesses looked for and not found").click()
    expect(page.get_by_text("a root of trust of 3 keys, threshold 2")).to_be_visible()


def test_paper_is_a4_and_unfolded(open_report: Callable[..., Page], repository: Path) -> None:
    page = open_report(sample_record(profile=PROFILES["etsi-303645"]), dark=True)
    path = repository / "build" / "screenshots" / "audit-report.pdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    pdf = page.pdf(path=path, prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)\s*\]", pdf)
    assert boxes
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(595, 842)}
    page.emulate_media(media="print")
    background = "getComputedStyle(document.querySelector('.panel')).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    expect(page.locator(".copy").first).to_be_hidden()
    expect(page.get_by_text("a root of trust of 3 keys, threshold 2")).to_be_visible()

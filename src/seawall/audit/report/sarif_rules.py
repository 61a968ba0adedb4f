"""What a SARIF log says of the tool: rules with help, and the taxonomies that they point to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from seawall.audit.check import Check
from seawall.audit.report.standards import ITEM_TITLES, PROFILES
from seawall.audit.report.visible import visible_line
from seawall.model.finding import Result, Severity

LEVELS: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
SCORES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
    Severity.INFO: "0.0",
}
"""``security-severity``, in the middle of the bands in which GitHub calls it by our names."""

_CWE: Final = "CWE"


def plain_message(text: str) -> str:
    """Return text that SARIF shows as it is, whatever stands in it.

    Braces are placeholders (SARIF 2.1.0, 3.11.5) and ``[text](target)`` is a link (3.11.6),
    in messages that call themselves plain as well: evidence must not become a link.
    """
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def markdown_text(text: str) -> str:
    """Return text in which Markdown and HTML find nothing to obey."""
    escaped = "".join(f"\\{each}" if each in "\\`*_{}[]()#+!|~-.>" else each for each in text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def rule(check: Check) -> dict[str, Any]:
    """Return the reporting descriptor of a check."""
    item = ITEM_TITLES[check.item]
    tags = ["security", f"item-{check.item.value}"]
    tags += [f"external/cwe/cwe-{each:03d}" for each in check.references.cwe]
    return {
        "id": check.id,
        "name": _pascal(check.id),
        "shortDescription": {"text": plain_message(visible_line(check.title))},
        "fullDescription": {"text": plain_message(visible_line(check.why))},
        "help": {
            "text": plain_message(f"{visible_line(check.why)}\n\nItem {check.item.value}: {item}."),
            "markdown": _help(check),
        },
        "defaultConfiguration": {"level": LEVELS[check.severity]},
        "relationships": [
            {"target": {"id": key, "toolComponent": {"name": name}}, "kinds": ["relevant"]}
            for name, key in _references(check)
        ],
        "properties": {
            "tags": tags,
            "precision": "high",
            "security-severity": SCORES[check.severity],
            "problem.severity": {"error": "error", "warning": "warning"}.get(
                LEVELS[check.severity], "recommendation"
            ),
        },
    }


def unlisted_rule(result: Result) -> dict[str, Any]:
    """Return a rule for a result whose check is not known any more."""
    return {
        "id": result.check,
        "shortDescription": {"text": plain_message(result.check)},
        "defaultConfiguration": {"level": LEVELS[result.severity]},
        "properties": {"tags": ["security", f"item-{result.item.value}"]},
    }


def _pascal(check_id: str) -> str:
    return "".join(part.capitalize() for part in check_id.replace(".", "-").split("-"))


def _help(check: Check) -> str:
    lines = [
        f"**{markdown_text(visible_line(check.title))}**",
        markdown_text(visible_line(check.why)),
        f"Item {check.item.value} of ten: {markdown_text(ITEM_TITLES[check.item])}.",
    ]
    named = [f"- {_titled(name, key)}" for name, key in _references(check)]
    return "\n\n".join([*lines, "\n".join(named)] if named else lines)


def _titled(name: str, key: str) -> str:
    if name == _CWE:
        return f"[CWE\\-{key}](https://cwe.mitre.org/data/definitions/{key}.html)"
    profile = PROFILES[name]
    title = profile.provisions.get(key, "")
    return markdown_text(f"{profile.title} {key}{': ' if title else ''}{title}")


def _references(check: Check) -> list[tuple[str, str]]:
    """Return (taxonomy, taxon) of a check, each once."""
    found = [
        (name, provision.id)
        for name, profile in PROFILES.items()
        for provision in profile.of_check(check.item, check.references)
    ]
    found += [(_CWE, str(each)) for each in check.references.cwe]
    return list(dict.fromkeys(found))


def taxonomies(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Return the standards that the rules point to, with the provisions that they name."""
    used: dict[str, set[str]] = {}
    for check in checks:
        for name, key in _references(check):
            used.setdefault(name, set()).add(key)
    parts = [_standard(name, used[name]) for name in PROFILES if name in used]
    return parts + ([_cwe(sorted(used[_CWE], key=int))] if _CWE in used else [])


def _standard(name: str, ids: set[str]) -> dict[str, Any]:
    profile = PROFILES[name]
    ordered = [each for each in profile.provisions if each in ids]
    ordered += sorted(ids - set(ordered))
    taxa: list[dict[str, Any]] = [{"id": each} for each in ordered]
    for taxon in taxa:
        if title := profile.provisions.get(taxon["id"]):
            taxon["shortDescription"] = {"text": title}
    return {
        "name": name,
        "fullName": f"{profile.title} {profile.edition}",
        "organization": profile.publisher,
        "version": profile.edition,
        "informationUri": profile.source,
        "shortDescription": {"text": f"{profile.title}, {profile.edition}"},
        "isComprehensive": False,
        "taxa": taxa,
    }


def _cwe(ids: Sequence[str]) -> dict[str, Any]:
    return {
        "name": _CWE,
        "fullName": "Common Weakness Enumeration",
        "organization": "MITRE",
        "informationUri": "https://cwe.mitre.org/",
        "shortDescription": {"text": "The MITRE Common Weakness Enumeration"},
        "isComprehensive": False,
        "taxa": [
            {"id": each, "helpUri": f"https://cwe.mitre.org/data/definitions/{each}.html"}
            for each in ids
        ],
    }

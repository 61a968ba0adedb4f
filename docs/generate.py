"""Writes the reference pages that the code knows best.

./run docs            write the pages of docs/reference that `PAGES` names
./run docs --check    exit 1 if a page differs from the code
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import inspect
import json
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import click

from seawall import errors
from seawall.audit.catalogue import find_checks
from seawall.audit.report import json_report
from seawall.audit.report.diff import SCHEMA
from seawall.audit.report.listing import listing
from seawall.audit.report.standards import ITEM_TITLES, PROFILES
from seawall.cli import exit_codes
from seawall.cli.main import cli
from seawall.model import installation
from seawall.model.finding import Item

ROOT: Final = Path(__file__).resolve().parent.parent
REFERENCE: Final = ROOT / "docs" / "reference"
SOURCE: Final = ROOT / "src" / "seawall"

SCREENSHOTS: Final = ROOT / "build" / "screenshots"
PICTURES: Final = {"fleet-light.png": "fleet.png", "device-light.png": "device.png"}
"""What the browser tests made, and its name in docs/pictures."""

CITED: Final = {"owasp": "owasp-iot-2018", "etsi": "etsi-303645", "nist": "nist-8259a"}
"""Members of a check's references, and the standards that they cite."""

NOTE: Final = "<!-- Written by ./run docs from the code. To change it, change the code. -->\n"


# Markdown


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"
    )


def _code(text: str) -> str:
    """Docstrings quote code with two backticks, or one around names; Markdown has one."""
    return text.replace("``", "`")


# Settings


def settings_page() -> str:
    """Return the page of every setting: name, type, default, meaning."""
    parts = [
        NOTE,
        "# Settings\n",
        "`seawall.toml` in the state directory. `seawall init` writes it; what is left out keeps\n"
        "its default; an unknown name is refused, with the names that are known.\n",
    ]
    top: list[tuple[str, ...]] = []
    sections: list[str] = []
    hints = get_type_hints(installation.Settings)
    for field in dataclasses.fields(installation.Settings):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            sections += [f"## [{field.name}]\n", _section(kind)]
        else:
            meaning = _after_attributes(installation.Settings).get(field.name, "")
            top.append((f"`{field.name}`", _type(kind), f"`{_default(field)}`", _code(meaning)))
    parts += [_table(("setting", "type", "default", "meaning"), top), *sections]
    return "\n".join(parts)


def _section(kind: Any) -> str:
    hints, meanings = get_type_hints(kind), _attributes(kind)
    rows = [
        (
            f"`{field.name}`",
            _type(hints[field.name]),
            f"`{_default(field)}`",
            _code(meanings.get(field.name, "")),
        )
        for field in dataclasses.fields(kind)
    ]
    return _table(("setting", "type", "default", "meaning"), rows)


def _type(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"list of {_type(get_args(kind)[0])}"
    if choices := get_args(kind):
        return " or ".join(f'`"{choice}"`' for choice in choices)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    return names.get(kind.__name__, kind.__name__)


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _attributes(kind: Any) -> dict[str, str]:
    """Return the ``Attributes:`` of a Google docstring."""
    _, _, listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    meanings: dict[str, str] = {}
    name = ""
    for line in listed.splitlines():
        if started := re.match(r"    (\w+): (.*)", line):
            name = started[1]
            meanings[name] = started[2]
        elif name and line.startswith("        "):
            meanings[name] += " " + line.strip()
    return meanings


def _after_attributes(kind: Any) -> dict[str, str]:
    """Return the strings that stand after attributes and members, as their docstrings."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    meanings: dict[str, str] = {}
    name = ""
    for node in getattr(body, "body", []):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                meanings[name] = text
    return meanings


# Commands


def commands_page() -> str:
    """Return the page of every command with its options."""
    parts = [
        NOTE,
        "# Commands\n",
        "Data goes to standard output, words to standard error. What the exit statuses mean is\n"
        "in [exit-codes.md](exit-codes.md). In a checkout, type `./run seawall`.\n",
    ]
    parts += [_command(command, name) for name, command in walk_commands()]
    return "\n".join(parts)


def walk_commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be typed, with its full name."""

    def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name)
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                if found is not None and not found.hidden:
                    yield from walk(found, f"{name} {child}")

    yield from walk(cli, "seawall")


def _command(command: click.Command, name: str) -> str:
    level = "#" * (1 + len(name.split()[:2]))
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"{level} {name}\n", f"```\n{usage}\n```\n"]
    parts += [f"{_as_text(text)}\n" for text in (command.help, command.epilog) if text]
    rows = [
        _option(option, context)
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    if rows:
        parts.append(_table(("option", "meaning"), rows))
    return "\n".join(parts)


def _as_text(text: str) -> str:
    """Turn click's help into Markdown; what click keeps as it is typed becomes code."""
    paragraphs = inspect.cleandoc(text.replace("\f", "")).split("\n\n")
    return "\n\n".join(_paragraph(paragraph) for paragraph in paragraphs)


def _paragraph(text: str) -> str:
    mark, newline, typed = text.partition("\n")
    return f"```\n{typed}\n```" if mark.strip() == "\b" and newline else _code(text)


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    name, meaning = option.get_help_record(context) or ("", "")
    return f"`{name}`", _code(meaning)


# Errors and exit codes


def errors_page() -> str:
    """Return the page of every error reference, with what is said and what to do."""
    parts = [
        NOTE,
        "# Errors\n",
        "Every error has a reference that stays the same, a message and often a hint. In a\n"
        "message, `{...}` stands for what is filled in. `--json` output and logs carry the\n"
        "reference. Refused messages are no errors: see [refusals.md](refusals.md).\n",
    ]
    raised = _raised()
    kinds = {kind.__name__: kind for kind in _error_kinds()}
    references = sorted({kind.reference for kind in kinds.values()} | set(raised))
    for reference in references:
        parts.append(f"## {reference}\n")
        own = [kind for kind in kinds.values() if kind.__dict__.get("reference") == reference]
        parts += [f"{_code(inspect.getdoc(kind) or '')}\n".split("\nArgs:")[0] for kind in own]
        codes = {exit_codes.exit_code_of(kind("")) for kind in own}
        codes |= {exit_codes.exit_code_of(kinds[name]("")) for name, _, _ in raised[reference]}
        parts.append(f"Exit status {' or '.join(str(int(code)) for code in sorted(codes))}.\n")
        rows = sorted(
            {(f"`{said}`", f"`{hint}`" if hint else "") for _, said, hint in raised[reference]}
        )
        if rows:
            parts.append(_table(("message", "hint"), rows))
    return "\n".join(parts)


def _error_kinds() -> Iterator[type[errors.SeawallError]]:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.SeawallError):
            yield kind


def _raised() -> dict[str, list[tuple[str, str, str]]]:
    """Return what the code raises: reference to (kind, message, hint)."""
    kinds = {kind.__name__: kind.reference for kind in _error_kinds()}
    raised: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in kinds:
                    given = {each.arg: each.value for each in node.keywords}
                    reference = _literal(given.get("reference")) or kinds[name]
                    said = _literal(node.args[0]) if node.args else ""
                    raised[reference].append((name, said, _literal(given.get("hint"))))
    return raised


def _literal(node: ast.expr | None) -> str:
    """Return the text of a string in the source; ``{...}`` for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_literal(value) for value in values)
        case ast.FormattedValue(value=value):
            return "{" + ast.unparse(value).replace("`", "") + "}"
        case None:
            return ""
        case _:
            return "{" + ast.unparse(node).replace("`", "") + "}"


def exit_codes_page() -> str:
    """Return the page of exit statuses."""
    meanings = _after_attributes(exit_codes.ExitCode)
    by_code = defaultdict(list)
    for kind in _error_kinds():
        by_code[exit_codes.exit_code_of(kind(""))].append(f"`{kind.reference}`")
    rows = [
        (
            str(int(code)),
            code.name.lower().replace("_", " "),
            _code(meanings.get(code.name, "")),
            ", ".join(by_code[code]),
        )
        for code in exit_codes.ExitCode
    ]
    table = _table(("status", "name", "meaning", "errors"), rows)
    return "\n".join([NOTE, "# Exit statuses\n", table, _audit_exit_codes()])


def _audit_exit_codes() -> str:
    meanings = _after_attributes(exit_codes.AuditExitCode)
    rows = [
        (str(int(code)), code.name.lower(), _code(meanings[code.name]))
        for code in exit_codes.AuditExitCode
    ]
    title = "## Of `seawall audit`\n\nAs scanners have it. Ctrl-C is 130 here as well.\n"
    return f"{title}\n{_table(('status', 'name', 'meaning'), rows)}"


# Checks of the audit


def checks_page() -> str:
    """Return the page of what ``seawall audit`` looks for; from ``--list-checks``."""
    checks = listing(find_checks())
    parts = [
        NOTE,
        "# Checks\n",
        f"The {len(checks)} checks of `seawall audit`, by the ten items that they belong to;\n"
        "`seawall audit --list-checks --json` prints the same. Each says what is wrong if it\n"
        "fails, and what somebody does with it. The risk is what a check does to its target:\n"
        "`read` looks, or connects without signing in; `login` signs in; `write` leaves a trace.\n"
        "A check whose input is missing is unknown, never passed.\n",
        _table(
            ("item", "title", "checks"),
            [_item_row(item, title, checks) for item, title in ITEM_TITLES.items()],
        ),
    ]
    for item, title in ITEM_TITLES.items():
        parts.append(f"## {item.value} {title}\n")
        here = [check for check in checks if check["item"] == item.value]
        parts += [_check(check) for check in here] or ["No check yet.\n"]
    parts += ["## Standards\n", _standards(), *_provisions(checks)]
    return "\n".join(parts)


def _item_row(item: Item, title: str, checks: list[dict[str, Any]]) -> tuple[str, str, str]:
    anchor = re.sub(r"[^\w\- ]", "", f"{item.value} {title}".lower()).replace(" ", "-")
    count = sum(check["item"] == item.value for check in checks)
    return str(item.value), f"[{title}](#{anchor})", str(count)


def _check(check: dict[str, Any]) -> str:
    facts = [
        f"severity {check['severity']}",
        f"risk {check['risk']}",
        "targets " + ", ".join(f"`{kind}`" for kind in check["kinds"]),
    ]
    if check["needs"]:
        facts.append(
            "needs " + ", ".join(f"`--{name.replace('_', '-')}`" for name in check["needs"])
        )
    named = [
        f"{PROFILES[profile].title} {', '.join(check['references'][key])}"
        for key, profile in CITED.items()
        if check["references"][key]
    ]
    named += [
        f"[CWE-{number}](https://cwe.mitre.org/data/definitions/{number}.html)"
        for number in check["references"]["cwe"]
    ]
    lines = [f"### {check['id']}\n", f"**{check['title']}.** {_code(check['why'])}\n"]
    lines += ["; ".join(facts).capitalize() + ".\n"]
    return "\n".join(lines + (["; ".join(named) + ".\n"] if named else []))


def _standards() -> str:
    rows = [
        (f"`{each.id}`", f"[{each.title}]({each.source})", each.edition, each.publisher)
        for each in PROFILES.values()
    ]
    return _table(("profile", "standard", "edition", "publisher"), rows)


def _provisions(checks: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what checks cite of the standards that do not have ten items."""
    yield (
        "Titles of ETSI's provisions are shortened here; the document is binding. Which check\n"
        "belongs to which provision is our reading of it: a check that passes shows a part of a\n"
        "provision, and conformity is assessed by people (ETSI TS 103 701).\n"
    )
    for key, profile in CITED.items():
        if profile == "owasp-iot-2018":
            continue
        rows = []
        for number, title in PROFILES[profile].provisions.items():
            count = sum(number in check["references"][key] for check in checks)
            if count:
                rows.append((number, title, str(count)))
        yield _table((PROFILES[profile].title, "", "checks"), rows)


# The audit's report


def audit_report_page() -> str:
    """Return the page of the members of the audit's JSON report, from its schema."""
    schema = json_report.json_schema()
    parts = [
        NOTE,
        "# The audit's report as JSON\n",
        f"What `seawall audit --json` prints is one object, of the schema `{SCHEMA}`. Its JSON\n"
        "Schema (2020-12) is `seawall/audit/report/audit-report.schema.json` in the package.\n"
        f"{schema['description']}\n",
        _members(schema),
    ]
    for name, part in schema["$defs"].items():
        if "properties" in part:
            parts += [f"## {name}\n", _members(part)]
    return "\n".join(parts)


def _members(schema: dict[str, Any]) -> str:
    rows = [
        (
            f"`{name}`" if name in schema["required"] else f"`{name}`, optional",
            _kind(part),
            _code(part.get("description", "")),
        )
        for name, part in schema["properties"].items()
    ]
    return _table(("member", "value", "meaning"), rows)


def _kind(part: dict[str, Any]) -> str:
    match part:
        case {"$ref": str(place)}:
            name = place.rpartition("/")[2]
            refers = json_report.json_schema()["$defs"][name]
            return f"[{name}](#{name})" if "properties" in refers else _kind(refers)
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"enum": values}:
            return ", ".join(f"`{json.dumps(value)}`" for value in values)
        case {"anyOf": kinds}:
            return " or ".join(_kind(each) for each in kinds)
        case {"type": "array", "items": items}:
            return f"list of {_kind(items)}"
        case {"type": "object", "properties": members}:
            return "object of " + ", ".join(f"`{name}`: {_kind(m)}" for name, m in members.items())
        case {"type": list(kinds)}:
            return " or ".join(_kind({**part, "type": kind}) for kind in kinds)
        case {"type": str(kind)}:
            words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
            return part.get("format", words.get(kind, kind))
        case _:
            raise ValueError(f"a kind of schema that this page cannot tell: {part}")


PAGES: Final[dict[str, Callable[[], str]]] = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "errors.md": errors_page,
    "exit-codes.md": exit_codes_page,
    "checks.md": checks_page,
    "audit-report.md": audit_report_page,
}


def difference(name: str) -> str:
    """Return how the page differs from the code, as a diff; empty if it does not."""
    path = REFERENCE / name
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = (text.splitlines(keepends=True) for text in (there, PAGES[name]()))
    return "".join(difflib.unified_diff(*lines, f"docs/reference/{name}", "the code"))


def _take_pictures() -> None:
    (ROOT / "docs" / "pictures").mkdir(exist_ok=True)
    for made, name in PICTURES.items():
        shutil.copyfile(SCREENSHOTS / made, ROOT / "docs" / "pictures" / name)
        print(f"wrote docs/pictures/{name}", file=sys.stderr)


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="exit 1 if a page differs")
    parser.add_argument("--pictures", action="store_true", help="take the tests' pictures, too")
    given = parser.parse_args()
    if given.pictures:
        _take_pictures()
    differing = [name for name in PAGES if difference(name)]
    for name in differing:
        if given.check:
            sys.stdout.write(difference(name))
        else:
            REFERENCE.mkdir(exist_ok=True)
            (REFERENCE / name).write_text(PAGES[name](), encoding="utf-8")
            print(f"wrote docs/reference/{name}", file=sys.stderr)
    return 1 if given.check and differing else 0


if __name__ == "__main__":
    raise SystemExit(main())

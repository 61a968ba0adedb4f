"""Links in the documentation lead somewhere, and what it tells people to type exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from seawall.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _pages() -> list[Path]:
    folders = ("docs", "examples", "vectors", "agent")
    pages = [*ROOT.glob("*.md")]
    return sorted(pages + [page for each in folders for page in (ROOT / each).rglob("*.md")])


PAGES = _pages()
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", _without_code(page))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def _without_code(page: Path) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_resolve(page: Path) -> None:
    broken = []
    for target in LINK.findall(_without_code(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in _anchors(there)):
            broken.append(target)
    assert not broken


def test_every_page_of_docs_can_be_found() -> None:
    reached, waiting = set(), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = LINK.findall(_without_code(page))
        there = [(page.parent / each.partition("#")[0]).resolve() for each in targets]
        waiting += [each for each in there if each.is_file()]
    assert [str(each) for each in PAGES if each.is_relative_to(ROOT / "docs")] == [
        str(each) for each in PAGES if each.is_relative_to(ROOT / "docs") and each in reached
    ]


# Commands that people are told to type


def _typed(page: Path) -> Iterator[str]:
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.strip().removeprefix("$ ")


def _words(line: str) -> list[str] | None:
    """Return the words after ``seawall`` of a line that calls it, else None."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    for start in (["./run", "seawall"], ["./run", "demo"], ["seawall"]):
        if words[: len(start)] == start:
            kept = words[1:] if start[-1] == "demo" else words[len(start) :]
            ends = [kept.index(each) for each in ("|", ">", "&&", "&", ";", "2>") if each in kept]
            return kept[: min(ends, default=len(kept))]
    return None


def _problem(words: list[str]) -> str:
    command: click.Command = cli
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        context = click.Context(command)
        found = command.get_command(context, words[0])
        if found is None:
            return f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    known = {name for option in command.params for name in [*option.opts, *option.secondary_opts]}
    known |= {"--help", "-h"} | ({"--version"} if command is cli else set())
    unknown = [each for each in words if each.startswith("--") and each.split("=")[0] not in known]
    return f"{command.name} has no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_in_the_docs_exist(page: Path) -> None:
    typed = ((line, _words(line)) for line in _typed(page))
    problems = [(line, _problem(words)) for line, words in typed if words is not None]
    assert [f"{line}: {problem}" for line, problem in problems if problem] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_run_commands_in_the_docs_exist(page: Path) -> None:
    shown = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "run.py"), "help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = set(re.findall(r"(?m)^  ([a-z]+) ", shown))
    typed = {line.split()[1] for line in _typed(page) if re.match(r"\./run [a-z]", line)}
    assert typed <= known

"""What the documentation says about names must be what the code knows."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from seawall.model.reading import Reason
from seawall.model.topics import Channel

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"seawall_docs_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


GENERATOR = _load(DOCS / "generate.py")


@pytest.mark.parametrize("page", sorted(GENERATOR.PAGES))
def test_generated_pages_are_the_code(page: str) -> None:
    differs = GENERATOR.difference(page)
    assert not differs, f"run ./run docs\n{differs}"


def test_every_command_has_help_with_an_example() -> None:
    lacking = [
        name
        for name, command in GENERATOR.walk_commands()
        if not hasattr(command, "commands")
        and f"{name} " not in (command.help or "") + (command.epilog or "") + " "
        and name not in (command.help or "") + (command.epilog or "")
    ]
    assert not lacking, "commands whose --help shows no example of themselves"


def test_every_option_says_what_it_does() -> None:
    lacking = [
        f"{name} {option.opts[0]}"
        for name, command in GENERATOR.walk_commands()
        for option in command.params
        if option.param_type_name == "option" and not option.hidden and not option.help
    ]
    assert not lacking


def test_every_reason_of_refusal_is_described() -> None:
    text = (DOCS / "reference" / "refusals.md").read_text(encoding="utf-8")
    assert [reason.value for reason in Reason if f"`{reason.value}`" not in text] == []


def test_every_channel_is_described() -> None:
    text = (DOCS / "reference" / "payloads.md").read_text(encoding="utf-8")
    assert [each.value for each in Channel if f"devices/ID/{each.value}`" not in text] == []


def test_every_environment_variable_is_described() -> None:
    text = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    used = {
        node.value
        for folder in ("src", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("SEAWALL_")
        and node.value.isidentifier()
        and node.value != "SEAWALL_"
    }
    assert sorted(name for name in used if f"`{name}`" not in text) == []

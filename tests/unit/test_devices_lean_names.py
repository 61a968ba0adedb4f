"""Names that bytecode has in the place of the agent's own: none may mean anything else there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.devices.bundle import agent_for_board
from seawall.devices.firmware import agent_directory, agent_files, compile_module
from seawall.devices.lean_names import SHORT_NAMES, shorten
from seawall.model.device import Board

FLASH_BYTES = 32 * 1024
EXAMPLES = Path(__file__).parents[2] / "examples"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "applications.md"


def identifiers(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        for attribute in ("id", "attr", "name", "arg"):
            found = getattr(node, attribute, None)
            if isinstance(found, str):
                yield found


def taken_from_others(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


@pytest.fixture(scope="module")
def sources() -> dict[str, bytes]:
    made = agent_files(agent_directory(), keep_source=True)
    return {name: data for name, data in made.items() if name.endswith(".py")}


def test_every_short_name_stands_for_one_name_and_is_free(sources: dict[str, bytes]) -> None:
    assert len(set(SHORT_NAMES.values())) == len(SHORT_NAMES)
    used = {name for source in sources.values() for name in identifiers(source)}
    assert used & set(SHORT_NAMES.values()) == set()
    assert SHORT_NAMES.keys() - used == set(), "names that the agent no longer has"


def test_what_others_call_keeps_its_name(sources: dict[str, bytes]) -> None:
    guard = {
        name
        for path, source in sources.items()
        if not path.startswith("seawall_agent/")
        for name in identifiers(source)
    }
    assert not guard & SHORT_NAMES.keys(), "a slot and a guard of another version would not agree"
    code = " ".join(re.findall(r"`[^`]+`", GUIDE.read_text().split("## Try it")[0]))
    documented = set(re.findall(r"\b[a-z_]+\b", code))
    assert {"sensors", "measure", "core"} <= documented
    applications = [*(agent_directory() / "attacks").glob("*.py"), *EXAMPLES.glob("*/*.py")]
    called = {name for path in applications for name in taken_from_others(path.read_bytes())}
    assert {"seal", "Link", "sensors"} <= called
    assert not called & SHORT_NAMES.keys()
    # What `start` calls its argument is up to the application.
    assert not (documented - {"agent"}) & SHORT_NAMES.keys()


def test_no_name_is_looked_up_by_its_text(sources: dict[str, bytes]) -> None:
    """Or renaming would not find it."""
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {
                *("getattr", "setattr", "hasattr", "delattr", "globals", "eval", "exec")
            }:
                texts = {
                    each.value
                    for each in ast.walk(node)
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
                assert not texts & SHORT_NAMES.keys(), (path, node.lineno)


def test_a_script_calls_the_modules_by_the_same_names() -> None:
    source = (
        b"from seawall_agent.start import recover\nbox = recover('x', 3)\nbox.settle(box.lost)\n"
    )
    made = shorten(source).decode()
    assert "recover" not in made
    assert "seawall_agent.start" in made
    assert made.count(SHORT_NAMES["recover"]) == 2
    assert f"{SHORT_NAMES['settle']}(" in made
    assert shorten(made.encode()).decode() == made
    assert shorten(b"def (:\n") == b"def (:\n"


def test_names_of_the_firmware_take_no_bytes_of_a_module() -> None:
    """A text that is not in every firmware is in the file; what is in all of them is a number."""
    for name in SHORT_NAMES.values():
        if len(name) > 1:
            assert name.encode() not in compile_module("name.py", f"x.{name}\n".encode()), name


@pytest.mark.parametrize("board", [Board.UNIX, Board.ESP32, Board.RP2])
def test_all_that_goes_onto_a_board_is_below_32_kib(board: Board) -> None:
    made = agent_for_board(board, agent_files(agent_directory()))
    total = sum(len(data) for name, data in made.items() if name.endswith(".mpy"))
    assert total < FLASH_BYTES

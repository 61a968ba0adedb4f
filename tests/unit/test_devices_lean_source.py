"""Modules become leaner, and go on doing what they did."""

from __future__ import annotations

import ast
from typing import Any

from seawall.devices.firmware import agent_directory, agent_files
from seawall.devices.lean_source import called_by_name, lean

TRICKY = b"""
import errno

TOP = 3
_LEAST = 3
_MOST = 9

def _bounded(count):
    return min(count, _MOST)

def _ends(box):
    return box.end, box.sep

class Box:
    def __init__(self, first, *rest, **named):
        self.first = first
        self.rest = rest
        self.named = named
        self.end = _MOST
        self.sep = _LEAST

    def scaled(self, factor=_LEAST):
        return [factor * each for each in self.rest if each != self.first]

def counter(beginning, stride):
    count = beginning
    def further(stride=stride):
        nonlocal beginning
        beginning += stride
        return beginning, count
    return further

def shadowed(item, pieces):
    def inner(pieces):
        item = len(pieces)
        return item
    return item, inner(pieces), [item for item in pieces], (lambda item: item + 1)(5)

def caught(error):
    try:
        raise OSError(errno.EIO)
    except OSError as error:
        return error.errno

def named(distance, wide=False):
    return distance, wide

def run():
    box = Box(1, 1, 2, 3, wide=4)
    further = counter(10, 5)
    return (
        box.scaled(), box.scaled(2), box.named, further(), further(1),
        shadowed(7, "abc"), caught(0), named(4, wide=True), _bounded(12), _ends(box),
    )
"""


def run(source: bytes) -> Any:
    space: dict[str, Any] = {}
    exec(compile(source, "tricky", "exec"), space)
    return space["run"]()


def test_a_module_does_what_it_did() -> None:
    kept = called_by_name([TRICKY])
    assert kept == {"wide"}
    made = lean(TRICKY, kept)
    assert run(made) == run(TRICKY)
    arguments = {node.arg for node in ast.walk(ast.parse(made)) if isinstance(node, ast.arg)}
    gone = {"factor", "named", "beginning", "stride", "item", "pieces", "distance"}
    assert not arguments & (gone - {"named"})
    assert lean(made, kept) == lean(TRICKY, kept)


def test_what_is_no_module_stays_for_the_compiler_to_refuse() -> None:
    assert lean(b"def (:\n", frozenset()) == b"def (:\n"


def test_no_call_of_the_agent_names_an_argument_of_the_agent() -> None:
    """Else its name would have to stay; and a slot's agent and an older guard have to agree."""
    sources = [
        data
        for name, data in agent_files(agent_directory(), keep_source=True).items()
        if name.endswith(".py")
    ]
    own = {
        node.arg
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.arg)
    }
    assert not own & called_by_name(sources)


def test_const_is_for_names_that_the_compiler_drops() -> None:
    """It is not imported in what is compiled: no call of it may be left."""
    for name, data in agent_files(agent_directory(), keep_source=True).items():
        for line in data.splitlines():
            if b"const(" in line:
                assert line.startswith(b"_"), (name, line)

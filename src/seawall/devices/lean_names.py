"""Which names of the agent's own become short ones in its bytecode, and which. Pure.

Bytecode spells each name that MicroPython's firmware does not know, once in every module that uses
it; on the device it stays in memory for ever, since names are never freed. So names that the
agent's modules share become, in all of them alike, names that are in every firmware and that the
agent has no other use for. It takes about 1.4 KB off a board's flash and some hundred bytes off
its heap.

These names stay:

- what applications may use (docs/guides/applications.md), and what a slot's agent and a guard of
  another version call each other by;
- names of modules, which are files, and names of the firmware's own.
"""

from __future__ import annotations

import ast
from typing import Final

_SHARED: Final = (
    *("outbox", "context", "facts", "settle", "backlog", "agent", "ahead_ms", "interval_ms"),
    *("percent", "starved", "lost", "up", "down", "judge", "topic", "session", "correct", "raw"),
    *("tell", "task", "take", "firsts", "digest_of", "claims_of", "set_clock", "record_of"),
    *("spare", "order", "is_order", "identify", "buf", "Document", "convert", "obey", "decimal"),
    *("recover", "old", "Backlog", "update_timestamp", "refresh", "pins", "pads", "pinged"),
    *("shrink", "Outbox", "delegations_of", "board", "config", "check_expiry", "update_root"),
    *("ids", "out", "Tmp36", "verify_point", "until", "verify", "fetch", "is_trusted", "put"),
    *("reach", "limit", "block", "raws", "files_of", "is_match", "progress", "verdict", "wire"),
    *("skip", "sink", "pump", "walk", "hash_of", "is_good", "pads_of", "running", "unicode"),
    *("accept", "escape", "utc_of", "unseal", "report", "Client", "Source", "LONGEST", "handle"),
    *("last", "sent", "done", "let_go"),
)
"""From the one that takes most to the one that takes least."""

_FREE: Final = (
    # No builtin functions: each may be the name of a function.
    *("endswith", "islower", "isspace", "isupper", "items", "lstrip", "popitem", "reverse"),
    *("rfind", "rindex", "rsplit", "rstrip", "sep", "setdefault", "sort", "throw", "little"),
    *("bytecode", "builtins", "NoneType", "exec", "keys"),
    *("ArithmeticError", "AssertionError", "EOFError", "Ellipsis", "GeneratorExit"),
    *("IndentationError", "LookupError", "NameError", "NotImplementedError", "OverflowError"),
    *("StopIteration", "SyntaxError", "ZeroDivisionError"),
    *("callable", "classmethod", "divmod", "eval", "issubclass", "locals", "staticmethod", "super"),
    *("hash", "hasattr", "dir", "id", "iter", "map", "object", "ord", "repr", "round", "tuple"),
    *("all", "any", "bool", "dict"),
    # Letters are no names of the firmware's, but the shortest that there are.
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZdklmpq",
)
"""Of ``static_qstr_list`` in MicroPython's py/makeqstrdata.py what the agent has no use for."""

SHORT_NAMES: Final = dict(zip(_SHARED, _FREE[: len(_SHARED)], strict=True))
"""The name in bytecode, by the name in the sources."""


def shorten(source: bytes) -> bytes:
    """Return a module, or a script that uses the agent's compiled modules, with the short names.

    Args:
        source: Of the module. What does not compile is returned as it is.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    for node in ast.walk(tree):
        _shorten_node(node)
    return ast.unparse(tree).encode()


def _shorten_node(node: ast.AST) -> None:
    if isinstance(node, ast.Name):
        node.id = SHORT_NAMES.get(node.id, node.id)
    elif isinstance(node, ast.Attribute):
        node.attr = SHORT_NAMES.get(node.attr, node.attr)
    elif isinstance(node, ast.arg):
        node.arg = SHORT_NAMES.get(node.arg, node.arg)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        node.name = SHORT_NAMES.get(node.name, node.name)
    elif isinstance(node, ast.Global | ast.Nonlocal):
        node.names = [SHORT_NAMES.get(name, name) for name in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:  # else it is modules that are imported
        for alias in node.names:
            alias.name = SHORT_NAMES.get(alias.name, alias.name)

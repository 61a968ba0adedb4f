"""Makes the agent's sources such that their bytecode takes less place on a board. Pure.

Sources stay as they are read; what is compiled differs from them in this:

- Bytecode keeps the name of each argument for calls that name it, about 1 KB for the whole agent.
  The agent calls its own functions by position alone. So an argument gets any name that a module
  has anyway, for an attribute say, or that MicroPython's firmware has.
- So do constants and functions of a module whose names begin with an underscore.
- ``const`` is not imported: the compiler knows it by its name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final

_IN_FIRMWARE: Final = ("key", "end", "start", "stop", "value", "step", "args", "sep")
"""Names that are in every MicroPython (``static_qstr_list`` of its py/makeqstrdata.py)."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def called_by_name(sources: Iterable[bytes]) -> frozenset[str]:
    """Return the names of arguments that some call names: these have to stay."""
    return frozenset(
        each.arg
        for source in sources
        for node in ast.walk(_parsed(source))
        if isinstance(node, ast.Call)
        for each in node.keywords
        if each.arg
    )


def _parsed(source: bytes) -> ast.Module:
    """Return a module's tree; an empty one if the compiler has to refuse the module."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def lean(source: bytes, kept: frozenset[str]) -> bytes:
    """Return a module that does the same, and takes less place.

    Args:
        source: Of the module. What does not compile is returned as it is.
        kept: Arguments that stay as they are.
    """
    tree = _parsed(source)
    if not tree.body:
        return source
    tree.body = [node for node in tree.body if not _is_import_of_const(node)]
    nodes = list(ast.walk(tree))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)} | kept
    fixed: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, _Definition):
            fixed.add(node.name)
        elif isinstance(node, ast.alias):
            fixed.update((node.asname or node.name).split("."))
        elif isinstance(node, ast.ExceptHandler) and node.name:
            fixed.add(node.name)
    names |= fixed
    # Those that stay in the module's table whatever the arguments are called.
    there = attributes | fixed | set(_module_names(tree)) | kept | {"self", *_IN_FIRMWARE}
    pool = [name for name in sorted({*attributes, *_IN_FIRMWARE}) if name not in names]
    private = [name for name in _module_names(tree) if name[0] == "_" and name not in attributes]
    for name, short in zip(private, reversed(pool), strict=False):
        pool.remove(short)
        for node in nodes:
            if isinstance(node, ast.Name) and node.id == name:
                node.id = short
            elif isinstance(node, _Definition) and node.name == name:
                node.name = short
    renamed = _Arguments(pool, frozenset(there)).visit(tree)
    return ast.unparse(renamed).encode()


def _is_const(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "const"


def _is_import_of_const(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "micropython"


def _module_names(tree: ast.Module) -> Iterable[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and not _is_const(node.value):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))
        elif isinstance(node, _Definition):
            yield node.name


class _Arguments(ast.NodeTransformer):
    """Gives arguments names from a pool, those of inner functions behind those around them."""

    def __init__(self, pool: list[str], there: frozenset[str]) -> None:
        self._pool = pool
        self._there = there
        self._names: Mapping[str, str] = {}

    def _function(self, node: _Function) -> ast.AST:
        around = self._names
        own = dict(around)
        for name in _bound(node):
            own.pop(name, None)
        arguments = node.args
        for each in (*arguments.posonlyargs, *arguments.args, arguments.vararg, arguments.kwarg):
            if each is None or each.arg in self._there:
                continue
            free = [name for name in self._pool if name not in own.values()]
            if free:
                own[each.arg] = each.arg = free[0]
        # Defaults and decorators belong to what is around.
        arguments.defaults = [self.visit(each) for each in arguments.defaults]
        self._names = own
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
        else:
            node.body = [self.visit(each) for each in node.body]
        self._names = around
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function  # noqa: N815

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self._names.get(name, name) for name in node.names]
        return node


def _bound(node: _Function) -> set[str]:
    """Return the names that a function binds itself: what is around has no say in them."""
    arguments = node.args
    bound = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    bound |= {each.arg for each in (arguments.vararg, arguments.kwarg) if each}
    todo: list[ast.AST] = [*node.body] if isinstance(node.body, list) else [node.body]
    outer: set[str] = set()
    while todo:
        each = todo.pop()
        if isinstance(each, _Definition):
            bound.add(each.name)
        elif isinstance(each, ast.Nonlocal | ast.Global):
            outer.update(each.names)
        elif not isinstance(each, ast.Lambda):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                bound.add(each.id)
            todo.extend(ast.iter_child_nodes(each))
    return bound - outer

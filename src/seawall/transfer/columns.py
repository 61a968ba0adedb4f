"""Columns of CSV and TSV: names, where a dotted name puts its value, and what type it has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from seawall.transfer import cells, layouts
from seawall.transfer.failures import TransferFailedError

AUTO, BINARY, BOOLEAN, DATE, DATE_GO, DATE_MS = (
    "auto",
    "binary",
    "boolean",
    "date",
    "date_go",
    "date_ms",
)
DATE_ORACLE, DOUBLE, INT32, INT64, DECIMAL = "date_oracle", "double", "int32", "int64", "decimal"
STRING = "string"
TYPES: Final = (
    *(AUTO, BINARY, BOOLEAN, DATE, DATE_GO, DATE_MS, DATE_ORACLE),
    *(DOUBLE, INT32, INT64, DECIMAL, STRING),
)
"""In the order whose numbers messages name."""
WITHOUT_ARGUMENT: Final[dict[str, cells.Parser]] = {
    AUTO: cells.infer,
    BOOLEAN: cells.boolean,
    DOUBLE: cells.double,
    INT32: cells.int32,
    INT64: cells.int64,
    DECIMAL: cells.decimal,
    STRING: cells.string,
}
TRANSLATORS: Final[dict[str, Callable[[str], str]]] = {
    DATE: str,
    DATE_GO: str,
    DATE_MS: layouts.from_microsoft,
    DATE_ORACLE: layouts.from_oracle,
}
_TYPED: Final = re.compile(r"(.*)\.(\w+)\((.*)\)", re.DOTALL | re.ASCII)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
MAX_LEVELS: Final = 200
"""Documents in documents: more than the original reads in JSON, and than servers take."""

Step = str | int
"""A key of a document, or an index of an array."""


class NameError_(ValueError):  # noqa: N801, N818  NameError is taken
    """A field name, or two together, cannot be used."""


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: As in the header, without the type.
        path: Where the value goes; one step for a name without dots.
        kind: One of `TYPES`.
        argument: Of the type, in Go's manner for dates.
    """

    name: str
    path: tuple[Step, ...]
    kind: str = AUTO
    argument: str = ""
    parse: cells.Parser = field(default=cells.infer, compare=False)


@dataclass
class Branch:
    """A document or an array that the names make.

    ``children`` are branches, or indexes into the columns, by step and in the order of columns.
    """

    is_array: bool = False
    children: dict[Step, Branch | int] = field(default_factory=dict)


def typed(header: str) -> Column:
    """Return the column that ``name.type(argument)`` describes; its path is not set.

    Raises:
        TransferFailedError: It describes none.
    """
    found = _TYPED.fullmatch(header)
    if found is None:
        raise TransferFailedError(
            f"could not parse type from header {header}",
            hint="with --columnsHaveTypes every name ends with a type: n.int32(), t.string()",
        )
    name, kind, argument = found.groups()
    if kind not in TYPES:
        raise TransferFailedError(
            f"invalid type {kind} in header {header}", hint="types: " + ", ".join(sorted(TYPES))
        )
    argument = re.sub(r"\\([\\()]?)", r"\1", argument)
    if kind == BINARY:
        if argument not in cells.BINARIES:
            raise TransferFailedError(
                f"invalid binary encoding: {argument}", hint="base32, base64 and hex are known"
            )
        return Column(name, (), kind, argument, cells.BINARIES[argument])
    if kind in TRANSLATORS:
        layout = TRANSLATORS[kind](argument)
        return Column(name, (), kind, layout, cells.date(layout))
    if argument:
        raise TransferFailedError(f"type {TYPES.index(kind)} does not support arguments")
    return Column(name, (), kind, "", WITHOUT_ARGUMENT[kind])


def columns_of(
    headers: Sequence[str],
    *,
    have_types: bool = False,
    array_indexes: bool = False,
    strings: Sequence[str] = (),
) -> list[Column]:
    """Return the columns of a header.

    Args:
        headers: Names, with types if ``have_types``.
        have_types: Each name ends with a type.
        array_indexes: Numbers in dotted names are indexes of arrays.
        strings: Names of columns that stay text.

    Raises:
        TransferFailedError: A type or a name is wrong.
    """
    bare = [typed(each) if have_types else Column(each, ()) for each in headers]
    try:
        tree_of([each.name for each in bare], array_indexes=array_indexes)
    except NameError_ as error:
        raise TransferFailedError(str(error)) from None
    return [_placed(each, array_indexes, strings) for each in bare]


def _placed(column: Column, array_indexes: bool, strings: Sequence[str]) -> Column:
    path = path_of(column.name, array_indexes=array_indexes)
    if column.kind == AUTO and column.name in strings:
        return Column(column.name, path, STRING, "", cells.string)
    return Column(column.name, path, column.kind, column.argument, column.parse)


def path_of(name: str, *, array_indexes: bool = False) -> tuple[Step, ...]:
    """Return the steps of a dotted name."""
    first, *others = name.split(".")
    if not array_indexes:
        return first, *others
    return first, *(int(each) if _INDEX.fullmatch(each) else each for each in others)


def check_name(name: str) -> None:
    """Check one field name.

    Raises:
        NameError_: It cannot be used.
    """
    if name.endswith("."):
        raise NameError_(f"field `{name}` cannot end with a '.'")
    if name.startswith("."):
        raise NameError_(f"field `{name}` cannot start with a '.'")
    if name.startswith("$"):
        raise NameError_(f"field `{name}` cannot start with a '$'")
    if ".." in name:
        raise NameError_(f"field `{name}` cannot contain consecutive '.' characters")
    if name.count(".") >= MAX_LEVELS:
        raise NameError_(f"field `{name[:40]}...` has more than {MAX_LEVELS} levels")


def tree_of(names: Sequence[str], *, array_indexes: bool = False) -> Branch:
    """Return the tree that dotted names make, each leaf the index of its column.

    Raises:
        NameError_: A name cannot be used, or two cannot be used together.
    """
    root = Branch()
    for index, name in enumerate(names):
        check_name(name)
        if name in names[:index] and not isinstance(
            path_of(name, array_indexes=array_indexes)[-1], int
        ):
            raise NameError_(f"fields cannot be identical: `{name}` and `{name}`")
        _plant(root, names, index, array_indexes)
    return root


def _plant(root: Branch, names: Sequence[str], index: int, array_indexes: bool) -> None:
    path = path_of(names[index], array_indexes=array_indexes)
    here = root
    for step, following in zip(path, (*path[1:], None), strict=True):
        if here.is_array and isinstance(step, int) and step > len(here.children):
            raise _bad_index(names[index])
        there = here.children.get(step)
        if following is None:
            if there is not None and here.is_array:
                raise _bad_index(names[index])
            if there is not None:
                raise _incompatible(names, there, index)
            here.children[step] = index
            return
        wants_array = isinstance(following, int)
        if there is None:
            there = here.children[step] = Branch(wants_array)
        if isinstance(there, int) or there.is_array != wants_array:
            raise _incompatible(names, there, index)
        if wants_array and following > len(there.children):  # type: ignore[operator]
            raise _bad_index(names[index])
        here = there


def _bad_index(name: str) -> NameError_:
    return NameError_(
        f"array index error with field `{name}`: "
        "array indexes in fields must start from 0 and increase sequentially"
    )


def _incompatible(names: Sequence[str], there: Branch | int, index: int) -> NameError_:
    while isinstance(there, Branch):
        there = next(iter(there.children.values()))
    return NameError_(f"fields `{names[there]}` and `{names[index]}` are incompatible")


def split_fields(text: str) -> list[str]:
    """Return the names of a comma list; commas inside parentheses do not split."""
    names, start, depth = [], 0, 0
    for position, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif character == "," and depth == 0:
            names.append(text[start:position])
            start = position + 1
    return [*names, text[start:]]


def names_in(data: bytes) -> list[str]:
    """Return field names, one a line; bytes that are no UTF-8 stay what they are."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]

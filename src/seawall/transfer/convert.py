"""Rows to documents, one row at a time: exact for everything, and what the columns must equal."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final

from seawall.transfer import cells, options
from seawall.transfer.blocks import ObjectIds
from seawall.transfer.cells import Element, MisfitError, pack_int32
from seawall.transfer.columns import Column, Step
from seawall.transfer.failures import TransferFailedError

Tree = dict[Step, "Tree | Element"]
ID: Final = "_id"
KEY_WITH_NUL: Final = "bson encoding error: BSON element key cannot contain null bytes"

SkippedRow = Callable[[int, Sequence[str]], None]


def element_bytes(name: str, element: Element) -> bytes:
    """Return one element of a document: type, name, value."""
    if "\0" in name:
        raise TransferFailedError(KEY_WITH_NUL)
    return bytes((element[0],)) + cells.encoded(name) + b"\0" + element[1]


def document_bytes(elements: bytes) -> bytes:
    """Return elements as a document."""
    return pack_int32(len(elements) + 5) + elements + b"\0"


def _tree_bytes(tree: Tree) -> bytes:
    parts = []
    for step, value in tree.items():
        if isinstance(value, dict):
            is_array = isinstance(next(iter(value)), int)
            value = cells.ARRAY if is_array else cells.DOCUMENT, _tree_bytes(value)  # noqa: PLW2901
        parts.append(element_bytes(str(step), value))
    return document_bytes(b"".join(parts))


class RowConverter:
    """Makes documents of rows.

    Args:
        columns: In the order of cells.
        grace: What to do with a cell that is not of its column's type.
        ignore_blanks: Leave out empty cells.
        ids: Makes the `_id` of documents that have none; None leaves them without.
        skipped: Is told of each row that ``skipRow`` drops: its number from 0, its cells.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        grace: str = options.STOP,
        ignore_blanks: bool = False,
        ids: ObjectIds | None = None,
        skipped: SkippedRow | None = None,
    ) -> None:
        self.columns = columns
        self.grace = grace
        self.ignore_blanks = ignore_blanks
        self.ids = ids
        self.rows = 0
        self._skipped = skipped
        self._names = {column.name for column in columns}
        self._flat = all(len(column.path) == 1 for column in columns)

    def document(self, row: Sequence[str]) -> bytes | None:
        """Return the document of the next row, None if the row is dropped.

        Raises:
            TransferFailedError: A cell is not of its type, or two values want one place.
        """
        number = self.rows
        self.rows += 1
        try:
            found = self._elements(row, number)
        except MisfitError:
            if self._skipped is not None:
                self._skipped(number, row)
            return None
        if self._flat:
            body = b"".join([element_bytes(str(path[0]), value) for path, value in found])
            has_id = any(path[0] == ID for path, _ in found)
        else:
            tree = _grown(found)
            body, has_id = _tree_bytes(tree)[4:-1], ID in tree
        if self.ids is not None and not has_id:
            body = b"\x07_id\0" + self.ids.next() + body
        return document_bytes(body)

    def _elements(self, row: Sequence[str], number: int) -> list[tuple[tuple[Step, ...], Element]]:
        found: list[tuple[tuple[Step, ...], Element]] = []
        for index, text in enumerate(row):
            if not text and self.ignore_blanks:
                continue
            if index >= len(self.columns):
                found.append(((self._extra_name(index, text, number),), cells.infer(text)))
                continue
            column = self.columns[index]
            try:
                found.append((column.path, column.parse(text)))
            except MisfitError:
                if self.grace == options.AUTO_CAST:
                    found.append((column.path, cells.infer(text)))
                elif self.grace != options.SKIP_FIELD:
                    raise self._misfit(column, text, number) from None
        return found

    def _misfit(self, column: Column, text: str, number: int) -> Exception:
        if self.grace == options.SKIP_ROW:
            return MisfitError(text)
        return TransferFailedError(
            f"type coercion failure in document #{number} for column '{column.name}', "
            f"could not parse token '{text}' to type {column.kind}",
            hint="--parseGrace autoCast, skipField or skipRow goes on instead",
        )

    def _extra_name(self, index: int, text: str, number: int) -> str:
        name = f"field{index}"
        if name in self._names:
            raise TransferFailedError(
                f"duplicate field name - on {name} - "
                f"for token #{index + 1} ('{text}') in document #{number}"
            )
        return name


def _grown(found: Sequence[tuple[tuple[Step, ...], Element]]) -> Tree:
    """Return nested documents; each sits where its first value made it."""
    root: Tree = {}
    for path, value in found:
        here = root
        for step, following in itertools.pairwise(path):
            # The original closes gaps between documents of an array; it refuses those
            # between values.
            place = min(step, len(here)) if isinstance(step, int) else step
            there = here.setdefault(place, {})
            if not isinstance(there, dict) or _is_other_kind(there, following):
                raise _misplaced(path, "another value is there already")
            here = there
        last = path[-1]
        if isinstance(last, int) and last != len(here):
            raise _misplaced(
                path,
                f"Trying to add value to array at index {last}, but array is {len(here)} elements "
                "long. Array indices in fields must start from 0 and increase sequentially",
            )
        here[last] = value
    return root


def _is_other_kind(there: Tree, step: Step) -> bool:
    """Return whether it is a document where the step wants an array, or the other way."""
    first = next(iter(there), step)
    return isinstance(first, int) != isinstance(step, int)


def _misplaced(path: tuple[Step, ...], why: str) -> TransferFailedError:
    return TransferFailedError(f"can't set value for key {'.'.join(map(str, path))}: {why}")

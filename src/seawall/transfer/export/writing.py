"""The forms of an export: what stands before, between and behind the documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from seawall.transfer.export.cells import Row
from seawall.transfer.export.extended import ExtendedJson, indented

Write = Callable[[bytes], object]


class DocumentWriter(Protocol):
    """Writes documents one after the other."""

    def begin(self) -> None:
        """Write what stands before the documents."""

    def document(self, raw: bytes) -> None:
        """Write one document, given as BSON."""

    def end(self) -> None:
        """Write what stands behind the documents."""


class JsonWriter:
    """Writes a document a line, one array, or people's JSON.

    Args:
        write: Takes the bytes.
        canonical: Canonical instead of relaxed Extended JSON.
        array: All documents as one array.
        pretty: Over many lines.
    """

    def __init__(
        self, write: Write, *, canonical: bool = False, array: bool = False, pretty: bool = False
    ) -> None:
        self._write = write
        self._text = ExtendedJson(canonical).text
        self._array = array
        self._pretty = pretty
        self._between = b""

    def begin(self) -> None:
        """Write the bracket of an array."""
        if self._array:
            self._write(b"[")

    def document(self, raw: bytes) -> None:
        """Write one document."""
        text = self._text(raw)
        if not self._array and not self._pretty:
            self._write(text.encode() + b"\n")
            return
        if self._pretty:
            text = indented(text)
        self._write(self._between + text.encode())
        self._between = b"," * self._array + b"\n" * self._pretty

    def end(self) -> None:
        """Write the other bracket."""
        if self._array:
            self._write(b"]\n")
        if self._pretty:
            self._write(b"\n")


class CsvWriter:
    """Writes rows.

    Args:
        write: Takes the bytes.
        fields: Dotted paths, a column each.
        header: Begin with a line of names.
    """

    def __init__(self, write: Write, fields: Sequence[str], *, header: bool = True) -> None:
        self._write = write
        self._row = Row(fields)
        self._header = header

    def begin(self) -> None:
        """Write the names."""
        if self._header:
            self._line(self._row.names)

    def document(self, raw: bytes) -> None:
        """Write one row."""
        self._line(self._row.cells(raw))

    def end(self) -> None:
        """Write nothing."""

    def _line(self, cells: Sequence[str]) -> None:
        text = ",".join(map(csv_cell, cells)) + "\n"
        self._write(text.encode("utf-8", "surrogateescape"))


def csv_cell(text: str) -> str:
    """Return a cell in quotes if readers would take it for something else without."""
    special = "," in text or '"' in text or "\n" in text or "\r" in text
    if not special and not text[:1].isspace() and text != "\\.":
        return text
    return '"' + text.replace('"', '""') + '"'

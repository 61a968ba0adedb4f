"""CSV and TSV to rows of cells, exactly as mongoimport reads them.

A scanner is fed text, returns the whole records in it, and keeps the rest. What
counts as white space, where errors are, and what quotes may hold follow the
original: sections 6 and 7 of the facts about it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from seawall.transfer.failures import TransferFailedError

WHITE: Final = "\t\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space inside a line, as a set for regular expressions."""
WHITE_CHARACTERS: Final = (
    "\t\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\n"
)
MAX_RECORD_CHARACTERS: Final = 48_000_000
"""More cannot be one document; so a quote that never closes does not eat the memory."""

Row = list[str]
BadRow = Callable[[str, str], None]


class ScanError(Exception):
    """A record cannot be read; `where` is its end, so that one can go on behind it."""

    def __init__(self, message: str, where: int) -> None:
        super().__init__(message)
        self.where = where


class RowScanner(Protocol):
    """Cuts text into rows."""

    def feed(self, data: bytes, *, final: bool) -> list[Row]:
        """Return the rows that end in what was fed so far; all of them if ``final``."""
        ...

    def failed(self, *, header: bool) -> TransferFailedError | None:
        """Return the error behind the rows that were returned, once there is one."""
        ...


def _one_byte_each(error: UnicodeError) -> tuple[str, int]:
    """Replace every byte that is not UTF-8 by one replacement character, as Go does."""
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  nothing else decodes
    return "\ufffd", error.start + 1


codecs.register_error("seawall-each-byte", _one_byte_each)


class CsvScanner:
    """Reads CSV.

    Args:
        delimiter: Between cells.
        quote: Around cells; empty for none.
        bad_row: Is told each record that cannot be read, and why; None ends at the first.
    """

    def __init__(
        self, delimiter: str = ",", quote: str = '"', bad_row: BadRow | None = None
    ) -> None:
        self.records = 0
        self.headers = 0
        self.line = 1
        self.replaced_line = 0
        self._bad_row = bad_row
        self._error: tuple[str, int] | None = None
        self._text = ""
        self._tail = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("seawall-each-byte")
        self._quote, self._delimiter = quote, delimiter
        white = WHITE.replace(delimiter, "")
        stop, mark = re.escape(delimiter), re.escape(quote)
        quoted = rf"{mark}((?:[^{mark}]++|{mark}{mark})*+){mark}[{white}]*+(?=[{stop}\n]|\Z)|"
        quoted = quoted if quote else "(?!)()|"
        bare = rf"([^{stop}\n{mark}]*+)(?=[{stop}\n]|\Z)"
        self._cell = re.compile(rf"[{white}]*+(?:{quoted}{bare})")
        self._opening = re.compile(rf"[{white}]*+{mark}") if quote else re.compile("(?!)")
        self._closed = (
            re.compile(rf"[{white}]*+{mark}(?:[^{mark}]++|{mark}{mark})*+{mark}[{white}]*+")
            if quote
            else self._opening
        )
        self._strip = WHITE_CHARACTERS.replace(delimiter, "")

    def feed(self, data: bytes, *, final: bool) -> list[Row]:
        """Return the rows that end in what was fed so far."""
        data = self._tail + data
        self._tail = b""
        if data.endswith(b"\r") and not final:
            data, self._tail = data[:-1], b"\r"
        decoded = self._decoder.decode(data.replace(b"\r\n", b"\n"), final)
        if "\ufffd" in decoded and not self.replaced_line:
            self._look_for_replaced(decoded, data)
        text = self._text + decoded
        rows: list[Row] = []
        position = 0
        while position < len(text) and self._error is None:
            if text[position] == "\n":
                position += 1
                self.line += 1
                continue
            try:
                row, end = self._record(text, position, final)
            except ScanError as error:
                end = self._bad_record(text, position, error, final)
                if end < 0:
                    break
                row = None
            if end < 0:
                break
            self.line += text.count("\n", position, end)
            position = end
            if row is not None:
                self.records += 1
                rows.append(row)
        self._text = text[position:]
        if len(self._text) > MAX_RECORD_CHARACTERS and self._error is None:
            self._error = (f"line {self.line}, column 0: record too long; a quote may not close", 0)
        return rows

    def _look_for_replaced(self, decoded: str, data: bytes) -> None:
        """Remember the line of the first byte that is no UTF-8."""
        if decoded.count("\ufffd") > data.count("\ufffd".encode()):
            before = self._text + decoded[: decoded.index("\ufffd")]
            self.replaced_line = self.line + before.count("\n")

    def rest(self) -> bytes:
        """Return what was fed and not read, and forget it."""
        # The decoder holds the first bytes of a character that the last chunk has cut.
        pending = self._text.encode() + self._decoder.getstate()[0] + self._tail
        self._decoder.reset()
        self._text, self._tail = "", b""
        return pending

    def skip(self, records: int, lines: int) -> None:
        """Count records and lines that somebody else read."""
        self.records += records
        self.line += lines

    def failed(self, *, header: bool = False) -> TransferFailedError | None:
        """Return the error behind the rows that were returned, once there is one."""
        if self._error is None:
            return None
        what = self._error[0]
        return TransferFailedError(
            what if header else f"read error on entry #{self._error[1]}: {what}",
            hint="--skip-bad-rows leaves such rows out and counts them",
        )

    def _record(self, text: str, start: int, final: bool) -> tuple[Row, int]:
        """Return a row and the position behind it; -1 if it does not end in this text."""
        row: Row = []
        position = start
        while True:
            found = self._cell.match(text, position)
            if found is None:
                return row, self._broken(text, position, final)
            quoted, bare = found.groups()
            if quoted is not None:
                row.append(quoted.replace(self._quote * 2, self._quote))
            else:
                row.append(bare.rstrip(self._strip))
            position = found.end()
            if position == len(text):
                return (row, position) if final else (row, -1)
            if text[position] == "\n":
                return row, position + 1
            position += 1

    def _broken(self, text: str, position: int, final: bool) -> int:
        """Say what is wrong with the cell at a position; -1 if more text may mend it."""
        if self._opening.match(text, position):
            closed = self._closed.match(text, position)
            if closed is None:
                if not final:
                    return -1
                raise ScanError(f"extraneous {self._quote} in field", len(text))
            raise ScanError(f"extraneous {self._quote} in field", closed.end() - 1)
        where = text.index(self._quote, position)
        raise ScanError(f"bare {self._quote} in non-quoted-field", where)

    def _bad_record(self, text: str, start: int, error: ScanError, final: bool) -> int:
        line = self.line + text.count("\n", start, error.where)
        column = error.where - (text.rfind("\n", 0, error.where) + 1)
        what = f"line {line}, column {column}: {error}"
        if self._bad_row is None:
            self._error = (what, self.records + 1 - self.headers)
            return -1
        end = text.find("\n", error.where if error.where < len(text) else start)
        if end < 0 and not final:
            return -1
        end = len(text) if end < 0 else end
        self._bad_row(text[start:end], what)
        return min(end + 1, len(text))


class TsvScanner:
    """Reads TSV: lines split at tabs, nothing quoted, nothing trimmed.

    A last line without its newline is read as well (the original loses it).
    """

    def __init__(self) -> None:
        self.records = self.headers = self.replaced_line = 0
        self._tail = b""

    def feed(self, data: bytes, *, final: bool) -> list[Row]:
        """Return the rows that end in what was fed so far."""
        lines = (self._tail + data).split(b"\n")
        self._tail = lines.pop()
        if final and self._tail:
            lines.append(self._tail)
            self._tail = b""
        if len(self._tail) > MAX_RECORD_CHARACTERS:
            raise TransferFailedError(f"read error on entry #{self.records + 1}: line too long")
        self.records += len(lines)
        return [line.rstrip(b"\r").decode("utf-8", "surrogateescape").split("\t") for line in lines]

    def rest(self) -> bytes:
        """Return what was fed and not read, and forget it."""
        pending, self._tail = self._tail, b""
        return pending

    def skip(self, records: int, lines: int) -> None:
        """Count records that somebody else read."""
        self.records += records

    def failed(self, *, header: bool = False) -> TransferFailedError | None:
        """Return None: every line is a row."""
        return None


def csv_text(row: Sequence[str]) -> str:
    """Return a row as a line of CSV, quoted where that is needed."""

    def cell(text: str) -> str:
        needs = any(c in text for c in ',"\r\n') or text[:1] in {" ", "\t"} or text == "\\."
        return '"' + text.replace('"', '""') + '"' if needs else text

    return ",".join(map(cell, row)) + "\n"

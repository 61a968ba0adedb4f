"""Opens what is read: files and standard input, packed or not, and counts the bytes of it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from seawall.transfer import columns
from seawall.transfer.failures import TransferFailedError

BOM: Final = b"\xef\xbb\xbf"
MARKS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\0\0\xfe\xff": "UTF-32"}
"""Byte order marks of what is not UTF-8; none of them can begin a text that is."""
FIRST_CHUNK_BYTES: Final = 64 * 1024
CHUNK_BYTES: Final = 2 * 1024 * 1024
GZIP, ZSTD, XZ, BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh"


class _Counting(io.RawIOBase):
    """A file that knows how many bytes were read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.bytes_read = 0
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # One read, however short: a pipe is passed on as it comes.
        data = os.read(self._file.fileno(), len(buffer))
        buffer[: len(data)] = data
        self.bytes_read += len(data)
        return len(data)


class Source:
    """All input of one run, one file after the other.

    Args:
        files: Paths; none for standard input.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        self._done = 0
        self._current: _Counting | None = None
        self.size: int | None = 0
        for path in self.files:
            self._check(path)
        if not self.files:
            self.size = None

    def _check(self, path: str) -> None:
        try:
            status = os.stat(path)  # noqa: PTH116  paths are text here
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(21, "is a directory")
            # A pipe that is opened and closed again is lost to whoever writes into it.
            if stat.S_ISREG(status.st_mode):
                os.close(os.open(path, os.O_RDONLY))
        except OSError as error:
            raise open_failure(path, error) from None
        if stat.S_ISREG(status.st_mode) and self.size is not None:
            self.size += status.st_size
        else:
            self.size = None

    @property
    def bytes_read(self) -> int:
        """Bytes taken so far, before they were unpacked."""
        return self._done + (self._current.bytes_read if self._current else 0)

    def inputs(self) -> Iterator[Iterator[bytes]]:
        """Yield the chunks of each file; each has to be read before the next is asked for."""
        if not self.files:
            yield self._chunks(sys.stdin.buffer)
        for path in self.files:
            try:
                file = open(path, "rb")  # noqa: PTH123, SIM115
            except OSError as error:
                raise open_failure(path, error) from None
            with file:
                yield self._chunks(file)

    def _chunks(self, file: IO[bytes]) -> Iterator[bytes]:
        name = file.name if self.files else "standard input"
        self._current = _Counting(file)
        buffered = io.BufferedReader(self._current, FIRST_CHUNK_BYTES)
        try:
            stream = _unpacked(buffered)
            # A pipe is passed on as it comes; a file comes in pieces worth the fast path.
            is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            read = stream.read if is_file or stream is not buffered else buffered.read1
            first = read(FIRST_CHUNK_BYTES)
            while 0 < len(first) < len(BOM) and (more := read(FIRST_CHUNK_BYTES)):
                first += more
            _check_encoding(first, name)
            yield first.removeprefix(BOM)
            while chunk := read(CHUNK_BYTES):
                yield chunk
        except (EOFError, lzma.LZMAError, gzip.BadGzipFile, OSError) as error:
            raise TransferFailedError(f"reading {name}: {_reason(error)}") from None
        self._done += self._current.bytes_read
        self._current = None


def _check_encoding(first: bytes, name: str) -> None:
    """Refuse what would become documents of nonsense."""
    for mark, encoding in MARKS.items():
        if first.startswith(mark):
            raise TransferFailedError(
                f"reading {name}: it is {encoding}, not UTF-8",
                hint=f"convert it first: iconv -f {encoding} -t UTF-8",
            )


def _unpacked(file: Any) -> Any:
    start = file.peek(6)[:6]
    if start.startswith(GZIP):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(XZ):
        return lzma.LZMAFile(file)
    if start.startswith(BZIP2):
        return bz2.BZ2File(file)
    if start.startswith(ZSTD):
        import pyarrow  # noqa: PLC0415  it has zstd; most input needs none

        return pyarrow.CompressedInputStream(file, "zstd")
    return file


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def open_failure(path: str, error: OSError) -> TransferFailedError:
    """Return the failure to open a file."""
    return TransferFailedError(
        f"open {path}: {_reason(error)}", hint="is the name right, and may you read it?"
    )


def names_of_file(path: str) -> list[str]:
    """Return the field names in a file.

    Raises:
        TransferFailedError: It cannot be opened.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123  paths are text here
            return columns.names_in(file.read())
    except OSError as error:
        raise open_failure(path, error) from None

"""A release's manifest: the bytes that devices read and that TUF signs. Pure.

Compact JSON, members in one order, files sorted by path, so that the same
files give the same bytes. A device streams it and judges every field again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seawall.errors import InvalidNameError, ProtocolError
from seawall.model.device import Board
from seawall.model.release import ReleaseFile, ReleaseKind, Version, parse_version

FORMAT: Final = 1
MAX_PATH_CHARS: Final = 100
MAX_MANIFEST_BYTES: Final = 16_384
"""About 130 files: a board reads it within the heap that is left beside MQTT."""
IMAGE_NAME: Final = "firmware.bin"

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.-]+\Z")
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says.

    Attributes:
        board: What it runs on.
        version: Its version.
        kind: Files of a slot, or one firmware image.
        files: Sorted by path.
    """

    board: Board
    version: Version
    kind: ReleaseKind
    files: tuple[ReleaseFile, ...]


def check_path(path: str) -> str:
    """Return a path if it may stand in a manifest.

    Raises:
        InvalidNameError: it climbs, is absolute, too long, or has a character that is
            not allowed (``release-path``).
    """
    why = _fault_of(path)
    if why:
        raise InvalidNameError(
            f"{path[:120]!r} cannot be in a release: {why}",
            reference="release-path",
            hint="letters, digits, '_', '.' and '-', folders with '/', at most "
            f"{MAX_PATH_CHARS} characters",
        )
    return path


def _fault_of(path: str) -> str:
    if len(path) > MAX_PATH_CHARS:
        return f"it has {len(path)} characters"
    for segment in path.split("/"):
        if not segment:
            return "it begins or ends with '/', or has an empty part"
        if segment in {".", ".."}:
            return "it climbs out of its folder"
        if _SEGMENT.match(segment) is None:
            return f"{segment!r} has a character that is not allowed"
    return ""


def check_paths(paths: Iterable[str]) -> None:
    """Check that paths can stand beside each other, on FAT too, which knows no case.

    Raises:
        InvalidNameError: one is not allowed, two are the same, or one is a folder of another.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in sorted(paths):
        lowered = check_path(path).lower()
        parts = lowered.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts))]
        clash = seen.get(lowered) or folders.get(lowered)
        clash = clash or next((seen[each] for each in above if each in seen), None)
        if clash:
            raise InvalidNameError(
                f"{path!r} and {clash!r} cannot be in one release: FAT takes them for the same",
                reference="release-path",
                hint="rename one of them",
            )
        seen[lowered] = path
        folders.update(dict.fromkeys(above, path))


def render_manifest(manifest: Manifest) -> bytes:
    """Return a manifest's bytes.

    Raises:
        InvalidNameError: a path is not allowed.
    """
    check_paths(each.path for each in manifest.files)
    members = {
        "format": FORMAT,
        "board": manifest.board.value,
        "version": manifest.version.text,
        "kind": manifest.kind.value,
        "files": [[f.path, f.length, f.sha256] for f in sorted_files(manifest.files)],
    }
    return json.dumps(members, separators=(",", ":")).encode()


def sorted_files(files: Iterable[ReleaseFile]) -> tuple[ReleaseFile, ...]:
    """Return files in the order of a manifest: by the bytes of their paths."""
    return tuple(sorted(files, key=lambda each: each.path))


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest; it must be exactly what `render_manifest` writes.

    Raises:
        ProtocolError: it is not (``bad-manifest``).
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise bad_manifest(f"it has {len(data)} bytes; at most {MAX_MANIFEST_BYTES}")
    try:
        members: Any = json.loads(data)
        if members["format"] != FORMAT:
            raise bad_manifest(f"format {members['format']!r} is not known")
        manifest = Manifest(
            Board(members["board"]),
            parse_version(members["version"]),
            ReleaseKind(members["kind"]),
            _files(members["files"]),
        )
        again = render_manifest(manifest)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise bad_manifest(f"{type(error).__name__}: {error}") from error
    except InvalidNameError as error:
        raise bad_manifest(error.message) from error
    if again != data:
        raise bad_manifest("it is not written as Seawall writes it")
    if manifest.kind is ReleaseKind.IMAGE and [f.path for f in manifest.files] != [IMAGE_NAME]:
        raise bad_manifest(f"an image has one file, {IMAGE_NAME}")
    return manifest


def _files(entries: Sequence[Any]) -> tuple[ReleaseFile, ...]:
    files = []
    for path, length, sha256 in entries:
        is_typed = isinstance(path, str) and type(length) is int and isinstance(sha256, str)
        if not is_typed or length < 0 or _SHA256.match(sha256) is None:
            raise ValueError(f"an entry of a file is wrong: {[path, length, sha256]!r:.200}")
        files.append(ReleaseFile(path, length, sha256))
    return tuple(files)


def bad_manifest(why: str) -> ProtocolError:
    """Return the error to raise for a manifest that cannot be taken."""
    return ProtocolError(f"the manifest is not valid: {why}", reference="bad-manifest")

"""A release before it is signed: its manifest and all its files, as one archive. Pure.

The archive is a zip of stored entries with one date, so that the same release
gives the same bytes whatever zlib is about, and so that nothing unfolds to
more than it is.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from seawall.errors import ConfigurationError, ProtocolError, UsageError
from seawall.model.device import Board
from seawall.model.release import Release, ReleaseFile, ReleaseKind, Version, target_path
from seawall.updates.esp_image import EspImage, parse_esp_image
from seawall.updates.manifest import (
    IMAGE_NAME,
    MAX_MANIFEST_BYTES,
    Manifest,
    check_paths,
    parse_manifest,
    render_manifest,
    sorted_files,
)

MANIFEST_NAME: Final = "manifest.json"
AGENT_FOLDER: Final = "seawall_agent"
GUARD_FOLDER: Final = "seawall_guard"
"""Beside the slots; in a slot, which is first in the path, it would take the guard's place."""
MAX_FILE_BYTES: Final = 512 * 1024
MAX_FILES_BYTES: Final = 1024 * 1024
"""Both slots, and the download of one, must find room on a board's flash."""
MAX_ARCHIVE_BYTES: Final = 20 * 1024 * 1024

_RESERVED: Final = frozenset({MANIFEST_NAME, "main.py", "main.mpy", "boot.py", "boot.mpy"})
"""In lower case: FAT knows no other."""
_SECRETS: Final = frozenset(
    {"config.json", "key.der", "cert.der", "hmac.key", "master.key", "secrets.py", "secrets.json"}
)
_SECRET_SUFFIXES: Final = frozenset({".pem", ".key", ".p12", ".pfx", ".jks"})
_SECRET_MARKS: Final = (b"PRIVATE KEY-----", b"OPENSSH PRIVATE KEY")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_REGULAR_0644: Final = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class BuiltRelease:
    """A release that is ready to be signed.

    Attributes:
        manifest: What the manifest says.
        manifest_bytes: Its exact bytes.
        contents: The files by path.
        image: What the image says of itself, if it is one.
    """

    manifest: Manifest
    manifest_bytes: bytes
    contents: Mapping[str, bytes]
    image: EspImage | None = None

    @property
    def release(self) -> Release:
        """The release as it will be listed."""
        return release_of(self.manifest, self.manifest_bytes)


def release_of(manifest: Manifest, manifest_bytes: bytes, published_ms: int = 0) -> Release:
    """Return the release that a manifest describes."""
    return Release(
        version=manifest.version,
        board=manifest.board.value,
        kind=manifest.kind,
        target=target_path(manifest.board.value, manifest.version),
        length=len(manifest_bytes),
        sha256=hashlib.sha256(manifest_bytes).hexdigest(),
        files=manifest.files,
        published_ms=published_ms,
    )


def check_board(board: Board) -> None:
    """Check that devices of a board can be updated.

    Raises:
        ConfigurationError: they cannot authenticate the server (``board-not-updated``).
    """
    if not board.verifies_server:
        raise ConfigurationError(
            f"a {board.value} is not updated over the air: its firmware cannot authenticate "
            "the server",
            reference="board-not-updated",
        )


def release_of_files(
    board: Board, version: Version, agent: Mapping[str, bytes], application: Mapping[str, bytes]
) -> BuiltRelease:
    """Return the release of a slot.

    Args:
        board: What it runs on.
        version: Its version.
        agent: The agent's modules for that board, ``seawall_agent/...``.
        application: The application's files.

    Raises:
        InvalidNameError: a path is not allowed.
        UsageError: a file is a secret, clashes with the agent, or is too large.
        ConfigurationError: devices of the board are not updated.
    """
    check_board(board)
    check_paths(application)
    for path, data in application.items():
        check_application_file(path, data)
    return _built(board, version, ReleaseKind.FILES, {**agent, **application})


def check_application_file(path: str, data: bytes) -> None:
    """Check one file of an application.

    Raises:
        UsageError: it is a secret (``release-secret``), stands where the agent's files
            stand (``release-clash``), or is too large (``release-too-large``).
    """
    first = PurePosixPath(path.lower()).parts[0].split(".")[0]
    if first in {AGENT_FOLDER, GUARD_FOLDER} or path.lower() in _RESERVED:
        raise UsageError(
            f"{path} would stand where a file of Seawall stands",
            reference="release-clash",
            hint="give it another name; an application begins in application.py, with start(agent)",
        )
    if is_secret(path, data):
        raise UsageError(
            f"{path} looks like a secret, and a release is readable for every device",
            reference="release-secret",
            hint="take it out of the folder; a bundle of a device is no application",
        )
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(path, len(data), MAX_FILE_BYTES)


def is_secret(path: str, data: bytes) -> bool:
    """Whether a file is, by its name or its contents, something that must stay secret."""
    name = PurePosixPath(path.lower())
    if name.name in _SECRETS or name.suffix in _SECRET_SUFFIXES:
        return True
    return any(mark in data for mark in _SECRET_MARKS)


def release_of_image(board: Board, version: Version, data: bytes) -> BuiltRelease:
    """Return the release of a firmware image.

    Raises:
        ProtocolError: it is no application image, or is damaged.
        ConfigurationError: the board takes no images.
    """
    if board is not Board.ESP32:
        raise ConfigurationError(
            f"a firmware image is for an {Board.ESP32.value}, not for a {board.value}",
            reference="image-board",
            hint="--board esp32",
        )
    image = parse_esp_image(data)
    return _built(board, version, ReleaseKind.IMAGE, {IMAGE_NAME: data}, image)


def _built(
    board: Board,
    version: Version,
    kind: ReleaseKind,
    contents: Mapping[str, bytes],
    image: EspImage | None = None,
) -> BuiltRelease:
    check_paths(contents)
    total = sum(len(data) for data in contents.values())
    if kind is ReleaseKind.FILES and total > MAX_FILES_BYTES:
        raise _too_large("the release", total, MAX_FILES_BYTES)
    files = sorted_files(
        ReleaseFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in contents.items()
    )
    manifest = Manifest(board, version, kind, files)
    data = render_manifest(manifest)
    if len(data) > MAX_MANIFEST_BYTES:
        raise _too_large(f"the manifest of {len(files)} files", len(data), MAX_MANIFEST_BYTES)
    return BuiltRelease(manifest, data, dict(sorted(contents.items())), image)


def _too_large(what: str, size: int, limit: int) -> UsageError:
    return UsageError(
        f"{what} has {size:,} bytes",
        reference="release-too-large",
        hint=f"at most {limit:,}; a board keeps two slots on its flash",
    )


def pack_release(built: BuiltRelease) -> bytes:
    """Return a release as one archive; the same release gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, data in ((MANIFEST_NAME, built.manifest_bytes), *built.contents.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = _REGULAR_0644
            archive.writestr(entry, data)
    return buffer.getvalue()


def unpack_release(data: bytes) -> BuiltRelease:
    """Read an archive; it must be exactly what `pack_release` writes.

    Raises:
        ProtocolError: it is not (``bad-release``, ``bad-manifest``, ``bad-image``).
        UsageError: a file is none that a release may hold.
        InvalidNameError: a path is not allowed.
    """
    if len(data) > MAX_ARCHIVE_BYTES:
        raise _bad(f"it has {len(data):,} bytes; at most {MAX_ARCHIVE_BYTES:,}")
    contents = _entries(data)
    manifest_bytes = contents.pop(MANIFEST_NAME, None)
    if manifest_bytes is None:
        raise _bad(f"it holds no {MANIFEST_NAME}")
    manifest = parse_manifest(manifest_bytes)
    found = {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in contents.items()}
    if found != {each.path: (each.length, each.sha256) for each in manifest.files}:
        raise _bad("its files are not those of its manifest")
    built = _rebuilt(manifest, contents)
    if pack_release(built) != data:
        raise _bad("it is not written as Seawall writes it")
    return built


def _rebuilt(manifest: Manifest, contents: Mapping[str, bytes]) -> BuiltRelease:
    """Judge an archive's files as if they were built now."""
    if manifest.kind is ReleaseKind.IMAGE:
        return release_of_image(manifest.board, manifest.version, contents[IMAGE_NAME])
    prefix = AGENT_FOLDER + "/"
    agent = {path: data for path, data in contents.items() if path.startswith(prefix)}
    application = {path: data for path, data in contents.items() if path not in agent}
    return release_of_files(manifest.board, manifest.version, agent, application)


def _entries(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise _bad("an entry is compressed")
            # Entries that overlap would make one byte count many times.
            if sum(entry.file_size for entry in entries) > len(data):
                raise _bad("its entries are larger than it is")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
        raise _bad(str(error)) from error
    except RuntimeError as error:  # an entry with a password
        raise _bad(str(error)) from error


def _bad(why: str) -> ProtocolError:
    return ProtocolError(
        f"this is no release archive: {why}",
        reference="bad-release",
        hint="make one with 'seawall release build'",
    )

"""Packs an application's folder, or a firmware image, into a release archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seawall.devices.bundle import agent_for_board
from seawall.devices.firmware import agent_directory, agent_files, compile_module
from seawall.errors import ConflictError, UsageError
from seawall.model.device import Board
from seawall.model.release import Version
from seawall.pki import files
from seawall.updates.application import read_application, read_file
from seawall.updates.esp_image import MAX_IMAGE_BYTES
from seawall.updates.release_bundle import (
    AGENT_FOLDER,
    BuiltRelease,
    check_application_file,
    check_board,
    pack_release,
    release_of_files,
    release_of_image,
)
from seawall.updates.releases import list_releases

Compile = Callable[[str, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Packed:
    """A release that was built.

    Attributes:
        built: What it is.
        archive: The bytes of its archive.
        left_out: Hidden files, and what Python keeps beside sources.
    """

    built: BuiltRelease
    archive: bytes
    left_out: tuple[str, ...]


def build_release(
    source: Path,
    version: Version,
    board: Board,
    *,
    compiled: bool = True,
    updates: Path | None = None,
    agent: Mapping[str, bytes] | None = None,
) -> Packed:
    """Build a release; the same files give the same bytes.

    Args:
        source: An application's folder, or an ESP32 application image (``.bin``).
        version: Its version.
        board: What it runs on.
        compiled: Compile the application's ``.py`` to ``.mpy``.
        updates: The update repository that it is for, if there is one: its versions are looked at.
        agent: The agent's files; None: those of this version of Seawall.

    Raises:
        NotFoundError: the source is not there.
        UsageError: a file of it may not be in a release.
        InvalidNameError: a path is not allowed.
        ProtocolError: the image is none.
        ConfigurationError: devices of the board are not updated so.
        ConflictError: the version is not above those that are published.
        ServiceError: a module does not compile.
    """
    check_board(board)
    if updates is not None:
        _check_newer(updates, board, version)
    if source.suffix == ".bin":
        built = release_of_image(board, version, read_file(source, MAX_IMAGE_BYTES))
        return Packed(built, pack_release(built), ())
    application = read_application(source)
    for path, data in application.contents.items():
        # Before anything is compiled: what is said names the file as it is called there.
        check_application_file(path, data)
    contents = application.contents
    if compiled:
        contents = _compiled(contents)
    built = release_of_files(board, version, packaged_agent(board, agent), contents)
    return Packed(built, pack_release(built), tuple(application.left_out))


def _check_newer(updates: Path, board: Board, version: Version) -> None:
    for release in list_releases(updates):
        if release.board == board.value and version <= release.version:
            raise ConflictError(
                f"{release.target.removesuffix('.json')} is published already; "
                f"{version} is not above it",
                reference="version-not-newer",
                hint="devices never go back: choose a higher --version",
            )


def _compiled(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path, data in contents.items():
        is_module = path.endswith(".py")
        name = str(PurePosixPath(path).with_suffix(".mpy")) if is_module else path
        if name in found or (is_module and name in contents):
            raise UsageError(
                f"{path} would become {name}, which is there too",
                reference="release-clash",
                hint="take one of them out, or leave modules as they are with --no-compile",
            )
        found[name] = compile_module(path, data) if is_module else data
    return found


def packaged_agent(board: Board, agent: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Return the agent's modules that a release for a board holds: never the guard.

    Args:
        board: What they run on.
        agent: All of the agent; None: as it comes with this version of Seawall, compiled.
    """
    if agent is None:
        agent = agent_files(agent_directory())
    prefix = AGENT_FOLDER + "/"
    return {
        path: data
        for path, data in agent_for_board(board, agent).items()
        if path.startswith(prefix)
    }


def write_archive(path: Path, archive: bytes) -> None:
    """Write a release's archive in one step, in place of what is there.

    Raises:
        StateError: it cannot be written (StoreFullError: the disk is full).
    """
    try:
        files.write_private(path, archive)
    except OSError as error:
        raise files.unwritable(path, error) from error

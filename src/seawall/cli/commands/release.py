"""``seawall release``: builds, signs, publishes and lists releases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seawall.cli.opening import opened
from seawall.cli.output import emit_json, print_facts, print_table, say
from seawall.cli.release_keys import keys
from seawall.cli.release_words import (
    release_json,
    release_words,
    report_packed,
    report_signed,
    shown_day,
    signed_json,
)
from seawall.cli.state import json_option, state_option
from seawall.cli.update_asking import Passphrases, key_option, passphrase_fd_option
from seawall.model.device import Board

if TYPE_CHECKING:
    from seawall.updates.release_bundle import BuiltRelease

_BOARDS = [each.value for each in Board if each.verifies_server]


@click.group(
    name="release",
    epilog="""\b
Examples:
  seawall release keys create
  seawall release build my-app --version 1.0 --out my-app-1.0.zip
  seawall release publish my-app-1.0.zip
  seawall release list
""",
)
def command() -> None:
    """Build, sign, publish and list releases; make and rotate the signing keys."""


command.add_command(keys)


@command.command(
    epilog="""\b
Examples:
  seawall release build my-app --version 1.2.0
  seawall release build my-app --version 1.2.0 --board esp32 --out build/my-app.zip
  seawall release build micropython.bin --version 2.0 --board esp32
SOURCE is an application's folder (an empty one: the agent alone), or an ESP32
application image. The same files give the same bytes.
"""
)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--version", "version_text", required=True, metavar="V", help="1 to 4 numbers: 1.2.0."
)
@click.option(
    "--board",
    type=click.Choice(_BOARDS),
    default=Board.UNIX.value,
    show_default=True,
    help="What it runs on.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Archive to write; by default BOARD-VERSION.zip here.",
)
@click.option("--no-compile", is_flag=True, help="Leave the application's modules as .py.")
@state_option
@json_option
def build(
    source: Path,
    version_text: str,
    board: str,
    out: Path | None,
    no_compile: bool,
    state: Path,
    as_json: bool,
) -> None:
    """Build a release from an application's folder or a firmware image."""
    from seawall.model.installation import StatePaths  # noqa: PLC0415
    from seawall.model.release import parse_version  # noqa: PLC0415
    from seawall.operations.build_release import build_release, write_archive  # noqa: PLC0415

    version = parse_version(version_text)
    packed = build_release(
        source,
        version,
        Board(board),
        compiled=not no_compile,
        # Without an installation (on a build machine) there is nothing to compare with.
        updates=Path(StatePaths(state.expanduser()).updates),
    )
    path = out or Path(f"{board}-{version}.zip")
    write_archive(path, packed.archive)
    report_packed(packed, str(path), as_json)


@command.command(
    epilog="""\b
Examples:
  seawall release sign unix-1.2.0.zip
  seawall release sign unix-1.2.0.zip --key /media/usb/targets-1.pem
  seawall release sign unix-1.2.0.zip --passphrase-fd 3 3<passphrase.txt
What is signed waits for 'seawall release publish'.
"""
)
@click.argument(
    "archives", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@key_option
@passphrase_fd_option
@state_option
@json_option
def sign(
    archives: tuple[Path, ...],
    key_files: tuple[Path, ...],
    passphrase: bytes | None,
    state: Path,
    as_json: bool,
) -> None:
    """Sign releases; they wait until they are published."""
    _sign(archives, key_files, passphrase, state, as_json, publish=False)


@command.command(
    epilog="""\b
Examples:
  seawall release publish unix-1.2.0.zip      (sign and publish)
  seawall release publish                     (all that 'seawall release sign' has signed)
With FILE nothing else is published: it refuses while something signed waits.
Devices can fetch it from now on; 'seawall rollout start' tells them to.
"""
)
@click.argument("archives", nargs=-1, metavar="[FILE...]", type=click.Path(path_type=Path))
@key_option
@passphrase_fd_option
@state_option
@json_option
def publish(
    archives: tuple[Path, ...],
    key_files: tuple[Path, ...],
    passphrase: bytes | None,
    state: Path,
    as_json: bool,
) -> None:
    """Publish releases: sign them first, or publish those that are signed."""
    from seawall.operations.publish_release import publish_release  # noqa: PLC0415

    if archives:
        _sign(archives, key_files, passphrase, state, as_json, publish=True)
        return
    with opened(state) as installation:
        done = publish_release(installation)
    if as_json:
        emit_json(done._asdict())
        return
    for what, targets in (("Published", done.published), ("Withdrawn", done.withdrawn)):
        if targets:
            say(f"{what}: " + ", ".join(each.removesuffix(".json") for each in targets))


def _sign(
    archives: tuple[Path, ...],
    key_files: tuple[Path, ...],
    passphrase: bytes | None,
    state: Path,
    as_json: bool,
    *,
    publish: bool,
) -> None:
    from seawall.operations.sign_release import sign_release  # noqa: PLC0415
    from seawall.operations.update_signing import Signing  # noqa: PLC0415

    built = [_unpacked(each) for each in archives]
    with opened(state) as installation:
        signing = Signing(Passphrases(passphrase).of_key, key_files)
        done = sign_release(installation, built, signing, publish=publish)
    if as_json:
        releases = [release_json(each) for each in done.releases]
        emit_json({"releases": releases, **signed_json(done.signed)})
        return
    for release in done.releases:
        print_facts(release_words(release))
    report_signed(done.signed, "Published.")


def _unpacked(path: Path) -> BuiltRelease:
    from seawall.updates.application import read_file  # noqa: PLC0415
    from seawall.updates.release_bundle import MAX_ARCHIVE_BYTES, unpack_release  # noqa: PLC0415

    return unpack_release(read_file(path, MAX_ARCHIVE_BYTES))


@command.command(
    epilog="""\b
Examples:
  seawall release withdraw unix/1.2.0
No device is offered it any more; its version stays used. Devices that run it
go on: publish a better one. While it is rolled out it is not withdrawn: abort
the roll-out first.
"""
)
@click.argument("name", metavar="BOARD/VERSION")
@key_option
@passphrase_fd_option
@state_option
@json_option
def withdraw(
    name: str, key_files: tuple[Path, ...], passphrase: bytes | None, state: Path, as_json: bool
) -> None:
    """Take a published release back."""
    from seawall.operations.update_signing import Signing  # noqa: PLC0415
    from seawall.operations.withdraw_release import withdraw_release  # noqa: PLC0415

    with opened(state) as installation:
        signing = Signing(Passphrases(passphrase).of_key, key_files)
        release, signed = withdraw_release(installation, name, signing)
    if as_json:
        emit_json({"release": release.target.removesuffix(".json"), **signed_json(signed)})
    else:
        report_signed(signed, f"Withdrawn: {release.target.removesuffix('.json')}.")


@command.command(
    name="list",
    epilog="""\b
Examples:
  seawall release list
  seawall release list --board esp32 --json
""",
)
@click.option("--board", type=click.Choice(_BOARDS), help="Of one board alone.")
@state_option
@json_option
def list_(board: str | None, state: Path, as_json: bool) -> None:
    """List the published releases."""
    from seawall.operations.list_releases import list_releases  # noqa: PLC0415

    with opened(state) as installation:
        found = list_releases(installation, board)
    if as_json:
        emit_json([release_json(each) for each in found])
        return
    rows = [
        (
            each.target.removesuffix(".json"),
            each.kind.value,
            str(len(each.files)),
            f"{each.size:,}",
            shown_day(each.published_ms),
        )
        for each in found
    ]
    print_table(
        ("release", "kind", "files", "bytes", "published"), rows, empty="nothing is published yet"
    )


@command.command(epilog="\b\nExamples:\n  seawall release show unix/1.2.0\n")
@click.argument("name", metavar="BOARD/VERSION")
@state_option
@json_option
def show(name: str, state: Path, as_json: bool) -> None:
    """Show a published release and its files."""
    from seawall.operations.list_releases import show_release  # noqa: PLC0415

    with opened(state) as installation:
        release = show_release(installation, name)
    if as_json:
        emit_json(release_json(release, files=True))
        return
    print_facts(release_words(release))
    rows = [(each.path, f"{each.length:,}", each.sha256[:16]) for each in release.files]
    print_table(("file", "bytes", "sha256"), rows, empty="no files")

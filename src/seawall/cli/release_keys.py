"""``seawall release keys``: makes, shows, rotates and recovers the keys that sign releases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seawall.cli.opening import opened
from seawall.cli.output import emit_json, print_table, say
from seawall.cli.release_words import key_rows, keys_json, report_signed, signed_json
from seawall.cli.state import json_option, state_option
from seawall.cli.update_asking import Passphrases, key_option, passphrase_fd_option

if TYPE_CHECKING:
    from seawall.operations.installation import Installation
    from seawall.operations.update_signing import NewKeys, Signed, Signing

Command = TypeVar("Command", bound=Callable[..., Any])
Act = Callable[["Installation", "Signing", "NewKeys"], "Signed"]

_OFFLINE = click.Choice(["root", "targets"])
_COUNT = click.IntRange(1, 8)


def _count_option(flag: str, default: int, words: str) -> Callable[[Command], Command]:
    return click.option(flag, default=default, show_default=True, type=_COUNT, help=words)


def _out_option(command: Command) -> Command:
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Write new offline keys there instead of into the state directory.",
    )(command)


def _signer_options(command: Command) -> Command:
    command = click.option(
        "--public-key",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="With --signer: its public key, PEM (P-256, or RSA for PSS).",
    )(command)
    return click.option(
        "--signer",
        metavar="URI",
        help="Instead of making a key: who signs, as securesystemslib names it "
        "(hsm:, awskms:, gcpkms:, azurekms:, hv:).",
    )(command)


def _signing_options(command: Command) -> Command:
    for option in (json_option, state_option, passphrase_fd_option, key_option):
        command = option(command)
    return command


@click.group(
    name="keys",
    epilog="""\b
Examples:
  seawall release keys create
  seawall release keys show
  seawall release keys recover timestamp
  seawall release keys rotate root-2 --out /media/usb
""",
)
def keys() -> None:
    """Make, show, rotate and recover the keys that sign releases."""


@keys.command(
    epilog="""\b
Examples:
  seawall release keys create
  seawall release keys create --out /media/usb --passphrase-fd 3 3<passphrase.txt
Makes 3 root keys, of which 2 must sign, and a targets key, encrypted, for
keeping offline; and a snapshot and a timestamp key for the server.
"""
)
@_count_option("--root-keys", 3, "How many root keys are made.")
@_count_option("--root-threshold", 2, "How many root keys must sign.")
@_count_option("--targets-keys", 1, "How many targets keys are made.")
@_count_option("--targets-threshold", 1, "How many targets keys must sign.")
@_out_option
@passphrase_fd_option
@state_option
@json_option
def create(
    root_keys: int,
    root_threshold: int,
    targets_keys: int,
    targets_threshold: int,
    out: Path | None,
    passphrase: bytes | None,
    state: Path,
    as_json: bool,
) -> None:
    """Make the signing keys of an installation, once."""
    from seawall.operations.create_update_keys import KeyPlan, create_update_keys  # noqa: PLC0415
    from seawall.operations.show_update_keys import show_update_keys  # noqa: PLC0415
    from seawall.operations.update_signing import NewKeys  # noqa: PLC0415

    with opened(state) as installation:
        new_keys = NewKeys(Passphrases(passphrase).of_new_key, out)
        plan = KeyPlan(root_keys, root_threshold, targets_keys, targets_threshold)
        create_update_keys(installation, new_keys, plan)
        facts = show_update_keys(installation)
    if as_json:
        emit_json(keys_json(facts))
        return
    _print_keys(key_rows(facts))
    say(
        "Keep the root keys apart from each other and from this machine, with their passphrase; "
        "devices that get a bundle from now on trust them."
    )


@keys.command(epilog="\b\nExamples:\n  seawall release keys show\n")
@state_option
@json_option
def show(state: Path, as_json: bool) -> None:
    """Show keys, thresholds, ends, and what waits for signatures."""
    from seawall.operations.show_update_keys import show_update_keys  # noqa: PLC0415

    with opened(state) as installation:
        facts = show_update_keys(installation)
    if as_json:
        emit_json(keys_json(facts))
        return
    _print_keys(key_rows(facts))
    if facts.waits:
        say(f"A change waits: {facts.waits}.")
    for missing in facts.missing:
        say(f"{missing.role}: {missing.have} of {missing.need} signatures")


def _print_keys(rows: list[tuple[str, ...]]) -> None:
    print_table(("role", "must sign", "ends", "key", "keyid", "signer"), rows, empty="no keys")


def _act(
    act: Act,
    done: str,
    options: dict[str, Any],
    *,
    out: Path | None = None,
    signer: str | None = None,
    public_key: Path | None = None,
) -> None:
    from seawall.operations.update_signing import NewKeys, Signing  # noqa: PLC0415

    with opened(options["state"]) as installation:
        asked = Passphrases(options["passphrase"])
        signing = Signing(asked.of_key, options["key_files"])
        signed = act(installation, signing, NewKeys(asked.of_new_key, out, signer, public_key))
    if options["as_json"]:
        emit_json(signed_json(signed))
    else:
        report_signed(signed, done)


@keys.command(
    epilog="""\b
Examples:
  seawall release keys rotate timestamp
  seawall release keys rotate root-2 --out /media/usb
  seawall release keys rotate targets-1 --signer 'hsm:2?label=Release' --public-key release.pem
Signed by the root keys; devices follow by themselves.
"""
)
@click.argument("name", metavar="KEY")
@_out_option
@_signer_options
@_signing_options
def rotate(
    name: str, out: Path | None, signer: str | None, public_key: Path | None, **options: Any
) -> None:
    """Replace one key: by its name, or the only key of a role."""
    from seawall.operations.change_update_keys import rotate_update_key  # noqa: PLC0415

    def act(installation: Installation, signing: Signing, new_keys: NewKeys) -> Signed:
        return rotate_update_key(installation, name, signing, new_keys)

    _act(act, f"{name} is replaced.", options, out=out, signer=signer, public_key=public_key)


@keys.command(
    epilog="""\b
Examples:
  seawall release keys recover timestamp
  seawall release keys recover targets
After a theft. timestamp and snapshot: both online keys are replaced. targets:
all targets keys and both online keys. Look at 'seawall release list' first: what a
thief has published is signed anew with the rest ('seawall release withdraw').
A stolen root key: 'seawall release keys rotate root-N'.
"""
)
@click.argument("role", type=click.Choice(["timestamp", "snapshot", "targets"]))
@_out_option
@_signing_options
def recover(role: str, out: Path | None, **options: Any) -> None:
    """Replace the keys of a role that was stolen, and those that lay beside it."""
    from seawall.operations.change_update_keys import recover_update_role  # noqa: PLC0415

    def act(installation: Installation, signing: Signing, new_keys: NewKeys) -> Signed:
        return recover_update_role(installation, role, signing, new_keys)

    _act(act, f"The keys of {role} are replaced.", options, out=out)


@keys.command(epilog="\b\nExamples:\n  seawall release keys add root --out /media/usb\n")
@click.argument("role", type=_OFFLINE)
@_out_option
@_signer_options
@_signing_options
def add(
    role: str, out: Path | None, signer: str | None, public_key: Path | None, **options: Any
) -> None:
    """Add a key to root or targets."""
    from seawall.operations.change_update_keys import add_update_key  # noqa: PLC0415

    def act(installation: Installation, signing: Signing, new_keys: NewKeys) -> Signed:
        return add_update_key(installation, role, signing, new_keys)

    _act(act, f"{role} has one more key.", options, out=out, signer=signer, public_key=public_key)


@keys.command(epilog="\b\nExamples:\n  seawall release keys remove root-3\n")
@click.argument("name", metavar="KEY")
@_signing_options
def remove(name: str, **options: Any) -> None:
    """Take a key out of root or targets."""
    from seawall.operations.change_update_keys import remove_update_key  # noqa: PLC0415

    def act(installation: Installation, signing: Signing, _new: NewKeys) -> Signed:
        return remove_update_key(installation, name, signing)

    _act(act, f"{name} is removed.", options)


@keys.command(epilog="\b\nExamples:\n  seawall release keys threshold root 3\n")
@click.argument("role", type=_OFFLINE)
@click.argument("count", type=_COUNT)
@_signing_options
def threshold(role: str, count: int, **options: Any) -> None:
    """Say how many keys of root or targets must sign."""
    from seawall.operations.change_update_keys import set_update_threshold  # noqa: PLC0415

    def act(installation: Installation, signing: Signing, _new: NewKeys) -> Signed:
        return set_update_threshold(installation, role, count, signing)

    _act(act, f"{count} keys of {role} must sign.", options)


@keys.command(epilog="\b\nExamples:\n  seawall release keys renew\n")
@_signing_options
def renew(**options: Any) -> None:
    """Sign root anew, for two more years; nothing else changes."""
    from seawall.operations.change_update_keys import renew_update_root  # noqa: PLC0415

    def act(installation: Installation, signing: Signing, _new: NewKeys) -> Signed:
        return renew_update_root(installation, signing)

    _act(act, "Root is renewed.", options)


@keys.command(
    epilog="""\b
Examples:
  seawall release keys sign --key /media/usb/root-2.pem
"""
)
@_signing_options
def sign(**options: Any) -> None:
    """Add signatures to what waits for them."""
    from seawall.operations.sign_update_change import sign_update_change  # noqa: PLC0415

    def act(installation: Installation, signing: Signing, _new: NewKeys) -> Signed:
        return sign_update_change(installation, signing)

    _act(act, "Published.", options)


@keys.command(epilog="\b\nExamples:\n  seawall release keys discard\n")
@state_option
@json_option
def discard(state: Path, as_json: bool) -> None:
    """Drop what waits for signatures."""
    from seawall.operations.sign_update_change import discard_update_change  # noqa: PLC0415

    with opened(state) as installation:
        discard_update_change(installation)
    if as_json:
        emit_json({"discarded": True})
    else:
        say("Discarded.")

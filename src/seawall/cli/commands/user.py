"""``seawall user``: people who may sign in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from seawall.cli.asking import ask_new_secret, is_interactive, read_secret
from seawall.cli.opening import opened
from seawall.cli.output import emit_json, print_facts, print_table, say
from seawall.cli.state import json_option, state_option

_password_file = click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="File with the password ('-': standard input); else it is asked for, or generated "
    "and shown once where nobody can be asked.",
)


@click.group(
    name="user",
    epilog="""\b
Examples:
  seawall user add maria --role operator
  seawall user list
""",
)
def command() -> None:
    """Add and list users, change passwords."""


@command.command(
    epilog="""\b
Examples:
  seawall user add maria --role operator
  seawall user add wallboard --role viewer --password-file wallboard.txt
"""
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="viewer",
    show_default=True,
    help="What the user may do; each includes those before it.",
)
@_password_file
@state_option
@json_option
def add(name: str, role: str, password_file: Path | None, state: Path, as_json: bool) -> None:
    """Add a user."""
    from seawall.model.ids import check_user_name  # noqa: PLC0415
    from seawall.model.user import Role  # noqa: PLC0415
    from seawall.operations.add_user import add_user  # noqa: PLC0415

    check_user_name(name)
    with opened(state) as installation:
        password, generated = _new_password(name, password_file)
        user = add_user(installation, name, Role(role), password)
    _report({"user": user.name, "role": user.role.value}, generated, as_json)


@command.command(
    epilog="""\b
Examples:
  seawall user passwd admin
  seawall user passwd admin --password-file new.txt
"""
)
@click.argument("name")
@_password_file
@state_option
@json_option
def passwd(name: str, password_file: Path | None, state: Path, as_json: bool) -> None:
    """Give a user another password; their sessions end."""
    from seawall.operations.change_password import change_password  # noqa: PLC0415

    with opened(state) as installation:
        password, generated = _new_password(name, password_file)
        change_password(installation, name, password)
    _report({"user": name, "password_changed": True}, generated, as_json)


@command.command(name="list", epilog="\b\nExample:\n  seawall user list --json\n")
@state_option
@json_option
def list_(state: Path, as_json: bool) -> None:
    """List the users."""
    from seawall.operations.list_users import list_users  # noqa: PLC0415

    with opened(state) as installation:
        users = list_users(installation)
    if as_json:
        emit_json([{"user": u.name, "role": u.role.value, "added_ms": u.added_ms} for u in users])
        return
    rows = [
        (u.name, u.role.value, f"{datetime.fromtimestamp(u.added_ms / 1000, UTC):%Y-%m-%d}")
        for u in users
    ]
    print_table(("user", "role", "added"), rows, empty="no users")


def _new_password(name: str, file: Path | None) -> tuple[str, str | None]:
    """Return a password, and the same again if it was generated and must be shown."""
    from seawall.operations.passwords import generate_password  # noqa: PLC0415

    if file is not None:
        return read_secret(file, "the password"), None
    if is_interactive():
        answer = ask_new_secret(f"Password for {name} (empty: generate one)")
        if answer:
            return answer, None
    password = generate_password()
    return password, password


def _report(facts: dict[str, object], generated: str | None, as_json: bool) -> None:
    if as_json:
        emit_json({**facts, "generated_password": generated})
        return
    if generated is not None:
        facts["password"] = generated
    print_facts(facts)
    if generated is not None:
        say("The password is shown this once.")

"""Makes a state directory with all that an installation is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from seawall.errors import ConflictError, StateError
from seawall.model.event import Event
from seawall.model.ids import check_user_name
from seawall.model.installation import Settings, StatePaths
from seawall.model.user import Role, User
from seawall.operations.passwords import check_new_password, generate_password, hash_password
from seawall.pki import files
from seawall.pki.authority import server_names
from seawall.pki.keystore import Keystore
from seawall.store.contract import Store

_LAST: Final = "seawall.toml"
"""Moved to its place last: a directory with it is complete."""
_IGNORE: Final = ".gitignore"
"""Keeps the keys out of the next commit if the directory stands in somebody's checkout."""
_MEMBERS: Final = ("pki", "broker", "updates", "run", "seawall.db", _LAST)


@dataclass(frozen=True, slots=True)
class NewInstallation:
    """What a person says of an installation that is to be made.

    Attributes:
        settings: Its settings; the names in the certificates among them.
        admin: Name of the first user.
        password: Theirs; None: one is generated.
        passphrase: Encrypts the keys of the authorities; None: they are not encrypted.
    """

    settings: Settings
    admin: str = "admin"
    password: str | None = None
    passphrase: bytes | None = None


@dataclass(frozen=True, slots=True)
class CreatedInstallation:
    """What was made.

    Attributes:
        root: Where.
        generated_password: Of the first user, to be shown once; None if it was given.
        keystore: Its keys and certificates.
    """

    root: Path
    generated_password: str | None
    keystore: Keystore


def create_installation(
    root: Path,
    new: NewInstallation,
    *,
    create_store: Callable[[Path], Store],
    write_settings: Callable[[Path, Settings], None],
    now_ms: Callable[[], int],
    actor: str,
) -> CreatedInstallation:
    """Make a state directory; it appears complete or not at all.

    (If ``root`` is a mount point, which cannot be renamed to, the parts are moved
    in one by one, the settings last; a crash then leaves what is described as half made.)

    Args:
        root: The state directory; must not exist, or be empty.
        new: What it is to be.
        create_store: Makes the store in a file of this path.
        write_settings: Writes seawall.toml.
        now_ms: The clock, UTC milliseconds.
        actor: On whose behalf.

    Raises:
        ConflictError: there is something in the directory already.
        StateError: it is half made, or cannot be written (StoreFullError: the disk is full).
        KeyAccessError: the clock is far off.
        InvalidNameError: a server name or the user name is not allowed.
        UsageError: the password is weak.
    """
    root = root.expanduser().resolve()
    check_user_name(new.admin)
    server_names(new.settings.names)
    password = new.password if new.password is not None else generate_password()
    check_new_password(new.admin, password)
    check_free(root)
    try:
        with _directory_for(root) as directory:
            _fill(
                directory,
                new,
                password,
                create_store=create_store,
                write_settings=write_settings,
                now_ms=now_ms,
                actor=actor,
            )
    except OSError as error:
        raise files.unwritable(root, error) from error
    return CreatedInstallation(
        root,
        None if new.password is not None else password,
        Keystore.open(Path(StatePaths(root).pki)),
    )


def check_free(root: Path) -> None:
    """Check that an installation can be made in a directory.

    Raises:
        ConflictError: an installation, or something else, is there.
        StateError: it is half made (``state-half-made``), or is no directory.
    """
    if not root.exists():
        return
    if not root.is_dir():
        raise StateError(f"{root} is not a directory", reference="state-unwritable")
    present = {path.name for path in root.iterdir()} - {"lost+found"}
    if not present:
        return
    if _LAST in present:
        check_complete(root)
        raise ConflictError(
            f"{root} holds an installation already; nothing was changed",
            reference="state-exists",
            hint="name another directory with --state DIR",
        )
    if present & set(_MEMBERS) or any(name.startswith(_unfinished(root)) for name in present):
        raise _half_made(root, [name for name in _MEMBERS if name not in present])
    raise ConflictError(
        f"{root} is not empty; nothing was changed",
        reference="state-exists",
        hint="name an empty or a new directory with --state DIR",
    )


def check_complete(root: Path) -> None:
    """Check that the parts of a state directory are there, as every opening should first.

    Raises:
        StateError: it is missing (``state-missing``) or half made (``state-half-made``:
            what is missing, and what to do).
    """
    absent = [name for name in ("pki", "seawall.db", _LAST) if not (root / name).exists()]
    if not absent:
        return
    begun = root.is_dir() and (len(absent) < 3 or any(root.glob(f"{_unfinished(root)}*")))
    if begun:
        raise _half_made(root, absent)
    raise StateError(
        f"{root} is no Seawall installation: {', '.join(absent)} missing",
        reference="state-missing",
        hint=f"make one with 'seawall init --state {root}', or name another with --state DIR",
    )


def _half_made(root: Path, absent: list[str]) -> StateError:
    return StateError(
        f"{root} is half made: {', '.join(absent)} missing",
        reference="state-half-made",
        hint="restore what is missing from a backup; if this installation never worked, "
        f"remove it and make it anew: rm -r '{root}' && seawall init --state '{root}'",
    )


def _unfinished(root: Path) -> str:
    return files.unfinished_prefix(root / "seawall")


@contextmanager
def _directory_for(root: Path) -> Iterator[Path]:
    if not root.is_mount():
        with files.new_directory(root) as directory:
            yield directory
        return
    inside = root / f"{_unfinished(root)}parts"
    inside.mkdir(mode=files.PRIVATE_DIRECTORY)
    try:
        yield inside
    except BaseException:
        files.remove_tree(inside)
        raise
    for name in (_IGNORE, *_MEMBERS):
        (inside / name).rename(root / name)
    inside.rmdir()
    root.chmod(files.PRIVATE_DIRECTORY)
    files.sync_directory(root)


def _fill(
    directory: Path,
    new: NewInstallation,
    password: str,
    *,
    create_store: Callable[[Path], Store],
    write_settings: Callable[[Path, Settings], None],
    now_ms: Callable[[], int],
    actor: str,
) -> None:
    paths = StatePaths(directory)
    at_ms = now_ms()
    now = datetime.fromtimestamp(at_ms / 1000, UTC)
    Keystore.create(Path(paths.pki), new.settings.names, now, new.passphrase)
    for path in (paths.broker, paths.updates, paths.running.parent):
        files.make_private_directory(Path(path))
    store = create_store(Path(paths.database))
    try:
        user = User(new.admin, Role.ADMIN, hash_password(password), at_ms)
        store.put_user(user)
        store.log(
            [
                Event(at_ms, "installation-created", "", actor),
                Event(at_ms, "user-added", new.admin, actor, {"role": Role.ADMIN.value}),
            ]
        )
    finally:
        store.close()
    Path(paths.database).chmod(files.PRIVATE_FILE)
    files.write_private(directory / _IGNORE, b"*\n")
    write_settings(Path(paths.settings), new.settings)
    Path(paths.settings).chmod(files.PRIVATE_FILE)

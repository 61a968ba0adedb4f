"""Lends the audit what it cannot reach: the database and the update repository of an installation.

Secrets stay here. A password is tried against its hash and leaves as words; of readings, names
of fields and signs of personal data leave, and no value.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import argon2

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.personal_data import personal_data
from seawall.audit.probes.state import (
    ReadStateReadings,
    ReadStateRegistry,
    ReadStateUpdates,
    ReadStateUsers,
    root_of,
)
from seawall.audit.state_facts import (
    RegisteredDevice,
    StateReadings,
    StateRegistry,
    StateUpdates,
    UpdateRole,
    UserFacts,
)
from seawall.audit.target import Target
from seawall.errors import SeawallError
from seawall.model.history import ReadingQuery
from seawall.model.installation import StatePaths
from seawall.model.reading import RESERVED_MEMBERS
from seawall.model.user import Role, User
from seawall.operations.passwords import matches
from seawall.store.contract import Store
from seawall.updates import metadata as tuf
from seawall.updates.keys import KeyRecord
from seawall.updates.repository import Current, Repository

T = TypeVar("T")
OpenStore = Callable[[Path], Store]
"""Opens a database without changing it in any way."""
Port = Callable[[Job[Any], Target, Limits], Awaitable[object]]

USUAL: Final = (
    "password1234",
    "123456789012",
    "administrator",
    "changemechangeme",
    "passwordpassword",
    "correct horse battery staple",
    "qwertyuiopas",
    "letmeinletmein",
    "seawallseawall",
    "admin",
    "password",
    "changeme",
)
"""What people take when twelve characters are asked for, and what was there before they were."""
_SHARE_OF_DEADLINE: Final = 0.6
_METRICS_OF: Final = 200
"""So many devices are asked for all their metrics; of the others the newest reading tells."""


def state_ports(open_store: OpenStore) -> Mapping[type[Job[Any]], Port]:
    """Return what answers for the jobs that the audit cannot do itself.

    Args:
        open_store: Opens the database of a state directory.
    """
    return {
        ReadStateUsers: partial(_users_port, open_store),
        ReadStateRegistry: partial(_from_store, open_store, read_registry),
        ReadStateReadings: partial(_from_store, open_store, read_readings),
        ReadStateUpdates: _updates_port,
    }


async def _from_store(
    open_store: OpenStore, read: Callable[[Store], T], _: Job[Any], target: Target, __: Limits
) -> T:
    return await asyncio.to_thread(_read_store, open_store, root_of(target), read)


async def _users_port(open_store: OpenStore, _: Job[Any], target: Target, limits: Limits) -> object:
    seconds = limits.deadline_of(target.kind) * _SHARE_OF_DEADLINE
    read = partial(read_users, seconds=seconds)
    return await asyncio.to_thread(_read_store, open_store, root_of(target), read)


async def _updates_port(_: Job[Any], target: Target, __: Limits) -> object:
    with _told("the update repository"):
        return await asyncio.to_thread(read_updates, root_of(target))


def _read_store(open_store: OpenStore, root: Path, read: Callable[[Store], T]) -> T:
    with _told("the database"):
        store = open_store(Path(StatePaths(root).database))
        try:
            return read(store)
        finally:
            store.close()


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except SeawallError as error:
        raise Unobserved(f"{what} cannot be read: {error}") from None


# Users


def read_users(store: Store, seconds: float) -> tuple[UserFacts, ...]:
    """Return the users, administrators first, as far as time allows with guesses at passwords.

    Args:
        store: Where they are.
        seconds: For all guesses; a guess takes some 0.1 s on purpose.
    """
    ends = time.monotonic() + seconds
    users = sorted(store.users(), key=lambda user: (user.role is not Role.ADMIN, user.name))
    return tuple(_user(user, ends) for user in users)


def _user(user: User, ends: float) -> UserFacts:
    try:
        found = argon2.extract_parameters(user.password_hash)
    except argon2.exceptions.InvalidHashError:
        return UserFacts(user.name, user.role, "an unknown kind of hash", 0, 0, tried=1)
    guesses = {user.name: "the user's name"}
    for text in (
        user.name * (12 // len(user.name) + 1),
        f"{user.name}1234",
        f"{user.name}password",
    ):
        guesses.setdefault(text, "made of the user's name")
    for text in USUAL:
        guesses.setdefault(text, f"a usual one of {len(text)} characters")
    guessed, tried = "", 0
    for text, words in guesses.items():
        if time.monotonic() > ends:
            break
        tried += 1
        if matches(user.password_hash, text):
            guessed = words
            break
    # A hash that was tried in part is as good as not tried.
    complete = bool(guessed) or tried == len(guesses)
    return UserFacts(
        user.name,
        user.role,
        f"argon2{found.type.name.lower()}",
        found.memory_cost,
        found.time_cost,
        guessed,
        tried if complete else 0,
    )


# Devices and readings


def read_registry(store: Store) -> StateRegistry:
    """Return all devices."""
    heard = {each.device_id: each.last_received_ms for each in store.activity()}
    versions = {each.device_id: each.version for each in store.software()}
    return StateRegistry(
        tuple(
            RegisteredDevice(
                device, heard.get(device.device_id), versions.get(device.device_id) or None
            )
            for device in store.devices()
        )
    )


def read_readings(store: Store) -> StateReadings:
    """Return what fields readings have, and when the oldest was measured."""
    members: dict[tuple[str, str], None] = {}
    signs: dict[tuple[str, str, str], None] = {}
    activity = store.activity()
    for each in activity:
        if each.last_body is None:
            continue
        for name in json.loads(each.last_body):
            members[name, each.device_id] = None
        for sign in personal_data(each.last_body):
            signs[sign.field, sign.kind, each.device_id] = None
    for each in activity[:_METRICS_OF]:
        for name in store.metrics(each.device_id):
            members[name, each.device_id] = None
    oldest = next(iter(store.readings(ReadingQuery())), None)
    return StateReadings(
        tuple(sorted(_first_sender(members))),
        None if oldest is None else oldest.ts_ms,
        tuple(sorted(signs)),
    )


def _first_sender(members: Mapping[tuple[str, str], None]) -> Iterator[tuple[str, str]]:
    """Yield each name once, with the first device that sends it."""
    seen: set[str] = set()
    for name, device_id in members:
        if name not in seen and name not in RESERVED_MEMBERS:
            seen.add(name)
            yield name, device_id


# Updates


def read_updates(root: Path) -> StateUpdates:
    """Return the roles of the update repository; none if there are no update keys.

    Raises:
        StateError: the repository is damaged.
    """
    repository = Repository(Path(StatePaths(root).updates))
    if not repository.exists:
        return StateUpdates()
    # Not under its lock, which would have to be written: metadata are replaced in one step.
    current, records = repository.read(), repository.records()
    roles = (tuf.ROOT, tuf.TARGETS, tuf.SNAPSHOT, tuf.TIMESTAMP)
    return StateUpdates(tuple(_role(repository, current, role, records) for role in roles))


def _role(
    repository: Repository, current: Current, role: str, records: Sequence[KeyRecord]
) -> UpdateRole:
    metadata = getattr(current, role)
    named = current.root.signed.roles[role]
    present, unsealed = [], []
    for record in records:
        path = repository.keys_folder / record.signer
        if record.keyid not in named.keyids or record.is_uri or not path.is_file():
            continue
        shown = _shown(path, repository.path.parent)
        present.append(shown)
        if b"ENCRYPTED" not in path.read_bytes():
            unsealed.append(shown)
    return UpdateRole(
        role,
        named.threshold,
        None if metadata is None else metadata.signed.expires.replace(tzinfo=UTC),
        tuple(present),
        tuple(unsealed),
    )


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)

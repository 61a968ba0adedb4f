"""Tells whether somebody is who they say."""

from __future__ import annotations

from seawall.model.user import User
from seawall.operations.installation import Installation
from seawall.operations.passwords import matches


def check_password(installation: Installation, name: str, password: str) -> User | None:
    """Return the user if the password is theirs, else None.

    Unknown users cost as much time as known ones. Takes some 0.1 s and 64 MiB:
    call it on a thread, and throttle who may.

    Raises:
        StoreError: the store failed.
    """
    user = installation.store.user(name)
    return user if matches(user.password_hash if user else None, password) else None

"""Gives a user another password."""

from __future__ import annotations

from dataclasses import replace

from seawall.errors import NotFoundError
from seawall.operations.installation import Installation
from seawall.operations.passwords import check_new_password, hash_password


def change_password(installation: Installation, name: str, password: str) -> None:
    """Set a password; all sessions of the user end.

    Raises:
        NotFoundError: there is no such user.
        UsageError: the password is weak.
        StoreError: the store failed; the old password stands.
    """
    user = installation.store.user(name)
    if user is None:
        raise NotFoundError(
            f"there is no user {name[:40]!r}",
            reference="user-not-found",
            hint="'seawall user list' names the users",
        )
    check_new_password(name, password)
    installation.store.put_user(replace(user, password_hash=hash_password(password)))
    installation.store.log([installation.event("password-changed", name)])

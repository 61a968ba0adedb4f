"""Adds a user."""

from __future__ import annotations

from seawall.errors import ConflictError
from seawall.model.ids import check_user_name
from seawall.model.user import Role, User
from seawall.operations.installation import Installation
from seawall.operations.passwords import check_new_password, hash_password


def add_user(installation: Installation, name: str, role: Role, password: str) -> User:
    """Add a person who may sign in.

    Raises:
        InvalidNameError: the name is not allowed.
        UsageError: the password is weak.
        ConflictError: the name is taken.
        StoreError: the store failed; there is no new user.
    """
    check_user_name(name)
    if installation.store.user(name) is not None:
        raise ConflictError(
            f"there is a user {name} already",
            reference="user-exists",
            hint=f"'seawall user passwd {name}' gives a new password",
        )
    check_new_password(name, password)
    user = User(name, role, hash_password(password), installation.now_ms())
    installation.store.put_user(user)
    installation.store.log([installation.event("user-added", name, role=role.value)])
    return user

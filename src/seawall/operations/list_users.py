"""Lists the users."""

from __future__ import annotations

from seawall.model.user import User
from seawall.operations.installation import Installation


def list_users(installation: Installation) -> list[User]:
    """Return all users, sorted by name.

    Raises:
        StoreError: the store failed.
    """
    return installation.store.users()

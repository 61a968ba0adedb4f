"""A change of keys and thresholds on its way: the next root, and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root

from seawall.errors import NotFoundError
from seawall.updates import metadata as tuf
from seawall.updates.keys import KeyRecord, MadeKey, next_name
from seawall.updates.repository import Current
from seawall.updates.staging import Staged

NewKey = Callable[[str, str], MadeKey]
"""Makes a key of a role, with a name."""


class RootDraft:
    """The next root.

    Args:
        current: What is published.
        records: The keys that are known.
        now: The time.
        new_key: Makes keys.
    """

    def __init__(
        self, current: Current, records: Sequence[KeyRecord], now: datetime, new_key: NewKey
    ) -> None:
        self._current = current
        self._now = now
        self._new_key = new_key
        self._names = list(records)
        self.root: Metadata[Root] = tuf.next_root(current.root.signed, now)
        self.records = list(records)
        self.made: list[MadeKey] = []

    def record(self, name: str) -> KeyRecord:
        """Return a key by its name.

        Raises:
            NotFoundError: there is none (``no-such-update-key``).
        """
        for each in self.records:
            if each.name == name:
                return each
        raise NotFoundError(
            f"there is no update key {name}",
            reference="no-such-update-key",
            hint="there is " + ", ".join(sorted(each.name for each in self.records)),
        )

    def of_role(self, role: str) -> list[KeyRecord]:
        """Return the keys of a role."""
        return [each for each in self.records if each.role == role]

    def replace(self, old: Sequence[KeyRecord]) -> None:
        """Take keys out, and put as many new ones in their roles."""
        for record in old:
            self._change(record.role, [record], [self._make(record.role)])

    def add(self, role: str) -> None:
        """Add a key to a role."""
        self._change(role, [], [self._make(role)])

    def remove(self, record: KeyRecord) -> None:
        """Take a key out.

        Raises:
            ConflictError: the role would have fewer keys than must sign.
        """
        self._change(record.role, [record], [])

    def set_threshold(self, role: str, threshold: int) -> None:
        """Say how many keys of a role must sign.

        Raises:
            ConflictError: it has not so many.
        """
        tuf.check_threshold(self.root.signed, role, threshold)
        self.root.signed.roles[role].threshold = threshold

    def _make(self, role: str) -> MadeKey:
        made = self._new_key(role, next_name(role, self._names))
        self._names.append(made.record)
        self.made.append(made)
        return made

    def _change(self, role: str, old: Sequence[KeyRecord], new: Sequence[MadeKey]) -> None:
        keys: list[Key] = [each.key for each in new]
        tuf.replace_keys(self.root.signed, role, [each.keyid for each in old], keys)
        gone = {each.keyid for each in old}
        self.records = [each for each in self.records if each.keyid not in gone]
        self.records += [each.record for each in new]

    def staged(self) -> Staged:
        """Return what must be signed: root, and targets if its signatures no longer count."""
        targets = self._current.targets
        is_valid = tuf.is_signed(self.root.signed, tuf.TARGETS, targets)
        following = None if is_valid else tuf.next_targets(targets.signed, self._now)
        return Staged(self.root, following, tuple(self.records))

"""What waits for signatures: the next root, the next targets, and the keys that go with them.

Keys are held by several people. So a change is written down, signed by one
after the other, and published in one go once there are signatures enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Targets

from seawall.errors import ConflictError
from seawall.pki import files
from seawall.updates import metadata as tuf
from seawall.updates.keys import LEDGER, KeyRecord, Keyring, read_ledger, render_ledger
from seawall.updates.repository import Current, Repository

_ROOT_FILE, _TARGETS_FILE = f"{tuf.ROOT}.json", f"{tuf.TARGETS}.json"


class Missing(NamedTuple):
    """A role that lacks signatures: how many it has, how many it needs, and who could sign."""

    role: str
    have: int
    need: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Staged:
    """What is staged: None for what is not."""

    root: Metadata[Root] | None
    targets: Metadata[Targets] | None
    records: tuple[KeyRecord, ...] | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self.root is None and self.targets is None


class Staging:
    """The staged change of a repository. The caller holds `Repository.exclusive`.

    Args:
        repository: Where.
        current: What is published; None before the first root.
    """

    def __init__(self, repository: Repository, current: Current | None) -> None:
        self._repository = repository
        self._folder = repository.staged_folder
        self._current = current

    def read(self) -> Staged:
        """Return what is staged.

        Raises:
            StateError: it is damaged.
        """
        return Staged(
            self._load(_ROOT_FILE),
            self._load(_TARGETS_FILE),
            read_ledger(self._folder / LEDGER) if (self._folder / LEDGER).exists() else None,
        )

    def _load(self, name: str) -> Metadata[Any] | None:
        path = self._folder / name
        return self._repository.load(path) if path.exists() else None

    def check_no_root(self) -> None:
        """Check that no change of keys waits for signatures.

        Raises:
            ConflictError: one does (``update-change-pending``).
        """
        if (self._folder / _ROOT_FILE).exists():
            raise ConflictError(
                "a change of the update keys waits for signatures",
                reference="update-change-pending",
                hint="finish it with 'seawall release keys sign', or drop it with "
                "'seawall release keys discard'",
            )

    def check_empty(self) -> None:
        """Check that nothing waits for signatures.

        Raises:
            ConflictError: something does (``update-change-pending``).
        """
        self.check_no_root()
        staged = self.read()
        if staged.targets is not None:
            added, removed = self.difference(staged)
            waits = [*added, *(f"the withdrawal of {each}" for each in removed)]
            raise ConflictError(
                "what was signed before waits to be published: "
                + ", ".join(each.removesuffix(".json") for each in waits),
                reference="update-change-pending",
                hint="publish it with 'seawall release publish', or drop it with "
                "'seawall release keys discard'",
            )

    def difference(self, staged: Staged) -> tuple[list[str], list[str]]:
        """Return the targets that a change adds to what is published, and those it takes out."""
        if staged.targets is None:
            return [], []
        before = set() if self._current is None else set(self._current.targets.signed.targets)
        after = set(staged.targets.signed.targets)
        return sorted(after - before), sorted(before - after)

    def write(self, staged: Staged) -> None:
        """Stage a change, in place of what is staged."""
        repository = self._repository
        if staged.records is not None:
            repository.write_file(self._folder / LEDGER, render_ledger(staged.records))
        if staged.targets is not None:
            repository.write_file(self._folder / _TARGETS_FILE, staged.targets.to_bytes())
        if staged.root is not None:
            repository.write_file(self._folder / _ROOT_FILE, staged.root.to_bytes())

    def discard(self) -> None:
        """Drop what is staged, with keys that were made for it."""
        records = self.read().records
        kept = self._repository.records() if self._current is not None else ()
        if records is not None:
            self._remove_keys(records, kept)
        files.remove_tree(self._folder)

    def _remove_keys(self, records: Iterable[KeyRecord], kept: Iterable[KeyRecord]) -> None:
        """Remove the files of keys that are not among those kept; only our own files."""
        stays = {each.keyid for each in kept}
        for record in records:
            is_ours = not record.is_uri and not Path(record.signer).is_absolute()
            if is_ours and record.keyid not in stays:
                (self._repository.keys_folder / record.signer).unlink(missing_ok=True)

    def sign(self, staged: Staged, keyring: Keyring) -> list[str]:
        """Add signatures of the keys that are at hand, in memory alone; return their names.

        Raises:
            KeyAccessError: a key cannot be used.
        """
        names: list[str] = []
        if staged.root is not None:
            root = staged.root
            names += keyring.sign(root, self._root_keys(root), lambda: self._is_root_signed(root))
        if staged.targets is not None:
            targets, judge = staged.targets, self._judge(staged)
            names += keyring.sign(
                targets,
                _keys_of(judge, tuf.TARGETS),
                lambda: tuf.is_signed(judge, tuf.TARGETS, targets),
            )
        return list(dict.fromkeys(names))

    def missing(self, staged: Staged, keyring: Keyring) -> list[Missing]:
        """Return which roles of a change lack signatures."""
        found = []
        if staged.root is not None:
            previous = None if self._current is None else self._current.root.signed
            result = staged.root.signed.get_root_verification_result(
                previous, staged.root.signed_bytes, staged.root.signatures
            )
            # Where both the old and the new keys must sign, the one that lacks most is told.
            worst = max(result.first, result.second, key=lambda each: each.missing)
            found.append((tuf.ROOT, worst))
        if staged.targets is not None:
            targets = staged.targets
            found.append(
                (
                    tuf.TARGETS,
                    self._judge(staged).get_verification_result(
                        tuf.TARGETS, targets.signed_bytes, targets.signatures
                    ),
                )
            )
        return [
            Missing(
                role,
                len(result.signed),
                result.threshold,
                tuple(sorted(keyring.name_of(keyid) for keyid in result.unsigned)),
            )
            for role, result in found
            if result.missing
        ]

    def _judge(self, staged: Staged) -> Root:
        if staged.root is not None:
            return staged.root.signed
        assert self._current is not None  # noqa: S101  targets alone follow a published root
        return self._current.root.signed

    def _is_root_signed(self, root: Metadata[Root]) -> bool:
        previous = None if self._current is None else self._current.root.signed
        return tuf.is_root_signed(previous, root)

    def _root_keys(self, root: Metadata[Root]) -> list[Key]:
        """Return the keys of the new and the old root, those that are in both first."""
        new = _keys_of(root.signed, tuf.ROOT)
        old = [] if self._current is None else _keys_of(self._current.root.signed, tuf.ROOT)
        both = {key.keyid for key in new} & {key.keyid for key in old}
        return sorted(
            [*new, *(k for k in old if k.keyid not in both)], key=lambda k: k.keyid not in both
        )

    def publish(self, staged: Staged, now: datetime) -> list[str]:
        """Put a change, fully signed, in its place; return the roles that were written.

        Raises:
            StateError: it cannot be written.
            KeyAccessError: an online key cannot be used; the change is in its place, and
                `Repository.settle` goes on once there is a key.
        """
        if staged.root is not None:
            # It takes several steps: where a crash ends them, `finish` finds the rest here.
            self.write(staged)
        return [*self._place(staged), *self._repository.settle(now)]

    def _place(self, staged: Staged) -> list[str]:
        repository, written = self._repository, []
        # The first list may not have been written yet when a crash came.
        has_list = (repository.keys_folder / LEDGER).exists()
        old = repository.records() if has_list else ()
        # Targets first: nothing names it before snapshot does, and it is ready once root is.
        for role, metadata in ((tuf.TARGETS, staged.targets), (tuf.ROOT, staged.root)):
            if metadata is not None:
                repository.write(role, metadata)
                written.append(role)
        if staged.records is not None:
            # After root: by its version `finish` knows that this had begun.
            ledger = render_ledger(staged.records)
            repository.write_file(repository.keys_folder / LEDGER, ledger)
            self._remove_keys(old, staged.records)
        files.remove_tree(self._folder)
        return written

    def finish(self) -> None:
        """Go on with `publish` where a crash ended it; nothing if it had not begun."""
        staged = self.read()
        if self.is_begun(staged):
            self._place(staged)

    def is_begun(self, staged: Staged) -> bool:
        """Whether a part of a change is in its place already."""
        return any(
            metadata.signed.version <= self._repository.newest(role)
            for role, metadata in ((tuf.TARGETS, staged.targets), (tuf.ROOT, staged.root))
            if metadata is not None
        )


def _keys_of(root: Root, role: str) -> Sequence[Key]:
    return [root.keys[keyid] for keyid in root.roles[role].keyids]

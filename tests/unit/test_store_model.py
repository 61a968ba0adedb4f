"""Whatever is done in whatever order, SQLite answers as the store in memory does."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seawall.errors import SeawallError
from seawall.model.command import CommandAnswer
from seawall.model.history import ReadingQuery
from seawall.model.reading import Batch, Reading, Reason, ReplayWindow
from seawall.store.checking import CheckingStore
from seawall.store.sqlite.store import SqliteStore
from seawall.testing.command_contract import a_command
from seawall.testing.memory_store import MemoryStore
from seawall.testing.store_contract import (
    T0_MS,
    a_device,
    a_refusal,
    a_session,
    a_user,
    an_event,
)

IN_MEMORY = Path("/dev/shm")  # thousands of commits: a busy disk would take a minute

NAMES = st.sampled_from(["a", "b", "device-3"])
TIMES_MS = st.integers(T0_MS, T0_MS + 20)
BODIES = st.sampled_from([b'{"temp":1}', b'{"temp":-2.25,"hum":3}', b"{}", b'{"text":"\xc3\xa9"}'])
READINGS = st.builds(
    Reading, NAMES, TIMES_MS, st.integers(0, 2), st.integers(0, 9), TIMES_MS, BODIES
)
WINDOWS = st.builds(
    ReplayWindow,
    NAMES,
    st.integers(0, 7),
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**256 - 1).map(lambda seen: seen | 1),
)
REFUSALS = st.builds(
    a_refusal, st.sampled_from(["a", "b", "stranger", None]), st.sampled_from(Reason)
)
BATCHES = st.builds(
    Batch,
    st.lists(READINGS, max_size=8),
    st.lists(WINDOWS, max_size=4),
    st.lists(REFUSALS, max_size=3),
)
QUERIES = st.builds(
    ReadingQuery,
    st.none() | NAMES,
    st.none() | st.sampled_from(["temp", "hum", "text", "seq"]),
    st.none() | TIMES_MS,
    st.none() | TIMES_MS,
    st.none() | st.integers(0, 5),
)


class StoreComparison(RuleBasedStateMachine):
    """Two connections to one file, as two processes have them, against one model."""

    @initialize(settle_rows=st.sampled_from([0, 3, 10, None]))
    def make(self, settle_rows: int | None) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.settle_rows = settle_rows
        self.model = MemoryStore(max_refusals=4)
        self.stores = [self.open(), self.open()]

    def open(self) -> CheckingStore:
        return CheckingStore(
            SqliteStore(
                self.folder / "t.db", max_refusals=4, create=True, settle_rows=self.settle_rows
            )
        )

    def teardown(self) -> None:
        for store in getattr(self, "stores", []):
            store.close()
        shutil.rmtree(getattr(self, "folder", "nowhere"), ignore_errors=True)

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = self.open()

    @rule(which=st.integers(0, 1), batch=BATCHES)
    def append(self, which: int, batch: Batch) -> None:
        assert self.stores[which].append(batch) == self.model.append(batch)

    @rule(which=st.integers(0, 1), name=NAMES)
    def fail(self, which: int, name: str) -> None:
        """A batch that the engine refuses in the middle must leave no trace, in memory neither."""
        broken = replace(a_refusal(name), at_ms=None)  # type: ignore[arg-type]
        with pytest.raises(SeawallError):
            self.stores[which]._store.append(
                Batch(
                    [Reading(name, T0_MS, 99, seq, 1, b"{}") for seq in (98, 99)],
                    [ReplayWindow(name, 99, 99, 1)],
                    [broken],
                )
            )

    @rule(which=st.integers(0, 1), query=QUERIES)
    def ask(self, which: int, query: ReadingQuery) -> None:
        assert list(self.stores[which].readings(query)) == list(self.model.readings(query))

    @rule(
        which=st.integers(0, 1),
        name=NAMES,
        since=TIMES_MS,
        length=st.integers(0, 30),
        count=st.integers(1, 12),
    )
    def fold(self, which: int, name: str, since: int, length: int, count: int) -> None:
        args = (name, "temp", since, since + length, count)
        assert self.stores[which].buckets(*args) == self.model.buckets(*args)
        assert self.stores[which].metrics(name) == self.model.metrics(name)

    @rule(which=st.integers(0, 1), name=NAMES, again=st.booleans())
    def register(self, which: int, name: str, again: bool) -> None:
        device, event = a_device(name), an_event(name)
        if again:
            device = replace(device, key_generation=7)
            self.stores[which].put_device(device, event)
            self.model.put_device(device, event)
            return
        answers = []
        for store in (self.stores[which], self.model):
            try:
                store.add_device(device, event)
                answers.append("added")
            except SeawallError as error:
                answers.append(error.reference)
        assert answers[0] == answers[1]

    @rule(which=st.integers(0, 1), name=st.sampled_from(["ann", "bob"]))
    def hire(self, which: int, name: str) -> None:
        self.stores[which].put_user(a_user(name))
        self.model.put_user(a_user(name))

    @rule(
        which=st.integers(0, 1),
        name=st.sampled_from(["ann", "bob"]),
        token=st.sampled_from(["t1", "t2", "t3"]),
        later_ms=st.integers(0, 7_200_000),
    )
    def sign_in(self, which: int, name: str, token: str, later_ms: int) -> None:
        session = a_session(token, name)
        session = replace(
            session, created_ms=T0_MS + later_ms, expires_ms=session.expires_ms + later_ms
        )
        answers = []
        for store in (self.stores[which], self.model):
            try:
                store.put_session(session)
                answers.append("added")
            except SeawallError as error:
                answers.append(error.reference)
        assert answers[0] == answers[1]

    @rule(which=st.integers(0, 1), name=NAMES, n=st.integers(1, 12), later_ms=st.integers(0, 9))
    def order(self, which: int, name: str, n: int, later_ms: int) -> None:
        command = replace(a_command(name, n), at_ms=T0_MS + later_ms)
        answers = []
        for store in (self.stores[which], self.model):
            try:
                store.add_command(command, an_event(name, "command-queued"))
                answers.append("added")
            except SeawallError as error:
                answers.append(error.reference)
        assert answers[0] == answers[1]

    @rule(which=st.integers(0, 1), places=st.lists(st.tuples(NAMES, st.integers(1, 12))))
    def hand_over(self, which: int, places: list[tuple[str, int]]) -> None:
        self.stores[which].note_commands_sent(places)
        self.model.note_commands_sent(places)

    @rule(which=st.integers(0, 1), places=st.lists(st.tuples(NAMES, st.integers(1, 12))))
    def answer(self, which: int, places: list[tuple[str, int]]) -> None:
        answers = [CommandAnswer(name, n, T0_MS, "{}") for name, n in places]
        assert self.stores[which].answer_commands(answers) == self.model.answer_commands(answers)

    @rule(which=st.integers(0, 1), later_ms=st.integers(0, 9))
    def expire(self, which: int, later_ms: int) -> None:
        before_ms = T0_MS + later_ms
        assert self.stores[which].expire_commands(before_ms) == self.model.expire_commands(
            before_ms
        )

    @rule(which=st.integers(0, 1), name=NAMES | st.none(), last=st.none() | st.integers(0, 5))
    def ask_for_commands(self, which: int, name: str | None, last: int | None) -> None:
        for only_open in (False, True):
            asked = {"device_id": name, "only_open": only_open, "last": last}
            assert self.stores[which].commands(**asked) == self.model.commands(**asked)

    @precondition(lambda self: hasattr(self, "stores"))
    @invariant()
    def the_same(self) -> None:
        for store in self.stores:
            assert store.activity() == self.model.activity()
            assert sorted(map(repr, store.windows())) == sorted(map(repr, self.model.windows()))
            assert store.refusals() == self.model.refusals()
            assert store.refusal_counts() == self.model.refusal_counts()
            assert store.devices() == self.model.devices()
            assert store.events() == self.model.events()
            assert store.users() == self.model.users()
            assert store.commands() == self.model.commands()
            for token in ("t1", "t2", "t3"):
                assert store.session(token, T0_MS) == self.model.session(token, T0_MS)
        revisions = {store.registry_revision() for store in self.stores}
        assert revisions == {self.model.registry_revision()}


TestStoreComparison = StoreComparison.TestCase
TestStoreComparison.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)

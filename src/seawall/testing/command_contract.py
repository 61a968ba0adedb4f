"""The part of the stores' contract suite that is about the queue of commands."""
# ruff: noqa: S101, D102  these are tests

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from seawall.errors import ConflictError
from seawall.model.command import KEPT_COMMANDS, CommandAnswer, CommandState, QueuedCommand
from seawall.model.event import Event
from seawall.store.contract import Store

T0_MS = 1_763_759_216_000


def a_command(device_id: str = "a", n: int = 1) -> QueuedCommand:
    """Return a command, a second after the one before."""
    payload = b'{"cmd":"interval","n":%d,"ms":500,"sig":"00"}' % n
    return QueuedCommand(
        device_id, n, "interval", payload, T0_MS + n * 1000, "cli:me", interval_ms=500
    )


def order(store: Store, device_id: str = "a", n: int | None = None) -> QueuedCommand:
    """Queue a command, of the next number unless told otherwise, and return it.

    Raises:
        ConflictError: the number was told, and is taken.
    """
    while True:
        number = store.last_command_number(device_id) + 1 if n is None else n
        command = a_command(device_id, number)
        try:
            store.add_command(command, Event(T0_MS, "command-queued", device_id, "cli:me"))
        except ConflictError:
            if n is not None:
                raise
        else:
            return command


def answer_to(command: QueuedCommand, text: str = '{"re":1,"ok":true}') -> CommandAnswer:
    """Return an answer."""
    return CommandAnswer(command.device_id, command.n, T0_MS + 9, text)


def states(store: Store, device_id: str = "a") -> list[str]:
    """Return the states of a device's commands, in order."""
    return [command.state.value for command in store.commands(device_id=device_id)]


class CommandContract:
    """Tests that commands are queued, and that their numbers are never given twice."""

    def test_a_command_comes_back_as_it_was_queued(self, store: Store) -> None:
        assert store.last_command_number("a") == 0
        kept = [order(store, "b"), order(store, "a"), order(store, "a", n=T0_MS)]
        assert store.commands() == [kept[1], kept[2], kept[0]]
        assert store.commands(device_id="a", last=1) == [kept[2]]
        assert store.commands(last=0) == store.commands(device_id="c") == []
        assert store.last_command_number("a") == T0_MS
        assert [event.kind for event in store.events(subject="a")] == ["command-queued"] * 2

    def test_a_number_that_is_not_greater_is_refused_without_a_trace(self, store: Store) -> None:
        first = order(store, n=5)
        for n in (5, 4):
            with pytest.raises(ConflictError) as caught:
                order(store, n=n)
            assert caught.value.reference == "command-number-taken"
        assert store.commands() == [first]
        assert len(store.events()) == 1
        order(store, "b", n=4)

    def test_what_is_sent_is_open_still(self, store: Store) -> None:
        first, second = order(store), order(store)
        store.note_commands_sent([("a", 1), ("a", 77), ("nobody", 1)])
        assert store.commands(only_open=True) == [replace(first, state=CommandState.SENT), second]
        store.note_commands_sent([])

    def test_an_answer_closes_a_command_and_those_before_it(self, store: Store) -> None:
        commands = [order(store) for _ in range(4)]
        other = order(store, "b")
        store.note_commands_sent([("a", 1), ("a", 3)])
        assert store.answer_commands([answer_to(commands[2])]) == 1
        assert states(store) == ["superseded", "superseded", "answered", "queued"]
        assert store.commands(only_open=True) == [commands[3], other]
        kept = store.commands(device_id="a")
        assert (kept[2].answered_ms, kept[2].answer) == (T0_MS + 9, '{"re":1,"ok":true}')
        assert [bool(command.payload) for command in kept] == [False, False, False, True]
        store.note_commands_sent([("a", 1), ("a", 3)])
        assert states(store)[:3] == ["superseded", "superseded", "answered"]

    def test_an_answer_counts_once_and_late_ones_count_too(self, store: Store) -> None:
        first, second = order(store), order(store)
        assert store.answer_commands([]) == 0
        assert store.answer_commands([CommandAnswer("a", 77, T0_MS, "{}")]) == 0
        assert store.answer_commands([answer_to(second), answer_to(second, "{}")]) == 1
        assert store.commands()[1].answer == '{"re":1,"ok":true}'
        assert states(store) == ["superseded", "answered"]
        assert store.answer_commands([answer_to(first)]) == 1
        assert states(store) == ["answered", "answered"]

    def test_open_commands_expire(self, store: Store) -> None:
        first, second, third = (order(store) for _ in range(3))
        store.answer_commands([answer_to(first)])
        assert store.expire_commands(second.at_ms) == 0
        assert store.expire_commands(third.at_ms) == 1
        assert states(store) == ["answered", "expired", "queued"]
        assert store.expire_commands(third.at_ms) == 0
        assert store.answer_commands([answer_to(second)]) == 1

    def test_old_commands_are_forgotten_but_no_open_one_and_no_number(self, store: Store) -> None:
        still_open = order(store)
        for _ in range(KEPT_COMMANDS + 4):
            command = order(store)
        store.expire_commands(command.at_ms)
        order(store)
        assert len(store.commands(device_id="a")) == KEPT_COMMANDS
        assert still_open not in store.commands()
        open_ones = [order(store) for _ in range(KEPT_COMMANDS + 2)]
        assert store.commands(only_open=True)[-len(open_ones) :] == open_ones
        assert store.last_command_number("a") == open_ones[-1].n

    def test_the_revision_grows_with_every_change(self, store: Store) -> None:
        revisions = [store.command_revision()]
        command = order(store)
        revisions.append(store.command_revision())
        store.note_commands_sent([("a", 1)])
        revisions.append(store.command_revision())
        store.answer_commands([answer_to(command)])
        revisions.append(store.command_revision())
        late = order(store)
        store.expire_commands(late.at_ms + 1)
        revisions.append(store.command_revision())
        assert revisions == sorted(set(revisions))
        assert store.command_revision() == revisions[-1]

    def test_who_orders_at_the_same_time_gets_numbers_of_their_own(self, store: Store) -> None:
        threads = [
            threading.Thread(target=lambda: [order(store) for _ in range(10)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [command.n for command in store.commands()] == list(range(1, 41))

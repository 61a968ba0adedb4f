"""The contract suite: what every `Store` must pass.

A driver's tests derive from `StoreContract` and say how to make an empty store:

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            ...

"""
# ruff: noqa: S101, S106, S107, D102  these are tests

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from seawall.errors import ConflictError, NotFoundError, StoreError
from seawall.model.device import Board, Device, DeviceStatus, Profile, Sensor, Trust
from seawall.model.event import Event
from seawall.model.history import Bucket, DeviceActivity, ReadingQuery
from seawall.model.reading import Batch, Reading, Reason, Refusal, ReplayWindow
from seawall.model.user import Role, Session, User
from seawall.store.contract import Store
from seawall.testing.command_contract import CommandContract, order
from seawall.testing.rollout_contract import RolloutContract

T0_MS = 1_763_759_216_000


def a_reading(
    device_id: str = "a", seq: int = 1, *, boot: int = 1, at_ms: int | None = None, body: str = ""
) -> Reading:
    """Return a reading, a second after the one before, unless told otherwise."""
    ts_ms = T0_MS + seq * 1000 if at_ms is None else at_ms
    text = body or f'{{"temp":{20 + seq % 10}.5,"raw":{700 + seq},"boot":{boot},"seq":{seq}}}'
    return Reading(device_id, ts_ms, boot, seq, ts_ms + 7, text.encode())


def a_device(device_id: str = "a") -> Device:
    """Return a device whose every field says something."""
    return Device(
        device_id,
        Board.ESP32,
        DeviceStatus.ACTIVE,
        Profile.SEAWALL_1,
        Trust.CA_AND_PIN,
        key_generation=3,
        certificate_serial="abc",
        certificate_sha256="00ff",
        certificate_not_after_ms=T0_MS,
        added_ms=T0_MS,
        changed_ms=T0_MS,
        interval_ms=1234,
        sensors=(Sensor("tmp36", "0"), Sensor("dht22", "4")),
        group="north",
    )


def an_event(subject: str = "a", kind: str = "device-added") -> Event:
    """Return an event."""
    return Event(T0_MS, kind, subject, "cli:me", {"serial": "abc"})


def a_refusal(device_id: str | None = "a", reason: Reason = Reason.REPLAY) -> Refusal:
    """Return a refusal."""
    return Refusal(T0_MS, reason, device_id, "devices/a/readings", "why", b"\xff{", 70, "h:1")


def a_user(name: str = "ann") -> User:
    """Return a user."""
    return User(name, Role.OPERATOR, "$argon2id$x", T0_MS)


def a_session(token: str = "t1", user: str = "ann") -> Session:
    """Return a session of an hour."""
    return Session(token, user, "browser", "csrf", T0_MS, T0_MS + 3_600_000)


class StoreContract(CommandContract, RolloutContract):
    """Tests that a store keeps what it is given, and nothing else."""

    MAX_REFUSALS = 10
    """The fixture ``store`` must be made with this limit."""

    # -- readings

    def test_readings_come_back_exactly_and_in_order(self, store: Store) -> None:
        kept = [a_reading("b", 2), a_reading("a", 3), a_reading("a", 1), a_reading("b", 1)]
        assert store.append(Batch(kept)) == 4
        in_order = [a_reading("a", 1), a_reading("b", 1), a_reading("b", 2), a_reading("a", 3)]
        assert list(store.readings(ReadingQuery())) == in_order
        assert list(store.readings(ReadingQuery("a"))) == [in_order[0], in_order[3]]

    def test_ties_of_time_are_ordered_by_boot_and_seq(self, store: Store) -> None:
        kept = [a_reading(seq=s, boot=b, at_ms=T0_MS) for b, s in [(2, 1), (1, 9), (1, 10), (2, 0)]]
        store.append(Batch(kept))
        found = [(r.boot, r.seq) for r in store.readings(ReadingQuery("a"))]
        assert found == [(1, 9), (1, 10), (2, 0), (2, 1)]

    def test_a_resend_is_no_second_row(self, store: Store) -> None:
        assert store.append(Batch([a_reading(seq=1), a_reading(seq=2)])) == 2
        assert store.append(Batch([a_reading(seq=2), a_reading(seq=3), a_reading(seq=3)])) == 1
        assert [r.seq for r in store.readings(ReadingQuery("a"))] == [1, 2, 3]

    def test_a_resend_at_another_time_is_no_second_row(self, store: Store) -> None:
        first = a_reading(seq=5, at_ms=T0_MS)
        store.append(Batch([first]))
        assert store.append(Batch([first._replace(ts_ms=T0_MS + 9, received_ms=T0_MS + 9)])) == 0
        store.append(Batch([a_reading(seq=8)]))
        assert store.append(Batch([first._replace(ts_ms=T0_MS + 99)])) == 0
        assert next(store.readings(ReadingQuery("a", last=2))) == first

    def test_late_readings_are_new(self, store: Store) -> None:
        store.append(Batch([a_reading(seq=9), a_reading(seq=2, boot=7)]))
        assert store.append(Batch([a_reading(seq=4), a_reading(seq=3), a_reading(seq=9)])) == 2
        assert store.append(Batch([a_reading(seq=3), a_reading(seq=0)])) == 1

    def test_the_same_numbers_of_another_device_are_new(self, store: Store) -> None:
        assert store.append(Batch([a_reading("a", 1), a_reading("b", 1)])) == 2

    def test_queries_by_time_are_half_open(self, store: Store) -> None:
        store.append(Batch([a_reading(seq=n) for n in range(10)]))
        query = ReadingQuery("a", since_ms=T0_MS + 2000, until_ms=T0_MS + 5000)
        assert [r.seq for r in store.readings(query)] == [2, 3, 4]
        assert [r.seq for r in store.readings(replace(query, last=2))] == [3, 4]
        assert list(store.readings(replace(query, last=0))) == []
        assert list(store.readings(replace(query, until_ms=T0_MS))) == []

    def test_last_of_all_devices(self, store: Store) -> None:
        store.append(Batch([a_reading(d, n) for n in range(60) for d in "abc"]))
        found = [(r.device_id, r.seq) for r in store.readings(ReadingQuery(last=4))]
        assert found == [("c", 58), ("a", 59), ("b", 59), ("c", 59)]

    def test_many_readings_come_whole(self, store: Store) -> None:
        for start in range(0, 5000, 1000):
            store.append(Batch([a_reading(seq=n) for n in range(start, start + 1000)]))
        assert [r.seq for r in store.readings(ReadingQuery("a"))] == list(range(5000))
        assert [r.seq for r in store.readings(ReadingQuery("a", last=4000))] == list(
            range(1000, 5000)
        )

    def test_an_answer_that_is_read_slowly_stops_no_writer(self, store: Store) -> None:
        store.append(Batch([a_reading(seq=n) for n in range(3000)]))
        slow = store.readings(ReadingQuery("a"))
        found = [next(slow).seq]
        for start in range(3000, 3500, 100):
            assert store.append(Batch([a_reading(seq=n) for n in range(start, start + 100)])) == 100
            found.append(next(slow).seq)
        found += [reading.seq for reading in slow]
        assert found[:3000] == list(range(3000))
        assert found == sorted(set(found))

    def test_queries_by_metric(self, store: Store) -> None:
        bodies = [
            '{"temp":1}',
            '{"hum":2}',
            '{"temp":"x"}',
            '{"temp":true,"hum":1}',
            '{"\\u0074emp":0}',
        ]
        store.append(Batch([a_reading(seq=n, body=body) for n, body in enumerate(bodies)]))
        assert [r.seq for r in store.readings(ReadingQuery(metric="temp"))] == [0, 4]
        assert [r.seq for r in store.readings(ReadingQuery("a", metric="hum", last=1))] == [3]
        assert list(store.readings(ReadingQuery(metric="seq"))) == []
        assert list(store.readings(ReadingQuery(metric='te"mp'))) == []
        assert store.metrics("a") == ["hum", "temp"]
        assert store.metrics("nobody") == []

    # -- windows

    def test_windows_are_replaced(self, store: Store) -> None:
        store.append(Batch([], [ReplayWindow("a", 1, 5, 0b11), ReplayWindow("b", 1, 1, 1)]))
        wide = ReplayWindow("a", 1, 2**53 - 1, (1 << 256) - 1)
        store.append(Batch([], [wide, ReplayWindow("a", 2, 0, 1)]))
        assert sorted(store.windows(), key=lambda w: (w.device_id, w.boot)) == [
            wide,
            ReplayWindow("a", 2, 0, 1),
            ReplayWindow("b", 1, 1, 1),
        ]

    def test_windows_of_the_newest_boots_are_kept(self, store: Store) -> None:
        for boot in (3, 9, 1, 7, 8, 2):
            store.append(Batch([], [ReplayWindow("a", boot, boot, 1)]))
        assert sorted(window.boot for window in store.windows()) == [3, 7, 8, 9]

    # -- buckets

    def test_buckets(self, store: Store) -> None:
        values = [1, 2.5, -3, 10, 4]
        bodies = [f'{{"temp":{value}}}' for value in values] + ['{"other":9}', '{"temp":null}']
        store.append(
            Batch([a_reading(seq=n, at_ms=T0_MS + n * 10, body=b) for n, b in enumerate(bodies)])
        )
        assert store.buckets("a", "temp", T0_MS, T0_MS + 100, 5) == [
            Bucket(T0_MS, 2, 1, 1.75, 2.5),
            Bucket(T0_MS + 20, 2, -3, 3.5, 10),
            Bucket(T0_MS + 40, 1, 4, 4, 4),
        ]
        assert store.buckets("a", "temp", T0_MS + 10, T0_MS + 31, 1) == [
            Bucket(T0_MS + 10, 3, -3, 9.5 / 3, 10)
        ]
        assert store.buckets("a", "temp", T0_MS, T0_MS, 5) == []
        assert store.buckets("nobody", "temp", T0_MS, T0_MS + 100, 5) == []
        assert len(store.buckets("a", "temp", T0_MS, T0_MS + 41, 1000)) == 5

    # -- activity

    def test_activity(self, store: Store) -> None:
        newest = a_reading("a", 9, at_ms=T0_MS + 50)
        store.append(Batch([newest, a_reading("a", 10, at_ms=T0_MS), a_reading("b", 1)]))
        store.append(Batch([newest], [], [a_refusal("a"), a_refusal("stranger")]))
        store.put_device(a_device("c"), an_event("c"))
        b = a_reading("b", 1)
        assert store.activity() == [
            DeviceActivity("a", 2, newest.ts_ms, newest.received_ms, newest.body, 1),
            DeviceActivity("b", 1, b.ts_ms, b.received_ms, b.body, 0),
            DeviceActivity("c", 0, None, None, None, 0),
        ]
        some = store.activity(["nobody", "b", "b"])
        assert [(entry.device_id, entry.readings) for entry in some] == [("b", 1), ("nobody", 0)]
        assert store.activity([]) == []
        many = store.activity([f"n{n}" for n in range(2000)] + ["a"])
        assert (len(many), many[0].readings) == (2001, 2)

    def test_activity_names_the_newest_of_a_tie(self, store: Store) -> None:
        store.append(Batch([a_reading(seq=2, at_ms=T0_MS), a_reading(seq=3, at_ms=T0_MS)]))
        store.append(Batch([a_reading(seq=1, at_ms=T0_MS)]))
        assert store.activity(["a"])[0].last_body == a_reading(seq=3).body

    # -- refusals

    def test_refusals_are_trimmed_and_their_counts_are_not(self, store: Store) -> None:
        for _ in range(3):
            store.append(Batch([], [], [a_refusal(), a_refusal("b", Reason.MALFORMED)] * 4))
        assert store.refusal_counts() == {Reason.REPLAY: 12, Reason.MALFORMED: 12}
        kept = store.refusals()
        assert [number for number, _ in kept] == list(range(15, 25))
        assert kept[-1][1] == a_refusal("b", Reason.MALFORMED)

    def test_a_flood_pushes_out_its_own_refusals_alone(self, store: Store) -> None:
        store.append(Batch([], [], [a_refusal("quiet"), a_refusal(None)]))
        for _ in range(3):
            store.append(Batch([], [], [a_refusal("loud")] * 20))
        kept = [refusal.device_id for _, refusal in store.refusals()]
        assert kept == ["quiet", None] + ["loud"] * 8
        store.append(Batch([], [], [a_refusal(f"d{n}") for n in range(30)]))
        assert len(store.refusals()) == 10

    def test_refusals_are_filtered(self, store: Store) -> None:
        store.append(
            Batch(
                [],
                [],
                [a_refusal(), a_refusal(None, Reason.TOO_LARGE), a_refusal("b"), a_refusal()],
            )
        )
        assert [n for n, _ in store.refusals(device_id="a")] == [1, 4]
        assert [n for n, _ in store.refusals(reason=Reason.TOO_LARGE)] == [2]
        assert [n for n, _ in store.refusals(last=2)] == [3, 4]
        assert [n for n, _ in store.refusals(after=1, last=2, device_id="a")] == [4]
        assert store.refusals(after=4) == store.refusals(last=0) == []

    def test_a_refusal_of_anything_can_be_kept(self, store: Store) -> None:
        odd = Refusal(
            T0_MS, Reason.WRONG_TOPIC, None, "a\0/\U0001f30a", 'it\'s "odd"', b"\0" * 1024, 9999
        )
        store.append(Batch([], [], [odd]))
        assert store.refusals() == [(1, odd)]
        store.append(Batch([], [], [replace(odd, topic="half a pair \ud83c")]))
        assert len(store.refusals()) == 2

    # -- registry, events

    def test_devices(self, store: Store) -> None:
        revision = store.registry_revision()
        store.add_device(a_device("b"), an_event("b"))
        store.add_device(a_device("a"), an_event("a"))
        with pytest.raises(ConflictError):
            store.add_device(replace(a_device("a"), key_generation=9), an_event("a", "again"))
        assert store.devices() == [a_device("a"), a_device("b")]
        assert store.device("nobody") is None
        between = store.registry_revision()
        assert between > revision
        revoked = a_device("a").with_status(DeviceStatus.REVOKED, T0_MS + 1)
        store.put_device(revoked, an_event("a", "device-revoked"))
        assert store.device("a") == revoked
        assert store.registry_revision() > between
        assert [event.kind for event in store.events()] == ["device-added"] * 2 + ["device-revoked"]

    def test_events(self, store: Store) -> None:
        store.log([])
        store.log(an_event(subject, str(n)) for n, subject in enumerate("abab"))
        assert store.events() == [an_event(s, str(n)) for n, s in enumerate("abab")]
        assert [event.kind for event in store.events(subject="a", last=1)] == ["2"]
        assert [event.kind for event in store.events(last=3)] == ["1", "2", "3"]
        assert store.events(last=0) == []

    # -- users

    def test_users_and_sessions(self, store: Store) -> None:
        store.put_user(a_user("bob"))
        store.put_user(a_user("ann"))
        assert store.users() == [a_user("ann"), a_user("bob")]
        store.put_session(a_session("t1", "ann"))
        store.put_session(a_session("t2", "bob"))
        assert store.session("t1", T0_MS) == a_session("t1", "ann")
        assert store.session("t1", T0_MS + 3_600_000) is None
        store.put_user(replace(a_user("ann"), password_hash="other"))
        assert store.user("ann") == replace(a_user("ann"), password_hash="other")
        assert store.session("t1", T0_MS) is None
        assert store.session("t2", T0_MS) is not None
        store.end_session("t2")
        store.end_session("t2")
        assert store.session("t2", T0_MS) is None
        assert store.user("nobody") is None

    def test_sessions_belong_to_users_and_are_unique(self, store: Store) -> None:
        with pytest.raises(NotFoundError):
            store.put_session(a_session("t1", "nobody"))
        store.put_user(a_user())
        store.put_session(a_session())
        with pytest.raises(ConflictError):
            store.put_session(a_session())

    def test_sessions_that_are_over_are_forgotten(self, store: Store) -> None:
        store.put_user(a_user())
        store.put_session(a_session("old"))
        later = T0_MS + 3_600_000
        store.put_session(replace(a_session("new"), created_ms=later, expires_ms=later + 1))
        assert store.session("old", T0_MS) is None
        assert store.session("new", later) is not None

    # -- life

    def test_threads_share_it(self, store: Store) -> None:
        failures: list[BaseException] = []

        def work(device_id: str) -> None:
            try:
                for n in range(20):
                    store.append(
                        Batch([a_reading(device_id, n)], [ReplayWindow(device_id, 1, n, 1)])
                    )
                    assert store.activity([device_id])[0].readings == n + 1
                    order(store, "shared")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(f"d{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(list(store.readings(ReadingQuery()))) == 80
        assert store.last_command_number("shared") == len(store.commands()) == 80

    def test_a_closed_store_says_so(self, store: Store) -> None:
        store.check()
        store.append(Batch([a_reading()]))
        store.close()
        store.close()
        for call in (
            store.check,
            store.windows,
            store.devices,
            store.activity,
            lambda: store.append(Batch()),
            lambda: list(store.readings(ReadingQuery())),
        ):
            with pytest.raises(StoreError):
                call()

"""Who may be sending again, behind a broker that tells no DUP."""

from __future__ import annotations

from seawall.ingest.resending import Resending
from seawall.model.reading import Reading

READINGS = "devices/a/readings"
STATUS = "devices/a/status"


def reading(device_id: str) -> Reading:
    return Reading(device_id, 1, 1, 1, 1, b"{}")


def test_a_device_that_has_connected_may_resend_until_something_new_came() -> None:
    resending = Resending()
    assert not resending.judge(READINGS, b"{}")
    assert not resending.judge(STATUS, b'{"online":true}')
    assert resending.judge(READINGS, b"{}")
    assert not resending.judge("devices/b/readings", b"{}")
    resending.accepted([reading("b")])
    assert resending.judge(READINGS, b"{}")
    resending.accepted([reading("b"), reading("a")])
    assert not resending.judge(READINGS, b"{}")


def test_going_offline_begins_nothing() -> None:
    resending = Resending()
    resending.judge(STATUS, b'{"online":false}')
    assert not resending.judge(READINGS, b"{}")


def test_an_ordinary_topic_is_doubted_again_when_its_device_connects() -> None:
    resending = Resending()
    resending.trust(READINGS)
    assert READINGS in resending.ordinary
    resending.judge(STATUS, b'{"online": true}')
    assert READINGS not in resending.ordinary


def test_only_topics_of_readings_become_ordinary() -> None:
    resending = Resending()
    for topic in (STATUS, "devices/a/events", "devices/a/replies", "x"):
        resending.trust(topic)
    assert not resending.ordinary


def test_a_new_connection_doubts_everybody() -> None:
    resending = Resending()
    resending.trust(READINGS)
    resending.doubt_all()
    assert not resending.ordinary

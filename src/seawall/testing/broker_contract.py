"""The contract of ``broker.port.Broker``, judged with real clients.

A test module derives one class for each driver::

    class TestMosquitto(BrokerContract):
        @pytest.fixture
        def rig(self, ...): ...   # yields a started BrokerRig

What a device may not do is proven by delivery: neither a SUBACK nor a PUBACK
says that anything passes.
"""
# ruff: noqa: S101  a suite asserts

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from seawall.model.reading import Reason
from seawall.pki.authority import create_issuing, create_root
from seawall.testing.broker_rig import (
    QUIET_S,
    BrokerRig,
    Identity,
    PahoDevice,
    mosquitto_pub,
    mosquitto_tool,
    wait_for,
)


def _reach(rig: BrokerRig, identity: Identity, mark: bytes) -> None:
    """Prove that what the device sends arrives: everything sent before has had its chance."""
    topic = f"devices/{identity.device_id}/readings"
    done = mosquitto_pub(rig, identity, "-t", topic, "-q", "1", "-s", stdin=mark)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: mark in rig.sink.payloads(topic), f"{mark!r} at the sink")


def _is_let_in(rig: BrokerRig, identity: Identity | None) -> bool:
    name = identity.device_id if identity is not None else "nobody"
    topic = f"devices/{name}/readings"
    mark = b"let-in-%d" % time.monotonic_ns()
    mosquitto_pub(rig, identity, "-t", topic, "-q", "1", "-s", "-i", name, stdin=mark)
    time.sleep(QUIET_S)
    return mark in rig.sink.payloads(topic)


def _context(rig: BrokerRig, identity: Identity) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(rig.keys.keystore.root_path))
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def _answer_to_connect(rig: BrokerRig, context: ssl.SSLContext) -> bytes:
    """Return what the broker answers to a CONNECT, nothing if TLS or it fails."""
    try:
        with (
            socket.create_connection(("localhost", rig.endpoint.port), timeout=5) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as secured,
        ):
            secured.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01a")
            return secured.recv(4)
    except OSError:
        return b""


class BrokerContract:
    """Derive, and provide the fixture ``rig``."""

    # -- what a device may do

    def test_delivers_every_channel_of_a_device_in_exact_bytes(self, rig: BrokerRig) -> None:
        """Bytes of any kind, also non-ASCII text and NUL, arrive as they were sent."""
        device = PahoDevice(rig, rig.keys.identities["a"]).connect()
        payload = '{"temp":23.5,"note":"°C ≈ 温度 \\u0000"}'.encode() + bytes(range(256))
        for channel in ("readings", "events", "replies"):
            device.publish(f"devices/a/{channel}", payload)
            wait_for(lambda c=channel: rig.sink.payloads(f"devices/a/{c}") == [payload], channel)  # type: ignore[misc]
        message = rig.sink.messages[-1]
        assert message.identity in (None, "a")
        assert not message.retained
        assert not message.may_be_resend
        assert abs(message.received_ms - time.time() * 1000) < 60_000
        device.close()

    @pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
    @pytest.mark.parametrize("qos", [0, 1])
    def test_takes_both_versions_and_qos(
        self, rig: BrokerRig, version: MQTTProtocolVersion, qos: int
    ) -> None:
        """MQTT 3.1.1 and 5, with and without acknowledgement."""
        device = PahoDevice(rig, rig.keys.identities["a"], version=version).connect()
        device.publish("devices/a/readings", b"one", qos=qos)
        wait_for(lambda: rig.sink.payloads("devices/a/readings") == [b"one"], "the reading")
        device.close()

    def test_keeps_the_order_of_a_device(self, rig: BrokerRig) -> None:
        """A thousand readings arrive once each, in order."""
        device = PahoDevice(rig, rig.keys.identities["a"]).connect()
        sent = [b"%d" % number for number in range(1000)]
        for payload in sent:
            device.publish("devices/a/readings", payload)
        wait_for(lambda: len(rig.sink.payloads("devices/a/readings")) >= 1000, "1,000 readings")
        assert rig.sink.payloads("devices/a/readings") == sent
        device.close()

    def test_an_order_reaches_a_device_that_listens(self, rig: BrokerRig) -> None:
        """A command is delivered to its device alone."""
        device = PahoDevice(rig, rig.keys.identities["a"]).connect().subscribe("devices/a/commands")
        other = PahoDevice(rig, rig.keys.identities["b"]).connect().subscribe("devices/b/commands")
        rig.publish("devices/a/commands", b'{"cmd":"identify"}')
        wait_for(lambda: device.received, "the command")
        assert device.received == [("devices/a/commands", b'{"cmd":"identify"}')]
        assert other.received == []
        device.close()
        other.close()

    def test_an_order_waits_for_a_sleeping_device(self, rig: BrokerRig) -> None:
        """A command that finds its device away comes when it is back; a reload does not harm it."""
        sleepy = PahoDevice(rig, rig.keys.identities["a"], clean=False)
        sleepy.connect().subscribe("devices/a/commands").close()
        rig.publish("devices/a/commands", b"first")
        rig.apply()
        rig.publish("devices/a/commands", b"second")
        awake = PahoDevice(rig, rig.keys.identities["a"], clean=False).connect()
        awake.subscribe("devices/a/commands")
        wait_for(lambda: len(awake.received) == 2, "two commands")
        assert [payload for _, payload in awake.received] == [b"first", b"second"]
        awake.close()

    def test_the_last_will_tells_of_a_device_that_vanished(self, rig: BrokerRig) -> None:
        """A connection that ends without a word publishes the will."""
        will = ("devices/a/status", b'{"online":false}')
        device = PahoDevice(rig, rig.keys.identities["a"], will=will).connect()
        device.publish("devices/a/status", b'{"online":true}', retain=True)
        wait_for(lambda: rig.sink.payloads("devices/a/status") == [b'{"online":true}'], "online")
        device.vanish()
        wait_for(lambda: b'{"online":false}' in rig.sink.payloads("devices/a/status"), "the will")

    def test_acknowledges_what_the_sink_has_settled_and_nothing_before(
        self, rig: BrokerRig
    ) -> None:
        """With ``puback`` the device sees it; with ``stored`` the broker delivers again."""
        rig.sink.holding = True
        device = PahoDevice(rig, rig.keys.identities["a"]).connect()
        number = device.publish("devices/a/readings", b"held")
        wait_for(lambda: rig.sink.payloads("devices/a/readings"), "the reading")
        if rig.acknowledgement == "puback":
            time.sleep(QUIET_S)
            assert number not in device.acknowledged
            rig.loop.call(rig.sink.release)
            wait_for(lambda: number in device.acknowledged, "PUBACK")
        else:
            rig.reconnect_ingest()
            wait_for(lambda: len(rig.sink.payloads("devices/a/readings")) == 2, "it once more")
            assert rig.sink.messages[-1].may_be_resend
            rig.loop.call(rig.sink.release)
            rig.reconnect_ingest()
            _reach(rig, rig.keys.identities["b"], b"after")
            assert len(rig.sink.payloads("devices/a/readings")) == 2
        device.close()

    # -- what it may not

    @pytest.mark.parametrize("channel", ["readings", "status", "events", "replies", "commands"])
    def test_a_foreign_topic_cannot_be_written(self, rig: BrokerRig, channel: str) -> None:
        """Nothing of it reaches the sink, or the device that owns the topic."""
        a, b = rig.keys.identities["a"], rig.keys.identities["b"]
        victim = PahoDevice(rig, b).connect().subscribe("devices/b/#")
        topic = f"devices/b/{channel}"
        mosquitto_pub(rig, a, "-t", topic, "-q", "1", "-m", "forged")
        mosquitto_pub(rig, a, "-t", topic, "-q", "0", "-r", "-m", "forged")
        mosquitto_pub(rig, a, "-t", topic, "-q", "1", "-V", "mqttv5", "-m", "forged")
        _reach(rig, a, b"own")
        rig.publish("devices/b/commands", b"genuine")
        wait_for(lambda: victim.received, "the genuine command")
        assert rig.sink.payloads(topic) == []
        assert [payload for _, payload in victim.received] == [b"genuine"]
        victim.close()

    def test_a_will_on_a_foreign_topic_is_not_published(self, rig: BrokerRig) -> None:
        """A will is a publication like any other."""
        a = rig.keys.identities["a"]
        will = ("devices/b/status", b'{"online":false}')
        with contextlib.suppress(AssertionError):  # refused at CONNECT: as good
            PahoDevice(rig, a, will=will).connect().vanish()
        _reach(rig, a, b"own")
        assert rig.sink.payloads("devices/b/status") == []

    @pytest.mark.parametrize(
        "topic_filter",
        [
            "devices/b/commands",
            "devices/b/#",
            "devices/+/commands",
            "devices/#",
            "#",
            "+/+/+",
            "$share/group/devices/#",
            "$share/group/devices/b/commands",
        ],
    )
    def test_a_foreign_topic_cannot_be_heard(self, rig: BrokerRig, topic_filter: str) -> None:
        """Neither orders to another device nor its readings, whatever SUBACK says."""
        a, b = rig.keys.identities["a"], rig.keys.identities["b"]
        line = mosquitto_tool("mosquitto_sub", rig, a, "-t", topic_filter, "-q", "1", "-v", "-d")
        line = ["stdbuf", "-oL", *line]  # else SUBACK stays in its buffer
        spy = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert spy.stdout is not None
        said = ""
        while "SUBACK" not in said and spy.poll() is None:
            said = spy.stdout.readline()
        victim = PahoDevice(rig, b).connect().subscribe("devices/b/commands")
        rig.publish("devices/b/commands", b"secret order")
        victim.publish("devices/b/readings", b"secret reading")
        wait_for(lambda: victim.received, "the order at its device")
        wait_for(lambda: rig.sink.payloads("devices/b/readings"), "the reading at the sink")
        time.sleep(QUIET_S)
        spy.terminate()
        assert "secret" not in spy.communicate()[0]
        victim.close()

    def test_a_client_id_does_not_make_another_device(self, rig: BrokerRig) -> None:
        """Claiming another's client id neither ends its session nor speaks in its name."""
        a, b = rig.keys.identities["a"], rig.keys.identities["b"]
        victim = PahoDevice(rig, b).connect().subscribe("devices/b/commands")
        mosquitto_pub(rig, a, "-i", "b", "-t", "devices/b/readings", "-q", "1", "-m", "forged")
        thief = PahoDevice(rig, a, client_id="b", clean=False)
        with contextlib.suppress(AssertionError):  # refused at CONNECT: as good
            thief.connect().subscribe("devices/b/commands")
        rig.publish("devices/b/commands", b"order")
        wait_for(lambda: victim.received, "the order at its device")
        assert victim.losses == 0
        assert thief.received == []
        assert rig.sink.payloads("devices/b/readings") == []
        thief.close()
        victim.close()

    def test_one_certificate_has_one_session(self, rig: BrokerRig) -> None:
        """A second connection of a device ends the first [MQTT-3.1.4-2]."""
        first = PahoDevice(rig, rig.keys.identities["a"]).connect()
        second = PahoDevice(rig, rig.keys.identities["a"]).connect()
        wait_for(lambda: first.losses == 1, "the end of the first session")
        assert second.losses == 0
        second.close()
        first.close()

    def test_an_oversized_packet_ends_its_connection_alone(self, rig: BrokerRig) -> None:
        """It reaches nobody; others do not notice."""
        other = PahoDevice(rig, rig.keys.identities["b"]).connect()
        device = PahoDevice(rig, rig.keys.identities["a"]).connect()
        device.publish("devices/a/readings", b"x" * 100_000)
        wait_for(lambda: device.losses, "the end of the connection")
        _reach(rig, rig.keys.identities["a"], b"small")
        assert rig.sink.payloads("devices/a/readings") == [b"small"]
        assert other.losses == 0
        wait_for(lambda: Reason.TOO_LARGE in rig.sink.reasons("a"), "the refusal")
        other.close()
        device.close()

    # -- who may not

    def test_without_a_certificate_nobody_comes_in(self, rig: BrokerRig) -> None:
        """The handshake fails, or nothing is taken after it."""
        assert not _is_let_in(rig, None)
        assert _is_let_in(rig, rig.keys.identities["a"])

    def test_a_certificate_of_another_authority_is_refused(
        self, rig: BrokerRig, tmp_path: Path
    ) -> None:
        """The same names under another root convince nobody."""
        now = datetime.now(UTC)
        stranger = create_issuing(create_root(now), now)
        (tmp_path / "stranger").mkdir()
        assert not _is_let_in(
            rig, Identity(tmp_path / "stranger", "a", stranger.issue_device("a", now))
        )

    def test_plain_tcp_and_old_tls_are_refused(self, rig: BrokerRig) -> None:
        """TLS 1.1 gets no handshake, plain MQTT no answer."""
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        a = rig.keys.identities["a"]
        old.load_cert_chain(a.certificate, a.key)
        address = ("127.0.0.1", rig.endpoint.port)
        with (
            socket.create_connection(address, timeout=5) as sock,
            pytest.raises(OSError),  # noqa: PT011  SSLError or a reset
            old.wrap_socket(sock),
        ):
            pass
        with socket.create_connection(address, timeout=5) as sock:
            sock.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01a")
            answer = b""
            with contextlib.suppress(OSError):
                answer = sock.recv(16)
            assert not answer.startswith(b"\x20")

    def test_a_service_name_cannot_be_claimed_by_client_id(self, rig: BrokerRig) -> None:
        """``@ingest`` is a certificate's name; as a client id or user name it opens nothing."""
        a = rig.keys.identities["a"]
        arguments = ["-i", "@ingest", "-u", "@ingest", "-P", "x", "-t", "devices/b/readings"]
        mosquitto_pub(rig, a, *arguments, "-q", "1", "-m", "forged")
        _reach(rig, a, b"own")
        assert rig.sink.payloads("devices/b/readings") == []

    # -- changes while running

    def test_a_revoked_device_is_cut_off_and_stays_out(self, rig: BrokerRig) -> None:
        """Its live session ends within `apply`; others notice nothing."""
        other = PahoDevice(rig, rig.keys.identities["b"]).connect().subscribe("devices/b/commands")
        context = _context(rig, rig.keys.identities["a"])
        assert _answer_to_connect(rig, context) == b"\x20\x02\x00\x00"
        device = PahoDevice(rig, rig.keys.identities["a"]).connect()
        rig.keys.revoke(rig.keys.identities["a"])
        rig.apply()
        wait_for(lambda: device.losses == 1, "the end of the session", timeout_s=2)
        assert _answer_to_connect(rig, context) == b""
        assert not _is_let_in(rig, rig.keys.identities["a"])
        rig.publish("devices/b/commands", b"order")
        wait_for(lambda: other.received, "an order to another device")
        assert (other.connections, other.losses) == (1, 0)
        other.close()

    def test_a_disabled_device_is_cut_off_and_may_come_back(self, rig: BrokerRig) -> None:
        """Disabled: its session ends, it can neither send nor hear. Enabled: all is well again."""
        a = rig.keys.identities["a"]
        device = PahoDevice(rig, a, clean=False).connect().subscribe("devices/a/commands")
        rig.keys.refused["a"] = Reason.DISABLED_DEVICE
        rig.apply()
        wait_for(lambda: device.losses == 1, "the end of the session", timeout_s=2)
        assert not _is_let_in(rig, a)
        wait_for(lambda: Reason.DISABLED_DEVICE in rig.sink.reasons("a"), "the refusal")
        rig.publish("devices/a/commands", b"while disabled")
        del rig.keys.refused["a"]
        rig.apply()
        assert _is_let_in(rig, a)
        device = PahoDevice(rig, a, clean=False).connect().subscribe("devices/a/commands")
        rig.publish("devices/a/commands", b"afterwards")
        wait_for(lambda: ("devices/a/commands", b"afterwards") in device.received, "the order")
        device.close()

    def test_a_new_device_is_let_in(self, rig: BrokerRig) -> None:
        """A device that was added while the broker runs works after `apply`."""
        fresh = rig.keys.device("fresh.one_2-x")
        rig.apply()
        assert _is_let_in(rig, fresh)

    def test_a_certificate_that_nobody_knows_is_kept_out(self, rig: BrokerRig) -> None:
        """Issued by our authority, but not in the registry."""
        unknown = Identity(
            rig.keys.directory,
            "unknown",
            rig.keys.authority.issue_device("unknown", datetime.now(UTC)),
        )
        device = PahoDevice(rig, unknown)
        try:
            device.connect()
        except AssertionError:
            pass  # refused at CONNECT: as good
        else:
            wait_for(lambda: device.losses == 1, "the end of the session", timeout_s=2)
        finally:
            device.client.loop_stop()
        wait_for(lambda: Reason.UNKNOWN_DEVICE in rig.sink.reasons("unknown"), "the refusal")

    def test_a_rotated_certificate_supersedes_the_old_one(self, rig: BrokerRig) -> None:
        """The session of the old certificate ends within `apply`, the new one is let in."""
        old = rig.keys.identities["a"]
        device = PahoDevice(rig, old).connect()
        context = _context(rig, old)
        rig.keys.keystore.revoke(old.serial, datetime.now(UTC), rig.keys.authority)
        new = rig.keys.device("a")
        rig.apply()
        wait_for(lambda: device.losses == 1, "the end of the session", timeout_s=2)
        assert _answer_to_connect(rig, context) == b""
        assert _is_let_in(rig, new)

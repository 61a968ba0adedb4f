"""What the contract suite of brokers stands on: keys, a sink, an event loop, real clients."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from seawall.broker.policy import AccessPolicy
from seawall.broker.port import Endpoint, Settled
from seawall.model.message import Inbound
from seawall.model.reading import Reason, Refusal
from seawall.pki.authority import Authority, IssuedCertificate
from seawall.pki.keystore import Keystore

T = TypeVar("T")

WAIT_S: Final = 10.0
QUIET_S: Final = 0.4
"""How long nothing must come before nothing is taken to have come, after a proof of passage."""


def wait_for(predicate: Callable[[], T], what: str, timeout_s: float = WAIT_S) -> T:
    """Return the first true answer; AssertionError, naming what was waited for, if none comes."""
    deadline = time.monotonic() + timeout_s
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(0.01)
    return answer


class LoopThread:
    """An event loop on a thread of its own, so that tests may block on real clients."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="broker-loop")
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T], timeout_s: float = 30.0) -> T:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the loop's thread."""

        async def run() -> T:
            return function()

        return self.do(run())

    def close(self) -> None:
        """Stop the loop and its thread."""
        self.do(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class RecordingSink:
    """A sink that keeps everything, and settles at once or when told to."""

    def __init__(self) -> None:
        self.messages: list[Inbound] = []
        self.refusals: list[Refusal] = []
        self.congested = False
        self.holding = False
        self._held: list[tuple[Settled, list[Any]]] = []

    def submit(self, messages: Sequence[Inbound], settled: Settled) -> None:
        """Keep them; settle unless holding."""
        self.messages.extend(messages)
        tokens = [message.token for message in messages if message.token is not None]
        if self.holding:
            self._held.append((settled, tokens))
        elif tokens:
            settled(tokens)

    def refuse(self, refusal: Refusal) -> None:
        """Keep it."""
        self.refusals.append(refusal)

    def release(self) -> None:
        """Settle what is held. On the loop's thread."""
        self.holding = False
        held, self._held = self._held, []
        for settled, tokens in held:
            settled(tokens)

    def payloads(self, topic: str) -> list[bytes]:
        """Return what came on a topic, in order."""
        return [message.payload for message in list(self.messages) if message.topic == topic]

    def reasons(self, device_id: str | None) -> list[Reason]:
        """Return why a device was refused."""
        return [refusal.reason for refusal in list(self.refusals) if refusal.device_id == device_id]


class Identity:
    """A device's certificate as files."""

    def __init__(self, directory: Path, device_id: str, issued: IssuedCertificate) -> None:
        self.device_id = device_id
        self.serial = issued.serial
        self.certificate = directory / f"{device_id}.crt.pem"
        self.key = directory / f"{device_id}.key.pem"
        self.certificate.write_bytes(issued.cert_pem)
        self.key.touch(mode=0o600)
        self.key.write_bytes(issued.key_pem)


class Keys:
    """A certificate authority of this test run, and the policy that goes with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        Keystore.create(directory / "pki", ["localhost", "127.0.0.1"], _now(), None)
        self.keystore = Keystore.open(directory / "pki")
        self.authority: Authority = self.keystore.authority()
        self.identities: dict[str, Identity] = {}
        self.refused: dict[str, Reason] = {}

    def device(self, device_id: str) -> Identity:
        """Issue a certificate for a device, and let it in."""
        identity = Identity(
            self.directory, device_id, self.authority.issue_device(device_id, _now())
        )
        self.identities[device_id] = identity
        return identity

    def revoke(self, identity: Identity) -> None:
        """Put a device's certificate on the revocation list."""
        self.keystore.revoke(identity.serial, _now(), self.authority)
        self.refused[identity.device_id] = Reason.REVOKED_DEVICE

    def policy(self) -> AccessPolicy:
        """Return the rules as they are now."""
        active = {
            device_id: identity.serial
            for device_id, identity in self.identities.items()
            if device_id not in self.refused
        }
        return AccessPolicy(active, dict(self.refused), crl_pem=self.keystore.crl_pem())


def _now() -> datetime:
    return datetime.now(UTC)


class BrokerRig(Protocol):
    """A driver with all that it takes to run, for the suite. Blocking, from the test's thread."""

    acknowledgement: Literal["puback", "stored"]
    sink: RecordingSink
    loop: LoopThread
    keys: Keys
    endpoint: Endpoint

    def start(self) -> None:
        """Start the broker, and whatever brings its messages to the sink."""

    def apply(self) -> None:
        """Enforce the present policy."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send an order down."""

    def reconnect_ingest(self) -> None:
        """Lose the way from broker to sink, and find it again; nothing to do if there is none."""

    def stop(self) -> None:
        """Stop everything."""


class PahoDevice:
    """A device on paho-mqtt that keeps what it is told.

    Args:
        rig: Where to connect to.
        identity: With which certificate.
        client_id: Which client id it claims; by default the right one.
        clean: Whether it wants a clean session.
        will: Topic and payload of its last will.
        version: Protocol version.
    """

    def __init__(
        self,
        rig: BrokerRig,
        identity: Identity,
        *,
        client_id: str | None = None,
        clean: bool = True,
        will: tuple[str, bytes] | None = None,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
    ) -> None:
        self.identity = identity
        self.received: list[tuple[str, bytes]] = []
        self.connections = 0
        self.losses = 0
        self.subscribed = 0
        self.acknowledged: set[int] = set()
        five = version is MQTTProtocolVersion.MQTTv5
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=identity.device_id if client_id is None else client_id,
            clean_session=None if five else clean,
            protocol=version,
            reconnect_on_failure=False,
        )
        self.client.tls_set(
            str(rig.keys.keystore.root_path), str(identity.certificate), str(identity.key)
        )
        if will is not None:
            self.client.will_set(*will, qos=1, retain=True)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_message = self._message
        self.client.on_subscribe = self._subscribed
        self.client.on_publish = self._published
        self._rig = rig

    def connect(self) -> PahoDevice:
        """Connect; return when the broker has accepted."""
        before = self.connections
        self.client.connect("localhost", self._rig.endpoint.port, keepalive=30)
        self.client.loop_start()
        wait_for(lambda: self.connections > before, f"CONNACK for {self.identity.device_id}")
        return self

    def subscribe(self, *filters: str) -> PahoDevice:
        """Subscribe with QoS 1; return when the broker has answered, whatever it said."""
        for topic_filter in filters:
            before = self.subscribed
            self.client.subscribe(topic_filter, qos=1)
            wait_for(
                lambda before=before: self.subscribed > before or self.losses,  # type: ignore[misc]
                f"SUBACK for {topic_filter}",
            )
        return self

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Publish; return the packet id, to be looked for in ``acknowledged``."""
        return self.client.publish(topic, payload, qos=qos, retain=retain).mid

    def vanish(self) -> None:
        """Close the socket without a word, as a device does that loses power."""
        sock = self.client.socket()
        assert sock is not None  # noqa: S101  it is connected
        sock.close()
        self.client.loop_stop()

    def close(self) -> None:
        """Say good-bye."""
        self.client.disconnect()
        self.client.loop_stop()

    def _connected(
        self, _c: paho.Client, _u: Any, _f: Any, code: Any, _p: Properties | None
    ) -> None:
        if not code.is_failure:
            self.connections += 1

    def _disconnected(self, *_: Any) -> None:
        self.losses += 1

    def _message(self, _c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        self.received.append((message.topic, bytes(message.payload)))

    def _subscribed(self, *_: Any) -> None:
        self.subscribed += 1

    def _published(self, _c: paho.Client, _u: Any, mid: int, *_: Any) -> None:
        self.acknowledged.add(mid)


def mosquitto_tool(
    tool: Literal["mosquitto_pub", "mosquitto_sub"],
    rig: BrokerRig,
    identity: Identity | None,
    *arguments: str,
) -> list[str]:
    """Return the command line of a Mosquitto client as a device, or as nobody."""
    line = [tool, "-h", "localhost", "-p", str(rig.endpoint.port)]
    line += ["--cafile", str(rig.keys.keystore.root_path)]
    if identity is not None:
        line += ["--cert", str(identity.certificate), "--key", str(identity.key)]
    return [*line, *arguments]


def mosquitto_pub(
    rig: BrokerRig, identity: Identity | None, *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run mosquitto_pub to its end."""
    line = mosquitto_tool("mosquitto_pub", rig, identity, *arguments)
    return subprocess.run(line, input=stdin, capture_output=True, timeout=WAIT_S, check=False)

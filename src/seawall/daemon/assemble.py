"""All wiring: the one module that names drivers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from seawall.broker.port import Broker, Endpoint, Publisher
from seawall.daemon.settings import read_settings
from seawall.errors import ServiceError
from seawall.ingest.feed import Feed
from seawall.ingest.link import BrokerAddress
from seawall.ingest.service import Ingest
from seawall.ingest.subscriber import Subscriber
from seawall.model.installation import StatePaths
from seawall.model.reading import Reading
from seawall.operations.create_installation import check_complete
from seawall.operations.installation import Installation
from seawall.pki.contexts import mqtt_server_context, service_client_context
from seawall.pki.keystore import Keystore
from seawall.store.contract import Store
from seawall.store.sqlite import open_sqlite_store

STORE_NAME = "sqlite"


def now_ms() -> int:
    """Return the time, UTC milliseconds."""
    return time.time_ns() // 1_000_000


def create_store(path: Path) -> Store:
    """Make the store of a new installation."""
    return open_sqlite_store(path, create=True)


def open_store_to_read(path: Path) -> Store:
    """Open the store in a file without changing it in any way, for an audit."""
    return open_sqlite_store(path, read_only=True)


def open_installation(state: Path, actor: str) -> Installation:
    """Open the installation in a state directory.

    Args:
        state: The directory.
        actor: On whose behalf: ``cli:NAME``, ``daemon``.

    Raises:
        StateError: it is missing or half made.
        ConfigurationError: seawall.toml is wrong.
        KeyAccessError: keys are missing, or open to others.
        StoreError: the store cannot be opened.
    """
    root = state.expanduser().resolve()
    check_complete(root)
    paths = StatePaths(root)
    settings = read_settings(Path(paths.settings))
    keystore = Keystore.open(Path(paths.pki))
    store = open_sqlite_store(Path(paths.database), max_refusals=settings.ingest.max_refusals)
    return Installation(paths, settings, store, keystore, now_ms, actor)


def version() -> str:
    """Return the version of Seawall that runs."""
    try:
        return metadata.version("seawall")
    except metadata.PackageNotFoundError:
        return "from a checkout"


class SubscriberLink:
    """The client at a broker of its own process; it exists once that broker's port is known."""

    def __init__(self) -> None:
        self.subscriber: Subscriber | None = None

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand a message to the broker (see `broker.port.Publisher`)."""
        if self.subscriber is None:
            raise ServiceError("the broker is not connected yet", reference="broker-unreachable")
        await self.subscriber.publish(topic, payload, retain=retain)

    def accepted(self, readings: Sequence[Reading]) -> None:
        """Note which readings were new."""
        if self.subscriber is not None:
            self.subscriber.resending.accepted(readings)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The way of readings: broker, what listens to it, ingest.

    Attributes:
        ingest: Where all messages end.
        feed: What happens, for the web side.
        broker: The driver.
        publisher: Sends orders to devices.
        listen: Makes the client that listens to the broker, once its port is known;
            None if the broker hands messages over itself.
    """

    ingest: Ingest
    feed: Feed
    broker: Broker
    publisher: Publisher
    listen: Callable[[Endpoint], Subscriber] | None = None


def assemble_telemetry(installation: Installation) -> Telemetry:
    """Put broker and ingest together, as the settings say; nothing runs yet."""
    if installation.settings.mqtt.broker == "mosquitto":
        return _behind_mosquitto(installation)
    return _builtin(installation)


def _builtin(installation: Installation) -> Telemetry:
    # Late: only one of the drivers is needed.
    from seawall.broker.drivers.builtin import BuiltinBroker  # noqa: PLC0415

    feed = Feed()
    ingest = Ingest(installation.store, installation.settings.ingest, feed)
    broker = BuiltinBroker(
        installation.settings.mqtt,
        lambda crl_pem: mqtt_server_context(installation.keystore, crl_pem),
        ingest,
        now_ms=installation.now_ms,
    )
    return Telemetry(ingest, feed, broker, broker)


def _behind_mosquitto(installation: Installation) -> Telemetry:
    from seawall.broker.drivers.mosquitto import MosquittoBroker  # noqa: PLC0415

    keystore = installation.keystore
    feed, link = Feed(), SubscriberLink()
    ingest = Ingest(
        installation.store,
        installation.settings.ingest,
        feed,
        publish=link.publish,
        accepted=link.accepted,
    )
    certificate, key = keystore.server_paths()
    broker = MosquittoBroker(
        installation.settings.mqtt,
        Path(installation.paths.broker),
        certificate=certificate,
        key=key,
        ca_chain=keystore.ca_chain_path,
        sink=ingest,
        now_ms=installation.now_ms,
    )

    def listen(endpoint: Endpoint) -> Subscriber:
        address = BrokerAddress(
            loopback_of(endpoint.host),
            endpoint.port,
            lambda: service_client_context(keystore),
            server_name=installation.settings.names[0],
        )
        link.subscriber = Subscriber(address, ingest, now_ms=installation.now_ms)
        return link.subscriber

    return Telemetry(ingest, feed, broker, link, listen)


def loopback_of(host: str) -> str:
    """Return where this machine reaches a listener of its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  a comparison

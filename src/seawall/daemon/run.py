"""Runs an installation in the foreground: broker, ingest and web, supervised."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from fastapi import FastAPI

from seawall.broker.port import Endpoint
from seawall.daemon.assemble import STORE_NAME, Telemetry, assemble_telemetry
from seawall.daemon.assemble_web import assemble_web
from seawall.daemon.certificate_dates import CertificateDates
from seawall.daemon.command_dispatch import CommandDispatch
from seawall.daemon.crl_renewal import CrlRenewal
from seawall.daemon.http_server import HttpServer
from seawall.daemon.lock import forget_running, hold_lock, write_running
from seawall.daemon.memory import calm_collector
from seawall.daemon.nightly_audit import NightlyAudit
from seawall.daemon.registry_watch import RegistryWatch
from seawall.daemon.rollout_runner import RolloutRunner
from seawall.daemon.supervision import supervise
from seawall.daemon.update_service import UpdateRenewal, UpdateService
from seawall.errors import ServiceError
from seawall.ingest.subscriber import Subscriber
from seawall.model.installation import StatePaths
from seawall.operations.installation import Installation
from seawall.pki.contexts import web_server_context

_log = logging.getLogger("seawall.daemon")

LISTEN_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Running:
    """What runs, and where.

    Attributes:
        pid: Of the daemon.
        url: Of the web side.
        mqtt_host: Name or address that devices connect to.
        mqtt_port: TCP port that devices connect to.
        web_port: TCP port of the web side.
        broker: Name of the driver.
        store: Name of the driver.
        updates_port: TCP port where devices fetch releases; None without update keys.
    """

    pid: int
    url: str
    mqtt_host: str
    mqtt_port: int
    web_port: int
    broker: str
    store: str
    updates_port: int | None = None


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that runs: `open_daemon` yields it."""

    running: Running
    telemetry: Telemetry
    failed: asyncio.Future[None]
    """Done, with an exception, when a part cannot go on."""


@contextlib.asynccontextmanager
async def open_daemon(installation: Installation) -> AsyncIterator[Daemon]:
    """Run an installation for as long as the context is open.

    Raises:
        ConflictError: another daemon runs on it.
        ServiceError: a port is taken, or a program is missing.
        KeyAccessError: a key cannot be read.
        StoreError: the store fails.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(installation.store.close)
        stack.enter_context(hold_lock(installation.paths))
        installation.store.check()
        telemetry = assemble_telemetry(installation)
        await telemetry.ingest.start()
        stack.push_async_callback(telemetry.ingest.stop)
        facts = _Facts(installation.paths)
        watch = RegistryWatch(installation, telemetry.ingest, telemetry.broker, facts.taken_in)
        stack.push_async_callback(telemetry.broker.stop)
        policy = watch.read()
        endpoint = await telemetry.broker.start(policy)
        updates = UpdateService(installation, telemetry.ingest.refuse, policy, facts.updates_opened)
        stack.push_async_callback(updates.stop)
        updates.open()
        watch.also = updates.apply
        # The port is bound before anything runs: a taken one leaves nothing half running.
        application = assemble_web(installation, telemetry)
        http = _http_server(installation, application)
        parts = _Parts()
        stack.push_async_callback(parts.stop)
        parts.add("broker", telemetry.broker.run)
        if telemetry.listen is not None:
            await _listen(parts, telemetry.listen(endpoint))
        parts.add_keepers(installation, telemetry, watch)
        parts.add("updates", updates.run)
        web = asyncio.create_task(http.run(), name="web")
        stack.push_async_callback(_stop_web, http, web, application)
        await _ready_or_failed(http, web)
        running = _running(installation, telemetry, endpoint, http, updates.port)
        facts.publish(running, watch.revision)
        stack.callback(forget_running, installation.paths)
        yield Daemon(running, telemetry, parts.failed)


class _Facts:
    """Keeps ``run/daemon.json`` up to date."""

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths
        self._running: Running | None = None
        self._revision = -1
        self._lent: list[str] = []

    def publish(self, running: Running, revision: int) -> None:
        """Say that the daemon is ready."""
        self._running = running
        self.taken_in(revision, self._lent)

    def taken_in(self, revision: int, lent: Collection[str] = ()) -> None:
        """Say which revision of the registry, and which lent identities, are in force."""
        self._revision, self._lent = revision, sorted(lent)
        if self._running is not None:
            facts = {
                **asdict(self._running),
                "registry_revision": revision,
                "lent_identities": self._lent,
            }
            write_running(self._paths, facts)

    def updates_opened(self, port: int) -> None:
        """Say where devices fetch releases, once they can."""
        if self._running is not None:
            self.publish(replace(self._running, updates_port=port), self._revision)


def _http_server(installation: Installation, application: FastAPI) -> HttpServer:
    web = installation.settings.web
    return HttpServer(
        application, lambda: web_server_context(installation.keystore), web.host, web.port
    )


def _running(
    installation: Installation,
    telemetry: Telemetry,
    endpoint: Endpoint,
    http: HttpServer,
    updates_port: int | None,
) -> Running:
    return Running(
        pid=os.getpid(),
        url=f"https://{installation.settings.web.public_host}:{http.port}/",
        mqtt_host=installation.settings.mqtt.public_host,
        mqtt_port=endpoint.port,
        web_port=http.port,
        broker=telemetry.broker.name,
        store=STORE_NAME,
        updates_port=updates_port,
    )


class _Parts:
    """The supervised tasks of a daemon."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, name: str, part: Callable[[], object]) -> None:
        """Start one."""
        task = asyncio.create_task(supervise(name, part), name=name)  # type: ignore[arg-type]
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def add_keepers(
        self, installation: Installation, telemetry: Telemetry, watch: RegistryWatch
    ) -> None:
        """Start what keeps the daemon at what other processes write, and the calendar."""
        dispatch = CommandDispatch(installation, telemetry.publisher, telemetry.ingest.connection)
        self.add("registry", watch.run)
        self.add("commands", dispatch.run)
        self.add("roll-outs", RolloutRunner(installation, telemetry.ingest.presence).run)
        self.add("certificates", CertificateDates(installation).run)
        self.add("update repository", UpdateRenewal(installation).run)
        self.add("revocation list", CrlRenewal(installation, watch.take_in).run)
        self.add("nightly audit", NightlyAudit(installation).run)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def stop(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.failed.done():
            self.failed.exception()  # marks it as seen
        else:
            self.failed.cancel()


async def _listen(parts: _Parts, subscriber: Subscriber) -> None:
    parts.add("subscriber", subscriber.run)
    try:
        await asyncio.wait_for(subscriber.wait_connected(), LISTEN_TIMEOUT_S)
    except TimeoutError:
        raise ServiceError(
            f"the broker let nobody listen within {LISTEN_TIMEOUT_S:g} s",
            reference="broker-unreachable",
            hint="the log says what it answered",
        ) from None


async def _ready_or_failed(http: HttpServer, web: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(http.wait_until_ready())
    await asyncio.wait({waiting, web}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if web.done():
        await web


async def _stop_web(http: HttpServer, web: asyncio.Task[None], application: FastAPI) -> None:
    # Streams of live events never end by themselves.
    application.state.context.hub.close()
    http.stop()
    await asyncio.wait({web}, timeout=5)


async def run_daemon(installation: Installation, *, on_ready: Callable[[Running], None]) -> None:
    """Run until SIGTERM or SIGINT, then stop cleanly.

    Args:
        installation: What to run; closed at the end.
        on_ready: Called once everything can be reached.

    Raises:
        SeawallError: as `open_daemon`, or a part that cannot go on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_daemon(installation) as daemon:
        _log.info("ready: %s", daemon.running.url)
        on_ready(daemon.running)
        tell_service_manager("READY=1")
        calm_collector()
        stopping = asyncio.create_task(stop.wait())
        waiting: set[asyncio.Future[Any]] = {stopping, daemon.failed}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        tell_service_manager("STOPPING=1")
        _log.info("stopping")
        if daemon.failed.done():
            daemon.failed.result()
    _log.info("stopped")


def tell_service_manager(state: str) -> None:
    """Tell systemd, if it started us (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())

"""What ``seawall demo`` does: the whole of Seawall on one machine, in a temporary folder."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import ssl
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from seawall.daemon.assemble import create_store, now_ms, open_installation
from seawall.daemon.logs import set_up_logging
from seawall.daemon.run import Daemon, open_daemon
from seawall.daemon.settings import write_settings
from seawall.model.installation import MqttSettings, Settings, UpdateSettings, WebSettings
from seawall.operations.create_installation import NewInstallation, create_installation
from seawall.operations.installation import Installation
from seawall.pki.keystore import Keystore
from seawall.pki.pins import fingerprint_text
from seawall.testing.demonstration_update import FIRST, GROUP, UpdateShow
from seawall.testing.demonstration_view import DemonstrationView
from seawall.testing.device_process import Runtime, find_runtime
from seawall.testing.fleet import Fleet

NAMES: Final = ("greenhouse", "cellar", "roof", "workshop", "server-room")
ATTACKERS: Final = {"changed-on-the-way": "tamper", "recorded-and-replayed": "replay"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be shown.

    Attributes:
        devices: How many honest devices.
        broker: Which driver.
        duration_s: End after this time from the start of the devices; None: when interrupted.
        web_port: TCP port of the page, 0: any free one.
        keep: Make the installation here and leave it; None: temporary.
        is_quiet: Say nothing while it runs.
        update: Roll out a good release and a bad one; when that is done, it ends.
    """

    devices: int = 5
    broker: Literal["builtin", "mosquitto"] = "builtin"
    duration_s: float | None = None
    web_port: int = 0
    keep: Path | None = None
    is_quiet: bool = False
    update: bool = False


def device_names(count: int) -> list[str]:
    """Return names for devices."""
    names = list(NAMES[:count])
    return names + [f"sensor-{number}" for number in range(len(names) + 1, count + 1)]


def demonstrate(plan: Plan) -> dict[str, Any]:
    """Run the demonstration and return its facts.

    Raises:
        SeawallError: something of it cannot start.
    """
    started = time.monotonic()
    set_up_logging("text", level="error" if plan.is_quiet else "warning")
    runtime = find_runtime()
    with _folder(plan.keep) as folder:
        password = _create(folder / "state", plan)
        installation = open_installation(folder / "state", "demo")
        show = _Show(plan, installation, folder, runtime, started)
        return asyncio.run(show.run(password))


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep.expanduser().resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="seawall-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create(state: Path, plan: Plan) -> str:
    settings = Settings(
        mqtt=MqttSettings(broker=plan.broker, host="127.0.0.1", port=0, public_host="127.0.0.1"),
        web=WebSettings(host="127.0.0.1", port=plan.web_port, public_host="localhost"),
        updates=UpdateSettings(host="127.0.0.1", port=0, public_host="127.0.0.1"),
    )
    created = create_installation(
        state,
        NewInstallation(settings),
        create_store=create_store,
        write_settings=write_settings,
        now_ms=now_ms,
        actor="demo",
    )
    assert created.generated_password is not None  # noqa: S101  none was given
    return created.generated_password


class _Show:
    """One run of the demonstration."""

    def __init__(
        self,
        plan: Plan,
        installation: Installation,
        folder: Path,
        runtime: Runtime,
        started: float,
    ) -> None:
        self._plan = plan
        self._installation = installation
        self._folder = folder
        self._runtime = runtime
        self._started = started
        self._names = device_names(plan.devices)
        self._view = DemonstrationView(self._names, is_quiet=plan.is_quiet)
        self._first_reading_s: float | None = None
        self._update: UpdateShow | None = None
        if plan.update:
            source = folder / "application"
            self._update = UpdateShow(installation, source, plan.devices, self._view.note)

    async def run(self, password: str) -> dict[str, Any]:
        """Run it to its end."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if self._update is not None:
            await asyncio.to_thread(self._update.prepare)
        async with open_daemon(self._installation) as daemon:
            self._view.introduce(
                url=daemon.running.url,
                password=password,
                fingerprint=_web_fingerprint(self._installation.keystore),
                broker=daemon.running.broker,
                runtime=self._runtime,
            )
            listening = asyncio.create_task(self._listen(daemon))
            fleet = await asyncio.to_thread(self._make_fleet, daemon)
            await asyncio.to_thread(fleet.start)
            try:
                updated = await self._wait_for_the_end(daemon, stop)
                connected = self._connected(daemon)
            finally:
                await asyncio.to_thread(fleet.stop)
            await daemon.telemetry.ingest.stop()
            listening.cancel()
            facts = self._facts(daemon, connected)
        if updated is not None:
            facts["update"] = updated
        self._view.conclude(facts)
        return facts

    def _make_fleet(self, daemon: Daemon) -> Fleet:
        settings = self._installation.settings
        # The settings say "any free port"; devices must be told which one it is.
        running = daemon.running
        reachable = replace(
            self._installation,
            settings=replace(
                settings,
                mqtt=replace(settings.mqtt, port=running.mqtt_port),
                updates=replace(settings.updates, port=running.updates_port or 0),
            ),
        )
        fleet = Fleet(reachable, self._folder / "devices", self._runtime)
        if self._update is not None:
            fleet.group, fleet.release = GROUP, f"unix/{FIRST}"
        fleet.folder.mkdir(mode=0o700, exist_ok=True)
        for name in self._names:
            fleet.add(name)
        for name, attack in ATTACKERS.items():
            fleet.add(name, attack=attack)
        return fleet

    async def _listen(self, daemon: Daemon) -> None:
        with self._view.live():
            async for kind, data in daemon.telemetry.feed.subscribe():
                if kind == "reading" and self._first_reading_s is None:
                    self._first_reading_s = time.monotonic() - self._started
                self._view.show(kind, data)

    async def _wait_for_the_end(self, daemon: Daemon, stop: asyncio.Event) -> dict[str, Any] | None:
        stopping = asyncio.ensure_future(stop.wait())
        waiting: set[asyncio.Future[Any]] = {stopping, daemon.failed}
        updating = None
        if self._update is not None:
            carry_out = asyncio.to_thread(self._update.carry_out, stop.is_set)
            updating = asyncio.create_task(carry_out)
            if self._plan.duration_s is None:
                waiting.add(updating)
        await asyncio.wait(
            waiting, timeout=self._plan.duration_s, return_when=asyncio.FIRST_COMPLETED
        )
        stopping.cancel()
        stop.set()
        if daemon.failed.done():
            daemon.failed.result()
        return None if updating is None else await updating

    def _connected(self, daemon: Daemon) -> int:
        presence = daemon.telemetry.ingest.presence()
        return sum(name in presence and presence[name].online for name in self._names)

    def _facts(self, daemon: Daemon, connected: int) -> dict[str, Any]:
        counters = daemon.telemetry.ingest.counters
        first = self._first_reading_s
        return {
            "devices": self._plan.devices,
            "connected": connected,
            "readings_verified": counters.verified,
            "readings_stored": sum(
                activity.readings for activity in self._installation.store.activity()
            ),
            "refused": {
                reason.value: count
                for reason, count in self._installation.store.refusal_counts().items()
                if count
            },
            "device_runtime": self._runtime.version,
            "broker": daemon.running.broker,
            "store": daemon.running.store,
            "url": daemon.running.url,
            "first_reading_s": None if first is None else round(first, 2),
        }


def _web_fingerprint(keystore: Keystore) -> str:
    certificate, _ = keystore.web_paths()
    der = ssl.PEM_cert_to_DER_cert(_first_certificate(certificate.read_text(encoding="ascii")))
    return fingerprint_text(der)


def _first_certificate(pem: str) -> str:
    end = "-----END CERTIFICATE-----"
    return pem[: pem.index(end) + len(end)]

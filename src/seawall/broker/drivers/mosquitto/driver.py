"""The broker port, kept by a supervised Mosquitto."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from seawall.broker.drivers.mosquitto import configuration as files
from seawall.broker.drivers.mosquitto.loglines import Connected, Oversize, read_line
from seawall.broker.drivers.mosquitto.process import MosquittoProcess, PortTakenError
from seawall.broker.drivers.mosquitto.program import account_to_run_as, find_program
from seawall.broker.drivers.mosquitto.takeover import answer, take_over
from seawall.broker.drivers.mosquitto.workspace import Workspace
from seawall.broker.listening import check_free, listening_error, pick_free
from seawall.broker.policy import AccessPolicy
from seawall.broker.port import Endpoint, Sink
from seawall.errors import KeyAccessError, SeawallError, ServiceError
from seawall.model.installation import MqttSettings
from seawall.model.reading import Reason, Refusal

_LOG: Final = logging.getLogger("seawall.mosquitto")

_PORT_TRIES: Final = 5
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 10.0
_STEADY_S: Final = 2.0
"""A broker that lived so long is restarted at once, however often that happens."""
_MOST_FAILURES: Final = 20
_TAKEOVERS_AT_ONCE: Final = 4
"""The control socket's queue of connections is 10 long."""
_REFUSAL_EVERY_S: Final = 1.0


class MosquittoBroker:
    """Renders Mosquitto's files, runs it, and enforces the policy on what is connected.

    Args:
        settings: Address and limits.
        directory: ``broker/`` of the state directory.
        certificate: Server certificate with its issuer, PEM.
        key: Its private key, PEM, unencrypted.
        ca_chain: The authorities that devices' certificates come from, PEM.
        sink: Where refused connections are recorded; None: they are logged only.
        program: Path of Mosquitto; by default it is looked for.
        now_ms: The clock, UTC milliseconds.
    """

    name = "mosquitto"
    acknowledgement: Literal["puback", "stored"] = "stored"

    def __init__(
        self,
        settings: MqttSettings,
        directory: Path,
        *,
        certificate: Path,
        key: Path,
        ca_chain: Path,
        sink: Sink | None = None,
        program: str | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._sources = {files.CERTIFICATE: certificate, files.KEY: key, files.TRUST: ca_chain}
        self._sink = sink
        self._wanted_program = program
        self._now_ms = now_ms
        self._password = secrets.token_urlsafe(32)
        self._policy = AccessPolicy()
        self._enforced = self._policy
        self._process: MosquittoProcess | None = None
        self._port = settings.port
        self._changing = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._refused_at: dict[str, float] = {}
        self._stopped = False
        self._workspace: Workspace
        self._program: str

    @property
    def pid(self) -> int | None:
        """The broker's process, while it runs."""
        return self._process.pid if self._process is not None and self._process.alive else None

    async def start(self, policy: AccessPolicy) -> Endpoint:
        """Start Mosquitto; return once devices can connect.

        Raises:
            ServiceError: it is missing or too old, ends at once, or the port is taken.
            KeyAccessError: the server's key or certificate cannot be read.
        """
        self._stopped = False
        self._policy = policy
        self._account = account_to_run_as()
        self._workspace = Workspace(self._directory, self._account)
        self._program = await asyncio.to_thread(find_program, self._wanted_program)
        stale = await asyncio.to_thread(self._workspace.end_stale)
        if stale is not None:
            _LOG.warning("ended the mosquitto of an earlier run, process %d", stale)
        for attempt in range(_PORT_TRIES):
            port = self._settings.port or pick_free(self._settings.host)
            try:
                await self._launch(port)
            except PortTakenError as error:
                if self._settings.port or attempt == _PORT_TRIES - 1:
                    raise self._port_taken(port, error) from error
                continue
            break
        return Endpoint(self._settings.host, self._port)

    async def apply(self, policy: AccessPolicy) -> None:
        """Enforce a new policy; return once sessions that it forbids have ended.

        Topics are denied and the revocation list is in force before any
        session is ended, so that a device that comes back at once finds the
        new rules.

        Raises:
            ServiceError: Mosquitto does not react, and could not be restarted.
        """
        async with self._changing:
            # Sessions end by what is in force, not by what was tried last and may have failed.
            former, self._policy = self._enforced, policy
            process = self._process
            if process is None or not process.alive:
                return  # `run` starts it with the new policy
            # The server's certificate too: it may have been rotated.
            self._write_identity()
            self._write_rules()
            try:
                await process.reload()
                # It has one thread: when it answers, the new rules are in force,
                # and the next SIGHUP will not fall into this reload.
                await answer(self._workspace, self._password)
                await self._end_sessions(former, policy)
                self._enforced = policy
            except ServiceError as error:
                if not process.alive:
                    return
                # The last resort interrupts every device for a moment, but it does enforce.
                _LOG.warning("mosquitto is restarted to enforce the policy: %s", error)
                await process.stop()
                await self._launch(self._port)

    async def run(self) -> None:
        """Keep Mosquitto running until cancelled.

        Raises:
            ServiceError: it ended many times in a row, soon after each start.
        """
        failures = 0
        while not self._stopped:
            process = self._process
            if process is None:
                raise ServiceError("the broker was not started")
            began = time.monotonic()
            how = await process.wait()
            if self._stopped:
                return
            if time.monotonic() - began > _STEADY_S:
                failures = 0
            _LOG.error("mosquitto is gone: %s", how)
            failures = await self._restart(process, failures)

    async def stop(self) -> None:
        """Stop Mosquitto and remove its copy of the key. Idempotent."""
        self._stopped = True
        for task in self._ending:
            task.cancel()
        async with self._changing:
            if self._process is not None:
                await self._process.stop()
                self._process = None
                for name in (files.KEY, files.PASSWORDS):
                    self._workspace.remove(name)

    async def _restart(self, gone: MosquittoProcess, failures: int) -> int:
        """Start again, however often it takes; return the failures so far."""
        while not self._stopped:
            failures += 1
            if failures > 1:
                longest = min(_FIRST_DELAY_S * 2 ** (failures - 1), _LONGEST_DELAY_S)
                await asyncio.sleep(longest * (0.5 + secrets.randbelow(1000) / 2000))
            async with self._changing:
                if self._stopped or self._process is not gone:
                    break  # `apply` was quicker
                try:
                    await self._launch(self._port)
                except SeawallError as error:
                    if failures >= _MOST_FAILURES:
                        raise
                    _LOG.error("mosquitto does not start: %s", error)
                else:
                    break
        return failures

    async def _launch(self, port: int) -> None:
        check_free(self._settings.host, port)
        self._workspace.prepare()
        self._write_identity()
        passwords = files.render_passwords(self._password, os.urandom(12))
        self._workspace.write(files.PASSWORDS, passwords.encode())
        text = files.render_configuration(self._settings, port)
        self._workspace.write(files.CONFIGURATION, text.encode())
        self._write_rules()
        process = MosquittoProcess(self._program, self._workspace, self._account, self._on_line)
        await process.start()
        try:
            # Before its main loop runs it would forget a SIGTERM, also the one
            # that is to end it when we are killed.
            await answer(self._workspace, self._password)
        except ServiceError:
            await process.stop()
            raise
        self._process = process
        self._port = port
        self._enforced = self._policy

    def _write_identity(self) -> None:
        for name, source in self._sources.items():
            self._workspace.write(name, _read(source))

    def _write_rules(self) -> None:
        if not self._policy.crl_pem:
            raise ServiceError("the policy has no revocation list, and the broker needs one")
        self._workspace.write(files.ACCESS, files.render_access(self._policy).encode())
        self._workspace.write(files.REVOKED, self._policy.crl_pem)

    async def _end_sessions(self, former: AccessPolicy, policy: AccessPolicy) -> None:
        forbidden = set(policy.refused) - set(former.refused)
        forbidden |= set(former.active) - set(policy.active)
        superseded = {
            device_id
            for device_id, serial in policy.active.items()
            if former.active.get(device_id, serial) != serial
        }
        limit = asyncio.Semaphore(_TAKEOVERS_AT_ONCE)

        async def end(device_id: str, forget: bool) -> None:
            async with limit:
                await take_over(self._workspace, self._password, device_id, forget=forget)

        orders = [end(name, True) for name in sorted(forbidden)]
        # A rotated device comes back with its new certificate, to its own session.
        orders += [end(name, False) for name in sorted(superseded - forbidden)]
        results = await asyncio.gather(*orders, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _on_line(self, line: str) -> None:
        found = read_line(line)
        if isinstance(found, Oversize):
            self._refuse(found.client_id, Reason.TOO_LARGE, "the packet is too large", found.peer)
        elif isinstance(found, Connected) and found.user != files.CONTROL_USER:
            self._judge(found)

    def _judge(self, found: Connected) -> None:
        """Cut off who may not connect, but whose certificate the broker takes.

        Mosquitto knows revoked certificates and has no word for a disabled
        device: it lets it in, where the ACL denies it every topic.
        """
        policy = self._policy
        if found.user in policy.services or found.user in policy.active:
            return
        reason = policy.refused.get(found.user, Reason.UNKNOWN_DEVICE)
        self._refuse(found.user, reason, "the connection was ended at once", found.peer)
        task = asyncio.get_running_loop().create_task(self._cut_off(found.user))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _cut_off(self, device_id: str) -> None:
        try:
            await take_over(self._workspace, self._password, device_id, forget=True)
        except ServiceError as error:
            _LOG.warning("%s; the access rules deny it every topic", error)

    def _refuse(self, device_id: str, reason: Reason, detail: str, peer: str) -> None:
        now = time.monotonic()
        # One that comes back again and again is told of once a second.
        if self._sink is None or now - self._refused_at.get(device_id, -1e9) < _REFUSAL_EVERY_S:
            return
        if len(self._refused_at) > 10_000:
            self._refused_at.clear()
        self._refused_at[device_id] = now
        self._sink.refuse(Refusal(self._now_ms(), reason, device_id or None, "", detail, peer=peer))

    def _port_taken(self, port: int, error: ServiceError) -> SeawallError:
        known = listening_error(self._settings.host, port, OSError(98, error.message))
        return ServiceError(known.message, reference="port-taken", hint=known.hint)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyAccessError(
            f"{path} cannot be read: {error.strerror}",
            hint="it must belong to the user who runs seawall",
        ) from error

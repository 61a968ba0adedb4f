"""Tries to connect with a certificate, to see whether the endpoint refuses it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from seawall.pki.certificates import certificate_pem
from seawall.pki.contexts import client_context, service_client_context
from seawall.pki.files import write_private
from seawall.pki.keys import key_pem
from seawall.pki.keystore import Keystore

ATTEMPT_TIMEOUT_S: Final = 3.0
_RETRY_DELAY_S: Final = 0.1
_REFUSING_CODES: Final = frozenset({2, 4, 5})
# Identifier rejected, bad user name, not authorised; 3 only says "not now".


class Outcome(StrEnum):
    """What became of an attempt to connect with a certificate."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNREACHABLE = "unreachable"
    """Nobody answers there as our server does, so nothing is proven."""
    PENDING = "pending"
    """Nothing was tried: no daemon runs."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was tried and seen.

    Attributes:
        outcome: Of the last attempt.
        detail: What exactly happened, in one sentence.
        endpoint: ``host:port`` that was tried; empty if none was.
        attempts: How many times.
    """

    outcome: Outcome
    detail: str
    endpoint: str = ""
    attempts: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether it was refused: by the server in person, not by silence."""
        return self.outcome is Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves that an endpoint refuses a device.

    Attributes:
        keystore: Where the device's certificate and key stand.
        host: Address of the endpoint.
        port: Its TCP port.
        server_name: Name that its certificate holds.
        wait_s: How long a policy may take to be in force.
        monotonic: The clock.
        sleep: Waits so many seconds.
    """

    keystore: Keystore
    host: str
    port: int
    server_name: str
    wait_s: float = 5.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, device_id: str) -> Proof:
        """Connect as the device until it is refused or `wait_s` is over.

        The client speaks TLS 1.2, where the server judges the certificate within
        the handshake, so that a refusal there is seen as one.
        """
        deadline = self.monotonic() + self.wait_s
        attempts = 0
        with tempfile.TemporaryDirectory(prefix="seawall-proof-") as directory:
            context = self._device_context(device_id, Path(directory))
            while True:
                attempts += 1
                outcome, detail = self._attempt(context, device_id)
                if outcome is Outcome.REFUSED or self.monotonic() >= deadline:
                    endpoint = f"{self.host}:{self.port}"
                    return Proof(outcome, detail, endpoint, attempts)
                self.sleep(_RETRY_DELAY_S)

    def _attempt(self, context: ssl.SSLContext, device_id: str) -> tuple[Outcome, str]:
        try:
            connection = self._dial()
        except OSError as error:
            return Outcome.UNREACHABLE, f"no connection: {error.strerror or error}"
        with connection:
            try:
                tls = context.wrap_socket(connection, server_hostname=self.server_name)
            except ssl.SSLCertVerificationError as error:
                return Outcome.UNREACHABLE, f"another server answers: {error.verify_message}"
            except ssl.SSLError as error:
                return self._judge_refusal(f"refused in the TLS handshake: {_alert(error)}")
            except OSError as error:
                return self._judge_refusal(
                    f"closed in the TLS handshake: {error.strerror or error}"
                )
            with tls:
                return self._connect(tls, device_id)

    def _connect(self, tls: ssl.SSLSocket, device_id: str) -> tuple[Outcome, str]:
        """Send CONNECT and judge the answer (MQTT 3.1.1, sections 3.1 and 3.2)."""
        try:
            tls.sendall(connect_packet(device_id))
            answer = tls.recv(4)
        except TimeoutError:
            return Outcome.UNREACHABLE, "no answer to CONNECT in time"
        except ssl.SSLError as error:
            return self._judge_refusal(f"refused by TLS: {_alert(error)}")
        except OSError as error:
            return self._judge_refusal(f"closed at CONNECT: {error.strerror or error}")
        if not answer:
            return self._judge_refusal("closed at CONNECT without an answer")
        if len(answer) == 4 and answer[0] == 0x20 and answer[3] == 0:
            with contextlib.suppress(OSError):
                tls.sendall(b"\xe0\x00")
            return Outcome.ACCEPTED, "the connection was accepted"
        if len(answer) == 4 and answer[0] == 0x20 and answer[3] in _REFUSING_CODES:
            return Outcome.REFUSED, f"refused by CONNACK with code {answer[3]}"
        return Outcome.UNREACHABLE, "what answers does not speak MQTT 3.1.1"

    def _judge_refusal(self, detail: str) -> tuple[Outcome, str]:
        """Tell a refusal from a server in trouble: would it take a good certificate?

        The platform's own certificate is shown, but no CONNECT is sent, which
        would end the session of the part that uses it.
        """
        try:
            context = service_client_context(self.keystore)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with (
                self._dial() as connection,
                context.wrap_socket(connection, server_hostname=self.server_name),
            ):
                return Outcome.REFUSED, f"{detail}, while a good certificate is taken"
        except OSError as error:
            return Outcome.UNREACHABLE, f"{detail}, but a good certificate fares no better: {error}"

    def _dial(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), ATTEMPT_TIMEOUT_S)

    def _device_context(self, device_id: str, directory: Path) -> ssl.SSLContext:
        # Python's ssl reads PEM files only; they live as long as the attempt.
        pem = key_pem(self.keystore.device_key_der(device_id)) + certificate_pem(
            self.keystore.device_cert_der(device_id)
        )
        path = directory / "device.pem"
        write_private(path, pem)
        context = client_context(self.keystore.root_path)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(path)
        return context


def connect_packet(client_id: str) -> bytes:
    """Return a CONNECT of MQTT 3.1.1 with a clean session and 10 s keep-alive."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x0a" + len(name).to_bytes(2, "big") + name
    # A device id has at most 64 bytes, so one byte holds the remaining length.
    return bytes((0x10, len(body))) + body


def _alert(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")

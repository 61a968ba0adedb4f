"""The proof of a refusal, against endpoints that refuse, accept, sulk or are not there."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.cli.exit_codes import ExitCode
from seawall.daemon.lock import hold_lock, write_running
from seawall.devices.proof import Outcome, Prover
from seawall.model.installation import StatePaths
from seawall.pki import contexts
from seawall.pki.keystore import Keystore

pytestmark = pytest.mark.system

NOW = datetime.now(UTC)
ACCEPTED = b"\x20\x02\x00\x00"
NOT_AUTHORISED = b"\x20\x02\x00\x05"
NOT_NOW = b"\x20\x02\x00\x03"

Answer = Callable[[str], bytes]


class Endpoint:
    """Ends TLS as the broker does, reads a CONNECT, and answers what it is told to."""

    def __init__(self, context: ssl.SSLContext | None, answer: Answer) -> None:
        self.context = context
        self.answer = answer
        self.connects: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._socket.accept()
            except OSError:
                return
            raw.settimeout(5)
            with raw, contextlib.suppress(OSError):
                if self.context is None:
                    raw.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                    raw.recv(100)
                    continue
                with self.context.wrap_socket(raw, server_side=True) as tls:
                    subject = dict(part[0] for part in (tls.getpeercert() or {})["subject"])
                    if packet := tls.recv(200):
                        assert packet[0] == 0x10
                        self.connects.append(subject["commonName"])
                        if answer := self.answer(subject["commonName"]):
                            tls.sendall(answer)
                            tls.recv(2)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    made = Keystore.create(tmp_path / "pki", ("localhost", "127.0.0.1"), NOW)
    made.save_device("cellar", made.authority().issue_device("cellar", NOW))
    return made


@pytest.fixture
def endpoint(keystore: Keystore) -> Iterator[Endpoint]:
    made = Endpoint(_context(keystore), lambda _: ACCEPTED)
    yield made
    made.close()


def _context(keystore: Keystore) -> ssl.SSLContext:
    return contexts.mqtt_server_context(keystore, keystore.crl_pem())


def _revoke(keystore: Keystore) -> None:
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(keystore.device_cert_der("cellar"))
    keystore.revoke(format(certificate.serial_number, "x"), NOW, keystore.authority())


def _prover(keystore: Keystore, port: int, wait_s: float = 0) -> Prover:
    return Prover(keystore, "127.0.0.1", port, "localhost", wait_s)


def test_a_revoked_certificate_is_refused_by_tls(keystore: Keystore, endpoint: Endpoint) -> None:
    _revoke(keystore)
    endpoint.context = _context(keystore)
    proof = _prover(keystore, endpoint.port)("cellar")
    assert proof.outcome is Outcome.REFUSED
    assert "revoked" in proof.detail
    assert (proof.attempts, proof.endpoint) == (1, f"127.0.0.1:{endpoint.port}")
    assert endpoint.connects == []


def test_a_certificate_that_is_good_is_accepted(keystore: Keystore, endpoint: Endpoint) -> None:
    proof = _prover(keystore, endpoint.port)("cellar")
    assert proof.outcome is Outcome.ACCEPTED
    assert not proof.is_refused


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (NOT_AUTHORISED, Outcome.REFUSED),
        (b"", Outcome.REFUSED),
        (NOT_NOW, Outcome.UNREACHABLE),
        (b"HTTP", Outcome.UNREACHABLE),
    ],
    ids=["not authorised", "closed", "not now", "not MQTT"],
)
def test_answers_to_connect(
    keystore: Keystore, endpoint: Endpoint, answer: bytes, outcome: Outcome
) -> None:
    endpoint.answer = lambda _: answer
    assert _prover(keystore, endpoint.port)("cellar").outcome is outcome
    # Another session under the platform's own name would end the one in use.
    assert endpoint.connects == ["cellar"]


def test_it_waits_until_the_policy_is_in_force(keystore: Keystore, endpoint: Endpoint) -> None:
    _revoke(keystore)
    answers = iter([ACCEPTED, ACCEPTED, NOT_AUTHORISED])
    endpoint.answer = lambda _: next(answers)
    proof = _prover(keystore, endpoint.port, wait_s=20)("cellar")
    assert (proof.outcome, proof.attempts) == (Outcome.REFUSED, 3)


def test_it_gives_up_when_the_time_is_over(keystore: Keystore, endpoint: Endpoint) -> None:
    now = iter(range(100))
    slept: list[float] = []
    prover = Prover(
        keystore,
        *("127.0.0.1", endpoint.port, "localhost", 5),
        monotonic=lambda: next(now),
        sleep=slept.append,
    )
    proof = prover("cellar")
    assert (proof.outcome, proof.attempts) == (Outcome.ACCEPTED, 5)
    assert len(slept) == 4


def test_silence_proves_nothing(keystore: Keystore, free_port: Callable[[], int]) -> None:
    assert _prover(keystore, free_port())("cellar").outcome is Outcome.UNREACHABLE


def test_a_server_in_trouble_proves_nothing(keystore: Keystore, endpoint: Endpoint) -> None:
    """It refuses every certificate, so that it says nothing about this one."""
    _revoke(keystore)
    endpoint.context = _context(keystore)
    endpoint.context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # no key for it
    assert _prover(keystore, endpoint.port)("cellar").outcome is Outcome.UNREACHABLE


def test_another_server_proves_nothing(keystore: Keystore, tmp_path: Path) -> None:
    other = Keystore.create(tmp_path / "other", ("localhost",), NOW)
    for context in (_context(other), None):
        endpoint = Endpoint(context, lambda _: NOT_AUTHORISED)
        assert _prover(keystore, endpoint.port)("cellar").outcome is Outcome.UNREACHABLE
        endpoint.close()


# The command, while a daemon runs


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    _seawall(state, "init", "--mqtt-port", "0")
    _seawall(state, "device", "add", "cellar")
    return state


def _seawall(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seawall.cli.main", *arguments, "--state", str(state)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def _daemon(state: Path, endpoint: Endpoint) -> Iterator[None]:
    """Pretend that a daemon runs: it holds the lock, and says where devices connect."""
    paths = StatePaths(state)
    with hold_lock(paths):
        write_running(paths, {"mqtt_host": "0.0.0.0", "mqtt_port": endpoint.port})
        yield
    endpoint.close()


class FreshListEndpoint(Endpoint):
    """Reads the revocation list anew for each connection, as if the daemon were quick."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore
        super().__init__(None, lambda _: ACCEPTED)

    @property
    def context(self) -> ssl.SSLContext:
        return _context(self._keystore)

    @context.setter
    def context(self, _: object) -> None:
        """There is none to set."""


def test_the_command_proves_it_and_the_proof_is_on_record(state: Path) -> None:
    keystore = Keystore.open(state / "pki")
    with _daemon(state, FreshListEndpoint(keystore)):
        revoked = _seawall(state, "device", "revoke", "cellar", "--json")
        assert revoked.returncode == ExitCode.OK, revoked.stderr
        proof = json.loads(revoked.stdout)["proof"]
    assert (proof["outcome"], proof["proven"]) == ("refused", True)
    shown = json.loads(_seawall(state, "device", "show", "cellar", "--json").stdout)
    assert [event["kind"] for event in shown["events"]] == [
        "device-added",
        "device-revoked",
        "revocation-proven",
    ]


def test_the_command_fails_while_the_server_still_lets_it_in(state: Path) -> None:
    context = _context(Keystore.open(state / "pki"))
    with _daemon(state, Endpoint(context, lambda _: ACCEPTED)):
        revoked = _seawall(state, "device", "revoke", "cellar", "--json")
    assert revoked.returncode == ExitCode.FAILED
    assert json.loads(revoked.stdout)["proof"]["outcome"] == "accepted"
    assert "still accepts" in revoked.stderr


def test_a_bundle_takes_the_port_of_the_running_daemon(state: Path, tmp_path: Path) -> None:
    endpoint = Endpoint(None, lambda _: b"")
    out = tmp_path / "cellar"
    with _daemon(state, endpoint):
        done = _seawall(state, "device", "bundle", "cellar", "--out", str(out))
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads((out / "config.json").read_bytes())["broker"]["port"] == endpoint.port

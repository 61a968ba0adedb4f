"""Identity from outside: foreign topics, revocation, pins, as people and attackers see it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives import serialization

from seawall.devices.lifecycle import NewDevice
from seawall.model.history import ReadingQuery
from seawall.operations.add_device import add_device
from seawall.operations.bundle_device import BundleOptions, bundle_device
from seawall.operations.installation import Installation
from seawall.pki.secrets import derive_device_key
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.wire.envelope import seal

pytestmark = pytest.mark.system


class Site:
    """A running installation with two devices, and Mosquitto's own clients to attack it."""

    def __init__(self, installation: Installation, folder: Path, port: int) -> None:
        self.installation = installation
        self.folder = folder
        self.port = port

    def add(self, device_id: str) -> None:
        """Add a device, its key and certificate as PEM files."""
        add_device(self.installation, NewDevice(device_id))
        keystore = self.installation.keystore
        key = serialization.load_der_private_key(keystore.device_key_der(device_id), None)
        (self.folder / f"{device_id}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        openssl = ["openssl", "x509", "-inform", "DER", "-out", self.folder / f"{device_id}.crt"]
        subprocess.run(openssl, input=keystore.device_cert_der(device_id), check=True)

    def options(self, device_id: str | None) -> list[str]:
        """Return the connection options of mosquitto_pub and mosquitto_sub."""
        options = [
            *("-h", "127.0.0.1", "-p", str(self.port)),
            *("--cafile", str(self.installation.keystore.root_path)),
        ]
        if device_id is not None:
            options += [
                *("-i", device_id),
                *("--cert", str(self.folder / f"{device_id}.crt")),
                *("--key", str(self.folder / f"{device_id}.key")),
            ]
        return options

    def publish(
        self, certificate: str | None, topic: str, payload: bytes
    ) -> subprocess.CompletedProcess[bytes]:
        """Publish at QoS 1 with a device's certificate."""
        return subprocess.run(
            ["mosquitto_pub", *self.options(certificate), "-q", "1", "-t", topic, "-s"],
            input=payload,
            capture_output=True,
            timeout=20,
            check=False,
        )

    def handshake(self, certificate: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        """Make a TLS connection with a device's certificate, and close it."""
        own = [
            "-cert",
            self.folder / f"{certificate}.crt",
            "-key",
            self.folder / f"{certificate}.key",
        ]
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", *own, *options],
            input=b"",
            capture_output=True,
            timeout=20,
            check=False,
        )

    def sealed(self, device_id: str, topic: str, seq: int, temperature_c: float = 20.5) -> bytes:
        """Return a reading signed with a device's key."""
        key = derive_device_key(self.installation.keystore.master_key(), device_id, 1)
        body = json.dumps({"temp": temperature_c, "boot": 1, "seq": seq}).encode()
        return seal(body, topic, key)

    def stored(self, device_id: str) -> list[float]:
        """Return a device's stored temperatures."""
        readings = self.installation.store.readings(ReadingQuery(device_id=device_id))
        return [reading.metrics["temp"] for reading in readings]

    def seawall(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on this installation."""
        state = str(self.installation.paths.root)
        return subprocess.run(
            [sys.executable, "-m", "seawall", *arguments, "--state", state],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(params=["builtin", "mosquitto"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, wait_until: Callable[..., Any]
) -> Iterator[Site]:
    broker: Literal["builtin", "mosquitto"] = request.param
    installation = make_installation(tmp_path / "state", broker=broker)
    daemon = DaemonProcess(tmp_path / "state", tmp_path / "daemon.log")
    daemon.start()
    running = daemon.wait_ready()
    site = Site(installation, tmp_path, running["mqtt_port"])
    site.add("device-a")
    site.add("device-b")
    # Before that the brokers know neither, and Mosquitto acknowledges what it denies.
    wait_until(lambda: "registry taken in: 2 devices may connect" in daemon.log())
    yield site
    installation.store.close()
    assert daemon.stop() == 0, daemon.log()


def test_a_device_reaches_its_own_topics_and_no_others(
    site: Site, wait_until: Callable[..., Any]
) -> None:
    own, foreign = "devices/device-a/readings", "devices/device-b/readings"
    assert site.publish("device-a", own, site.sealed("device-a", own, 1)).returncode == 0
    wait_until(lambda: site.stored("device-a") == [20.5], 10)
    listener = subprocess.Popen(
        ["mosquitto_sub", *site.options("device-b"), "-t", "devices/device-a/#", "-C", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    # Signed with B's own key, so that the broker alone stands in the way.
    site.publish("device-a", foreign, site.sealed("device-b", foreign, 1))
    site.publish("device-a", own, site.sealed("device-a", own, 2, 21.5))
    wait_until(lambda: 21.5 in site.stored("device-a"), 10)
    assert site.stored("device-b") == []
    listener.kill()
    heard, _ = listener.communicate()
    assert heard == b""


def test_without_a_good_certificate_nobody_connects(
    site: Site, wait_until: Callable[..., Any]
) -> None:
    topic = "devices/device-a/readings"
    assert site.publish("device-a", topic, site.sealed("device-a", topic, 1)).returncode == 0
    assert site.publish(None, topic, b"{}").returncode != 0
    assert site.handshake("device-a", "-tls1_2").returncode == 0
    # Allowed on our side, so that the server alone refuses it.
    old = site.handshake("device-a", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
    assert old.returncode != 0
    assert b"alert protocol version" in old.stderr
    answer = site.seawall("device", "revoke", "device-a", "--json")
    assert answer.returncode == 0, answer.stderr
    proof = json.loads(answer.stdout)
    assert proof["proof"]["outcome"] == "refused", proof
    assert site.publish("device-a", topic, site.sealed("device-a", topic, 3)).returncode != 0
    assert site.stored("device-a") == [20.5]
    kinds = {event.kind for event in site.installation.store.events(subject="device-a")}
    assert "revocation-proven" in kinds


def test_the_pin_in_the_bundle_is_what_openssl_prints(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    bundle_device(site.installation, "device-a", out, BundleOptions(port=site.port))
    pins = json.loads((out / "config.json").read_text())["trust"]["pins"]
    certificate = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{site.port}"],
        input=b"",
        capture_output=True,
        timeout=20,
        check=False,
    ).stdout
    printed = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"],
        input=certificate,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert printed.split("=")[1].strip().replace(":", "").lower() == pins[0]
    assert len(set(pins)) == 2


def test_a_tampered_a_replayed_and_a_hostile_message_are_refused_by_name(
    site: Site, wait_until: Callable[..., Any]
) -> None:
    topic = "devices/device-a/readings"
    first = site.sealed("device-a", topic, 1)
    assert site.publish("device-a", topic, first).returncode == 0
    wait_until(lambda: site.stored("device-a") == [20.5])
    site.publish("device-a", topic, site.sealed("device-a", topic, 2).replace(b"20.5", b"99.5"))
    site.publish("device-a", topic, first)
    site.publish("device-a", topic, b"[" * 3000)
    site.publish("device-a", topic, b'{"temp":\xff}')
    site.publish("device-a", topic, b"x" * 5000)

    def reasons() -> list[str]:
        answer = site.seawall("refusals", "--json")
        assert answer.returncode == 0, answer.stderr
        return sorted(refusal["reason"] for refusal in json.loads(answer.stdout))

    wait_until(lambda: len(reasons()) >= 5, 15)
    assert {"bad-signature", "replay", "too-large"} <= set(reasons())
    assert site.stored("device-a") == [20.5]

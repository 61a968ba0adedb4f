"""Readings verified, stored and acknowledged a second, for a core of ingest.

Run as ``./run bench ingest [--json]``. In one run, rounds interleaved, QoS 1, on
plain TCP and TLS:

- ``builtin``: devices at our own endpoint; PUBACK after the commit.
- ``behind-mosquitto``: ingest as Mosquitto's subscriber; PUBACK to Mosquitto, and
  ``stored`` to the devices, after the commit.
- ``mosquitto_sub``: the limit: C, verifies and stores nothing.
- ``paho``: the peer: a paho-mqtt callback that counts, and does nothing else.

Every message is verified, judged and committed (SQLite, synchronous=FULL). What
is measured has a core of its own; load and Mosquitto share another. All is
published as fast as Mosquitto, or the endpoint's PUBACKs, allow.

``per_core`` is messages for each second of CPU time of the measured process: it does
not depend on what else the machine does. ``per_second`` is by the clock, and counts
only on a quiet machine; behind Mosquitto it cannot pass what Mosquitto forwards.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench import ingest_load as load

from seawall.broker.drivers.mosquitto.configuration import MAX_INFLIGHT
from seawall.pki.keystore import Keystore
from seawall.pki.secrets import derive_device_key

CONTENDERS = ("builtin", "behind-mosquitto", "mosquitto_sub", "paho")
TARGETS = {"builtin": 3.5, "behind-mosquitto": 2.5}


class Bench:
    """Everything that a run shares."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.folder = folder
        self.devices = options.devices
        self.each = options.messages // options.devices
        self.total = self.each * options.devices
        self.window = options.window
        self.store_folder = options.dir or str(folder)
        cores = sorted(os.sched_getaffinity(0))
        self.core, self.load_core = cores[0], cores[-1]
        now = datetime.datetime.now(datetime.UTC)
        self.keystore = Keystore.create(folder / "pki", ["localhost", "127.0.0.1"], now, None)
        master = self.keystore.master_key()
        names = load.device_ids(self.devices)
        self.keys = {name: derive_device_key(master, name, 1).hex() for name in names}
        self.serials = self._certificates(names, now)
        print(f"signing {self.total} messages ...", file=sys.stderr)
        streams = [
            load.device_stream(name, bytes.fromhex(self.keys[name]), self.each) for name in names
        ]
        online = [
            load.publish(load.text(f"devices/{name}/status"), b'{"online":true}', 1)
            for name in names
        ]
        self.data = load.interleave(streams)
        self.statuses = b"".join(online)
        self.mosquitto: subprocess.Popen[bytes] | None = None
        self.ports: dict[bool, int] = {}

    def _certificates(self, names: list[str], now: datetime.datetime) -> dict[str, str]:
        authority = self.keystore.authority(None)
        folder = self.folder / "certificates"
        folder.mkdir()
        serials = {}
        for name in names:
            issued = authority.issue_device(name, now)
            (folder / f"{name}.crt").write_bytes(issued.cert_pem)
            (folder / f"{name}.key").write_bytes(issued.key_pem)
            serials[name] = issued.serial
        return serials

    def facts(self, *, tls: bool, **more: Any) -> str:
        return json.dumps(
            {
                "tls": tls,
                "pki": str(self.keystore.path),
                "certificates": str(self.folder / "certificates"),
                "folder": self.store_folder,
                "devices": self.devices,
                "total": self.total,
                "core": self.core,
                "window": self.window,
                "keys": self.keys,
                "serials": self.serials,
                **more,
            }
        )

    # -- Mosquitto

    def start_mosquitto(self) -> None:
        folder = self.folder / "mosquitto"
        folder.mkdir()
        certificate, key = self.keystore.server_paths()
        for path, name in (
            (certificate, "server.crt"),
            (key, "server.key"),
            (self.keystore.ca_chain_path, "ca.pem"),
        ):
            shutil.copy(path, folder / name)
            (folder / name).chmod(0o600)
        self.ports = {False: free_port(), True: free_port()}
        (folder / "mosquitto.conf").write_text(
            f"user root\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
            f"max_inflight_messages {MAX_INFLIGHT}\nmax_queued_messages 0\nlog_type error\n"
            f"listener {self.ports[False]} 127.0.0.1\n"
            f"listener {self.ports[True]} 127.0.0.1\n"
            f"cafile {folder}/ca.pem\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
            "require_certificate true\ntls_version tlsv1.2\n"
        )
        self.mosquitto = subprocess.Popen(
            [find("mosquitto"), "-c", str(folder / "mosquitto.conf")],
            preexec_fn=lambda: os.sched_setaffinity(0, {self.load_core}),  # noqa: PLW1509
        )
        wait_for_port(self.ports[True])

    def stop(self) -> None:
        if self.mosquitto is not None:
            self.mosquitto.terminate()
            self.mosquitto.wait()

    def publish(self) -> threading.Thread:
        """Publish everything into Mosquitto, on a thread."""
        port, data, total = self.ports[False], self.data, self.total
        thread = threading.Thread(target=load.publish_all, args=(port, data, total))
        thread.start()
        return thread

    # -- contenders

    def measure(self, contender: str, *, tls: bool) -> dict[str, float]:
        run = {
            "builtin": self._builtin,
            "behind-mosquitto": self._behind,
            "mosquitto_sub": self._mosquitto_sub,
            "paho": self._paho,
        }[contender]
        result = run(tls)
        result["per_core"] = self.total / result["cpu_s"]
        result["per_second"] = self.total / result["wall_s"]
        result["cpu_us"] = result["cpu_s"] / self.total * 1e6
        return result

    def _builtin(self, tls: bool) -> dict[str, float]:
        with child("builtin", self.facts(tls=tls)) as server:
            port = answer(server)["port"]
            with child("fleet", self.facts(tls=tls, port=port, core=self.load_core)) as fleet:
                load_result = answer(fleet)
            result = answer(server)
        return {**result, "load_cpu_s": load_result["load_cpu_s"]}

    def _behind(self, tls: bool) -> dict[str, float]:
        with child("behind", self.facts(tls=tls, port=self.ports[tls])) as ingest:
            answer(ingest)
            load.publish_all(self.ports[False], self.statuses, self.devices)
            result = self._loaded(ingest)
        load.forget(self.ports[False], "@ingest")
        return result

    def _paho(self, tls: bool) -> dict[str, float]:
        facts = self.facts(tls=tls, port=self.ports[tls], client_id="bench-paho")
        with child("paho", facts) as process:
            answer(process)
            result = self._loaded(process)
        load.forget(self.ports[False], "bench-paho")
        return result

    def _loaded(self, process: subprocess.Popen[str]) -> dict[str, float]:
        thread = self.publish()
        result = answer(process)
        thread.join()
        return result

    def _mosquitto_sub(self, tls: bool) -> dict[str, float]:
        command = [find("mosquitto_sub"), "-h", "localhost", "-p", str(self.ports[tls])]
        command += ["-i", "bench-sub", "-q", "1", "-t", "devices/+/readings"]
        command += ["-C", str(self.total)]
        if tls:
            certificate, key = self.keystore.service_paths()
            command += ["--cafile", str(self.keystore.root_path)]
            command += ["--cert", str(certificate), "--key", str(key)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),  # noqa: PLW1509
        )
        time.sleep(0.5)  # it does not say when it is subscribed
        began = time.monotonic()
        thread = self.publish()
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        thread.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"mosquitto_sub ended with {process.returncode}")
        return {"wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime}


class child:  # noqa: N801  used as a function: `with child(...)`
    """A process of `bench.ingest_processes`."""

    def __init__(self, role: str, facts: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.ingest_processes", role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(facts + "\n")
        self._process.stdin.flush()

    def __enter__(self) -> subprocess.Popen[str]:
        return self._process

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.wait(60)
        if kind is None and self._process.returncode:
            raise RuntimeError(f"a process of the benchmark ended with {self._process.returncode}")


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the benchmark ended without an answer")
    facts: dict[str, Any] = json.loads(line)
    return facts


def find(program: str) -> str:
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        sys.exit(f"{program} is not installed: apt-get install mosquitto mosquitto-clients")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    sys.exit("mosquitto did not start")


def summarize(rounds: list[dict[str, dict[str, dict[str, float]]]]) -> dict[str, Any]:
    """Medians of the rounds, and how many times paho's each is."""
    summary: dict[str, Any] = {}
    for transport in rounds[0]:
        summary[transport] = {}
        for contender in rounds[0][transport]:
            measured = [each[transport][contender] for each in rounds]
            summary[transport][contender] = {
                name: round(statistics.median(each[name] for each in measured), 2)
                for name in ("per_core", "per_second", "cpu_us")
            }
        peer = summary[transport].get("paho")
        for contender, facts in summary[transport].items():
            if peer is not None:
                facts["times_paho"] = round(facts["per_core"] / peer["per_core"], 2)
                facts["target"] = TARGETS.get(contender)
    return summary


def print_summary(summary: dict[str, Any]) -> None:
    for transport, contenders in summary.items():
        print(f"\n{transport:<18}{'1/s a core':>12}{'1/s':>12}{'CPU us':>9}{'x paho':>8}  target")
        for contender, facts in contenders.items():
            times, target = facts.get("times_paho", 0), facts.get("target")
            verdict = "" if target is None else f"{target} {'ok' if times >= target else 'MISSED'}"
            print(
                f"{contender:<18}{facts['per_core']:>12,.0f}{facts['per_second']:>12,.0f}"
                f"{facts['cpu_us']:>9.2f}{times:>8.2f}  {verdict}"
            )


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run bench ingest", description=(__doc__ or "").split("\n\n", maxsplit=1)[0]
    )
    parser.add_argument("--json", action="store_true", help="facts on standard output")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=200_000, help="a round and contender")
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--window", type=int, default=20, help="unacknowledged, a device")
    parser.add_argument("--only", choices=CONTENDERS, action="append")
    parser.add_argument("--transport", choices=("plain", "tls"), action="append")
    parser.add_argument("--dir", help="where the databases stand (default: temporary files)")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    options = parse_options()
    contenders = options.only or list(CONTENDERS)
    transports = options.transport or ["plain", "tls"]
    with tempfile.TemporaryDirectory(prefix="seawall-bench-") as folder:
        bench = Bench(options, Path(folder))
        os.sched_setaffinity(0, {bench.load_core})
        rounds = []
        try:
            if set(contenders) - {"builtin"}:
                bench.start_mosquitto()
            for number in range(options.rounds):
                results: dict[str, dict[str, dict[str, float]]] = {}
                for transport in transports:
                    results[transport] = {}
                    # Whoever comes first in one round comes later in the next.
                    turn = number % len(contenders)
                    for contender in contenders[turn:] + contenders[:turn]:
                        measured = bench.measure(contender, tls=transport == "tls")
                        results[transport][contender] = measured
                        print(
                            f"round {number + 1} {transport} {contender}: "
                            f"{measured['per_core']:,.0f} a core, {measured['cpu_us']:.2f} us, "
                            f"{measured['per_second']:,.0f}/s",
                            file=sys.stderr,
                        )
                rounds.append(results)
        finally:
            bench.stop()
    summary = summarize(rounds)
    if options.json:
        facts = {
            "benchmark": "ingest",
            "rounds": options.rounds,
            "messages": bench.total,
            "devices": options.devices,
            "window": options.window,
            "qos": 1,
            "store": "sqlite, synchronous=FULL",
            "cores": [bench.core, bench.load_core],
            "python": platform.python_version(),
            "summary": summary,
            "all": rounds,
        }
        print(json.dumps(facts, indent=2))
    else:
        print_summary(summary)


if __name__ == "__main__":
    main()

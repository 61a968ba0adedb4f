"""Wires the web side to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi import FastAPI

from seawall.daemon.assemble import STORE_NAME, Telemetry, version
from seawall.daemon.web_rollouts import WebRollouts
from seawall.model.command import QueuedCommand
from seawall.model.user import User
from seawall.operations.check_password import check_password
from seawall.operations.installation import Installation
from seawall.operations.keep_audit import last_audit
from seawall.operations.send_command import Order, send_command
from seawall.web.app import create_app
from seawall.web.services import PublicFacts, Sample, Services


def assemble_web(installation: Installation, telemetry: Telemetry) -> FastAPI:
    """Return the web application of a running installation."""
    ingest = telemetry.ingest

    def check(name: str, password: str) -> User | None:
        return check_password(installation, name, password)

    def send(user_name: str, device_id: str, order: Order) -> QueuedCommand:
        return send_command(replace(installation, actor=f"web:{user_name}"), device_id, order)

    def stored() -> int:
        return ingest.counters.stored

    def problems() -> Sequence[str]:
        if ingest.store_fails:
            return ["the store fails: nothing is acknowledged until it works again"]
        return ["ingest is congested: the store does not keep up"] if ingest.congested else []

    return create_app(
        Services(
            store=installation.store,
            feed=telemetry.feed,
            check_password=check,
            now_ms=installation.now_ms,
            presence=ingest.presence,
            stored_readings=stored,
            problems=problems,
            samples=lambda: samples_of(telemetry),
            send_command=send,
            rollouts=WebRollouts(installation),
            last_audit=lambda: last_audit(installation.paths),
            facts=PublicFacts(
                version=version(),
                broker=telemetry.broker.name,
                store=STORE_NAME,
                server_pins=installation.keystore.server_pins(),
            ),
        )
    )


def samples_of(telemetry: Telemetry) -> list[Sample]:
    """Return ingest's counters as Prometheus takes them."""
    counters = telemetry.ingest.counters
    counts = (
        ("received_total", "Messages handed over by the broker.", counters.received),
        ("verified_total", "Readings that passed every check.", counters.verified),
        ("duplicates_total", "Readings sent again and stored before.", counters.duplicates),
        ("batches_total", "Commits to the store.", counters.batches),
        (
            "store_failures_total",
            "Commits that failed and were tried again.",
            counters.store_failures,
        ),
        ("refusals_dropped_total", "Refusals beyond what is kept.", counters.refusals_dropped),
        (
            "notes_dropped_total",
            "Events of devices beyond what each may log.",
            counters.notes_dropped,
        ),
    )
    samples = [
        Sample(f"seawall_ingest_{name}", "counter", explanation, float(value))
        for name, explanation, value in counts
    ]
    samples.append(
        Sample(
            "seawall_ingest_waiting",
            "gauge",
            "Messages that are not durable yet.",
            float(telemetry.ingest.waiting),
        )
    )
    return samples

"""What is shown of a device: registry, traffic and presence put together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from seawall.ingest.presence import Presence
from seawall.model.device import Device, DeviceStatus
from seawall.model.history import DeviceActivity
from seawall.model.reading import Reading, Refusal
from seawall.model.rollout import DeviceSoftware
from seawall.web.services import Services
from seawall.web.units import primary_metric, unit_of

State = Literal["online", "silent", "offline", "waiting", "disabled", "revoked"]

ALARM_MS: Final = 10 * 60_000
"""A device counts as attacked for so long after its last refused message."""
SILENT_INTERVALS: Final = 3
SILENT_AT_LEAST_MS: Final = 15_000
RECENT_REFUSALS: Final = 500

_WORST_FIRST: Final[dict[State, int]] = {
    "offline": 1,
    "silent": 2,
    "waiting": 3,
    "online": 4,
    "disabled": 5,
    "revoked": 6,
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class NewestReading(_Frozen):
    """The newest reading of a device, by time of measurement."""

    ts_ms: int = Field(description="when it was measured, UTC milliseconds")
    received_ms: int = Field(description="when the server received it, UTC milliseconds")
    metrics: dict[str, float]


class CertificateFacts(_Frozen):
    """What is known of a device's current certificate."""

    serial: str = Field(description="lower-case hex")
    sha256: str = Field(description="of the DER certificate, lower-case hex")
    not_after_ms: int = Field(description="expiry, UTC milliseconds")


class DeviceView(_Frozen):
    """A device as pages and API show it."""

    device_id: str
    state: State
    state_since_ms: int | None = Field(description="UTC milliseconds; null if not known")
    board: str
    sensors: list[str] = Field(description="kind:pin")
    profile: str = Field(description="how it signs")
    trust: str = Field(description="how it authenticates the server")
    server_authenticated: bool = Field(description="false: its board cannot verify a server")
    interval_ms: int
    group: str = Field(description="for roll-outs; empty for none")
    running: str | None = Field(description="the version that it says it runs")
    added_ms: int
    readings: int = Field(description="how many are stored")
    newest: NewestReading | None
    primary_metric: str | None = Field(description="the metric that stands for the device")
    unit: str = Field(description="of the primary metric; empty if not known")
    refusals: int = Field(description="how many of its messages were refused")
    last_refusal_ms: int | None = Field(description="the newest of them, UTC milliseconds")
    certificate: CertificateFacts

    def rank(self, now_ms: int) -> tuple[int, str]:
        """Return what sorts the worst devices first."""
        attacked = self.last_refusal_ms is not None and now_ms - self.last_refusal_ms < ALARM_MS
        return (0 if attacked else _WORST_FIRST[self.state]), self.device_id


def silent_after_ms(interval_ms: int) -> int:
    """Return after how many milliseconds without a reading a connected device is silent."""
    return max(SILENT_INTERVALS * interval_ms, SILENT_AT_LEAST_MS)


def state_of(
    device: Device, received_ms: int | None, presence: Presence | None, now_ms: int
) -> tuple[State, int | None]:
    """Return a device's state, and since when (UTC milliseconds), if that is known.

    Without word of its presence (right after a start) it is judged by when it
    was heard of last.
    """
    if device.status is DeviceStatus.REVOKED:
        return "revoked", device.changed_ms
    if device.status is DeviceStatus.DISABLED:
        return "disabled", device.changed_ms
    limit_ms = silent_after_ms(device.interval_ms)
    if presence is None:
        if received_ms is None:
            return "waiting", device.added_ms
        return ("offline", None) if now_ms - received_ms > limit_ms else ("online", None)
    if not presence.online:
        return "offline", presence.since_ms
    heard_ms = max(presence.since_ms, received_ms or 0)
    if now_ms - heard_ms > limit_ms:
        return "silent", heard_ms
    return "online", presence.since_ms


def numeric_metrics(body: bytes, device_id: str = "") -> dict[str, float]:
    """Return the metrics of a stored body."""
    return Reading(device_id, 0, 0, 0, 0, body).metrics


def view_of(
    device: Device,
    activity: DeviceActivity | None,
    presence: Presence | None,
    last_refusal_ms: int | None,
    now_ms: int,
    software: DeviceSoftware | None = None,
) -> DeviceView:
    """Put together what is known of one device."""
    newest = _newest(activity)
    received_ms = None if newest is None else newest.received_ms
    state, since_ms = state_of(device, received_ms, presence, now_ms)
    metric = primary_metric(newest.metrics) if newest else None
    return DeviceView(
        device_id=device.device_id,
        state=state,
        state_since_ms=since_ms,
        board=device.board.value,
        sensors=[f"{sensor.kind}:{sensor.pin}" for sensor in device.sensors],
        profile=device.profile.value,
        trust=device.trust.value,
        server_authenticated=device.board.verifies_server,
        interval_ms=device.interval_ms,
        group=device.group,
        running=None if software is None else software.version,
        added_ms=device.added_ms,
        readings=activity.readings if activity else 0,
        newest=newest,
        primary_metric=metric,
        unit=unit_of(metric) if metric else "",
        refusals=activity.refusals if activity else 0,
        last_refusal_ms=last_refusal_ms,
        certificate=CertificateFacts(
            serial=device.certificate_serial,
            sha256=device.certificate_sha256,
            not_after_ms=device.certificate_not_after_ms,
        ),
    )


def _newest(activity: DeviceActivity | None) -> NewestReading | None:
    if activity is None or activity.last_body is None:
        return None
    if activity.last_ts_ms is None or activity.last_received_ms is None:
        return None
    return NewestReading(
        ts_ms=activity.last_ts_ms,
        received_ms=activity.last_received_ms,
        metrics=numeric_metrics(activity.last_body),
    )


def newest_by_device(refusals: Iterable[tuple[int, Refusal]]) -> dict[str, int]:
    """Return when each device's newest refusal was, UTC milliseconds."""
    newest: dict[str, int] = {}
    for _, refusal in refusals:
        if refusal.device_id is not None:
            newest[refusal.device_id] = max(refusal.at_ms, newest.get(refusal.device_id, 0))
    return newest


def fleet_of(services: Services) -> list[DeviceView]:
    """Return all devices, worst first. Blocking."""
    now_ms = services.now_ms()
    activities = {entry.device_id: entry for entry in services.store.activity()}
    presences = services.presence()
    refused = newest_by_device(services.store.refusals(last=RECENT_REFUSALS))
    software = {entry.device_id: entry for entry in services.store.software()}
    views = [
        view_of(
            device,
            activities.get(device.device_id),
            presences.get(device.device_id),
            refused.get(device.device_id),
            now_ms,
            software.get(device.device_id),
        )
        for device in services.store.devices()
    ]
    return sorted(views, key=lambda view: view.rank(now_ms))


def device_of(services: Services, device_id: str) -> DeviceView | None:
    """Return one device, or None. Blocking."""
    device = services.store.device(device_id)
    if device is None:
        return None
    activity = services.store.activity([device_id])
    refused = newest_by_device(services.store.refusals(device_id=device_id, last=1))
    runs = (each for each in services.store.software() if each.device_id == device_id)
    return view_of(
        device,
        activity[0] if activity else None,
        services.presence().get(device_id),
        refused.get(device_id),
        services.now_ms(),
        next(runs, None),
    )


class RefusalView(_Frozen):
    """A refused message as pages and API show it. Its payload is text, cut and escaped."""

    id: int
    at_ms: int = Field(description="UTC milliseconds")
    reason: str
    device_id: str | None
    topic: str
    detail: str
    payload: str = Field(
        description="the beginning of what was sent; bytes that are no text as \\xNN"
    )
    payload_bytes: int = Field(description="how long it was in whole")
    peer: str


def refusal_view(number: int, refusal: Refusal) -> RefusalView:
    """Return a refusal as it is shown."""
    return RefusalView(
        id=number,
        at_ms=refusal.at_ms,
        reason=refusal.reason.value,
        device_id=refusal.device_id,
        topic=refusal.topic,
        detail=refusal.detail,
        payload=refusal.payload.decode("utf-8", "backslashreplace"),
        payload_bytes=refusal.payload_bytes,
        peer=refusal.peer,
    )

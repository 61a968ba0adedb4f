"""The fleet in a few figures: the summary strip, and `/api/v1/summary`."""

from __future__ import annotations

import threading

from pydantic import BaseModel, ConfigDict, Field

from seawall.model.device import DeviceStatus
from seawall.web.rate import RateMeter
from seawall.web.services import Services


class Summary(BaseModel):
    """The fleet in a few figures."""

    model_config = ConfigDict(frozen=True)

    at_ms: int = Field(description="server time, UTC milliseconds")
    devices: int = Field(description="registered and active")
    online: int
    readings_per_s: float | None = Field(description="over the last ten seconds; null at first")
    refused: int = Field(description="messages refused since the store was made")
    refused_by_reason: dict[str, int]


class Figures:
    """Makes summaries; remembers what it takes to tell a rate."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._meter = RateMeter()
        self._lock = threading.Lock()

    def summary(self) -> Summary:
        """Return the figures of now. Blocking, for any thread."""
        services = self._services
        now_ms = services.now_ms()
        with self._lock:
            self._meter.add(now_ms, services.stored_readings())
            rate = self._meter.per_second()
        active = {
            device.device_id
            for device in services.store.devices()
            if device.status is DeviceStatus.ACTIVE
        }
        presences = services.presence()
        counts = services.store.refusal_counts()
        return Summary(
            at_ms=now_ms,
            devices=len(active),
            online=sum(1 for name in active if (seen := presences.get(name)) and seen.online),
            readings_per_s=None if rate is None else round(rate, 2),
            refused=sum(counts.values()),
            refused_by_reason={reason.value: count for reason, count in sorted(counts.items())},
        )

"""`/metrics`: figures in the text format of Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seawall.model.device import DeviceStatus
from seawall.web.services import Sample, Services

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(samples: Iterable[Sample]) -> str:
    """Return samples as text, those of one name together."""
    lines: dict[str, list[str]] = {}
    for sample in samples:
        block = lines.setdefault(
            sample.name,
            [
                f"# HELP {sample.name} {_escaped(sample.explanation)}",
                f"# TYPE {sample.name} {sample.kind}",
            ],
        )
        labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample.labels)
        block.append(f"{sample.name}{'{' + labels + '}' if labels else ''} {sample.value:.16g}")
    return "".join(line + "\n" for block in lines.values() for line in block)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")


def samples_of(services: Services, viewers: int) -> list[Sample]:
    """Return the figures that the web side knows, and those handed to it. Blocking."""
    devices = services.store.devices()
    presences = services.presence()
    version = (("version", services.facts.version),)
    online = sum(1 for device in devices if (p := presences.get(device.device_id)) and p.online)
    stored = services.stored_readings()
    samples = [
        Sample("seawall_info", "gauge", "Version in use.", 1, version),
        Sample("seawall_devices_online", "gauge", "Connected devices.", online),
        Sample("seawall_readings_stored_total", "counter", "Stored since the start.", stored),
    ]
    for status in DeviceStatus:
        count = sum(1 for device in devices if device.status is status)
        labels = (("status", status.value),)
        samples.append(Sample("seawall_devices", "gauge", "Registered devices.", count, labels))
    for reason, count in sorted(services.store.refusal_counts().items()):
        labels = (("reason", reason.value),)
        samples.append(
            Sample("seawall_refused_total", "counter", "Refused messages.", count, labels)
        )
    samples.append(Sample("seawall_live_viewers", "gauge", "Open live streams.", viewers))
    own = {sample.name for sample in samples}
    return samples + [sample for sample in services.samples() if sample.name not in own]

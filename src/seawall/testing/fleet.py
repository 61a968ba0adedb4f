"""A fleet of devices as processes, from registration to the last reading."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from seawall.daemon.lock import wait_taken_in
from seawall.devices.lifecycle import NewDevice
from seawall.devices.slot import FIRST_SLOT
from seawall.model.device import Board, Sensor
from seawall.operations.add_device import add_device
from seawall.operations.bundle_device import BundleOptions, bundle_device
from seawall.operations.installation import Installation
from seawall.testing.device_process import DeviceProcess, Runtime, agent_path
from seawall.testing.measurements import read_series, series_for

ADC_NAME = "adc.txt"
HEAP = "32k"
"""What the agent must do with."""
UPDATE_HEAP = "64k"
"""What an update takes beside MQTT, where a port has 64 bits."""
ATTACK_HEAP = "64k"
"""An attacker has more memory than the device that it plays."""


@dataclass
class Fleet:
    """Devices of one installation, each a process in a folder of its own.

    Args:
        installation: Where they are registered.
        folder: Gets one bundle folder for each device.
        runtime: What runs the agent.
        interval_ms: How often they measure; one value of the example data each time.
        group: Of the honest ones.
        release: That they are born with; None: the bundle's own software.
    """

    installation: Installation
    folder: Path
    runtime: Runtime
    interval_ms: int = 1000
    group: str = ""
    release: str | None = None
    devices: dict[str, DeviceProcess] = field(default_factory=dict)

    def add(self, device_id: str, *, attack: str | None = None) -> DeviceProcess:
        """Register a device, write its bundle and its measurements; `start` starts it.

        Args:
            device_id: Its name.
            attack: ``tamper`` or ``replay``: that program is its application.
        """
        new = NewDevice(
            device_id,
            board=Board.UNIX,
            sensors=(Sensor("tmp36", "0"),),
            interval_ms=self.interval_ms,
            group="" if attack else self.group,
        )
        add_device(self.installation, new)
        bundle = self.folder / device_id
        bundle_device(
            self.installation,
            device_id,
            bundle,
            BundleOptions(
                keep_source=not self.runtime.is_micropython,
                release=None if attack else self.release,
            ),
        )
        values = series_for(len(self.devices), read_series())
        (bundle / ADC_NAME).write_text("".join(f"{value}\n" for value in values))
        heap = UPDATE_HEAP if self.release else HEAP
        if attack is not None:
            heap = ATTACK_HEAP
            shutil.copy(
                agent_path() / "attacks" / f"{attack}.py", bundle / FIRST_SLOT / "application.py"
            )
        device = DeviceProcess(bundle, self.runtime, heap=heap)
        self.devices[device_id] = device
        return device

    def start(self, device_ids: Iterable[str] | None = None) -> None:
        """Start the named devices, all by default, once a running daemon knows them."""
        revision = self.installation.store.registry_revision()
        wait_taken_in(self.installation.paths, revision)
        for device_id in self.devices if device_ids is None else device_ids:
            self.devices[device_id].start()

    def stop(self) -> None:
        """Stop all devices, together."""
        for device in self.devices.values():
            device.terminate()
        for device in self.devices.values():
            device.stop()

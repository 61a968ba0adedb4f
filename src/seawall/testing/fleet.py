"""A fleet of devices as processes, from registration to the last reading."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from seawall.daemon.lock import wait_taken_in
from seawall.devices.lifecycle import NewDevice
from seawall.model.device import Board, Sensor
from seawall.operations.add_device import add_device
from seawall.operations.bundle_device import BundleOptions, bundle_device
from seawall.operations.installation import Installation
from seawall.testing.device_process import DeviceProcess, Runtime, agent_path
from seawall.testing.measurements import read_series, series_for

ADC_NAME = "adc.txt"
HEAP = "32k"
"""What the agent must do with."""
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
    """

    installation: Installation
    folder: Path
    runtime: Runtime
    interval_ms: int = 1000
    devices: dict[str, DeviceProcess] = field(default_factory=dict)

    def add(self, device_id: str, *, attack: str | None = None) -> DeviceProcess:
        """Register a device, write its bundle and its measurements; `start` starts it.

        Args:
            device_id: Its name.
            attack: ``tamper`` or ``replay``: it runs that program instead of the honest one.
        """
        new = NewDevice(
            device_id,
            board=Board.UNIX,
            sensors=(Sensor("tmp36", "0"),),
            interval_ms=self.interval_ms,
        )
        add_device(self.installation, new)
        bundle = self.folder / device_id
        bundle_device(
            self.installation,
            device_id,
            bundle,
            BundleOptions(keep_source=not self.runtime.is_micropython),
        )
        values = series_for(len(self.devices), read_series())
        (bundle / ADC_NAME).write_text("".join(f"{value}\n" for value in values))
        script, heap = "main.py", HEAP
        if attack is not None:
            heap = ATTACK_HEAP
            script = f"{attack}.py"
            shutil.copy(agent_path() / "attacks" / script, bundle / script)
        device = DeviceProcess(bundle, self.runtime, heap=heap, script=script)
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

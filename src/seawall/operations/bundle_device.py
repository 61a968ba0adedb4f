"""Writes the folder that goes onto a board."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seawall.devices import bundle
from seawall.devices.bundle import Connection, Credentials, UpdateSource, Wifi
from seawall.devices.firmware import agent_directory, agent_files
from seawall.devices.slot import GUARD, SLOTS, released_slot
from seawall.errors import ConfigurationError, ConflictError
from seawall.model.device import Device, DeviceStatus, Profile, Trust
from seawall.model.release import ReleaseKind
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation
from seawall.pki import files
from seawall.pki.secrets import derive_device_key
from seawall.updates.releases import find_release, read_release
from seawall.updates.repository import root_metadata

Agent = Callable[[bool], Mapping[str, bytes]]
"""Returns the agent's files by name; the argument says whether to keep the sources."""

_OWN_NAMES: Final = frozenset({"seawall_agent", "trust", GUARD, *SLOTS})
_OWN_STATE: Final = frozenset({"slot0", "slot1", "update", "manifest", "part"})
"""What the device has noted about slots that a new bundle replaces."""


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """How a bundle is made.

    Attributes:
        port: TCP port of the broker; None: the one of the settings.
        updates_port: TCP port where the device finds updates; None: the one of the settings.
        host: Name or address of the broker; None: ``mqtt.public_host``.
        wifi: The network that the board joins, if any.
        keep_source: Leave the agent as ``.py``.
        replace: Replace a bundle of the same device that stands there. Of what the
            device has written, its readings and counters (``state/``) are kept, its slots not.
        release: A published release that it is born with; None: the agent alone, as version 0.
    """

    port: int | None = None
    updates_port: int | None = None
    host: str | None = None
    wifi: Wifi | None = None
    keep_source: bool = False
    replace: bool = False
    release: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """What was written: no secret among it.

    Attributes:
        device: Whose it is.
        directory: Where.
        files: Size in bytes of each file by relative name.
        host: Of the broker.
        port: Of the broker.
        pins: That the device is given.
    """

    device: Device
    directory: Path
    files: dict[str, int]
    host: str
    port: int
    pins: tuple[str, ...]


def packaged_agent(keep_source: bool) -> Mapping[str, bytes]:
    """Return the agent that comes with this version of Seawall."""
    return agent_files(agent_directory(), keep_source=keep_source)


def bundle_device(
    installation: Installation,
    device_id: str,
    directory: Path,
    options: BundleOptions,
    agent: Agent = packaged_agent,
) -> WrittenBundle:
    """Write a device's bundle; the folder appears complete or not at all.

    Raises:
        NotFoundError: there is no such device or release, or its key is gone.
        ConflictError: it is revoked, or the folder is there and may not be replaced.
        ConfigurationError: no bundle can be made for the board, or the server's
            certificate does not hold the host.
        ServiceError: the agent does not compile.
        StateError: the folder cannot be written (StoreFullError: the disk is full).
    """
    device = find_device(installation, device_id)
    if device.status is DeviceStatus.REVOKED:
        raise ConflictError(
            f"device {device_id} is revoked; no server lets it in", reference="device-revoked"
        )
    bundle.check_board(device.board)
    if options.wifi is not None:
        bundle.check_wifi(options.wifi)
    _check_place(directory, device_id, options)
    connection = _connection(installation, device, options)
    updates = _update_source(installation, device, options)
    credentials = _credentials(installation, device)
    contents = bundle.bundle_files(
        bundle.bundle_configuration(device, connection, options.wifi, updates),
        credentials,
        bundle.agent_for(device, agent(options.keep_source)),
        updates,
        _released(installation, device, options.release),
    )
    if device.profile is Profile.PLAIN:
        contents |= bundle.pem_files(credentials)
    try:
        _write(directory, contents)
    except OSError as error:
        raise files.unwritable(directory, error) from error
    sizes = {name: len(data) for name, data in sorted(contents.items())}
    return WrittenBundle(
        device, directory, sizes, connection.host, connection.port, connection.pins
    )


def _connection(installation: Installation, device: Device, options: BundleOptions) -> Connection:
    mqtt = installation.settings.mqtt
    host = options.host or mqtt.public_host
    port = mqtt.port if options.port is None else options.port
    if not 0 < port < 65_536:
        raise ConfigurationError(
            f"the broker's port is {port}",
            reference="port-unknown",
            hint="mqtt.port 0 means any free port: start 'seawall up' first, or give --port",
        )
    names = installation.keystore.server_names()
    if device.trust is not Trust.PIN and host.lower() not in names:
        raise ConfigurationError(
            f"the server's certificate does not hold the name {host!r}, "
            "so that every device would refuse it",
            reference="host-not-in-certificate",
            hint=f"it holds {', '.join(sorted(names))}; choose one with --host, or make the "
            "installation with --name",
        )
    return Connection(
        host=host,
        port=port,
        server_name=host,
        ack="puback" if mqtt.broker == "builtin" else "stored",
        pins=installation.keystore.server_pins(),
    )


def _update_source(
    installation: Installation, device: Device, options: BundleOptions
) -> UpdateSource | None:
    """Return where the device finds updates; None if there are no update keys, or no agent."""
    root = root_metadata(Path(installation.paths.updates))
    if root is None or device.profile is Profile.PLAIN:
        return None
    settings = installation.settings.updates
    port = options.updates_port or settings.port
    if not port:
        raise ConfigurationError(
            "the port of the update endpoint is not known",
            reference="port-unknown",
            hint="updates.port 0 means any free port: start 'seawall up' first",
        )
    return UpdateSource(options.host or settings.public_host, port, root)


def _released(
    installation: Installation, device: Device, name: str | None
) -> dict[str, bytes] | None:
    if name is None:
        return None
    folder = Path(installation.paths.updates)
    release = find_release(folder, name)
    fits = release.board == device.board.value and device.profile is not Profile.PLAIN
    if not fits or release.kind is not ReleaseKind.FILES:
        raise ConfigurationError(
            f"{name} is a release of {release.kind.value} for {release.board}, "
            f"and {device.device_id} is an {device.board.value} of profile {device.profile.value}",
            reference="wrong-release",
            hint="'seawall release list' shows what there is",
        )
    manifest, contents = read_release(folder, release)
    return released_slot(release.version.text, manifest, contents)


def _credentials(installation: Installation, device: Device) -> Credentials:
    keystore = installation.keystore
    return Credentials(
        ca_der=keystore.root_der(),
        cert_der=keystore.device_cert_der(device.device_id),
        key_der=keystore.device_key_der(device.device_id),
        hmac_key=derive_device_key(keystore.master_key(), device.device_id, device.key_generation),
    )


def _check_place(directory: Path, device_id: str, options: BundleOptions) -> None:
    """Refuse to write over anything but an older bundle of the same device."""
    if not (directory.exists() or directory.is_symlink()):
        return
    if directory.is_dir() and not directory.is_symlink() and not any(directory.iterdir()):
        return
    owner = _owner_of(directory)
    if owner == device_id and options.replace:
        return
    if owner is None:
        message, hint = f"{directory} is there and is no bundle", "choose another folder"
    elif owner != device_id:
        message, hint = f"{directory} is the bundle of {owner}", "choose another folder"
    else:
        message, hint = f"{directory} is there already", "--force replaces it and keeps its state/"
    raise ConflictError(message, reference="bundle-exists", hint=hint)


def _owner_of(directory: Path) -> str | None:
    """Return the device id of the bundle in a folder, None if it holds none."""
    try:
        configuration: Any = json.loads((directory / bundle.CONFIG_NAME).read_bytes())
        owner = configuration["device_id"] if (directory / "hmac.key").is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return owner if isinstance(owner, str) else None


def _write(directory: Path, contents: Mapping[str, bytes]) -> None:
    old = None
    try:
        with files.new_directory(directory) as temporary:
            for name, data in contents.items():
                for folder in reversed(Path(name).parents):
                    (temporary / folder).mkdir(mode=files.PRIVATE_DIRECTORY, exist_ok=True)
                files.write_private(temporary / name, data)
            if directory.is_dir() and any(directory.iterdir()):
                _keep_others(directory, temporary, contents)
                old = directory.with_name(f".{directory.name}.old")
                files.remove_tree(old)
                directory.rename(old)
    except BaseException:
        if old is not None and not directory.exists():
            old.rename(directory)
        raise
    if old is not None:
        files.remove_tree(old)


def _keep_others(old: Path, new: Path, contents: Mapping[str, bytes]) -> None:
    """Copy what the device, or its owner, has put beside the bundle's own files."""
    for path in old.iterdir():
        if path.name in contents or path.name in _OWN_NAMES:
            continue
        if path.is_dir() and not path.is_symlink():
            is_state = path.name == "state"
            shutil.copytree(
                path,
                new / path.name,
                symlinks=True,
                dirs_exist_ok=True,  # a release brings a record into state/
                ignore=(lambda _path, names: _OWN_STATE.intersection(names)) if is_state else None,
            )
        else:
            shutil.copy2(path, new / path.name, follow_symlinks=False)

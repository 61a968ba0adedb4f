"""Revokes a device for good, and proves that it is shut out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from seawall.devices.proof import Outcome, Proof
from seawall.errors import KeyAccessError
from seawall.model.device import Device, DeviceStatus
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation

Prove = Callable[[str], Proof]
"""Tries to connect with the certificate of a device; `devices.proof.Prover` is one."""

_NOTHING_TRIED: Final = Proof(
    Outcome.PENDING, "no daemon runs to try a connection to; do it again while 'seawall up' runs"
)


@dataclass(frozen=True, slots=True)
class Revocation:
    """What was done, and what was proven.

    Attributes:
        device: The device, revoked.
        was_revoked: Whether it had been revoked before.
        proof: What a connection with its certificate met.
    """

    device: Device
    was_revoked: bool
    proof: Proof


def revoke_device(
    installation: Installation,
    device_id: str,
    *,
    prove: Prove | None,
    passphrase: bytes | None = None,
) -> Revocation:
    """Revoke a device; doing it again completes what was interrupted and proves anew.

    The revocation list is written before the registry: a running daemon takes
    up a change of the registry, and must find the list in force by then. After
    a crash in between the device still stands as active, is refused by its
    certificate from the next start on, and the same command completes it.

    Args:
        installation: Where.
        device_id: Which device.
        prove: Tries a connection; None if no daemon runs.
        passphrase: Of the issuing key, if it is encrypted.

    Raises:
        NotFoundError: there is no such device.
        KeyAccessError: the issuing key cannot be used; nothing has changed.
        StoreError: the store failed; the list is written, the registry is not.
    """
    device = find_device(installation, device_id)
    was_revoked = device.status is DeviceStatus.REVOKED
    if not (was_revoked and installation.keystore.is_listed(device.certificate_serial)):
        _list(installation, device, passphrase)
    if not was_revoked:
        device = _register(installation, device_id)
    proof = _NOTHING_TRIED if prove is None else prove(device_id)
    if proof.outcome is not Outcome.PENDING:
        _record(installation, device, proof)
    return Revocation(device, was_revoked, proof)


def _list(installation: Installation, device: Device, passphrase: bytes | None) -> None:
    try:
        authority = installation.keystore.authority(passphrase)
    except KeyAccessError as error:
        hint = f"'seawall device disable {device.device_id}' shuts it out at once, without a key"
        error.hint = f"{error.hint}; {hint}" if error.hint else hint
        raise
    installation.keystore.revoke(device.certificate_serial, installation.now(), authority)


def _register(installation: Installation, device_id: str) -> Device:
    # Alone, so that no other change of the registry is written over, nor writes over this.
    with installation.keystore.exclusive():
        device = find_device(installation, device_id)
        device = device.with_status(DeviceStatus.REVOKED, installation.now_ms())
        event = installation.event(
            "device-revoked", device_id, certificate=device.certificate_serial
        )
        installation.store.put_device(device, event)
    return device


def _record(installation: Installation, device: Device, proof: Proof) -> None:
    event = installation.event(
        "revocation-proven" if proof.is_refused else "revocation-not-proven",
        device.device_id,
        certificate=device.certificate_serial,
        outcome=proof.outcome.value,
        detail=proof.detail,
        endpoint=proof.endpoint,
        attempts=str(proof.attempts),
    )
    installation.store.log([event])

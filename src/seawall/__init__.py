"""Seawall: a secure platform for fleets of small devices.

For programs of one's own: sign and verify payloads, and connect as a device.
Everything is loaded when it is first used, so importing this costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seawall.devices.tls_client import create_tls_client
    from seawall.errors import SeawallError
    from seawall.wire.signing import open_payload, seal_payload, sign_payload, verify_payload

__all__ = [
    "SeawallError",
    "__version__",
    "create_tls_client",
    "open_payload",
    "seal_payload",
    "sign_payload",
    "verify_payload",
]

_HOMES = {
    "SeawallError": "seawall.errors",
    "create_tls_client": "seawall.devices.tls_client",
    "open_payload": "seawall.wire.signing",
    "seal_payload": "seawall.wire.signing",
    "sign_payload": "seawall.wire.signing",
    "verify_payload": "seawall.wire.signing",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            value: Any = version("seawall")
        except PackageNotFoundError:  # a checkout that is on the path but not installed
            value = "0+unknown"
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__

"""Finds the server, signs in, and says clearly why not."""

from __future__ import annotations

import os
import re
import ssl
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import (
    ConfigurationError,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from seawall.transfer.failures import TransferFailedError, UnreachableError
from seawall.transfer.options import ConnectionOptions, TlsOptions
from seawall.transfer.server_uri import EXTERNAL, ServerAddress
from seawall.transfer.wire import Channel, Client

BOOLEANS: Final = {"true": True, "false": False}
TEXTS: Final = frozenset(
    {"replicaSet", "authSource", "readConcernLevel", "srvServiceName", "tlsCAFile"}
    | {"tlsCertificateKeyFile", "tlsCertificateKeyFilePassword"}
)
"""Parameters that are text even where it is made of digits."""
NAMESPACE_NOT_FOUND: Final = 26
TLS_CONNECTOR: Final = "error configuring the connector: "


def connect(address: ServerAddress, connection: ConnectionOptions, tls: TlsOptions) -> Client:
    """Return a client whose server has answered a ping.

    Raises:
        UnreachableError: There is no server, or it does not let us in.
    """
    uses_tls = address.parameters.get("tls") == "true" or (
        address.srv and address.parameters.get("tls") != "false"
    )
    if uses_tls:
        _check_tls(address, tls)
    client: Client | None = None
    try:
        with warnings.catch_warnings():
            # Of parameters that it does not use; the original says nothing either.
            warnings.simplefilter("ignore")
            client = MongoClient(_target(address), **_settings(address, connection, tls, uses_tls))
        client.admin.command("ping")
    except (PyMongoError, ssl.SSLError, OSError, ValueError, TypeError) as error:
        if client is not None:
            client.close()
        raise _unreachable(address, error) from None
    return client


def channel(client: Client, database: str, address: ServerAddress) -> Channel:
    """Return a way to send batches."""
    hello = client.admin.command("hello")
    is_numbered = "setName" in hello or hello.get("msg") == "isdbgrid"
    wants = address.parameters.get("retryWrites", "true") != "false"
    has_sessions = hello.get("logicalSessionTimeoutMinutes") is not None
    compresses = bool(address.parameters.get("compressors"))
    return Channel(
        client, database, retries=is_numbered and wants and has_sessions, raw=not compresses
    )


def node_type(client: Client) -> str:
    """Return what kind of server it is."""
    hello = client.admin.command("hello")
    if hello.get("msg") == "isdbgrid":
        return "mongos"
    return "replset" if "setName" in hello else "standalone"


def drop(client: Client, database: str, collection: str, concern: Mapping[str, Any]) -> None:
    """Drop a collection; one that is not there is fine.

    Raises:
        TransferFailedError: The server refused, or went away.
    """
    command: dict[str, Any] = {"drop": collection}
    if concern.get("w", 1) != 0:
        command["writeConcern"] = dict(concern)
    try:
        client[database].command(command)
    except OperationFailure as error:
        if error.code != NAMESPACE_NOT_FOUND:
            raise TransferFailedError(f"({error.code}) {error}") from None
    except PyMongoError as error:
        raise TransferFailedError(f"connection lost: {error}") from None


def _target(address: ServerAddress) -> Any:
    return f"mongodb+srv://{address.hosts[0]}/" if address.srv else list(address.hosts)


def _settings(
    address: ServerAddress, connection: ConnectionOptions, tls: TlsOptions, uses_tls: bool
) -> dict[str, Any]:
    given = address.parameters
    settings: dict[str, Any] = {name: BOOLEANS.get(value, value) for name, value in given.items()}
    for name, value in settings.items():
        if name not in TEXTS and isinstance(value, str) and value.isascii() and value.isdigit():
            settings[name] = int(value)
    settings.setdefault("connectTimeoutMS", max(connection.dial_timeout_s, 0) * 1000 or None)
    settings.setdefault("appname", "seawall import")
    settings.pop("appName", None)
    settings["tls"] = uses_tls
    if not uses_tls:
        for name in [name for name in settings if name.startswith("tls") and name != "tls"]:
            del settings[name]
    elif tls.insecure or tls.allow_invalid_certificates or tls.allow_invalid_hostnames:
        settings.pop("tlsCAFile", None)
        settings["tlsInsecure"] = True
    if not address.srv and "replicaSet" not in given and not settings.get("loadBalanced"):
        settings.setdefault("directConnection", True)
    if address.username or address.mechanism:
        settings |= _credentials(address)
    return settings


def _credentials(address: ServerAddress) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if address.username:
        found["username"] = address.username
    if address.password is not None:
        found["password"] = address.password
    if "authSource" not in address.parameters:
        found["authSource"] = (
            "$external" if address.mechanism in EXTERNAL else address.database or "admin"
        )
    return found


def _check_tls(address: ServerAddress, tls: TlsOptions) -> None:
    if tls.fips:
        raise UnreachableError(TLS_CONNECTOR + "FIPS mode not supported")
    if tls.crl_file:
        raise UnreachableError(TLS_CONNECTOR + "CRL files are not supported on this platform")
    kinds: tuple[tuple[str, str, Callable[[str], object]], ...] = (
        ("tlsCAFile", "can't load CA file", _load_roots),
        ("tlsCertificateKeyFile", "can't load client certificate", _open),
    )
    for name, what, load in kinds:
        path = address.parameters.get(name)
        if not path:
            continue
        try:
            load(path)
        except OSError as error:
            reason = (
                f"open {path}: {(os.strerror(error.errno)).lower()}"
                if error.errno and not isinstance(error, ssl.SSLError)
                else f"{path} is no PEM file of certificates"
            )
            raise UnreachableError(
                f"{TLS_CONNECTOR}error configuring client, {what}: {reason}"
            ) from None


def _open(path: str) -> None:
    with open(path, "rb"):  # noqa: PTH123
        pass


def _load_roots(path: str) -> None:
    _open(path)
    ssl.create_default_context().load_verify_locations(path)


def _unreachable(address: ServerAddress, error: BaseException) -> UnreachableError:
    text = _without_secret(str(error), address)
    hint = ""
    if isinstance(error, OperationFailure):
        hint = "user, password, or --authenticationDatabase is wrong" if error.code == 18 else ""
        text = f"connection() error occurred during connection handshake: auth error: {text}"
    elif isinstance(error, ServerSelectionTimeoutError):
        hint = _hint(text)
        # The driver adds its settings and a dump of all it knows.
        found = re.sub(r" \(configured timeouts:[^)]*\)", "", text.partition(", Timeout: ")[0])
        text = f"server selection error: server selection timeout, current topology: {{ {found} }}"
    elif isinstance(error, ConfigurationError | InvalidURI):
        hint = "see --uri and the flags for connection and authentication"
    return UnreachableError(f"failed to connect to {address.shown}: {text}", hint=hint)


def _hint(text: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "--sslCAFile names the file with the certificate authority that the server's comes from"
        )
    # Who is spoken to without TLS, and waits for it, hangs up in one way or another.
    if any(each in text for each in ("connection closed", "SSL", "reset by peer", ": timed out")):
        return "does the server speak TLS (--ssl), or does it not?"
    return "is the server running, and are --host and --port right?"


def _without_secret(text: str, address: ServerAddress) -> str:
    secret = address.password
    return text.replace(secret, "[**REDACTED**]") if secret else text

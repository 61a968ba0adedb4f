"""Connection strings and connection flags, made one: what both say has to agree.

Source: connection string specification of MongoDB; section 4 of the facts about mongoimport.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from seawall.transfer.failures import OptionError
from seawall.transfer.options import AuthOptions, ConnectionOptions, TlsOptions

EXTERNAL: Final = frozenset({"GSSAPI", "PLAIN", "MONGODB-X509", "MONGODB-OIDC"})
WITHOUT_PASSWORD: Final = frozenset({"GSSAPI", "MONGODB-X509", "MONGODB-OIDC", "MONGODB-AWS"})
MECHANISMS: Final = EXTERNAL | {"SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-AWS", "MONGODB-CR"}
PASSED_ON: Final = {
    name.lower(): name
    for name in (
        *("appName", "authMechanism", "authMechanismProperties", "authSource", "compressors"),
        *("connectTimeoutMS", "directConnection", "heartbeatFrequencyMS", "loadBalanced"),
        *("localThresholdMS", "maxIdleTimeMS", "maxPoolSize", "minPoolSize", "maxConnecting"),
        *("readPreference", "readPreferenceTags", "maxStalenessSeconds", "readConcernLevel"),
        *("replicaSet", "retryReads", "retryWrites", "serverSelectionTimeoutMS", "socketTimeoutMS"),
        *("srvMaxHosts", "srvServiceName", "tls", "tlsAllowInvalidCertificates", "timeoutMS"),
        *("tlsAllowInvalidHostnames", "tlsCAFile", "tlsCertificateKeyFile", "tlsInsecure"),
        *("tlsCertificateKeyFilePassword", "tlsDisableOCSPEndpointCheck", "waitQueueTimeoutMS"),
        *("zlibCompressionLevel", "serverMonitoringMode", "uuidRepresentation"),
    )
}
OWN: Final = frozenset({"w", "j", "journal", "wtimeoutms", "ssl", "connect"})
SYNONYMS: Final = {"ssl": "tls", "sslcertificateauthorityfile": "tlsCAFile"}
TRUTHS: Final = frozenset(
    {"tls", "ssl", "retryreads", "retrywrites", "journal", "directconnection", "loadbalanced"}
    | {"tlsinsecure", "tlsdisableocspendpointcheck"}
)
COUNTS: Final = frozenset(
    {"connecttimeoutms", "heartbeatfrequencyms", "localthresholdms", "maxidletimems", "maxpoolsize"}
    | {"minpoolsize", "maxconnecting", "serverselectiontimeoutms", "sockettimeoutms", "timeoutms"}
    | {"wtimeoutms", "srvmaxhosts", "maxstalenessseconds"}
)
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_URI: Final = re.compile(
    r"(mongodb(?:\+srv)?)://(?:([^/?]*)@)?([^@/?]*)(?:/([^?]*))?(?:\?(.*))?", re.DOTALL
)


@dataclass(frozen=True)
class ServerAddress:
    """Everything that says where the server is and who signs in.

    Args:
        hosts: ``host:port`` or ``host`` or a socket; for ``srv`` the one name.
        parameters: Options of the connection string, by their proper names.
        ignored: Parameters that nobody knows.
    """

    hosts: tuple[str, ...]
    srv: bool = False
    database: str = ""
    username: str = ""
    password: str | None = field(default=None, repr=False)
    parameters: dict[str, str] = field(default_factory=dict)
    concern: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    text: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The connection string without user and password."""
        return re.sub(r"(mongodb(?:\+srv)?://)[^@/?]*@", r"\1[**REDACTED**]@", self.text)

    @property
    def mechanism(self) -> str:
        """How to sign in; empty for the default."""
        return self.parameters.get("authMechanism", "")


def parsed(uri: str) -> ServerAddress:
    """Return what a connection string says.

    Raises:
        OptionError: It is malformed; the message does not repeat the password.
    """
    found = _URI.fullmatch(uri)
    if found is None:
        raise OptionError('error parsing uri: scheme must be "mongodb" or "mongodb+srv"')
    scheme, user, hosts, database, query = found.groups()
    # A password may hold what separates the parts, if whoever wrote it down forgot to escape it.
    shown = re.sub(r"//.*@", "//[**REDACTED**]@", uri)
    username, colon, password = (user or "").partition(":")
    _check_user(username, password)
    names = tuple(each for each in hosts.split(",") if each)
    if not names:
        raise OptionError(
            f"error parsing URI from {shown}: error parsing uri: must have at least 1 host"
        )
    try:
        for name in names:
            _check_port(name, shown)
    except OptionError:
        if user is None and "@" in uri:
            # What looks like a port may be the beginning of a password.
            raise OptionError(
                "error parsing uri: unescaped slash in user info", hint="write %2F for /, %3F for ?"
            ) from None
        raise
    parameters, concern, ignored = _parameters(query or "")
    return ServerAddress(
        hosts=tuple(unquote(each) for each in names),
        srv=scheme.endswith("srv"),
        database=unquote(database or ""),
        username=unquote(username),
        password=unquote(password) if colon else None,
        parameters=parameters,
        concern=concern,
        ignored=ignored,
        text=uri,
    )


def _check_user(username: str, password: str) -> None:
    """Refuse what has to be escaped in a connection string, without repeating it."""
    for what, text in (("username", username), ("password", password)):
        if "@" in text:
            raise OptionError(
                "error parsing uri: unescaped @ sign in user info", hint="write %40 for @"
            )
        if ":" in text:
            raise OptionError(
                f"error parsing uri: unescaped colon in {what}", hint="write %3A for a colon"
            )
        if re.search(r"%(?![0-9A-Fa-f]{2})", text):
            raise OptionError(
                f"error parsing uri: invalid {what}: invalid URL escape", hint="write %25 for %"
            )


def _check_port(name: str, shown: str) -> None:
    if name.endswith(".sock") or name.startswith("%2F"):
        return
    host, colon, port = name.rpartition(":")
    if name.startswith("[") != ("]" in name) or (":" in host and not name.startswith("[")):
        raise OptionError(
            f'error parsing URI from {shown}: error parsing uri: invalid host "{name}": '
            "too many colons in address, or missing '[' or ']' around it"
        )
    if colon and not name.endswith("]") and not (_NUMBER.fullmatch(port) and 0 < int(port) < 65536):
        raise OptionError(
            f'error parsing URI from {shown}: error parsing uri: invalid host "{name}": '
            "port must be an integer in the range [1, 65535]"
        )


def _parameters(query: str) -> tuple[dict[str, str], dict[str, Any], tuple[str, ...]]:
    parameters: dict[str, str] = {}
    concern: dict[str, Any] = {}
    ignored = []
    for each in re.split("[&;]", query):
        if not each:
            continue
        name, equals, value = each.partition("=")
        if not equals:
            raise OptionError('error parsing uri: key without "="')
        value = unquote(value)
        _check_value(name, value)
        lowered = SYNONYMS.get(name.lower(), name).lower()
        if lowered == "tls" and parameters.get("tls", value) != value:
            raise OptionError(
                "error parsing uri: tls and ssl options, when both specified, must be equivalent"
            )
        if lowered == "w" and value:
            concern["w"] = int(value) if _NUMBER.fullmatch(value) else value
        elif lowered in {"j", "journal"}:
            concern["j"] = value == "true"
        elif lowered == "wtimeoutms":
            concern["wtimeout"] = int(value)
        elif lowered in PASSED_ON:
            parameters[PASSED_ON[lowered]] = value
        elif lowered not in OWN:
            ignored.append(name)
    return parameters, concern, tuple(ignored)


def _check_value(name: str, value: str) -> None:
    lowered = name.lower()
    is_bad = (
        (lowered in TRUTHS and value not in {"true", "false"})
        or (lowered in COUNTS and not (_NUMBER.fullmatch(value) and int(value) >= 0))
        or (lowered == "w" and _NUMBER.fullmatch(value) and int(value) < 0)
        or (lowered == "authmechanism" and value.upper() not in MECHANISMS)
    )
    if is_bad:
        raise OptionError(f'error parsing uri: invalid value for "{name}": "{value}"')


def address_of(
    connection: ConnectionOptions, tls: TlsOptions, auth: AuthOptions, database: str
) -> ServerAddress:
    """Return one address from the connection string and the flags.

    Raises:
        OptionError: They contradict each other, or a part is malformed.
    """
    set_name, names = _from_flags(connection)
    if not connection.uri:
        query = f"?replicaSet={set_name}" if set_name else ""
        found = parsed(f"mongodb://{','.join(names)}/{query}")
    else:
        found = parsed(connection.uri)
    for conflict in _conflicts(found, connection, tls, auth, database, set_name, names):
        raise conflict
    parameters = dict(found.parameters)
    for name, value in _flag_parameters(connection, tls, auth, set_name):
        parameters[name] = value
    return ServerAddress(
        hosts=found.hosts,
        srv=found.srv,
        database=database or found.database,
        username=auth.username or found.username,
        password=auth.password if auth.password is not None else found.password,
        parameters=parameters,
        concern=found.concern,
        ignored=found.ignored,
        text=found.text,
    )


def _from_flags(connection: ConnectionOptions) -> tuple[str, list[str]]:
    set_name, slash, rest = connection.host.rpartition("/")
    names = [each for each in (rest or "localhost").split(",") if each]
    if connection.port:
        names = [each if _has_port(each) else f"{each}:{connection.port}" for each in names]
    return (set_name if slash else ""), names


def _has_port(name: str) -> bool:
    return bool(re.search(r":[^\]:]*$", name)) and not name.endswith("]")


def _flag_parameters(
    connection: ConnectionOptions, tls: TlsOptions, auth: AuthOptions, set_name: str
) -> Iterator[tuple[str, str]]:
    given = {
        "replicaSet": set_name,
        "authSource": auth.source,
        "authMechanism": auth.mechanism,
        "tlsCAFile": tls.ca_file,
        "tlsCertificateKeyFile": tls.key_file,
        "tlsCertificateKeyFilePassword": tls.key_password,
        "compressors": "" if connection.compressors == "none" else connection.compressors,
    }
    yield from ((name, value) for name, value in given.items() if value)
    if connection.server_selection_timeout_s > 0:
        yield "serverSelectionTimeoutMS", str(connection.server_selection_timeout_s * 1000)
    if connection.socket_timeout_s > 0:
        yield "socketTimeoutMS", str(connection.socket_timeout_s * 1000)
    if tls.enabled:
        yield "tls", "true"


def _differs(what: str, uri: str, flag: str, option: str) -> OptionError:
    return OptionError(
        f"Invalid Options: Cannot specify different {what} in connection URI and "
        f'command-line option ("{uri}" was specified in the URI and "{flag}" was specified '
        f"in the --{option} option)"
    )


def _conflicts(
    found: ServerAddress,
    connection: ConnectionOptions,
    tls: TlsOptions,
    auth: AuthOptions,
    database: str,
    set_name: str,
    names: list[str],
) -> Iterator[OptionError]:
    if not connection.uri:
        # A host with a port of its own, and another port: the original compares these too.
        own = {each.rpartition(":")[2] for each in names if _has_port(each)}
        if connection.port and own - {connection.port}:
            yield _differs("port", ",".join(names), connection.port, "port")
        return
    hosts = ",".join(found.hosts)
    if connection.host and not found.srv and {*names} != {*found.hosts}:
        yield _differs("host", hosts, connection.host, "host")
    ports = {each.rpartition(":")[2] if _has_port(each) else "27017" for each in found.hosts}
    if connection.port and not connection.host and not found.srv and ports != {connection.port}:
        yield _differs("port", hosts, connection.port, "port")
    yield from _pairs(found, connection, tls, auth, database, set_name)
    for what, name, seconds, given, option in (
        ("connectTimeout", "connectTimeoutMS", connection.dial_timeout_s, 3, "dialTimeout"),
        ("SocketTimeout", "socketTimeoutMS", connection.socket_timeout_s, 0, "socketTimeout"),
        (
            *("serverSelectionTimeout", "serverSelectionTimeoutMS"),
            *(connection.server_selection_timeout_s, 0, "serverSelectionTimeout"),
        ),
    ):
        text = found.parameters.get(name, "")
        if text and seconds != given and int(text) != seconds * 1000:
            yield _differs(what, text, str(seconds), option)


def _pairs(
    found: ServerAddress,
    connection: ConnectionOptions,
    tls: TlsOptions,
    auth: AuthOptions,
    database: str,
    set_name: str,
) -> Iterator[OptionError]:
    pairs = (
        ("database", found.database, database, "db"),
        ("username", found.username, auth.username, "username"),
        ("replica set name", found.parameters.get("replicaSet", ""), set_name, "host"),
        (
            "authSource",
            found.parameters.get("authSource", ""),
            auth.source,
            "authenticationDatabase",
        ),
        ("authMechanism", found.mechanism, auth.mechanism, "authenticationMechanism"),
        ("SSL CA file", found.parameters.get("tlsCAFile", ""), tls.ca_file, "sslCAFile"),
        (
            "SSL key file",
            found.parameters.get("tlsCertificateKeyFile", ""),
            tls.key_file,
            "sslPEMKeyFile",
        ),
        (
            "compressors",
            found.parameters.get("compressors", ""),
            connection.compressors,
            "compressors",
        ),
    )
    for what, uri, flag, option in pairs:
        if uri and flag and uri != flag:
            yield _differs(what, uri, flag, option)
    if None not in {found.password, auth.password} and found.password != auth.password:
        yield OptionError(
            "Invalid Options: Cannot specify different password in connection URI and "
            "command-line option"
        )
    if tls.enabled and found.parameters.get("tls") == "false":
        yield _differs("ssl", "false", "true", "ssl")

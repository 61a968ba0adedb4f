"""Reads audit.toml: what to audit, what is expected, and what somebody lives with for a time.

    [policy]
    fail_on = "high"
    minimum_firmware = { esp32 = "1.4.0" }

    [[target]]
    at = "mqtts://broker.example:8883"
    ca = "ca.pem"
    username = "audit-1"
    password_file = "audit-1.password"

    [target.other]                          # another device's identity, made for auditing
    username = "audit-2"
    password_file = "audit-2.password"

    [[waiver]]
    check = "mqtt.transport.plaintext"
    reason = "the old gateway cannot speak TLS; it is replaced in May"
    expires = 2026-06-01

Paths in it are relative to the file. Passwords and tokens stand in files of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from seawall.audit.check import Unobserved
from seawall.audit.probes.reading import read_bounded
from seawall.audit.target import Access, FleetPolicy, Target, TargetKind
from seawall.audit.target_text import parse_target
from seawall.errors import ConfigurationError, UsageError
from seawall.model.finding import Result, Severity, Status, Waiver

MAX_BYTES: Final = 1 << 20
_POLICY: Final = frozenset(
    {"fail_on", "strict", "profile", "minimum_firmware", "silent_days", "expiring_days"}
)
_PATHS: Final = ("ca", "cert", "key", "password_file", "token_file", "database")
_ACCESS: Final[Mapping[str, type]] = {
    **dict.fromkeys(_PATHS, str),
    **dict.fromkeys(("username", "openapi", "pin", "server_name"), str),
    **dict.fromkeys(("try_defaults", "read_only", "use_nmap"), bool),
    "expect_ports": list,
    "other": dict,
}
_TARGET: Final = {"at": str, "name": str, "kind": str, **_ACCESS}
_WAIVER: Final = {"check": str, "reason": str, "expires": date, "target": str, "fingerprint": str}
_WORDS: Final = {
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a table",
    date: "a date",
}
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}\Z")
_PIN: Final = re.compile(r"[0-9a-f]{64}\Z")
MIN_REASON_CHARS: Final = 10


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """All of audit.toml.

    Attributes:
        targets: What to audit if the command line names nothing.
        waivers: In the order of the file.
        fail_on: Least severity of a failure that counts; None: nobody said.
        strict: Whether unknown counts as well.
        profile: Standard to map to; None: nobody said.
        fleet: What is demanded of a fleet.
    """

    targets: tuple[Target, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    fail_on: Severity | None = None
    strict: bool = False
    profile: str | None = None
    fleet: FleetPolicy = field(default_factory=FleetPolicy)


def read_policy(path: Path) -> AuditPolicy:
    """Read and check an audit.toml.

    Raises:
        ConfigurationError: it cannot be read or is wrong; says the line and the field.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
        members = tomllib.loads(text)
    except Unobserved as error:
        raise ConfigurationError(f"{path}: {error.reason}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is no UTF-8 text: byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
    return _Reader(path, text).read(members)


def waived(results: Iterable[Result], waivers: Sequence[Waiver], today: date) -> list[Result]:
    """Return the results, failures with the first waiver in force that fits them."""

    def with_waiver(result: Result) -> Result:
        fitting = (each for each in waivers if _fits(each, result) and today <= each.expires)
        return replace(result, waived=next(fitting, None))

    return [each if each.status is not Status.FAIL else with_waiver(each) for each in results]


def _fits(waiver: Waiver, result: Result) -> bool:
    return (
        waiver.check == result.check
        and _names(waiver.target, result.target)
        and waiver.fingerprint in {"", result.fingerprint}
    )


def _names(written: str, target: str) -> bool:
    """Tell whether a waiver's target is this one; ``firmware/`` is ``firmware``."""
    return written in {"", target} or ("://" not in written and str(Path(written)) == target)


def waiver_notes(
    waivers: Sequence[Waiver], results: Sequence[Result], checks: Iterable[str], today: date
) -> Iterator[str]:
    """Return a sentence for each waiver that does nothing: expired, misspelt, or no more needed."""
    known = set(checks)
    for each in waivers:
        if each.check not in known:
            yield f"waiver of '{each.check}': there is no such check"
        elif each.expires < today:
            yield f"waiver of '{each.check}' expired on {each.expires}: {each.reason}"
        elif not any(_fits(each, result) and result.status is Status.FAIL for result in results):
            yield f"waiver of '{each.check}' fits no failure: it can go"


class _Reader:
    """Turns the tables of one file into objects; knows where each stands."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def read(self, members: dict[str, Any]) -> AuditPolicy:
        self._refuse_unknown(members, {"policy", "target", "waiver"}, "")
        policy = self._table(members.get("policy", {}), "policy")
        fleet = self._fleet(policy)
        targets = self._tables(members, "target")
        waivers = self._tables(members, "waiver")
        return AuditPolicy(
            tuple(self._target(each, f"target#{n}", fleet) for n, each in enumerate(targets)),
            tuple(self._waiver(each, f"waiver#{n}") for n, each in enumerate(waivers)),
            self._fail_on(policy),
            self._typed(policy, "strict", bool, "policy") or False,
            self._typed(policy, "profile", str, "policy"),
            fleet,
        )

    # Tables

    def _fail_on(self, policy: Mapping[str, Any]) -> Severity | None:
        word = self._typed(policy, "fail_on", str, "policy")
        if word is None:
            return None
        if word not in set(Severity):
            raise self._wrong("policy", "fail_on", f"is {word!r}: one of {', '.join(Severity)}")
        return Severity(word)

    def _fleet(self, policy: Mapping[str, Any]) -> FleetPolicy:
        self._refuse_unknown(policy, _POLICY, "policy")
        versions = self._typed(policy, "minimum_firmware", dict, "policy") or {}
        for board, version in versions.items():
            if not isinstance(version, str) or not version:
                raise self._wrong("policy", "minimum_firmware", f"of {board} must be text")
        return FleetPolicy(
            tuple(versions.items()),
            self._days(policy, "silent_days"),
            self._days(policy, "expiring_days"),
        )

    def _days(self, policy: Mapping[str, Any], name: str) -> int:
        default = next(each.default for each in fields(FleetPolicy) if each.name == name)
        value = policy.get(name, default)
        if type(value) is not int or not 1 <= value <= 3650:
            raise self._wrong("policy", name, f"is {value!r}: a number of days, 1 to 3650")
        return value

    def _target(self, table: Mapping[str, Any], section: str, fleet: FleetPolicy) -> Target:
        self._refuse_unknown(table, _TARGET, section)
        given = {name: self._typed(table, name, kind, section) for name, kind in _TARGET.items()}
        if not given["at"]:
            raise self._wrong(section, "at", "is missing: what to audit")
        if given["kind"] is not None and given["kind"] not in set(TargetKind):
            raise self._wrong(section, "kind", f"is none of {', '.join(TargetKind)}")
        is_path = "://" not in given["at"]
        place = str(self._path.parent / given["at"]) if is_path else given["at"]
        try:
            return parse_target(
                place,
                self._access(table, section),
                name=given["name"] or (str(Path(given["at"])) if is_path else ""),
                kind=TargetKind(given["kind"]) if given["kind"] else None,
                policy=fleet,
            )
        except UsageError as error:
            raise self._wrong(section, "at", error.message, hint=error.hint) from None

    def _access(self, table: Mapping[str, Any], section: str) -> Access:
        given = {name: self._typed(table, name, kind, section) for name, kind in _ACCESS.items()}
        files = {name: self._path.parent / given[name] for name in _PATHS if given[name]}
        for name in ("ca", "cert", "key"):
            # TLS opens these by name, and would wait for who writes to a pipe.
            if name in files and files[name].exists() and not files[name].is_file():
                raise self._wrong(section, name, "is no regular file")
        pin = given["pin"] and given["pin"].replace(":", "").lower()
        if pin and _PIN.match(pin) is None:
            raise self._wrong(section, "pin", "must be 64 hex digits, SHA-256 of the certificate")
        other = given["other"]
        return Access(
            ca=files.get("ca"),
            cert=files.get("cert"),
            key=files.get("key"),
            username=given["username"],
            password=self._secret(files, "password_file", section),
            token=self._secret(files, "token_file", section),
            openapi=self._openapi(given["openapi"]),
            pin=pin,
            server_name=given["server_name"],
            expect_ports=self._ports(given["expect_ports"], section),
            try_defaults=bool(given["try_defaults"]),
            use_nmap=bool(given["use_nmap"]),
            database=files.get("database"),
            may_write=not given["read_only"],
            other=None if other is None else self._other(other, section),
        )

    def _openapi(self, place: str | None) -> str | None:
        return place if not place or "://" in place else str(self._path.parent / place)

    def _other(self, table: Mapping[str, Any], section: str) -> Access:
        self._refuse_unknown(
            table, {"cert", "key", "username", "password_file", "token_file"}, section
        )
        return self._access(table, section)

    def _ports(self, ports: list[Any] | None, section: str) -> tuple[int, ...] | None:
        if ports is None:
            return None
        for port in ports:
            if type(port) is not int or not 1 <= port <= 65_535:
                raise self._wrong(section, "expect_ports", f"has {port!r}: ports are 1 to 65535")
        return tuple(sorted(set(ports)))

    def _secret(self, files: Mapping[str, Path], name: str, section: str) -> str | None:
        if name not in files:
            return None
        if not files[name].exists():
            # Its name is not repeated: somebody may have written the secret itself.
            raise self._wrong(section, name, "names a file that is not there")
        try:
            return read_secret(files[name])
        except Unobserved as error:
            raise self._wrong(section, name, error.reason) from None

    def _waiver(self, table: Mapping[str, Any], section: str) -> Waiver:
        self._refuse_unknown(table, _WAIVER, section)
        given = {name: self._typed(table, name, kind, section) for name, kind in _WAIVER.items()}
        if not given["check"]:
            raise self._wrong(section, "check", "is missing: the id of a check")
        if len((given["reason"] or "").strip()) < MIN_REASON_CHARS:
            raise self._wrong(section, "reason", "is missing: say why, in a sentence")
        if given["expires"] is None:
            raise self._wrong(section, "expires", "is missing: the last day, as 2026-12-31")
        mark = given["fingerprint"] or ""
        if mark and _FINGERPRINT.match(mark) is None:
            raise self._wrong(section, "fingerprint", "must be 32 hex digits, as reports have it")
        target = given["target"] or ""
        return Waiver(given["check"], given["reason"].strip(), given["expires"], target, mark)

    # Fields

    def _tables(self, members: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        tables = members.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            raise self._wrong("", name, f"is a list of tables: write [[{name}]]")
        return tables

    def _table(self, value: object, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong("", name, f"is a table: write [{name}]")
        return value

    def _typed(self, table: Mapping[str, Any], name: str, kind: type, section: str) -> Any:
        value = table.get(name)
        # A TOML date with a time is a datetime, which is a date to Python.
        if value is None or (isinstance(value, kind) and not isinstance(value, datetime)):
            return value
        raise self._wrong(section, name, f"must be {_WORDS[kind]}")

    def _refuse_unknown(self, table: Mapping[str, Any], known: Iterable[str], section: str) -> None:
        for name in table:
            if name in {"password", "token"}:
                raise self._wrong(section, name, f"stands in the file: write {name}_file = ...")
            if name not in set(known):
                hint = f"known are: {', '.join(sorted(known))}"
                raise self._wrong(section, name, "is unknown", hint=hint)

    def _wrong(self, section: str, name: str, what: str, *, hint: str = "") -> ConfigurationError:
        title = section.partition("#")[0]
        inside = f" in [[{title}]]" if "#" in section else f" in [{title}]" if title else ""
        line = self._line_of(section, name)
        return ConfigurationError(f"{self._path}, line {line}: '{name}'{inside} {what}", hint=hint)

    def _line_of(self, section: str, name: str) -> int:
        """Return the line of a field, or of its table if it is not there; from 1."""
        title, _, number = section.partition("#")
        header = re.compile(rf"\s*\[\[?\s*{re.escape(title)}\s*\]\]?\s*(?:#|$)")
        starts = [n for n, line in enumerate(self._lines, 1) if title and header.match(line)]
        at = int(number or 0)
        first = starts[at] if at < len(starts) else 1
        last = starts[at + 1] if at + 1 < len(starts) else len(self._lines) + 1
        assigned = re.compile(
            rf"""\s*(?:["']?{re.escape(name)}["']?\s*[.=]|\[+\s*{re.escape(name)}\b)"""
        )
        here = enumerate(self._lines[first - 1 : last - 1], first)
        return next((n for n, line in here if assigned.match(line)), first)


def read_secret(path: Path) -> str:
    """Return a secret from a file; one line break at its end does not count.

    Raises:
        Unobserved: it cannot be read, is empty, or no UTF-8 text.
    """
    try:
        secret = read_bounded(path, 4096).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Unobserved(f"{path.name} is no UTF-8 text") from None
    if not secret:
        raise Unobserved(f"{path.name} is empty")
    return secret

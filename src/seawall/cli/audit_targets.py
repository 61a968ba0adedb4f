"""What a command line of ``seawall audit`` wants audited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from seawall.audit.policy import AuditPolicy, read_policy
from seawall.audit.runner import Ports
from seawall.audit.target import Access, Target, TargetKind
from seawall.audit.target_text import parse_target
from seawall.cli.asking import read_secret
from seawall.cli.opening import running_daemon
from seawall.errors import UsageError
from seawall.model.installation import StatePaths
from seawall.operations.audit_installation import installation_targets, lent_targets, state_ports

_TALKS: Final = frozenset({TargetKind.MQTT, TargetKind.API, TargetKind.TLS})
_SIGNS_IN: Final = frozenset({TargetKind.MQTT, TargetKind.API})
_API: Final = frozenset({TargetKind.API})
_HOST: Final = frozenset({TargetKind.HOST})
_FOR_KINDS: Final = {
    "ca": ("--ca", "ca", _TALKS),
    "cert": ("--cert", "cert", _TALKS),
    "key": ("--key", "key", _TALKS),
    "username": ("--username", "username", _SIGNS_IN),
    "password_file": ("--password-file", "password_file", _SIGNS_IN),
    "password_fd": ("--password-fd", "password_file", _SIGNS_IN),
    "token_file": ("--token-file", "token_file", _API),
    "openapi": ("--openapi", "openapi", _API),
    "pin": ("--pin", "pin", _TALKS),
    "name": ("--name", "server_name", _TALKS),
    "expect_ports": ("--expect-ports", "expect_ports", _HOST),
    "try_defaults": ("--try-defaults", "try_defaults", _SIGNS_IN),
    "nmap": ("--nmap", "use_nmap", _HOST),
}
"""By parameter: the option, what it is called in audit.toml, and who can do something with it."""


def access_of(given: Mapping[str, Any]) -> Access:
    """Return what the audit gets in with.

    Raises:
        UsageError: two options contradict; a secret is empty or too long.
        KeyAccessError: a file with a secret cannot be read.
    """
    if given["password_file"] is not None and given["password_fd"] is not None:
        raise UsageError("--password-file and --password-fd contradict each other")
    if given["key"] is not None and given["cert"] is None:
        raise UsageError("--key needs --cert")
    for name in ("ca", "cert", "key"):
        # TLS opens these by name, again and again, and would wait for who writes to a pipe.
        if given[name] is not None and not given[name].is_file():
            raise UsageError(f"--{name} {given[name]} is no regular file")
    password = given["password_file"]
    if given["password_fd"] is not None:
        password = Path(f"/dev/fd/{given['password_fd']}")
    if password is not None and given["username"] is None:
        raise UsageError("a password needs --username")
    return Access(
        ca=given["ca"],
        cert=given["cert"],
        key=given["key"],
        username=given["username"],
        password=_secret(password, "the password"),
        token=_secret(given["token_file"], "the token"),
        openapi=given["openapi"],
        pin=given["pin"],
        server_name=given["name"],
        expect_ports=given["expect_ports"],
        try_defaults=given["try_defaults"],
        use_nmap=given["nmap"],
        database=given["database"],
        may_write=not given["read_only"],
    )


def _secret(path: Path | None, what: str) -> str | None:
    if path is None:
        return None
    if str(path) != "-" and not path.exists():
        # Its name is not repeated: somebody may have given the secret itself.
        raise UsageError(
            f"the file with {what} is not there",
            hint="on the command line itself, all users of this machine would see a secret",
        )
    return read_secret(path, what)


def policy_of(given: Mapping[str, Any], targets: Sequence[str], state: Path) -> AuditPolicy:
    """Return what audit.toml says: the one named, or the installation's own.

    Raises:
        ConfigurationError: it is wrong.
    """
    if given["config"] is not None:
        return read_policy(given["config"])
    own = state / "audit.toml"
    if not targets and own.is_file():
        return read_policy(own)
    return AuditPolicy()


def targets_of(
    texts: Sequence[str], state: Path, given: Mapping[str, Any], policy: AuditPolicy
) -> list[Target]:
    """Return the targets named; else those of ``--config``; else the installation, whole.

    ``--read-only`` and ``--database`` hold wherever a target comes from; what else the audit
    gets in with is for those named on the command line.

    Raises:
        UsageError: one of them is none; an option is for none of them.
        StateError: there is no installation.
    """
    if not texts:
        _refuse_unused(given, ())
    access = access_of(given)
    if texts:
        named = [parse_target(text, access, policy=policy.fleet) for text in texts]
        _refuse_unused(given, named)
        return named
    found = list(policy.targets)
    if is_whole_installation(texts, given, policy):
        found = [*_installation(state, policy), *found]
    return [replace(each, access=_under(access, each.access)) for each in found]


def _under(line: Access, own: Access) -> Access:
    """Return a target's own access, as far as the command line lets it go."""
    return replace(
        own,
        may_write=own.may_write and line.may_write,
        database=own.database or line.database,
    )


def _refuse_unused(given: Mapping[str, Any], named: Sequence[Target]) -> None:
    """Refuse options that nothing on the command line has a use for.

    Somebody's own checks may use any of them, on any target.

    Raises:
        UsageError: there is one; says where it goes instead.
    """
    if named and given["checks"]:
        return
    kinds = {each.kind for each in named}
    for name, (option, field, users) in _FOR_KINDS.items():
        if given[name] in (None, False) or kinds & users:
            continue
        if not named:
            raise UsageError(
                f"{option} is for targets on the command line, and there is none",
                hint=f"write '{field}' below the target's [[target]] in audit.toml",
            )
        raise UsageError(
            f"{option} is of no use to these targets",
            hint=f"it is for {', '.join(f'{each}://' for each in sorted(users))}",
        )


def is_whole_installation(
    texts: Sequence[str], given: Mapping[str, Any], policy: AuditPolicy
) -> bool:
    """Tell whether nothing was named, so that the installation is audited."""
    return not texts and not (given["config"] is not None and policy.targets)


def _installation(state: Path, policy: AuditPolicy) -> list[Target]:
    if not state.exists():
        raise UsageError(
            f"there is no target, and no installation in {state}",
            hint="name a target, such as mqtts://HOST or a path; or --state DIR",
        )
    running = running_daemon(StatePaths(state))
    return list(installation_targets(state, running, policy.fleet))


@contextmanager
def lent(
    targets: Sequence[Target], state: Path, given: Mapping[str, Any]
) -> Iterator[list[Target]]:
    """Lend identities for the installation's own broker while the block runs, if it is audited.

    Not with ``--read-only``: they leave a trace among the refusals.
    """
    if given["read_only"] or not any(each.kind is TargetKind.MQTT for each in targets):
        yield list(targets)
        return
    # Late: they need the keystore, which audits of other things do not.
    from seawall.daemon.assemble import now_ms  # noqa: PLC0415
    from seawall.daemon.lock import wait_lent  # noqa: PLC0415

    taken_in = partial(wait_lent, StatePaths(state))
    with lent_targets(state, targets, now_ms, taken_in) as own:
        yield list(own)


def ports() -> Ports:
    """Return what lends the audit the databases of installations, read only."""
    # Late: the store and the update repository are for state directories alone.
    from seawall.daemon.assemble import open_store_to_read  # noqa: PLC0415

    return state_ports(open_store_to_read)

"""Finds a target among delegated roles, in the order of trust (TUF specification, 5.6.7)."""

from binascii import hexlify
from hashlib import sha256

from micropython import const

from . import load

_MOST = const(16)  # roles that are looked into

# What a file name and a URL bear as it is.
_PLAIN = "-._~0123456789"


def quote(name):
    """Return a role's name as files are named by it, here and in the repository."""
    quoted = ""
    for c in name.encode():
        plain = 97 <= c | 32 <= 122 or chr(c) in _PLAIN
        quoted += chr(c) if plain else "%%%02X" % c
    return quoted


def is_match(pattern, path):
    """Return whether a path fits a pattern, whose ``*`` and ``?`` leave slashes alone."""
    i = j = 0
    star = back = -1
    while j < len(path):
        c = pattern[i : i + 1]
        if c == "*":
            star = i
            back = j
            i += 1
        elif c == path[j] or (c == "?" and path[j] != "/"):
            i += 1
            j += 1
        elif star >= 0 and path[back] != "/":
            # Let the last star take one more; it is never of use to let an earlier one do.
            back += 1
            i = star + 1
            j = back
        else:
            return False
    return not pattern[i:].strip("*")


def is_for(role, target):
    """Return whether a delegation covers a target path."""
    paths = role.get("paths")
    if paths is not None:
        return any(is_match(pattern, target) for pattern in paths)
    digest = hexlify(sha256(target.encode()).digest()).decode()
    return any(digest.startswith(prefix) for prefix in role.get("path_hash_prefixes", ()))


def delegations_of(client, name, target):
    """Return the delegations of a role that cover a target, the most trusted one last."""
    found = []
    with open(client.path(name), "rb") as f:
        doc = load("canonical").Document(f)
        try:
            doc.go("signed", "delegations", "roles")
        except KeyError:
            return found
        for _ in doc.walk(91):
            role = doc.value(True)
            if is_for(role, target):
                del role["paths" if "paths" in role else "path_hash_prefixes"]
                found.insert(0, role)
                if role.get("terminating") or len(found) == _MOST:
                    break
    return found


async def search(client, target, refused):
    """Return what `tuf.find` does; fetch and verify the roles on the way.

    Args:
        client: A `tuf.Client`.
        target: Path of the target.
        refused: The exception to raise.
    """
    waiting = [("targets", None, None)]
    # Without regard to case, as file systems may be: none may take another one's file.
    visited = {"root", "timestamp", "snapshot"}
    while waiting and len(visited) < _MOST:
        role, holder, spec = waiting.pop()
        if role.lower() in visited:
            continue
        visited.add(role.lower())
        name = quote(role)
        if spec:
            await client.update(name, "snapshot", holder, spec, role)
        found = client.look_up(name, target)
        if found:
            return found
        try:
            for spec in delegations_of(client, name, target):
                if spec.get("terminating"):
                    waiting.clear()
                waiting.append((spec["name"], name, spec))
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError):
            raise refused("malformed")
    raise refused("unknown-target")

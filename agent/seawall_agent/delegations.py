"""Finds a target among delegated roles, in the order of trust (TUF specification, 5.6.7)."""

from micropython import const

from . import load

_MOST = const(16)  # roles that are looked into

# What a file name and a URL bear as it is, apart from letters.
_PLAIN = b"-._~0123456789"


def quote(name):
    """Return a role's name as files are named by it, here and in the repository."""
    quoted = ""
    for c in name.encode():
        quoted += chr(c) if 97 <= c | 32 <= 122 or c in _PLAIN else "%%%02X" % c
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


def delegations_of(path, target):
    """Return the delegations of a document that cover a target by its path, the first one last."""
    found = []
    with open(path, "rb") as f:
        doc = load("canonical").Document(f)
        try:
            doc.go("signed", "delegations", "roles")
        except KeyError:
            return found
        for _ in doc.walk(91):
            role = doc.value(True)
            for pattern in role.pop("paths", ()):
                if is_match(pattern, target):
                    found.insert(0, role)
                    break
            if role in found and role.get("terminating") or len(found) > _MOST:
                break
    return found


async def search(client, target, refused):
    """Return what `tuf.find` does; fetch and verify the roles on the way.

    Args:
        client: A `tuf.Client`.
        target: Path of the target.
        refused: The exception to raise.
    """
    client.known = False  # a role's document is verified for each delegation to it
    waiting = client.state() == client.seen and [("targets", None, None)]
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
        if found := client.look_up(name, target):
            return found
        try:
            for spec in delegations_of(client.path(name), target):
                if spec.get("terminating"):
                    waiting.clear()
                waiting.append((spec["name"], name, spec))
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError):
            raise refused("malformed")
    raise refused("unknown-target")

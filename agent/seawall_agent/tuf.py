"""The client of The Update Framework: keeps trusted metadata on flash (specification, section 5).

In the trust folder are ``root.json``, ``timestamp.json``, ``snapshot.json``, ``targets.json`` and
delegated roles, each as it was received, and ``seen``: a hash over the first four as they were when
a refresh had verified them all. While it fits, no signature is verified again; if it does not (a
file is damaged, or a refresh was cut short), each file must pass once more before it counts. What
is new is written to ``new``, becomes ``ROLE.ok`` once it is verified, and ``ROLE.json`` then: a
rename on FAT first deletes what is there.
"""

import os
import time

from micropython import const

from . import core, load, sha256

_MOST_BYTES = const(65536)  # of a document
_ROTATIONS = const(32)  # of the root in one refresh; the next one goes on from there
_DELEGATIONS = const(16)  # that are looked into

# What a document that is none of its kind makes us stumble on.
_FLAWS = ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError


class Refused(Exception):
    """What the repository offers is not to be trusted, for the reason in ``args[0]``."""


async def refresh(folder, fetch, now_s, born="root.json"):
    """Bring the trusted metadata up to date.

    Args:
        folder: Trust folder, with a slash at its end.
        fetch: ``async fetch(name, limit, path)`` writes ``metadata/name`` to a file, and returns
            its length, or None if there is none; beyond ``limit`` bytes it may stop.
        now_s: Seconds since 1970, UTC.
        born: Path of the root metadata that the device was born with; used when the trust folder
            has none that can be read.

    Returns:
        Whether anything changed.

    Raises:
        Refused: ``bad-signature``, ``expired``, ``rollback``, ``endless-data``,
            ``mix-and-match``, ``malformed``, ``wrong-version``, ``missing``.
        OSError: of the network or of flash.
    """
    return await _strictly(Client(folder, fetch, now_s).refresh(born))


async def find(folder, fetch, now_s, target):
    """Return (length in bytes, SHA-256, custom) of a target, also of a delegated one.

    To be called after `refresh`, whose arguments and exceptions it shares; roles that are delegated
    to are fetched.

    Raises:
        Refused: also ``unknown-target``.
    """
    return await _strictly(Client(folder, fetch, now_s).find(target))


async def _strictly(work):
    try:
        return await work
    except _FLAWS:
        raise Refused("malformed")


def quote(name):
    """Return a role's name as files are named by it, here and in the repository."""
    quoted = ""
    for c in name.encode():
        # What a file name and a URL bear as it is.
        plain = 97 <= c | 32 <= 122 or c in b"-._~0123456789"
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


class Client:
    """One run.

    Attributes:
        folder, fetch: As `refresh` gets them.
        now: UTC as metadata writes it.
        seen: What `state` was when everything had been verified.
        known: Whether that still holds.
    """

    def __init__(self, folder, fetch, now_s):
        self.folder = folder
        self.fetch = fetch
        if time.gmtime(0)[0] == 2000:
            now_s -= 946_684_800
        self.now = "%04d-%02d-%02dT%02d:%02d:%02dZ" % time.gmtime(now_s)[:6]
        try:
            with open(folder + "seen", "rb") as f:
                self.seen = f.read(33)
        except OSError:
            self.seen = None
        self.known = self.state() == self.seen

    def path(self, role):
        """Return where a role's trusted document is, or the one that is ``new``."""
        return self.folder + (role if role == "new" else role + ".json")

    def hash_of(self, role):
        """Return the SHA-256 of a document, or of nothing if there is none."""
        h = sha256()
        try:
            with open(self.path(role), "rb") as f:
                while data := f.read(127):
                    h.update(data)
        except OSError:
            pass
        return h.digest()

    def state(self):
        """Return a hash over the four documents."""
        h = sha256()
        for role in ["root", "timestamp", "snapshot", "targets"]:
            h.update(self.hash_of(role))
        return h.digest()

    async def judge(self, name, role, holder="root", spec=None):
        """Verify a document's signatures and form; return its version, or raise Refused.

        Args:
            name: The document's: that of its role, or ``new``.
            role: What it has to be.
            holder: Name of the document that delegates to it.
            spec: Delegation in that; None: what a root says of the role.
        """
        version, digest, threshold, claims = load("canonical").claims_of(
            self.path(name), role, "targets" if spec else role, self.path(holder), spec
        )
        agreeing = set()  # by what a key is: under two ids it is still one
        for scheme, key, signature in claims:
            if len(agreeing) < threshold:
                await core.sleep_ms(0)  # each takes long: let the connection live
                if load(scheme).verify(key, digest, signature):
                    agreeing.add(key)
        if len(agreeing) < threshold:
            raise Refused("bad-signature")
        return version

    def get(self, role, *names):
        """Return a value of what is signed in a verified document, or None."""
        try:
            with open(self.path(role), "rb") as f:
                return load("canonical").Document(f).get("signed", *names)
        except KeyError:
            return None

    def check_expiry(self, role):
        """Raise Refused if a verified document has expired."""
        expires = self.get(role, "expires")
        # Written like ours, they sort like the times that they mean.
        if len(expires) != 20 or expires[10] + expires[19] != "TZ":
            raise ValueError
        if expires <= self.now:
            raise Refused("expired")

    async def download(self, role, version=0, limit=_MOST_BYTES):
        """Fetch a role's document, of a version or any, to ``new``; return whether there is one."""
        name = role + ".json"
        if version:
            name = "%d.%s" % (version, name)
        size = await self.fetch(name, limit, self.path("new"))
        if size is not None and size > limit:
            raise Refused("endless-data")
        return size is not None

    def keep(self, role):
        """Make ``new``, which is verified, the trusted document of a role."""
        ok = self.folder + role + ".ok"
        os.rename(self.path("new"), ok)
        os.rename(ok, self.path(role))

    async def is_trusted(self, role, holder="root", spec=None):
        """Return whether there is a document of a role that counts; see `judge`."""
        try:
            if not self.known:
                await _strictly(self.judge(role, role, holder, spec))
            return True
        except (Refused, OSError):
            return False

    async def refresh(self, born):
        """Bring everything up to date; see the function of this name."""
        await self.start(born)
        for _ in range(_ROTATIONS):
            if not await self.update_root():
                break
        self.check_expiry("root")
        await self.update_timestamp()
        await self.update("snapshot", "timestamp")
        await self.update("targets", "snapshot")
        state = self.state()
        if state == self.seen:
            return False
        with open(self.folder + "seen", "wb") as f:
            f.write(state)
        return True

    async def start(self, born):
        """Load the trusted root (5.2)."""
        for role in ["root", "timestamp", "snapshot", "targets"]:
            try:
                # What a power cut kept `keep` from.
                os.rename(self.folder + role + ".ok", self.path(role))
            except OSError:
                pass
        self.known = self.state() == self.seen
        if not await self.is_trusted("root"):
            try:
                with open(born, "rb") as f, open(self.path("new"), "wb") as g:
                    while data := f.read(127):
                        g.write(data)
            except OSError as error:
                if error.errno == 2:
                    raise Refused("missing")
                raise
            await self.judge("new", "root", "new")
            self.keep("root")

    async def update_root(self):
        """Take the next root, if there is one (5.3); return whether there was."""
        version = self.get("root", "version") + 1
        if not await self.download("root", version):
            return False
        await self.judge("new", "root")
        found = await self.judge("new", "root", "new")
        if found != version:
            raise Refused("rollback" if found < version else "wrong-version")
        roles = ["timestamp", "snapshot"]
        for role in roles:
            if self.get("root", "roles", role) != self.get("new", "roles", role):
                # 5.3.11: stolen keys may have raised version numbers beyond all reason.
                for role in roles:
                    try:
                        os.unlink(self.path(role))
                    except OSError:
                        pass
        self.keep("root")
        self.known = False
        return True

    def meta(self, role, name):
        """Return (version, length limit, SHA-256 or None) that a document says of another."""
        found = self.get(role, "meta", name + ".json")
        if found is None:
            raise Refused("missing")
        version = found["version"]
        limit = found.get("length", _MOST_BYTES)
        digest = found.get("hashes")
        if digest is not None:
            digest = bytes.fromhex(digest["sha256"])
        if not type(version) is type(limit) is int or version < 1:
            raise ValueError
        return version, min(limit, _MOST_BYTES), digest

    async def update_timestamp(self):
        """Take the newest timestamp (5.4)."""
        known = await self.is_trusted("timestamp")
        if not await self.download("timestamp"):
            raise Refused("missing")
        if not known or self.hash_of("new") != self.hash_of("timestamp"):
            version = await self.judge("new", "timestamp")
            trusted = self.get("timestamp", "version") if known else 0
            if version > trusted:
                snapshot = self.meta("new", "snapshot")[0]
                if known and snapshot < self.meta("timestamp", "snapshot")[0]:
                    raise Refused("rollback")
                self.check_expiry("new")
                self.keep("timestamp")
            elif version < trusted:
                raise Refused("rollback")
        self.check_expiry("timestamp")

    async def update(self, role, lister, holder="root", spec=None):
        """Take the document of a role that another one lists (5.5, 5.6).

        Args:
            role: Its name.
            lister: Role that says which version it has to be.
            holder, spec: Role that delegates to it, and how; see `judge`.
        """
        version, limit, digest = self.meta(lister, role)
        role = quote(role)
        known = await self.is_trusted(role, holder, spec)
        if known and self.get(role, "version") == version and digest in (None, self.hash_of(role)):
            return self.check_expiry(role)
        number = self.get("root", "consistent_snapshot") and version
        if not await self.download(role, number, limit):
            raise Refused("missing")
        if (
            digest not in (None, self.hash_of("new"))
            or await self.judge("new", role, holder, spec) != version
        ):
            raise Refused("mix-and-match")
        if known and role == "snapshot":
            for name in self.get(role, "meta"):
                if (
                    not self.get("new", "meta", name)
                    or self.meta("new", name[:-5])[0] < self.meta(role, name[:-5])[0]
                ):
                    raise Refused("rollback")
        self.check_expiry("new")
        self.keep(role)

    async def find(self, target):
        """Look for a target in the order of trust (5.6.7); see the function of this name."""
        waiting = self.known and [("targets", None, None)]
        self.known = False  # a role's document is verified for each delegation to it
        # Without regard to case, as file systems may be: none may take another one's file.
        visited = ["root", "timestamp", "snapshot", "new"]
        while waiting and len(visited) < _DELEGATIONS:
            role, holder, spec = waiting.pop()
            if role.lower() in visited:
                continue
            visited.append(role.lower())
            if spec:
                await self.update(role, "snapshot", holder, spec)
            role = quote(role)
            found = self.get(role, "targets", target)
            if found is not None:
                digest = bytes.fromhex(found["hashes"]["sha256"])
                if type(found["length"]) is not int or found["length"] < 0 or len(digest) != 32:
                    raise ValueError
                return found["length"], digest, found.get("custom") or {}
            for spec in self.delegations_of(role, target):
                if spec.get("terminating"):
                    waiting.clear()
                waiting.append((spec["name"], role, spec))
        raise Refused("unknown-target")

    def delegations_of(self, role, target):
        """Return a role's delegations that cover a target by its path, the first one last."""
        found = []
        with open(self.path(role), "rb") as f:
            doc = load("canonical").Document(f)
            try:
                doc.go("signed", "delegations", "roles")
            except KeyError:
                return found
            for _ in doc.walk(91):
                spec = doc.value(True)
                for pattern in spec.pop("paths", ()):
                    if is_match(pattern, target):
                        found.insert(0, spec)
                        break
                if spec in found and spec.get("terminating") or len(found) > _DELEGATIONS:
                    break
        return found

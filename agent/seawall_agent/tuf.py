"""The client of The Update Framework: keeps trusted metadata on flash (specification, section 5).

In the trust folder are ``root.json``, ``timestamp.json``, ``snapshot.json``, ``targets.json`` and
delegated roles, each as it was received, and ``seen``: SHA-256 of the first four as they were when
they were verified. A file that it does not know (damaged, or from before the root changed) is
verified again before it counts; an unchanged poll verifies no signature. What is new is written
to ``new``, becomes ``ROLE.ok`` once it is verified, and ``ROLE.json`` then: a rename on FAT first
deletes what is there.
"""

import os
import time
from binascii import hexlify, unhexlify
from hashlib import sha256

from micropython import const

from . import core, load

_ROLES = ("root", "timestamp", "snapshot", "targets")
_MOST_BYTES = const(65536)  # of a document whose length nobody has signed
_ROTATIONS = const(32)  # of the root in one refresh; the next one goes on from there


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
    client = Client(folder, fetch, now_s)
    before = bytes(client.seen)
    await client.start(born)
    while await client.update_root():
        pass
    client.check_expiry(client.path("root"))
    await client.update_timestamp()
    await client.update("snapshot", "timestamp")
    await client.update("targets", "snapshot")
    return client.seen != before


def find(folder, target):
    """Return (length in bytes, SHA-256, custom) of a target that top-level targets has.

    To be called after `refresh`; for delegated targets see `locate`.

    Raises:
        Refused: ``unknown-target``, ``malformed``.
    """
    client = Client(folder, None, 0)
    found = client.seen[96:] == client.hash_of(client.path("targets"))
    found = found and client.look_up("targets", target)
    if not found:
        raise Refused("unknown-target")
    return found


async def locate(folder, fetch, now_s, target):
    """Return what `find` returns, also of delegated targets, whose roles it fetches.

    To be called after `refresh`, whose arguments and exceptions it shares.
    """
    return await load("delegations").search(Client(folder, fetch, now_s), target, Refused)


class Client:
    """One run.

    Attributes:
        folder, fetch: As `refresh` gets them.
        now: UTC as metadata writes it.
        seen: SHA-256 of root, timestamp, snapshot and targets as verified together.
        rotations: How many more roots this run may take.
    """

    def __init__(self, folder, fetch, now_s):
        self.folder = folder
        self.fetch = fetch
        if time.gmtime(0)[0] == 2000:
            now_s -= 946_684_800
        self.now = "%04d-%02d-%02dT%02d:%02d:%02dZ" % time.gmtime(now_s)[:6]
        self.rotations = _ROTATIONS
        self.seen = bytearray(128)
        try:
            with open(folder + "seen", "rb") as f:
                f.readinto(self.seen)
        except OSError:
            pass

    def path(self, role):
        """Return where a role's trusted document is."""
        return self.folder + role + ".json"

    def hash_of(self, path):
        """Return the SHA-256 of a file, or None if there is none."""
        try:
            with open(path, "rb") as f:
                h = sha256()
                while data := f.read(512):
                    h.update(data)
                return h.digest()
        except OSError:
            return None

    async def judge(self, path, role, holder, spec):
        """Verify a document's signatures and form; return its version, or raise Refused.

        Args:
            path: Of the document.
            role: What it has to be.
            holder: Role that delegates to it; None: it itself does.
            spec: Delegation in that; None: what a root says of the role.
        """
        try:
            version, digest, threshold, claims = load("signatures").read(
                path,
                role,
                role if role in _ROLES else "targets",
                self.path(holder) if holder else path,
                spec,
            )
        except (ValueError, KeyError, TypeError, IndexError, RuntimeError):
            raise Refused("malformed")
        agreeing = set()  # by what a key is: under two ids it is still one
        for scheme, key, signature in claims:
            if len(agreeing) < threshold:
                await core.sleep_ms(0)  # each takes long: let the connection live
                try:
                    if load(scheme).verify(key, digest, signature):
                        agreeing.add(key)
                except (ValueError, IndexError):
                    pass
        if len(agreeing) < threshold:
            raise Refused("bad-signature")
        return version

    def get(self, path, *names):
        """Return a value of a verified document, or None."""
        try:
            with open(path, "rb") as f:
                return load("canonical").Document(f).get(*names)
        except KeyError:
            return None
        except (ValueError, TypeError, RuntimeError):
            raise Refused("malformed")

    def check_expiry(self, path):
        """Raise Refused if a verified document has expired."""
        expires = self.get(path, "signed", "expires")
        # Written like ours, they sort like the times that they mean.
        if type(expires) is not str or len(expires) != 20 or expires[10] + expires[19] != "TZ":
            raise Refused("malformed")
        if expires <= self.now:
            raise Refused("expired")

    async def download(self, name, limit=_MOST_BYTES, is_needed=True):
        """Fetch a file to ``new``; return its path, or None if there is none to be had."""
        path = self.folder + "new"
        size = await self.fetch(name, limit, path)
        if size is None:
            if is_needed:
                raise Refused("missing")
            return None
        if size > limit:
            raise Refused("endless-data")
        return path

    def keep(self, role):
        """Make ``new``, which is verified, the trusted document of a role."""
        ok = self.folder + role + ".ok"
        os.rename(self.folder + "new", ok)
        self.finish(role)
        if role in _ROLES:
            self.note(role)

    def finish(self, role):
        """Do the last two steps of `keep`, of which a power cut may have left any to do."""
        ok = self.folder + role + ".ok"
        try:
            os.stat(ok)
        except OSError:
            return
        self.forget(role)
        os.rename(ok, self.path(role))

    def forget(self, role):
        """Delete a role's document."""
        try:
            os.unlink(self.path(role))
        except OSError:
            pass

    def note(self, role):
        """Note that a role's document is verified."""
        if role == "root":
            self.seen = bytearray(128)
        i = _ROLES.index(role) * 32
        self.seen[i : i + 32] = self.hash_of(self.path(role))
        with open(self.folder + "seen", "wb") as f:
            f.write(self.seen)

    async def is_trusted(self, role, holder="root", spec=None):
        """Return whether there is a document of a role that counts; see `judge`."""
        path = self.path(role)
        found = self.hash_of(path)
        if found and role in _ROLES:
            i = _ROLES.index(role) * 32
            if self.seen[i : i + 32] == found:
                return True
        if found:
            try:
                await self.judge(path, role, holder, spec)
                if role in _ROLES:
                    self.note(role)
                return True
            except Refused:
                pass
        return False

    async def start(self, born):
        """Load the trusted root (5.2)."""
        for role in _ROLES:
            self.finish(role)
        if not await self.is_trusted("root"):
            try:
                with open(born, "rb") as f, open(self.folder + "new", "wb") as g:
                    while data := f.read(512):
                        g.write(data)
            except OSError:
                raise Refused("missing")
            await self.judge(self.folder + "new", "root", None, None)
            self.keep("root")

    async def update_root(self):
        """Take the next root, if there is one (5.3); return whether there was."""
        root = self.path("root")
        version = self.get(root, "signed", "version") + 1
        new = None
        if self.rotations:
            new = await self.download("%d.root.json" % version, _MOST_BYTES, False)
        if not new:
            return False
        self.rotations -= 1
        await self.judge(new, "root", "root", None)
        found = await self.judge(new, "root", None, None)
        if found != version:
            raise Refused("rollback" if found < version else "wrong-version")
        for role in ("timestamp", "snapshot"):
            where = ("signed", "roles", role, "keyids")
            if set(self.get(root, *where)) != set(self.get(new, *where)):
                # 5.3.11: stolen keys may have raised version numbers beyond all reason.
                self.forget("timestamp")
                self.forget("snapshot")
        self.keep("root")
        return True

    def meta(self, path, name):
        """Return (version, length limit, SHA-256 or None) that a document says of another."""
        found = self.get(path, "signed", "meta", name)
        if found is None:
            raise Refused("missing")
        try:
            version = found["version"]
            limit = found.get("length", _MOST_BYTES)
            hashes = found.get("hashes")
            digest = None if hashes is None else hashes["sha256"]
            if type(version) is not int or version < 1 or type(limit) is not int:
                raise ValueError
            return version, limit, digest
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Refused("malformed")

    async def update_timestamp(self):
        """Take the newest timestamp (5.4)."""
        known = await self.is_trusted("timestamp")
        old = self.path("timestamp")
        new = await self.download("timestamp.json")
        if not known or self.hash_of(new) != self.hash_of(old):
            version = await self.judge(new, "timestamp", "root", None)
            trusted = self.get(old, "signed", "version") if known else 0
            if version < trusted:
                raise Refused("rollback")
            if version > trusted:
                snapshot = self.meta(new, "snapshot.json")
                if known and snapshot[0] < self.meta(old, "snapshot.json")[0]:
                    raise Refused("rollback")
                self.check_expiry(new)
                self.keep("timestamp")
        self.check_expiry(old)

    async def update(self, role, lister, holder="root", spec=None, listed=None):
        """Take the document of a role that another one lists (5.5, 5.6).

        Args:
            role: Its name, as files are named by it.
            lister: Role that says which version it has to be.
            holder, spec: Role that delegates to it, and how; see `judge`.
            listed: Its name as others write it, if that is another one.
        """
        version, limit, digest = self.meta(self.path(lister), (listed or role) + ".json")
        known = await self.is_trusted(role, holder, spec)
        old = self.path(role)
        if known and self.get(old, "signed", "version") == version:
            if digest in (None, hexlify(self.hash_of(old)).decode()):
                return self.check_expiry(old)
        name = role + ".json"
        if self.get(self.path("root"), "signed", "consistent_snapshot"):
            name = "%d.%s" % (version, name)
        new = await self.download(name, min(limit, _MOST_BYTES))
        if digest not in (None, hexlify(self.hash_of(new)).decode()):
            raise Refused("mix-and-match")
        if await self.judge(new, role, holder, spec) != version:
            raise Refused("mix-and-match")
        if known and role == "snapshot":
            for name, before in self.get(old, "signed", "meta").items():
                now = self.get(new, "signed", "meta", name)
                if not now or now["version"] < before["version"]:
                    raise Refused("rollback")
        self.check_expiry(new)
        self.keep(role)

    def look_up(self, role, target):
        """Return (length, SHA-256, custom) of a target in a role's trusted document, or None."""
        found = self.get(self.path(role), "signed", "targets", target)
        if found is None:
            return None
        try:
            digest = unhexlify(found["hashes"]["sha256"])
            if type(found["length"]) is int and found["length"] >= 0 and len(digest) == 32:
                return found["length"], digest, found.get("custom") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise Refused("malformed")

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
from binascii import unhexlify
from hashlib import sha256

from micropython import const

from . import core, load

_ROLES = ("root", "timestamp", "snapshot", "targets")
_MOST_BYTES = const(65536)  # of a document
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
    await client.start(born)
    for _ in range(_ROTATIONS):
        if not await client.update_root():
            break
    client.check_expiry("root")
    await client.update_timestamp()
    await client.update("snapshot", "timestamp")
    await client.update("targets", "snapshot")
    return client.note()


def find(folder, target):
    """Return (length in bytes, SHA-256, custom) of a target that top-level targets has.

    To be called after `refresh`; for delegated targets see `locate`.

    Raises:
        Refused: ``unknown-target``, ``malformed``.
    """
    client = Client(folder, None, 0)
    found = client.state() == client.seen and client.look_up("targets", target)
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

    def path(self, role):
        """Return where a role's trusted document is, or the one that is ``new``."""
        return self.folder + (role if role == "new" else role + ".json")

    def hash_of(self, role):
        """Return the SHA-256 of a document, or None if there is none."""
        try:
            with open(self.path(role), "rb") as f:
                h = sha256()
                while data := f.read(256):
                    h.update(data)
                return h.digest()
        except OSError:
            return None

    def state(self):
        """Return a hash over the four documents."""
        h = sha256()
        for role in _ROLES:
            h.update(self.hash_of(role) or b"")
        return h.digest()

    def note(self):
        """Note that everything is verified; return whether that is news."""
        state = self.state()
        if state == self.seen:
            return False
        with open(self.folder + "seen", "wb") as f:
            f.write(state)
        return True

    async def judge(self, name, role, holder="root", spec=None):
        """Verify a document's signatures and form; return its version, or raise Refused.

        Args:
            name: The document's: that of its role, or ``new``.
            role: What it has to be.
            holder: Name of the document that delegates to it.
            spec: Delegation in that; None: what a root says of the role.
        """
        kind = role if role in _ROLES else "targets"
        try:
            version, digest, threshold, claims = load("signatures").read(
                self.path(name), role, kind, self.path(holder), spec
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

    def get(self, role, *names):
        """Return a value of what is signed in a verified document, or None."""
        try:
            with open(self.path(role), "rb") as f:
                return load("canonical").Document(f).get("signed", *names)
        except KeyError:
            return None
        except (ValueError, TypeError, RuntimeError):
            raise Refused("malformed")

    def check_expiry(self, role):
        """Raise Refused if a verified document has expired."""
        expires = self.get(role, "expires")
        # Written like ours, they sort like the times that they mean.
        if type(expires) is not str or len(expires) != 20 or expires[10] + expires[19] != "TZ":
            raise Refused("malformed")
        if expires <= self.now:
            raise Refused("expired")

    async def download(self, name, limit=_MOST_BYTES):
        """Fetch a file to ``new``; return whether there is one."""
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
                await self.judge(role, role, holder, spec)
            return True
        except (Refused, OSError):
            return False

    async def start(self, born):
        """Load the trusted root (5.2)."""
        for role in _ROLES:
            try:
                # What a power cut kept `keep` from.
                os.rename(self.folder + role + ".ok", self.path(role))
            except OSError:
                pass
        self.known = self.state() == self.seen
        if not await self.is_trusted("root"):
            try:
                with open(born, "rb") as f, open(self.path("new"), "wb") as g:
                    while data := f.read(256):
                        g.write(data)
            except OSError:
                raise Refused("missing")
            await self.judge("new", "root", "new")
            self.keep("root")

    async def update_root(self):
        """Take the next root, if there is one (5.3); return whether there was."""
        version = self.get("root", "version") + 1
        if not await self.download("%d.root.json" % version):
            return False
        await self.judge("new", "root")
        found = await self.judge("new", "root", "new")
        if found != version:
            raise Refused("rollback" if found < version else "wrong-version")
        for role in ("timestamp", "snapshot"):
            if self.get("root", "roles", role) != self.get("new", "roles", role):
                # 5.3.11: stolen keys may have raised version numbers beyond all reason.
                for role in ("timestamp", "snapshot"):
                    try:
                        os.unlink(self.path(role))
                    except OSError:
                        pass
        self.keep("root")
        self.known = False
        return True

    def meta(self, role, name):
        """Return (version, length limit, SHA-256 or None) that a document says of another."""
        found = self.get(role, "meta", name)
        if found is None:
            raise Refused("missing")
        try:
            version = found["version"]
            limit = found.get("length", _MOST_BYTES)
            digest = found.get("hashes")
            if digest is not None:
                digest = unhexlify(digest["sha256"])
            if type(version) is type(limit) is int and version > 0:
                return version, min(limit, _MOST_BYTES), digest
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise Refused("malformed")

    async def update_timestamp(self):
        """Take the newest timestamp (5.4)."""
        known = await self.is_trusted("timestamp")
        if not await self.download("timestamp.json"):
            raise Refused("missing")
        if not known or self.hash_of("new") != self.hash_of("timestamp"):
            version = await self.judge("new", "timestamp")
            trusted = self.get("timestamp", "version") if known else 0
            if version > trusted:
                snapshot = self.meta("new", "snapshot.json")[0]
                if known and snapshot < self.meta("timestamp", "snapshot.json")[0]:
                    raise Refused("rollback")
                self.check_expiry("new")
                self.keep("timestamp")
            elif version < trusted:
                raise Refused("rollback")
        self.check_expiry("timestamp")

    async def update(self, role, lister, holder="root", spec=None, listed=None):
        """Take the document of a role that another one lists (5.5, 5.6).

        Args:
            role: Its name, as files are named by it.
            lister: Role that says which version it has to be.
            holder, spec: Role that delegates to it, and how; see `judge`.
            listed: Its name as others write it, if that is another one.
        """
        version, limit, digest = self.meta(lister, (listed or role) + ".json")
        known = await self.is_trusted(role, holder, spec)
        if known and self.get(role, "version") == version and digest in (None, self.hash_of(role)):
            return self.check_expiry(role)
        name = role + ".json"
        if self.get("root", "consistent_snapshot"):
            name = "%d.%s" % (version, name)
        if not await self.download(name, limit):
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
                    or self.meta("new", name)[0] < self.meta(role, name)[0]
                ):
                    raise Refused("rollback")
        self.check_expiry("new")
        self.keep(role)

    def look_up(self, role, target):
        """Return (length, SHA-256, custom) of a target in a role's trusted document, or None."""
        found = self.get(role, "targets", target)
        if found is None:
            return None
        try:
            digest = unhexlify(found["hashes"]["sha256"])
            if type(found["length"]) is int and found["length"] >= 0 and len(digest) == 32:
                return found["length"], digest, found.get("custom") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise Refused("malformed")

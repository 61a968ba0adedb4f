"""The story of TUF's metadata: the real client refreshes while the power fails.

Signatures cost milliseconds each and nothing on flash; a stand-in checks them.
"""

import io
import json
import os
from binascii import hexlify
from collections import OrderedDict
from hashlib import sha256

from engine import Failure

NOW_S = 1_800_000_000
KEY = "11" * 32
PUBLIC = {
    "keytype": "ecdsa",
    "scheme": "ecdsa-sha2-nistp256",
    "keyval": {"public": "-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----"},
}


class Trusting:
    """Drives tuf.py, and judges whether it can still be updated, and not be rolled back."""

    def __init__(self, stage, seawall_agent):
        self.stage = stage
        self.run = seawall_agent.core.run
        self.tuf = seawall_agent.load("tuf")
        self.document = seawall_agent.load("canonical").Document
        self.offers = [self.repository(version) for version in range(1, 4)]

    def repository(self, version):
        """Return what a server offers by name, with everything at this version."""
        roles = ("root", "timestamp", "snapshot", "targets")
        delegated = {role: {"keyids": [KEY], "threshold": 1} for role in roles}
        files = {}
        for number in range(1, version + 1):
            root = {"consistent_snapshot": True, "keys": {KEY: PUBLIC}, "roles": delegated}
            files["%d.root.json" % number] = self.signed("root", number, root)
        found = {"hashes": {"sha256": "22" * 32}, "length": 700 + version}
        targets = {"unix/%d.%d.json" % (version, n): found for n in range(6)}
        name = "%d.targets.json" % version
        files[name] = self.signed("targets", version, {"targets": targets})
        for lister, listed, name in (
            ("snapshot", "targets", name),
            ("timestamp", "snapshot", "%d.snapshot.json" % version),
        ):
            meta = {listed + ".json": meta_of(version, files[name])}
            own = ("" if lister == "timestamp" else "%d." % version) + lister + ".json"
            files[own] = self.signed(lister, version, {"meta": meta})
        return files

    def signed(self, role, version, members):
        """Return the bytes of a document, signed as instead/ecdsa.py wants it."""
        body = {"_type": role, "version": version, "spec_version": "1.0.31"}
        body.update(members)
        body["expires"] = "2099-01-01T00:00:00Z"
        digest = self.document(io.BytesIO(wrapped(body, ""))).digest("signed")
        return wrapped(body, hexlify(digest).decode())

    def refresh(self, version):
        """Run the client against the server at a version."""
        offer = self.offers[version - 1]

        async def fetch(name, limit, path):
            data = offer.get(name)
            if data is None:
                return None
            with open(path, "wb") as f:
                for start in range(0, len(data), 512):
                    f.write(data[start : start + 512])
            return len(data)

        return self.run(self.tuf.refresh("trust/", fetch, NOW_S))

    def prepare(self, rounds):
        """Make the file system with the root that the device is born with, and refresh."""
        self.stage.format()
        self.stage.mount()
        os.mkdir("trust")
        with open("root.json", "wb") as f:
            f.write(self.offers[0]["1.root.json"])
        self.refresh_all(1)
        for _ in range(rounds * 4):  # the first use of a device, over and over
            for name in os.listdir("trust"):
                os.unlink("trust/" + name)
            self.refresh_all(1)
        self.stage.unmount()

    def refresh_all(self, version):
        """Refresh until nothing changes."""
        while self.refresh(version):
            pass

    def tell(self, tale):
        """Go from version 1 to 2, and look again."""
        self.stage.mount()
        tale.mark("refresh", trusted=1)
        self.refresh(2)
        tale.mark("unchanged", trusted=2)
        self.refresh(2)
        self.stage.unmount()

    def judge(self, tale):
        """Boot; try to roll it back, then to refresh it, then to take the next version."""
        try:
            self.stage.mount()
            trusted = tale.facts["trusted"]
            if trusted > 1:
                try:
                    self.refresh(trusted - 1)
                    raise Failure("trusts version %d after %d" % (trusted - 1, trusted))
                except self.tuf.Refused as error:
                    if error.args[0] != "rollback":
                        raise
            for version in range(tale.facts.get("offered", 2), 4):
                tale.mark("refresh", offered=version)
                self.refresh_all(version)
                tale.mark("found", trusted=version)
            found = self.run(self.tuf.find("trust/", None, NOW_S, "unix/3.5.json"))
            if found[0] != 703:
                raise Failure("finds another target")
        except self.tuf.Refused as error:
            raise Failure("refuses the true repository: %s" % error)
        finally:
            self.stage.unmount()


def meta_of(version, data):
    """Return what another document says of this one."""
    digest = hexlify(sha256(data).digest()).decode()
    return {"version": version, "length": len(data), "hashes": {"sha256": digest}}


def wrapped(body, signature):
    """Return a document's bytes."""
    signatures = [{"keyid": KEY, "sig": signature}]
    return json.dumps(in_order({"signatures": signatures, "signed": body})).encode()


def in_order(value):
    """Return a value with its members sorted, as the client wants what is signed."""
    if isinstance(value, dict):
        return OrderedDict((name, in_order(value[name])) for name in sorted(value))
    if isinstance(value, list):
        return [in_order(item) for item in value]
    return value

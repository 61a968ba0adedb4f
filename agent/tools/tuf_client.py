"""The device's TUF client as a command; runs on MicroPython, started by `tuf-client`.

    tuf-client --metadata-dir DIR init TRUSTED_ROOT
    tuf-client --metadata-dir DIR --metadata-url URL refresh
    tuf-client --metadata-dir DIR --metadata-url URL --target-name PATH [--target-name PATH ...]
               --target-base-url URL --target-dir DIR download

Ends with 0 if it succeeded, else with 1. `--days-in-future N` sets the clock ahead. URLs are plain
HTTP: what TUF says does not rest on who carries it. This is the contract of the clients that
https://github.com/theupdateframework/tuf-conformance tests.
"""

import os
import socket
import sys
import time
from binascii import hexlify
from hashlib import sha256

from seawall_agent import core, load

VERBS = ("init", "refresh", "download")
TIMEOUT_S = 30


class UsageError(Exception):
    """The command line is wrong."""


def parse(args):
    """Return options (lists of values by name) and what stands alone."""
    options = {}
    alone = []
    args = list(args)
    while args:
        word = args.pop(0)
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            if not value and not args:
                raise UsageError(word + " needs a value")
            options.setdefault(name, []).append(value or args.pop(0))
        else:
            alone.append(word)
    return options, alone


def connect(url):
    """Send a GET; return a stream that stands before the body, or None if there is none."""
    scheme, _, rest = url.partition("://")
    if scheme != "http":
        raise UsageError("only http: " + url)
    place, _, path = rest.partition("/")
    host, _, port = place.partition(":")
    s = socket.socket()
    s.settimeout(TIMEOUT_S)
    s.connect(socket.getaddrinfo(host, int(port or 80))[0][-1])
    s.write(b"GET /%s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, place))
    status = s.readline().split()[1]
    while s.readline() not in (b"\r\n", b""):
        pass
    if status != b"200":
        s.close()
        if status in (b"404", b"403", b"410"):
            return None
        raise OSError(5, status)
    return s


def save(url, limit, path):
    """Write at most ``limit`` + 1 bytes of what a URL holds to a file; return how many, or None."""
    stream = connect(url)
    if not stream:
        return None
    size = 0
    with open(path, "wb") as f:
        while size <= limit and (data := stream.read(min(512, limit + 1 - size))):
            f.write(data)
            size += len(data)
    stream.close()
    return size


def hash_of(path):
    """Return the SHA-256 of a file, or None if there is none."""
    try:
        with open(path, "rb") as f:
            h = sha256()
            while data := f.read(512):
                h.update(data)
            return h.digest()
    except OSError:
        return None


def init(folder, alone):
    """Take the root metadata to begin with; the folder is made if it has to be."""
    try:
        os.mkdir(folder.rstrip("/"))
    except OSError:
        pass  # it is there; if not, the next line says so
    with open(alone[1], "rb") as f, open(folder + "root.json", "wb") as g:
        while data := f.read(512):
            g.write(data)


def folder_of(options, name):
    """Return a folder's path with a slash at its end."""
    return options[name][-1].rstrip("/") + "/"


class Session:
    """A run of the client."""

    def __init__(self, options):
        self.tuf = load("tuf")
        self.folder = folder_of(options, "metadata-dir")
        self.url = folder_of(options, "metadata-url")
        self.now_s = int(time.time()) + 86400 * int(options.get("days-in-future", ["0"])[-1])

    async def fetch(self, name, limit, path):
        """Fetch metadata, as `tuf.refresh` wants it."""
        return save(self.url + name, limit, path)

    async def refresh(self):
        """Bring the metadata up to date."""
        return await self.tuf.refresh(self.folder, self.fetch, self.now_s, "")

    async def download(self, target, base, folder):
        """Fetch one target, unless it is there."""
        length, digest, _ = await self.tuf.find(self.folder, self.fetch, self.now_s, target)
        client = self.tuf.Client(self.folder, None, 0)
        path = folder + self.tuf.quote(target)
        if hash_of(path) == digest:
            return
        url = [self.tuf.quote(part) for part in target.split("/")]
        if client.get("root", "consistent_snapshot"):
            url[-1] = hexlify(digest).decode() + "." + url[-1]
        size = save(base + "/".join(url), length, path + ".new")
        if size is None:
            raise self.tuf.Refused("missing")
        if size > length:
            raise self.tuf.Refused("endless-data")
        if hash_of(path + ".new") != digest:
            raise self.tuf.Refused("wrong-hash")
        os.rename(path + ".new", path)


async def run(options, alone):
    """Do what the command line says."""
    if not alone or alone[0] not in VERBS or len(alone) != (2 if alone[0] == "init" else 1):
        raise UsageError("which of init TRUSTED_ROOT, refresh, download?")
    if alone[0] == "init":
        return init(folder_of(options, "metadata-dir"), alone)
    session = Session(options)
    try:
        await session.refresh()
        if alone[0] == "download":
            folder = folder_of(options, "target-dir")
            try:
                for target in options["target-name"]:
                    await session.download(target, folder_of(options, "target-base-url"), folder)
            finally:
                for name in os.listdir(folder):
                    if name.endswith(".new"):
                        os.unlink(folder + name)
    except session.tuf.Refused as error:
        raise SystemExit("refused: %s" % error)


def main():
    """Return an exit status."""
    try:
        core.run(run(*parse(sys.argv[1:])))
        return 0
    except KeyError as error:
        print("error: --%s is missing" % error, file=sys.stderr)
    except UsageError as error:
        print("error:", error, file=sys.stderr)
    except (OSError, MemoryError) as error:
        print("error:", type(error).__name__, error, file=sys.stderr)
    except SystemExit as error:
        print(error, file=sys.stderr)
    return 1


sys.exit(main())

"""Builds a slot: what is unchanged is copied from the live one, the rest downloaded.

A slot in the making has no manifest.json: that is the last that it gets. What is being
downloaded has its place at once, and state/part says what it will be. Nothing is renamed:
a cut in a rename on FAT can leave two names for the same clusters, and whichever is
deleted first frees those of the other.
"""

import json
import os
from binascii import hexlify, unhexlify
from hashlib import sha256

from micropython import const

from . import core

_PART = "state/part"
_PIECE = const(512)
_MOST_FILES = const(256)
_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


async def digest_of(path, sink=None):
    """Return the SHA-256 of a file, None if there is none; ``sink`` gets its pieces."""
    h = sha256()
    try:
        f = open(path, "rb")
    except OSError:
        return None
    with f:
        count = 0
        while data := f.read(_PIECE):
            h.update(data)
            if sink:
                sink(data)
            count += 1
            if not count & 7:
                await core.sleep_ms(0)
    return h.digest()


def head_of(f):
    """Return the members of a manifest without its files, and stand before the first of them."""
    text = f.read(400)
    at = text.index(b'"files":[') + 9
    f.seek(at)
    return json.loads(text[:at] + b"]}")


def files_of(f):
    """Yield (path, length, SHA-256) of each file, from where `head_of` stands."""
    count = 0
    while f.read(1) == b"[":
        text = b"["
        while not text.endswith(b"]"):
            char = f.read(1)
            if not char or len(text) > 250:
                raise ValueError("manifest")
            text += char
        path, length, digest = json.loads(text)
        digest = unhexlify(digest)
        count += 1
        if len(digest) != 32 or type(length) is not int or length < 0 or count > _MOST_FILES:
            raise ValueError("manifest")
        yield path, length, digest
        f.read(1)


def is_good(path):
    """Return whether a path stays in its slot."""
    for name in path.split("/"):
        if name in ("", ".", "..") or [c for c in name if c not in _CHARS]:
            return False
    return len(path) <= 100 and path != "manifest.json"


def _delete(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def _sweep(folder, wanted):
    # Delete what is not wanted: files, and folders without any.
    kept = 0
    for name in os.listdir(folder):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            kept += _sweep(path, wanted)
        elif path in wanted:
            kept += 1
        else:
            os.unlink(path)
    if not kept:
        os.rmdir(folder)
    return kept


def _make_folders(path):
    at = path.find("/")
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find("/", at + 1)


async def build(session, manifest, live, slot):
    """Make a slot of a manifest, whole and verified.

    Args:
        session: `update.Session`.
        manifest: Path of it; its hash is right.
        live: The slot that runs.
        slot: The one to write.
    """
    _delete(slot + "/manifest.json")
    wanted = set()
    with open(manifest, "rb") as f:
        head_of(f)
        for path, _, _ in files_of(f):
            if not is_good(path):
                session.refuse("bad-path")
            wanted.add(slot + "/" + path)
    try:
        _sweep(slot, wanted)
    except OSError:
        pass  # it is not there
    del wanted
    block, total, free = os.statvfs(".")[0], 0, 0
    missing = []
    need = 2
    index = 0
    with open(manifest, "rb") as f:
        head_of(f)
        for path, length, digest in files_of(f):
            if await digest_of(slot + "/" + path) != digest:
                need += length // block + 1
                if await digest_of(live + "/" + path) != digest:
                    missing.append(index)
                    total += length
                    if _is_part(slot + "/" + path, digest):
                        need -= _size(slot + "/" + path) // block
            index += 1
    free = os.statvfs(".")[4]
    if need > free:
        raise session.stop("failed", "flash-full", True)
    done = 0
    index = 0
    with open(manifest, "rb") as f:
        head_of(f)
        for path, length, digest in files_of(f):
            to = slot + "/" + path
            if index in missing:
                _make_folders(to)
                await _download(session, to, length, digest, done, total)
                done += length
            elif await digest_of(to) != digest:
                _make_folders(to)
                with open(to, "wb") as g:
                    await digest_of(live + "/" + path, g.write)
            index += 1
    await _finish(session, manifest, slot)


async def _finish(session, manifest, slot):
    # The whole slot once more, as it is on flash; then the mark that it is complete.
    with open(manifest, "rb") as f:
        head_of(f)
        for path, _, digest in files_of(f):
            if await digest_of(slot + "/" + path) != digest:
                session.refuse("wrong-hash")
    with open(slot + "/manifest.json", "wb") as g:
        digest = await digest_of(manifest, g.write)
    if await digest_of(slot + "/manifest.json") != digest:
        session.refuse("wrong-hash")


def _is_part(path, digest):
    # Whether a file is one that was being downloaded, and will have this digest.
    try:
        with open(_PART, "rb") as f:
            return f.read() == digest + path.encode()
    except OSError:
        return False


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


async def _download(session, to, length, digest, done, total):
    for fresh in (False, True):
        if fresh or _size(to) > length or not _is_part(to, digest):
            _delete(to)
            with open(_PART, "wb") as f:
                f.write(digest + to.encode())
        h = sha256()
        await digest_of(to, h.update)
        have = _size(to)
        with open(to, "ab") as f:
            state = [have, have]
            block = session.config.get("block", 4096)

            def sink(piece):
                f.write(piece)
                h.update(piece)
                state[0] += len(piece)
                session.progress = True
                if state[0] - state[1] >= block:
                    f.flush()
                    state[1] = state[0]
                    session.tell("downloading", 100 * (done + state[0]) // total)

            if have < length:
                name = "targets/files/" + hexlify(digest).decode()
                if await session.source.get(name, have, length, sink) is None and not have:
                    raise session.stop("failed", "missing", True)
        if h.digest() == digest:
            session.tell("downloading", 100 * (done + length) // total if total else 100)
            return
    session.refuse("wrong-hash")

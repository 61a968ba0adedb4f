"""Builds a slot: what is unchanged is copied from the live one, the rest downloaded.

A slot in the making has no manifest.json: that is the last that it gets. What is being
downloaded has its place at once, and state/part says what it will be. Nothing is renamed:
a cut in a rename on FAT can leave two names for the same clusters, and whichever is
deleted first frees those of the other (the power-cut sweep shows it).
"""

import json
import os

from seawall_guard.slots import numbers

from . import load, sha256

_MANIFEST = "state/manifest"
_PART = "state/part"
_LAST = "manifest.json"


def files_of():
    """Yield (path, length, SHA-256) of each file in the manifest, which is never in memory whole."""
    with open(_MANIFEST, "rb") as f:
        f.seek(_head(f)[1])
        while f.read(1) == b"[":
            text = b"["
            while text[-1] != 93:
                text += f.read(1) or f.missing  # no file ends here
            path, length, digest = json.loads(text)
            digest = bytes.fromhex(digest)
            if len(digest) != 32 or not 0 <= length < 1 << 30 or len(text) > 250:
                raise ValueError
            yield path, length, digest
            f.read(1)


def _head(f):
    # What is before the files, and where they begin.
    text = f.read(300)
    at = text.index(b'"files":[') + 9
    return json.loads(text[:at] + b"]}"), at


def is_good(path):
    """Return whether a path stays in its slot."""
    for name in path.split("/"):
        if not name.strip("."):
            return False
        for c in name:
            if not (c.isalpha() or c.isdigit() or c in "_.-"):
                return False
    return len(path) <= 100 and path != _LAST


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


async def build(source, live):
    """Make the other slot what the manifest says, whole and verified; return its name."""
    with open(_MANIFEST, "rb") as f:
        head = _head(f)[0]
    if head["board"] != source.board:
        raise Exception("wrong-board")
    if head["format"] != 1 or numbers(head["version"]) != numbers(source.order["version"]):
        raise Exception("wrong-version")
    if head["kind"] == "image" and source.board == "esp32":
        return await load("image").build(source, next(files_of()))
    if head["kind"] != "files":
        raise Exception("wrong-kind")
    slot = "b/" if live == "a" else "a/"
    live += "/"
    wanted = set()
    for path, _, _ in files_of():
        if not is_good(path):
            raise Exception("bad-path")
        wanted.add(slot + path)
    _delete(slot + _LAST)
    try:
        _sweep(slot[:1], wanted)
    except OSError:
        pass  # it is not there
    wanted = None
    await _fill(source, live, slot, await _plan(source, live, slot))
    # The whole slot once more, as it is on flash; then the mark that it is complete.
    for path, _, digest in files_of():
        if await source.digest_of(slot + path) != digest:
            raise Exception("wrong-hash")
    with open(slot + _LAST, "wb") as g:
        digest = await source.digest_of(_MANIFEST, g.write)
    if await source.digest_of(slot + _LAST) != digest:
        raise Exception("wrong-hash")
    return slot[:1]


async def _plan(source, live, slot):
    # For each file: how many bytes are to be downloaded; or -1: it is there, -2: to be copied.
    block = os.statvfs(".")[0]
    need = 2
    todo = []
    for path, length, digest in files_of():
        if await source.digest_of(slot + path) == digest:
            todo.append(-1)
            continue
        need += length // block + 1
        if await source.digest_of(live + path) == digest:
            length = -2
        elif _is_part(slot + path, digest):
            need -= _size(slot + path) // block
        todo.append(length)
    if need > os.statvfs(".")[4]:
        raise Exception("failed", "flash-full", True)
    return todo


async def _fill(source, live, slot, todo):
    total = sum([n for n in todo if n > 0])
    done = 0
    for path, length, digest in files_of():
        kind = todo.pop(0)
        to = slot + path
        if kind != -1:
            _make_folders(to)
        if kind == -2:
            with open(to, "wb") as g:
                await source.digest_of(live + path, g.write)
        elif kind >= 0:
            await _download(source, to, length, digest, done, total)
            done += length


async def _download(source, to, length, digest, done, total):
    # A part of it may be there, from before a cut; if it is damaged, once more from its start.
    block = source.config.get("block", 4096)
    for _ in range(2):
        if _size(to) > length or not _is_part(to, digest):
            _delete(to)
            with open(_PART, "wb") as f:
                f.write(digest + to.encode())
        h = sha256()
        if have := _size(to):
            await source.digest_of(to, h.update)
        with open(to, "ab") as f:

            def sink(piece):
                nonlocal have
                f.write(piece)
                h.update(piece)
                source.progress = True
                before = have // block
                have += len(piece)
                if have // block > before:
                    f.flush()
                    percent = 100 * (done + have) // total
                    if percent >= source.percent:
                        load("software").tell(source, "downloading", percent)

            if have < length:
                await source.take("files/" + digest.hex(), have, length, sink)
        if h.digest() == digest:
            return
        _delete(to)
    raise Exception("wrong-hash")

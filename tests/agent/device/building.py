# Slots on a small littlefs: manifests that are refused, a flash that is full.
import json
import os
import sys
from binascii import hexlify
from hashlib import sha256

import vfs

sys.path.insert(0, sys.argv[1])

from seawall_agent import core, load


class Flash:
    def __init__(self, blocks):
        self.data = bytearray(blocks * 4096)

    def readblocks(self, block, buf, off=0):
        at = block * 4096 + off
        buf[:] = self.data[at : at + len(buf)]

    def writeblocks(self, block, buf, off=0):
        at = block * 4096 + off
        self.data[at : at + len(buf)] = buf

    def ioctl(self, op, arg):
        return {4: len(self.data) // 4096, 5: 4096}.get(op, 0)


flash = Flash(24)
vfs.VfsLfs2.mkfs(flash)
vfs.mount(flash, "/flash")
os.chdir("/flash")
for name in ("a", "state"):
    os.mkdir(name)


class Source:
    board = "unix"
    order = {"version": "2.0"}
    config = {}
    percent = 101
    asked = 0
    contents = {}
    digest_of = load("update").Source.digest_of

    async def take(self, path, start, limit, sink):
        Source.asked += 1
        data = Source.contents[path.split("/")[-1]][start:]
        for at in range(0, len(data), 500):
            sink(memoryview(data)[at : at + 500])
        return limit


def build(files, **head):
    listed = []
    for path, data in files:
        digest = hexlify(sha256(data).digest()).decode()
        Source.contents[digest] = data
        listed.append([path, len(data), digest])
    text = '{"format":%d,"board":"%s","version":"%s","kind":"%s","files":[%s]}' % (
        head.get("format", 1),
        head.get("board", "unix"),
        head.get("version", "2.0"),
        head.get("kind", "files"),
        ",".join([json.dumps(each).replace(", ", ",") for each in listed]),
    )
    with open("state/manifest", "w") as f:
        f.write(text)
    try:
        return core.run(load("build").build(Source(), "a"))
    except Exception as error:
        return error.args


def tree(folder):
    found = []
    for name, kind, *_ in os.ilistdir(folder):
        path = folder + "/" + name
        found += tree(path) if kind == 0x4000 else [path]
    return sorted(found)


with open("a/same.py", "wb") as f:
    f.write(b"same" * 300)
files = [("same.py", b"same" * 300), ("lib/new.py", b"new" * 2000)]
assert build(files) == "b"
assert tree("b") == ["b/lib/new.py", "b/manifest.json", "b/same.py"]
assert Source.asked == 1, "what is unchanged is copied"
# What a slot held before is used again, and what is not wanted any more goes.
assert build(files[1:]) == "b"
assert tree("b") == ["b/lib/new.py", "b/manifest.json"]
assert Source.asked == 1
print("built")

before = tree("a") + tree("state")
refused = 0
PATHS = ["../main.py", "/main.py", "a/../../x", "x/./y", "x//y", "", ".", "..", "x/"]
PATHS += ["manifest.json", "x" * 101, "x y", "x\\y", "caf\u00e9.py", "~x"]
for path in PATHS:
    assert build([(path, b"1")]) == ("bad-path",), path
    refused += 1
assert build(files, board="rp2") == ("wrong-board",)
assert build(files, version="2.1") == ("wrong-version",)
assert tree("a") + tree("state") == before
print("refused", refused + 2)

assert build([("large.bin", bytes(90_000))]) == ("failed", "flash-full", True)
assert tree("a") + tree("state") == before
print("full")
assert build(files) == "b"
print("good", len(tree("b")))

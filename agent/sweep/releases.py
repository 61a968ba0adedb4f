"""Releases as the server makes them, and whether what is in a slot is one, and whole."""

import json
import os
from binascii import hexlify
from hashlib import sha256

APP = b"""\
import world
from application import VERSION


def main(trial=None):
    return world.run(VERSION, trial)
"""
APPLICATION = b"""\
VERSION = %d


def start(agent):
    pass
"""


def made(number, agent):
    """Return a release's manifest and files by path.

    Args:
        number: Its version.
        agent: Modules of the real agent that it holds, as on a board.
    """
    files = dict(agent)
    files["seawall_agent/app.py"] = APP
    files["application.py"] = APPLICATION % number
    files["data/same.bin"] = noise(b"same", 1500)
    files["data/table.bin"] = noise(b"table%d" % number, 4700)
    files["data/v%d.txt" % (number % 3)] = b"only here"
    if number % 2:
        files["odd.py"] = b"ODD = %d\n" % number
    listed = [[path, len(files[path]), digest_of(files[path])] for path in sorted(files)]
    head = '{"format":1,"board":"unix","version":"%d","kind":"files","files":' % number
    return head.encode() + json.dumps(listed, separators=(",", ":")).encode() + b"}", files


def noise(seed, size):
    """Return bytes that look random, and are the same each time."""
    data = b""
    while len(data) < size:
        seed = sha256(seed).digest()
        data += seed
    return data[:size]


def digest_of(data):
    """Return a SHA-256 in hex."""
    return hexlify(sha256(data).digest()).decode()


def write(slot, manifest, files):
    """Write a release into an empty slot, as a bundle does."""
    os.mkdir(slot)
    for path in files:
        folder = path.rpartition("/")[0]
        if folder and folder not in os.listdir(slot):
            os.mkdir(slot + "/" + folder)
        with open(slot + "/" + path, "wb") as f:
            f.write(files[path])
    with open(slot + "/manifest.json", "wb") as f:
        f.write(manifest)


def paths_in(folder):
    """Return all files below a folder, without its name."""
    found = []
    for name, kind, *_ in os.ilistdir(folder):
        if kind == 0x4000:
            found += [name + "/" + path for path in paths_in(folder + "/" + name)]
        else:
            found.append(name)
    return found


def flaw(slot, manifests):
    """Return what is wrong with a slot, or None; `manifests` are those that were signed."""
    try:
        with open(slot + "/manifest.json", "rb") as f:
            manifest = f.read()
        if manifest not in manifests:
            return "manifest is none that was signed"
        listed = json.loads(manifest)["files"]
        found = set(paths_in(slot))
        found.remove("manifest.json")
        for path, size, digest in listed:
            with open(slot + "/" + path, "rb") as f:
                data = f.read()
            if len(data) != size or digest_of(data) != digest:
                return path + " is not as signed"
            found.remove(path)
        if found:
            return "has what is not in its manifest: " + " ".join(found)
    except (OSError, ValueError, KeyError) as error:
        return "%s %s" % (type(error).__name__, error)
    return None

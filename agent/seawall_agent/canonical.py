"""TUF documents: JSON that is read from a file as a stream, hashed, and what it claims.

What is hashed is the canonical form that TUF signs (OLPC canonical JSON, as securesystemslib writes
it): members sorted, no blanks, only quote and backslash escaped, whole numbers alone. No more of a
document is in memory than a block and what is asked for. What is to be hashed must have its members
in order, as python-tuf writes them: to sort takes memory. Whatever is no strict JSON of this kind
raises ValueError.
"""

import json
from binascii import a2b_base64

from micropython import const

from . import sha256

_BLOCK = const(127)  # with its end four pieces of a heap that may be in small ones
_DEPTH = const(10)  # MicroPython's stack on a board bears no more with certainty
_MOST = const(32)  # signatures in a document
LONGEST = 4096  # of a string that is kept, in bytes


class Document:
    """A file of JSON.

    Attributes:
        f: The file, open for reading bytes.
        block, at: What was read last, and where we are in it.
        out: Takes the canonical form, or None.
        depth: How many containers we are in.
    """

    def __init__(self, f):
        self.f = f
        self.go()

    def byte(self):
        """Return the next byte without taking it; at the end 0."""
        if self.at >= len(self.block):
            self.at = 0
            self.block = self.f.read(_BLOCK)
            if not self.block:
                return 0
        return self.block[self.at]

    def mark(self):
        """Return the next byte that is no blank."""
        while (c := self.byte()) and c in b" \t\r\n":
            self.at += 1
        return c

    def take(self, c):
        """Take this byte, after blanks."""
        if self.mark() != c:
            raise ValueError
        self.at += 1
        self.put(bytes((c,)))

    def put(self, data):
        """Hash a piece of the canonical form, if that is wanted."""
        if self.out:
            self.out.update(data)

    def string(self, keep):
        """Take a string; return its bytes if they are to be kept."""
        self.take(34)
        kept = bytearray()
        while (c := self.byte()) != 34:
            if c == 92:
                self.at += 1
                piece = self.escape()
            else:
                end = len(self.block)
                for stop in b'"', b"\\":
                    found = self.block.find(stop, self.at, end)
                    end = end if found < 0 else found
                piece = self.block[self.at : end]
                self.at = end
                if not piece:
                    raise ValueError  # no end
            self.put(b"\\" + piece if piece in b'\\"' else piece)
            if keep:
                if len(kept) > LONGEST:
                    raise ValueError
                kept.extend(piece)
        self.take(34)
        return bytes(kept)

    def escape(self):
        """Take what follows a backslash; return the bytes that it means."""
        c = self.byte()
        if c != 117:
            self.at += 1
            return b'"\\/\b\f\n\r\t'[b'"\\/bfnrt'.index(bytes((c,))) :][:1]
        c = self.unicode()
        if c >> 10 == 0x36 and self.byte() == 92:
            # The first half of a surrogate pair; the second one must follow.
            self.at += 1
            low = self.unicode()
            if low >> 10 != 0x37:
                raise ValueError
            c = (c << 10) + low - 0x35FDC00
        elif c >> 11 == 0x1B:
            raise ValueError
        return chr(c).encode()

    def unicode(self):
        """Take u and four digits."""
        value = 0
        for digits in [b"u"] + [b"0123456789abcdef"] * 4:
            value = value << 4 | digits.index(bytes((self.byte() | 32,)))
            self.at += 1
        return value

    def value(self, keep=False):
        """Take a value; return it if it is to be kept: dict, list, str, int, bool or None."""
        c = self.mark()
        if c == 34:
            return self.string(keep).decode()
        if c in b"[{":
            kept = {} if c == 123 else []
            for name in self.walk(c):
                item = self.value(keep)
                if keep:
                    if name is None:
                        kept.append(item)
                    else:
                        kept[name.decode()] = item
            return kept
        text = b""
        while (c := self.byte()) and c in b"-0123456789truefalsn" and len(text) < 20:
            text += bytes((c,))
            self.at += 1
        self.put(text)
        value = json.loads(text)
        if json.dumps(value).encode() != text:
            raise ValueError
        return value

    def walk(self, bracket):
        """Go through an array (91) or an object (123), standing before each value.

        Yields the name of a member, or None; the value must be taken before going on.
        """
        self.take(bracket)
        self.depth += 1
        if self.depth > _DEPTH:
            raise ValueError
        name = last = None
        if self.mark() != bracket + 2:
            while True:
                if bracket == 123:
                    name = self.string(True)
                    self.take(58)
                    if self.out and last is not None and name <= last:
                        raise ValueError
                    last = name
                yield name
                if self.mark() == bracket + 2:
                    break
                self.take(44)
        self.take(bracket + 2)
        self.depth -= 1

    def go(self, *path):
        """Stand before the value at a path of names (str), or raise KeyError."""
        self.f.seek(0)
        self.block = b""
        self.at = self.depth = 0
        self.out = None
        for name in path:
            for found in self.walk(123):
                if found == name.encode():
                    break
                self.value()
            else:
                raise KeyError

    def get(self, *path):
        """Return the value at a path of names, or raise KeyError."""
        self.go(*path)
        return self.value(True)

    def digest(self, *path):
        """Return the SHA-256 of the canonical form of the value at a path; the file must end well."""
        self.go()
        self.value()
        self.mark()
        if self.block:
            raise ValueError
        self.go(*path)
        self.out = out = sha256()
        self.value()
        return out.digest()


def claims_of(path, role, kind, holder, spec):
    """Return what there is to be verified of a document.

    Args:
        path: Of the document.
        role: Its role, as its holder calls it.
        kind: What its ``_type`` has to be.
        holder: Path of the document that delegates to the role.
        spec: Delegation in it; None: what a root says of the role.

    Returns:
        Version, SHA-256 of what is signed, how many different keys must have signed, and for each
        of the role's keys that claims to have: name of the module that verifies it, key, signature.

    Raises:
        ValueError, KeyError, TypeError, IndexError, RuntimeError: something is malformed, or a
            key is listed as signing twice.
    """
    # What verifies a scheme. A key of another kind has no say.
    schemes = {"ecdsa-sha2-nistp256": "ecdsa", "rsassa-pss-sha256": "rsa_pss"}
    with open(path, "rb") as f, open(holder, "rb") as g:
        doc = Document(f)
        g = Document(g)
        digest = doc.digest("signed")
        version = doc.get("signed", "version")
        place = ["signed", "delegations"] if spec else ["signed"]
        spec = spec or g.get("signed", "roles", role)
        threshold = spec["threshold"]
        if (
            doc.get("signed", "_type") != kind
            or doc.get("signed", "spec_version")[:2] != "1."
            or not type(version) is type(threshold) is int
            or version < 1
            or threshold < 1
        ):
            raise ValueError
        tried = []
        claims = []
        doc.go("signatures")
        for _ in doc.walk(91):
            signature = doc.value(True)
            keyid = signature["keyid"]
            if keyid in tried or len(tried) >= _MOST:
                raise ValueError
            tried.append(keyid)
            if keyid in spec["keyids"]:
                try:
                    key = g.get(*place, "keys", keyid)
                    _, kind, body, _, _ = key["keyval"]["public"].split("-----")
                    if kind == "BEGIN PUBLIC KEY":
                        scheme = schemes[key["scheme"]]
                        claims.append((scheme, a2b_base64(body), bytes.fromhex(signature["sig"])))
                except (ValueError, KeyError, TypeError):
                    pass  # it does not count
    return version, digest, threshold, claims

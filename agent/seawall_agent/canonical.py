"""JSON that is read from a file as a stream, and hashed in its canonical form.

The form is the one that TUF signs (OLPC canonical JSON, as securesystemslib writes it): members
sorted, no blanks, only quote and backslash escaped, whole numbers alone. No more of a document is
in memory than a block and what is asked for. Whatever is no strict JSON of this kind raises
ValueError.
"""

from hashlib import sha256

from micropython import const

_BLOCK = const(256)
_DEPTH = const(10)  # MicroPython's stack on a board bears no more with certainty
LONGEST = 4096  # of a string that is kept, in bytes
_WORDS = {b"true": True, b"false": False, b"null": None}
_ESCAPES = b'"\\/bfnrt'
_ESCAPED = b'"\\/\b\f\n\r\t'


class Unsorted(Exception):
    """Members are not in order."""


class Document:
    """A file of JSON.

    Attributes:
        f: The file, open for reading bytes.
        block, base, at: What was read last, where it is in the file, and where we are in it.
        out: Takes the canonical form, or None.
        sorting: Whether members may come in any order: each object is then read twice.
        depth: How many containers we are in.
    """

    def __init__(self, f):
        self.f = f
        self.out = None
        self.sorting = False
        self.seek(0)

    def seek(self, place):
        """Go on at a place in the file."""
        self.f.seek(place)
        self.base = place
        self.at = self.depth = 0
        self.block = b""

    def byte(self):
        """Return the next byte without taking it; at the end 0."""
        if self.at >= len(self.block):
            self.base += len(self.block)
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

    def string(self, keep, out=None):
        """Take a string; return its bytes if they are to be kept."""
        self.take(34)
        kept = bytearray()
        while True:
            c = self.byte()
            if c == 34:
                self.at += 1
                return bytes(kept)
            if c == 92:
                self.at += 1
                piece = self.escape()
            else:
                end = len(self.block)
                for stop in (b'"', b"\\"):
                    found = self.block.find(stop, self.at, end)
                    end = end if found < 0 else found
                piece = self.block[self.at : end]
                self.at = end
                if not piece:
                    raise ValueError  # no end
            if out:
                out.update(b"\\" + piece if piece in (b'"', b"\\") else piece)
            if keep:
                if len(kept) > LONGEST:
                    raise ValueError
                kept.extend(piece)

    def escape(self):
        """Take what follows a backslash; return the bytes that it means."""
        c = self.byte()
        if c != 117:
            self.at += 1
            return _ESCAPED[_ESCAPES.index(bytes((c,))) :][:1]
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
        for digits in (b"u",) + (b"0123456789abcdef",) * 4:
            value = value << 4 | digits.index(bytes((self.byte() | 32,)))
            self.at += 1
        return value

    def value(self, keep=False):
        """Take a value; return it if it is to be kept: dict, list, str, int, bool or None."""
        c = self.mark()
        out = self.out
        if c == 34:
            if out:
                out.update(b'"')
            kept = self.string(keep, out)
            if out:
                out.update(b'"')
            return kept.decode()
        if c == 123:
            return self.members(keep)
        if c == 91:
            return self.elements(keep)
        text = b""
        while (c := self.byte()) and c in b"-0123456789truefalsn" and len(text) < 20:
            text += bytes((c,))
            self.at += 1
        if out:
            out.update(text)
        if text in _WORDS:
            return _WORDS[text]
        number = int(text)
        if b"%d" % number != text:
            raise ValueError
        return number

    def elements(self, keep):
        """Take an array."""
        out = self.out
        kept = []
        comma = b"["
        for _ in self.walk(91):
            if out:
                out.update(comma)
                comma = b","
            value = self.value(keep)
            if keep:
                kept.append(value)
        if out:
            out.update(b"[]" if comma == b"[" else b"]")
        return kept

    def members(self, keep):
        """Take an object."""
        out = self.out
        kept = {}
        comma = b"{"
        last = None
        for name in self.ordered() if out and self.sorting else self.walk(123):
            if out:
                if last is not None and name <= last:
                    raise ValueError if self.sorting or name == last else Unsorted
                last = name
                out.update(b'%s"%s":' % (comma, name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')))
                comma = b","
            value = self.value(keep)
            if keep:
                kept[name.decode()] = value
        if out:
            out.update(b"{}" if comma == b"{" else b"}")
        return kept

    def ordered(self):
        """Go through the members of an object by name, standing before each one's value."""
        out, self.out = self.out, None
        places = []
        for name in self.walk(123):
            places.append((name, self.base + self.at))
            self.value()
        end = self.base + self.at
        places.sort()
        self.out = out
        depth = self.depth
        for name, place in places:
            self.seek(place)
            self.depth = depth + 1
            yield name
        self.seek(end)
        self.depth = depth

    def walk(self, bracket):
        """Go through an array (91) or an object (123), standing before each value.

        Yields the name of a member, or None; the value must be taken before going on.
        """
        self.take(bracket)
        self.depth += 1
        if self.depth > _DEPTH:
            raise ValueError
        if self.mark() != bracket + 2:
            while True:
                name = None
                if bracket == 123:
                    name = self.string(True)
                    self.take(58)
                yield name
                if self.mark() == bracket + 2:
                    break
                self.take(44)
        self.at += 1
        self.depth -= 1

    def go(self, *path):
        """Stand before the value at a path of names (str), or raise KeyError."""
        self.seek(0)
        for name in path:
            for found in self.walk(123):
                if found == name.encode():
                    break
                self.value()
            else:
                raise KeyError(name)

    def get(self, *path):
        """Return the value at a path of names, or raise KeyError."""
        self.go(*path)
        return self.value(True)

    def check_whole(self):
        """Make sure that the file is one document."""
        self.seek(0)
        self.value()
        self.mark()
        if self.block:
            raise ValueError

    def digest(self, *path):
        """Return the SHA-256 of the canonical form of the value at a path."""
        for self.sorting in (False, True):
            self.go(*path)
            self.out = sha256()
            try:
                self.value()
                return self.out.digest()
            except Unsorted:
                pass
            finally:
                self.out = None

"""JSON that is read from a file as a stream, and hashed in its canonical form.

The form is the one that TUF signs (OLPC canonical JSON, as securesystemslib writes it): members
sorted, no blanks, only quote and backslash escaped, whole numbers alone. No more of a document is
in memory than a block and what is asked for. What is to be hashed must have its members in order,
as python-tuf writes them: to sort takes memory. Whatever is no strict JSON of this kind raises
ValueError.
"""

from hashlib import sha256

from micropython import const

_BLOCK = const(256)
_DEPTH = const(10)  # MicroPython's stack on a board bears no more with certainty
LONGEST = 4096  # of a string that is kept, in bytes
_WORDS = {b"true": True, b"false": False, b"null": None}


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
        self.seek()

    def seek(self):
        """Go to the start."""
        self.f.seek(0)
        self.block = b""
        self.at = self.depth = 0
        self.out = None

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

    def string(self, keep):
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
            if self.out:
                self.out.update(b"\\" + piece if piece in (b'"', b"\\") else piece)
            if keep:
                if len(kept) > LONGEST:
                    raise ValueError
                kept.extend(piece)

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
            kept = self.string(keep).decode()
            if out:
                out.update(b'"')
            return kept
        if c in b"[{":
            kept = {} if c == 123 else []
            if out:
                out.update(bytes((c,)))
            comma = last = b""
            for name in self.walk(c):
                if out:
                    if c == 123:
                        if comma and name <= last:
                            raise ValueError
                        last = name
                        comma += b'"%s":' % name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
                    out.update(comma)
                    comma = b","
                self.out = out
                item = self.value(keep)
                self.out = None
                if keep:
                    if c == 123:
                        kept[name.decode()] = item
                    else:
                        kept.append(item)
            self.out = out
            if out:
                out.update(bytes((c + 2,)))
            return kept
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

    def walk(self, bracket):
        """Go through an array (91) or an object (123), standing before each value.

        Yields the name of a member, or None; the value must be taken before going on.
        """
        self.take(bracket)
        self.out = None  # names are not for it as they are
        self.depth += 1
        if self.depth > _DEPTH:
            raise ValueError
        name = None
        if self.mark() != bracket + 2:
            while True:
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
        self.seek()
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

    def digest(self, *path):
        """Return the SHA-256 of the canonical form of the value at a path; the file must end well."""
        self.seek()
        self.value()
        self.mark()
        if self.block:
            raise ValueError
        self.go(*path)
        self.out = out = sha256()
        self.value()
        return out.digest()

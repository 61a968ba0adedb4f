# The MQTT side of the link on a socket of bytes: whole packets, pieces, garbage.
import random
import sys

sys.path.insert(0, sys.argv[1])

from seawall_agent.link import Link

random.seed(int(sys.argv[2]))


class Socket:
    def __init__(self):
        self.written = b""
        self.room = 1 << 20

    def write(self, data):
        if not self.room:
            return None
        data = data[: self.room]
        self.room -= len(data)
        self.written += data
        return len(data)


class Outbox:
    start = 0
    end = 0

    def settle(self, ordinal):
        self.start = ordinal


class Agent:
    # Garbage that passes for a command bears no signature of this key.
    pads = bytes(128)
    facts = [0, 0, 0, 0]


def make():
    link = Link()
    link.agent = Agent()
    link.agent.link = link
    link.topic = b"devices/x/"
    link.outbox = Outbox()
    link.s = Socket()
    link.out = []
    link.pinged = 1
    link.buf = memoryview(bytearray(256))
    link.end = link.skip = link.next = link.done = 0
    link.up = False
    link.tries = 0
    link.ids = [0] * 16
    link.broker = ("", 0, "", 30_000, 10_000, 10_000, False)
    return link


def feed(link, data):
    while data:
        n = min(len(data), len(link.buf) - link.end, random.randrange(1, 60))
        link.buf[link.end : link.end + n] = data[:n]
        link.end += n
        data = data[n:]
        while link.take():
            pass


# PUBACKs in any order settle what is contiguous; unknown ones do nothing.
link = make()
link.outbox.end = link.next = 5
feed(link, b"\x40\2\0\2\x40\2\0\3\x40\2\x7f\0\x40\2\0\x63\x40\2\xff\xff")
assert link.outbox.start == 0
feed(link, b"\x40\2\0\1")
assert link.outbox.start == 3
feed(link, b"\x40\2\0\1\x40\2\0\4\x40\2\0\5\x40\2\0\5")
assert link.outbox.start == 5
feed(link, b"\xd0\0")
assert link.pinged is None

# A command too large to read is acknowledged and skipped, and what follows is understood.
link = make()
link.outbox.end = link.next = 1
topic = b"devices/x/commands"
body = bytes((0, len(topic))) + topic + b"\x12\x34" + b"y" * 5000
n = len(body)
feed(link, bytes((0x32, n & 127 | 128, n >> 7)) + body + b"\x40\2\0\1")
assert link.s.written == b"\x40\2\x12\x34" and link.outbox.start == 1

# Garbage ends the connection with an OSError and nothing else, however it is cut.
ended = 0
for _ in range(3000):
    link = make()
    data = bytearray(random.getrandbits(8) for _ in range(random.randrange(1, 80)))
    if random.random() < 0.5:
        data[0] = random.choice((0x30, 0x32, 0x40, 0x90, 0xD0, 0x20, 0x3F))
    try:
        feed(link, bytes(data))
    except OSError as error:
        assert error.errno == 103, error
        ended += 1
    assert 0 <= link.end <= 256 and link.skip >= 0
assert ended > 300, ended

# A socket that takes little: packets are whole and in order in the end.
link = make()
link.s.room = 3
for i in range(20):
    link.put(0x40, bytes((0, i)))
while link.out:
    link.s.room = random.randrange(0, 5)
    link.flush()
assert link.s.written == b"".join(bytes((0x40, 2, 0, i)) for i in range(20))
for n in (0, 1, 127, 128, 300, 16_383):
    link = make()
    link.put(0x32, b"z" * n)
    head = bytes((0x32, n)) if n < 128 else bytes((0x32, n & 127 | 128, n >> 7))
    assert link.s.written == head + b"z" * n
print("packets", ended)

# Cuts the power at every byte that an outbox writes, and looks at what is left.
import os
import sys

sys.path.insert(0, sys.argv[1])

from seawall_agent import backlog

FOLDER = "cuts/"
os.mkdir("cuts")


def clear():
    for name in os.listdir(FOLDER):
        os.unlink(FOLDER + name)


def body(seq):
    return b'{"temp":%d.5,"boot":1,"seq":%d}' % (seq, seq)


def content(outbox):
    return [outbox.read(o) for o in range(outbox.start, outbox.end)]


def expected(first, last):
    return [(1, seq, body(seq)) for seq in range(first, last + 1)]


def build(steps):
    # A history: +n appends n readings, -n settles n.
    clear()
    outbox = backlog.start(FOLDER, 500)
    seq = 0
    for step in steps:
        for _ in range(max(step, 0)):
            seq += 1
            assert outbox.append(1, seq, body(seq))
        if step < 0:
            outbox.settle(outbox.start - step)
    return outbox, seq


def whole(data):
    # How many whole records a prefix of a segment holds.
    count = at = 0
    while at + 18 <= len(data):
        size = data[at] | data[at + 1] << 8
        if at + 18 + size > len(data):
            break
        at += 18 + size
        count += 1
    return count


def cut_everywhere(steps):
    outbox, seq = build(steps)
    start, end = outbox.start, outbox.end
    newest = sorted(os.listdir(FOLDER))[-1]
    older = end - int(newest, 16)
    with open(FOLDER + newest, "rb") as f:
        data = f.read()
    cuts = 0
    for length in range(len(data) + 1):
        with open(FOLDER + newest, "wb") as f:
            f.write(data[:length])
        kept = whole(data[:length])
        last = seq - older + kept
        outbox = backlog.start(FOLDER, 500)
        found = content(outbox)
        # Whole records only, in order, none of those that were unsettled missing.
        numbers = [record[1] for record in found]
        assert found == expected(last - len(found) + 1, last), (length, numbers)
        assert not found or numbers[0] <= start + 1, (length, numbers)
        # It goes on, and what it appends can be read after one more cut.
        assert outbox.append(2, 1, b"{}")
        again = content(backlog.start(FOLDER, 500))
        assert again[-1] == (2, 1, b"{}"), length
        assert [record[1] for record in again[:-1] if record[0] == 1][-1:] == numbers[-1:], length
        for name in os.listdir(FOLDER):
            if int(name, 16) > int(newest, 16) or int(name, 16) == end:
                os.unlink(FOLDER + name)
        cuts += 1
    return cuts


print("cuts", cut_everywhere([3]), cut_everywhere([70]), cut_everywhere([70, -66]))

# Any bit that flips loses that record and the rest of its segment, never yields another.
build([5])
name = os.listdir(FOLDER)[0]
with open(FOLDER + name, "rb") as f:
    data = bytearray(f.read())
for at in range(len(data)):
    data[at] ^= 4
    with open(FOLDER + name, "wb") as f:
        f.write(data)
    data[at] ^= 4
    for record in content(backlog.start(FOLDER, 500)):
        assert record is None or record in expected(1, 5), at
print("flips", len(data))

# Full: the oldest gives way and is counted; the youngest are there.
clear()
outbox = backlog.start(FOLDER, 100)
for seq in range(1, 351):
    assert outbox.append(1, seq, body(seq))
assert outbox.lost == 250 and content(outbox) == expected(251, 350)
assert len(os.listdir(FOLDER)) <= 3
found = content(backlog.start(FOLDER, 100))
assert found[-100:] == expected(251, 350)
print("full", outbox.lost)

# Settled while more arrives: segments go, and every record is seen once, in order.
clear()
outbox = backlog.start(FOLDER, 500)
seen = []
seq = 0
while seq < 1000:
    for _ in range(1 + seq % 7):
        seq += 1
        assert outbox.append(1, seq, body(seq))
    while outbox.end - outbox.start > seq % 3:
        seen.append(outbox.read(outbox.start)[1])
        outbox.settle(outbox.start + 1)
while outbox.start < outbox.end:
    seen.append(outbox.read(outbox.start)[1])
    outbox.settle(outbox.start + 1)
assert seen == list(range(1, seq + 1)) and len(os.listdir(FOLDER)) <= 2
print("stream", len(seen))


# Flash that is full: a reading may be refused, but what is kept stays right.
class Full:
    def __init__(self, f, room):
        self.f = f
        self.room = room

    def write(self, data):
        data = data[: self.room]
        self.room -= len(data)
        return self.f.write(data)

    def flush(self):
        self.f.flush()

    def close(self):
        self.f.close()


clear()
outbox = backlog.start(FOLDER, 500)
kept = []
for seq in range(1, 200):
    if seq % 5 == 0 and outbox.f:
        outbox.f = Full(outbox.f, seq % 60)
    if outbox.append(1, seq, body(seq)):
        kept.append(seq)
numbers = [record[1] for record in content(outbox)]
assert numbers == kept[-len(numbers) :] and outbox.lost == 199 - len(numbers), (numbers, kept)
assert [r[1] for r in content(backlog.start(FOLDER, 500))][-len(numbers) :] == numbers
print("refused", 199 - len(kept))

# Cuts the power at every byte of a write of the state.
import os
import sys

sys.path.insert(0, sys.argv[1])

from seawall_agent import state

os.mkdir("state")
assert state.read() == [0, 0, 0, 0, 0]
facts = [0, 7, 2500, 1 << 52, 1_800_000_000]
state.write(facts)
state.write(facts)
assert state.read() == [2, 7, 2500, 1 << 52, 1_800_000_000]
before = state.read()
facts[1] = 8
state.write(facts)
path = "state/%d" % (facts[0] & 1)
with open(path, "rb") as f:
    data = f.read()
for length in range(len(data)):
    with open(path, "wb") as f:
        f.write(data[:length])
    assert state.read() == before, length
for at in range(len(data)):
    with open(path, "wb") as f:
        f.write(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
    assert state.read() == before, at
with open(path, "wb") as f:
    f.write(data)
assert state.read()[1] == 8
print("cuts", len(data))

# The time: host, NTP, floor. Arguments: agent, port of a good NTP server, of a bad one.
import sys
import time

sys.path.insert(0, sys.argv[1])

from seawall_agent import clock, core

FLOOR_S = 3_000_000_000
good, bad = ("127.0.0.1:" + port for port in sys.argv[2:4])


class Agent:
    def __init__(self, ntp, floor_s=0, board=None):
        self.ntp = ntp
        self.board = board
        self.wifi = None
        self.facts = [0, 0, 0, 0, floor_s]
        self.ahead_ms = None


class Board:
    seconds = None

    async def connect(self, wifi):
        self.connected = True

    def set_clock(self, seconds):
        self.seconds = seconds


class State:
    written = None

    def write(self, facts):
        self.written = facts[:]


state = State()
clock.load = lambda name: state

host_s = int(time.time())
agent = Agent(None)
clock.take(agent, 0)
assert agent.ahead_ms == 0 and agent.facts[4] >= host_s

# A host whose clock is behind the floor is not believed, and the floor stays.
agent = Agent(None, 4_000_000_000)
clock.take(agent, 0)
assert agent.ahead_ms is None and agent.facts[4] == 4_000_000_000

# NTP: what the good server says, in spite of a bad one before it.
agent = Agent([bad, good])
core.run(clock.settle(agent))
now_s = (time.time_ns() // 1_000_000 + agent.ahead_ms) // 1000
assert 0 <= now_s - FLOOR_S < 30, now_s
assert agent.facts[4] >= FLOOR_S and state.written == agent.facts

# Before the floor, or without an answer: not known; a board is set to the floor at least.
for servers in ([good], [bad]):
    agent = Agent(servers, 4_000_000_000, Board())
    core.run(clock.settle(agent))
    assert agent.ahead_ms is None and agent.board.seconds == 4_000_000_000
    assert agent.board.connected

# A board takes the time and keeps it when the server is gone later.
agent = Agent([good], 0, Board())
core.run(clock.settle(agent))
assert agent.ahead_ms == 0 and 0 <= agent.board.seconds - FLOOR_S < 30
agent.ntp = [bad]
core.run(clock.settle(agent))
assert agent.ahead_ms == 0

# Answers that are none.
nonce = b"12345678"
answer = bytearray(48)
answer[0] = 0x24
answer[1] = 2
answer[24:32] = nonce
answer[40:44] = (3_990_000_000).to_bytes(4, "big")
answer[44] = 0x80
assert clock.utc_of(bytes(answer), nonce) == (3_990_000_000 - 2_208_988_800) * 1000 + 500
answer[40:44] = (10).to_bytes(4, "big")
assert clock.utc_of(bytes(answer), nonce) == ((1 << 32) + 10 - 2_208_988_800) * 1000 + 500
for at, value in ((0, 0x23), (0, 0xE4), (1, 0), (1, 16), (24, 0)):
    broken = bytearray(answer)
    broken[at] = value
    assert clock.utc_of(bytes(broken), nonce) == 0, at
assert clock.utc_of(b"", nonce) == 0
print("clock")

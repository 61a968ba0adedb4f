# Firmware images: the real guard and the real writer, over an esp32.Partition that is a list.
import os
import sys
from hashlib import sha256

agent = sys.argv[1]
sys.path.insert(0, agent)


class Reset(BaseException):
    pass


class Partition:
    RUNNING = 1
    flash = [bytearray(16 * 4096), bytearray(16 * 4096)]
    runs = boots = 0
    valid = True

    def __init__(self, which):
        self.at = Partition.runs if which == Partition.RUNNING else which - 10

    def info(self):
        return 0, 16 + self.at, 0, len(self.flash[self.at]), "ota_%d" % self.at, False

    def get_next_update(self):
        return Partition(11 - self.at)

    def set_boot(self):
        Partition.boots = self.at
        Partition.valid = False

    def writeblocks(self, block, data):
        assert self.at != Partition.runs, "it overwrites what runs"
        self.flash[self.at][block * 4096 : block * 4096 + 4096] = data

    def readblocks(self, block, data):
        data[:] = self.flash[self.at][block * 4096 : block * 4096 + 4096]

    @staticmethod
    def mark_app_valid_cancel_rollback():
        Partition.valid = True


def reset():
    raise Reset


def power_on():
    # The boot loader: what was not confirmed boots once.
    p = Partition
    if p.boots != p.runs:
        p.runs = p.boots
    elif not p.valid:
        p.runs = p.boots = 1 - p.runs
        p.valid = True


class Timer:
    callback = None

    def __init__(self, number):
        pass

    def init(self, period, callback):
        Timer.callback = callback


class WDT:
    fed = 0

    def __init__(self, timeout):
        assert timeout <= 8388  # an RP2's longest

    def feed(self):
        WDT.fed += 1


class Fake:
    pass


esp32, machine, network = Fake(), Fake(), Fake()
esp32.Partition = Partition
machine.reset, machine.Timer, machine.WDT = reset, Timer, WDT
network.STA_IF = 0
network.WLAN = lambda _: network
network.isconnected = lambda: network.is_up
network.is_up = True
sys.modules.update({"esp32": esp32, "machine": machine, "network": network})

from seawall_guard import boot
from seawall_guard.slots import Slots

from seawall_agent import core, load

os.mkdir("state")
IMAGE = b"".join(b"%08x" % n for n in range(5000))  # almost 10 blocks
DIGEST = sha256(IMAGE).digest()


class Source:
    percent = 101
    asked = []
    breaks_at = None

    async def take(self, path, start, limit, sink):
        self.asked.append(start)
        end = self.breaks_at or len(IMAGE)
        for at in range(start, end, 333):
            sink(memoryview(IMAGE)[at : min(at + 333, end)])
        if self.breaks_at:
            raise OSError(104)
        return len(IMAGE)


def build(digest=DIGEST, length=len(IMAGE)):
    return core.run(load("image").build(Source(), ("firmware.bin", length, digest)))


def refused(*given):
    try:
        build(*given)
    except Exception as error:
        return error.args


# A download that breaks off costs a block at most; another image begins anew.
Source.breaks_at = 3 * 4096 + 100
assert refused() == (104,)
Source.breaks_at = 5 * 4096 - 1
assert refused() == (104,)
Source.breaks_at = None
assert build() == "ota_1"
assert Source.asked == [0, 3 * 4096, 4 * 4096], Source.asked
assert Partition.flash[1][: len(IMAGE)] == IMAGE
assert Partition.flash[0] == bytes(16 * 4096)
assert refused(bytes(32)) == ("wrong-hash",)
assert refused(DIGEST, 17 * 4096) == ("too-large",)
print("written")


def begin(version):
    slots = Slots()
    name = Partition(Partition.RUNNING).get_next_update().info()[4]
    slots.begin_trial(name, version, 7, 3, 2)
    Partition(Partition.RUNNING).get_next_update().set_boot()
    power_on()


def outcome():
    slots = Slots()
    found = slots.live, slots.trial, slots.floor, slots.outcome, Partition.runs
    if slots.outcome != "-":
        slots.told()
    return found


# It proves itself.
begin("1.0")
slot, trial = boot.begin()
assert slot == "a"
assert trial.slots.tries == 2
__import__("seawall_guard.partition").partition.confirm()
trial.confirm()
power_on()
assert outcome() == ("a", "-", "1.0", "confirmed", 1)

# It raises.
begin("1.1")
slot, trial = boot.begin()
try:
    boot.end(trial, ValueError("new"))
except Reset:
    power_on()
assert outcome() == ("a", "-", "1.0", "crashed", 1)

# The power fails: the boot loader has gone back before the guard runs.
begin("1.2")
boot.begin()
power_on()
slot, trial = boot.begin()
assert (slot, trial) == ("a", None)
assert outcome() == ("a", "-", "1.0", "boot-loop", 1)

# It raises, and flash refuses to note it: its one try is used up.
begin("1.2.1")
slot, trial = boot.begin()


def refuse(*_, **__):
    raise OSError(5)


trial.slots.roll_back = refuse
try:
    boot.end(trial, ValueError("new"))
    print("it goes on")
except Reset:
    power_on()
boot.begin()
assert outcome() == ("a", "-", "1.0", "boot-loop", 1)

# It returns, and says that all is well: it has not proved itself.
begin("1.2.2")
slot, trial = boot.begin()
assert boot.end(trial, 0) == 0
try:
    for _ in range(10):
        Timer.callback(None)
    print("it waits for ever")
except Reset:
    power_on()
assert outcome() == ("a", "-", "1.0", "no-connection", 1)
WDT.fed = 0

# The boot loader refuses the image: the guard tells it, and the device is free for the next order.
set_boot = Partition.set_boot
Partition.set_boot = lambda self: refuse()
source = Source()
source.order = {"n": 8, "version": "1.2.3", "trial_s": 2}
source.config = {}
source.agent = device = Fake()
device.facts = [0, 1]
device.link = Fake()
device.link.up = False
try:
    core.run(load("software").begin(source, Slots(), "ota_0"))
except OSError:
    pass
assert device.again == 75
boot.begin()
assert outcome() == ("a", "-", "1.0", "boot-loop", 1)
Partition.set_boot = set_boot

# It hangs: a timer counts, faster while there is a network.
begin("1.3")
boot.begin()
network.is_up = False
for _ in range(10):
    Timer.callback(None)
network.is_up = True
ticks = 0
try:
    while True:
        Timer.callback(None)
        ticks += 1
except Reset:
    power_on()
assert ticks == 0, ticks
assert outcome() == ("a", "-", "1.0", "no-connection", 1)
assert WDT.fed == 11
print("tried")

# Sensors: median, faults, calibration, numbers as text, DHT frames.
import sys

sys.path.insert(0, sys.argv[1])

from seawall_agent import sensing
from seawall_agent.dht import decode, dht
from seawall_agent.sensors import decimal

for mc, text in (
    (0, "0.00"),
    (4, "0.00"),
    (5, "0.01"),
    (-4, "0.00"),
    (-5, "-0.01"),
    (-60, "-0.06"),
    (23_500, "23.50"),
    (23_456, "23.46"),
    (-39_999, "-40.00"),
    (124_994, "124.99"),
):
    assert decimal(mc) == text, (mc, decimal(mc))


def tmp36(samples, **setting):
    setting = dict({"formula": "tmp36", "samples": len(samples)}, **setting)
    sensor = sensing.tmp36(setting)
    sensor.format = "%s,%d"
    sensor.top = 1023
    sensor.correct = None
    sensor.read = lambda i: samples[i]
    return sensor


# The median: spikes do not count, whatever the order.
quiet = [(240, 750_000)] * 9
spikes = [(1, 3_000), (1022, 3_190_000), (500, 1_500_000), (2, 6_000)]
for samples in (spikes + quiet, quiet + spikes, quiet[:4] + spikes + quiet[4:]):
    assert tmp36(samples).measure() == "25.00,240"
for n in (1, 16, 64):
    samples = [(200 + i, 700_000 + 1000 * ((i * 37) % n)) for i in range(n)]
    middle = sorted(uv for _, uv in samples)[n // 2]
    assert tmp36(samples).measure().split(",")[0] == decimal((middle - 500_000) // 10)

# Faults, and that they pass.
samples = [(0, 0)]
sensor = tmp36(samples)
for sample, fault in (
    ((0, 0), "rail"),
    ((1023, 3_196_875), "rail"),
    ((20, 62_500), "range"),
    ((600, 1_875_000), "range"),
    ((240, 750_000), ""),
):
    samples[0] = sample
    text = sensor.measure()
    assert sensor.fault == fault and (text is None) == bool(fault), (sample, sensor.fault)


def broken(i):
    raise OSError(5)


sensor.read = broken
assert sensor.measure() is None and sensor.fault == "unreadable"

# The tutorial's formula is what it is.
assert tmp36([(160, 500_000)], formula="tmp36-tutorial").measure() == "16.00,160"

# Calibration by two points, and an offset.
correct = sensing.correct([[0, 1_000], [100_000, 99_000]], 0)
assert correct(0) == 1_000 and correct(100_000) == 99_000 and correct(50_000) == 50_000
assert sensing.correct([], -250)(23_500) == 23_250
assert sensing.correct([[10_000, 10_500], [30_000, 30_500]], 100)(-5_000) == -4_400

# DHT frames: Aosong's data sheets.
assert decode("dht22", b"\x02\x8c\x01\x5f\xee") == (35_100, 65_200)
assert decode("dht22", b"\x02\x8c\x80\x65\x73") == (-10_100, 65_200)
assert decode("dht11", b"\x35\x00\x18\x04\x51") == (24_400, 53_000)
assert decode("dht11", b"\x35\x00\x01\x85\xbb") == (-1_500, 53_000)
sensor = dht({"kind": "dht22"})
sensor.format = "%s,%s"
sensor.correct = None
for frame, want, fault in (
    (b"\x02\x8c\x01\x5f\xee", "35.10,65.20", ""),
    (b"\x02\x8c\x01\x5f\xef", None, "unreadable"),
    (b"", None, "unreadable"),
    (b"\x02\x8c\x7f\x5f\x6c", None, "range"),
):
    sensor.read = lambda i: frame
    assert sensor.measure() == want and sensor.fault == fault, (frame, sensor.fault)
print("sensors")

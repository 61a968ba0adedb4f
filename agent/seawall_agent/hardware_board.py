"""The hardware port on a microcontroller: ESP32, RP2, ESP8266."""

import sys
import time

import machine

from . import core


def wire(sensor, setting, config):
    """Give a sensor its port."""
    name = setting["pin"]
    pin = machine.Pin(int(name) if name.isdigit() else name)
    if setting["kind"] != "tmp36":
        # The driver in the firmware asks every two seconds at most.
        import dht

        driver = getattr(dht, setting["kind"].upper())(pin)
        sensor.read = lambda i: driver.measure() or driver.buf
        return
    esp32 = config["board"] == "esp32"
    bits = setting["bits"] or 16
    full_scale_uv = setting["full_scale_uv"] or 3_300_000
    sensor.top = (1 << bits) - 1
    scale = sensor.top + (bits < 16)
    adc = machine.ADC(pin, atten=machine.ADC.ATTN_11DB) if esp32 else machine.ADC(pin)

    def read(i):
        raw = adc.read_u16() >> (16 - bits)
        # The ESP32's microvolts have been calibrated in the factory, and are not linear in counts.
        return raw, adc.read_uv() if esp32 else raw * full_scale_uv // scale

    sensor.read = read


async def connect(wifi):
    """Join the wireless network, if there is one and we are not in it.

    Raises:
        OSError: not within 20 s.
    """
    if wifi:
        import network

        station = network.WLAN(network.STA_IF)
        if not station.isconnected():
            station.active(True)
            station.connect(wifi["ssid"], wifi["password"])
        for _ in range(100):
            if station.isconnected():
                return
            await core.sleep_ms(200)
        station.active(False)  # begin anew next time
        raise OSError(wifi["ssid"])


def set_clock(seconds):
    """Set the board's clock; ``seconds`` as the board counts."""
    t = time.gmtime(seconds)
    machine.RTC().datetime(t[:3] + (t[6],) + t[3:6] + (0,))


def identify():
    """Blink for a second."""
    light = machine.Pin("LED" if sys.platform == "rp2" else 2, machine.Pin.OUT)
    for _ in range(10):
        light.value(not light.value())
        time.sleep_ms(100)


restart = machine.reset

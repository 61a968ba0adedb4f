"""The hardware port on a microcontroller: ESP32, RP2, ESP8266."""

import asyncio
import time

import machine


class Board:
    """The board that this runs on."""

    def __init__(self, config):
        self._kind = config["board"]

    def adc(self, setting):
        """Return an ADC channel."""
        if self._kind == "esp32":
            return Esp32Adc(setting)
        return LinearAdc(setting, self._kind)

    def dht(self, setting):
        """Return a DHT on a pin."""
        return Dht(setting)

    async def connect_network(self, wifi):
        """Join the wireless network if there is one and we are not in it.

        Raises:
            OSError: not within 20 s.
        """
        if not wifi:
            return
        import network

        station = network.WLAN(network.STA_IF)
        if station.isconnected():
            return
        station.active(True)
        station.connect(wifi["ssid"], wifi["password"])
        for _ in range(80):
            await asyncio.sleep_ms(250)
            if station.isconnected():
                return
        station.active(False)  # begin anew next time
        raise OSError("no wireless network")

    def set_clock(self, utc_s):
        """Set the board's clock, and tell that it was set."""
        epoch_s = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
        t = time.gmtime(utc_s - epoch_s)
        machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))
        return True

    def identify(self):
        """Blink for a second or so."""
        try:
            light = machine.Pin("LED" if self._kind == "rp2" else 2, machine.Pin.OUT)
            for _ in range(10):
                light.value(not light.value())
                time.sleep_ms(100)
        except (ValueError, TypeError):
            pass  # no light where most boards have one

    def restart(self):
        """Reset the board."""
        machine.reset()


def _pin(setting):
    name = setting["pin"]
    return int(name) if name.isdigit() else name


class LinearAdc:
    """Counts times full scale: RP2 (16 bits of ``read_u16``), ESP8266 (10 bits of ``read``)."""

    def __init__(self, setting, kind):
        adc = machine.ADC(_pin(setting))
        if kind == "rp2":
            self._read = adc.read_u16
            self.top = self._divisor = 65_535
            default_uv = 3_300_000
        else:
            self._read = adc.read
            self.top = 1023
            self._divisor = 1024
            default_uv = 1_000_000
        self._full_scale_uv = setting.get("full_scale_uv", default_uv)

    def start(self):
        """There is nothing to prepare."""

    def read(self):
        """Return counts and microvolts."""
        raw = self._read()
        return raw, raw * self._full_scale_uv // self._divisor


class Esp32Adc:
    """ADC1 with the factory's calibration; its microvolts are not linear in its counts."""

    def __init__(self, setting):
        self._adc = machine.ADC(machine.Pin(_pin(setting)), atten=machine.ADC.ATTN_11DB)
        self.top = 4095

    def start(self):
        """There is nothing to prepare."""

    def read(self):
        """Return counts and microvolts."""
        return self._adc.read_u16() >> 4, self._adc.read_uv()


class Dht:
    """A DHT11 or DHT22 by the driver in the firmware; it is asked at most every two seconds."""

    def __init__(self, setting):
        import dht

        kind = dht.DHT11 if setting["kind"] == "dht11" else dht.DHT22
        self._sensor = kind(machine.Pin(_pin(setting)))
        self._at = None

    def measure(self):
        """Return five bytes."""
        now = time.ticks_ms()
        if self._at is None or time.ticks_diff(now, self._at) >= 2000:
            self._at = now
            try:
                self._sensor.measure()
            except Exception as error:  # the driver raises a bare Exception for its check sum
                raise OSError(str(error))
        return bytes(self._sensor.buf)

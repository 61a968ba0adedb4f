# A door contact beside the thermometer: every reading says whether the door is open.
#
#   seawall release build examples/door --version 1.0 --board esp32
#
# On a board: a reed contact between GPIO 14 and ground. On a computer the file door.txt, beside
# the bundle's main.py, plays the contact: 1 for open.
try:
    from machine import Pin
except ImportError:
    Pin = None


class Door:
    name = "door"
    fault = ""  # the server is told when it changes: a word such as "unreadable"

    def __init__(self, pin):
        self.pin = pin

    def measure(self):
        try:
            is_open = self.pin.value() if self.pin else self.play()
        except (OSError, ValueError):
            self.fault = "unreadable"
            return None  # the reading goes without
        self.fault = ""
        return '"door":%d' % is_open

    def play(self):
        with open("door.txt") as f:
            return int(f.read())


def start(agent):
    agent.sensors.append(Door(Pin(14, Pin.IN, Pin.PULL_UP) if Pin else None))

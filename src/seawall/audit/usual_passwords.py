"""The passwords that are tried first on every device of the world: pure."""

from __future__ import annotations

from typing import Final

_WORDS: Final = """
    password admin 123456 12345678 123456789 1234567890 12345 1234 1234567 qwerty qwertyuiop letmein
    welcome secret changeme change_me changeit default guest public test test123 test1234 demo user
    administrator root toor pass passw0rd p@ssw0rd passwort password1 password123 admin123 root123
    iloveyou abc123 111111 11111111 000000 00000000 0000 raspberry pi mosquitto mqtt mqtt123
    mqttpass broker iot iot123 sensor device esp8266 esp32 micropython micropythoN arduino tasmota
    homeassistant hass openhab nodered node-red emqx hivemq rabbitmq zigbee2mqtt shelly sonoff ubnt
    support service 1q2w3e4r P@ssw0rd Password Admin
"""
USUAL_PASSWORDS: Final = tuple(_WORDS.split())
"""Of tutorials, images and products that ship with them, and the world's commonest; in small
letters but where a capital is usual (``micropythoN`` is the access point's of MicroPython)."""

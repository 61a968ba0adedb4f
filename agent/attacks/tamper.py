# A device whose readings are changed on their way, after they were signed.
# `seawall demo` starts it in place of main.py; the server must refuse all that it sends.
import sys

from seawall_agent.app import main
from seawall_agent.mqtt import Mqtt

honest_publish = Mqtt.publish


def publish(self, topic, payload, packet_id, *flags):
    return honest_publish(self, topic, payload.replace(b'"temp":', b'"temp":9'), packet_id, *flags)


Mqtt.publish = publish
sys.exit(main(sys.argv))

# A device whose first reading was recorded by somebody, who sends it again and again.
# `seawall demo` starts it in place of main.py; the server must take each reading once.
import sys

from seawall_agent.app import main
from seawall_agent.mqtt import Mqtt

EVERY = 5
PACKET_ID = 65_000  # the agent's own stay below

honest_publish = Mqtt.publish
recorded = None
count = 0


def publish(self, topic, payload, packet_id, *flags):
    global recorded, count
    sent = honest_publish(self, topic, payload, packet_id, *flags)
    if sent and topic.endswith(b"/readings"):
        count += 1
        if recorded is None:
            recorded = bytes(payload)
        elif count % EVERY == 0:
            honest_publish(self, topic, recorded, PACKET_ID)
    return sent


Mqtt.publish = publish
sys.exit(main(sys.argv))

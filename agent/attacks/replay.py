# A device whose first reading was recorded by somebody, who sends it again and again.
# `seawall demo` puts it into the slot as its application; the server must take each reading once.
from seawall_agent.link import Link

EVERY = 5
PACKET_ID = 65_000  # the agent's own readings stay below

honest_send = Link.send
recorded = None
count = 0


def send(self, channel, body, packet_id, dup=0):
    global recorded, count
    sent = honest_send(self, channel, body, packet_id, dup)
    if channel == b"readings":
        count += 1
        if recorded is None:
            recorded = bytes(body)
        elif count % EVERY == 0:
            # Signing is deterministic (RFC 2104): the same bytes as on the first time.
            honest_send(self, channel, recorded, PACKET_ID)
    return sent


def start(agent):
    Link.send = send

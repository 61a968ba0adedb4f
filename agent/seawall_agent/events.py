"""What a device reports beside its readings, sealed with its key; once, when it is connected."""

from . import log


def fault(agent, sensor):
    """Report that a sensor has failed, or works again."""
    log("sensor", sensor.name, sensor.fault or "works")
    event(agent, '"sensor","sensor":"%s","fault":"%s"' % (sensor.name, sensor.fault))


def event(agent, text):
    """Keep an event until there is a connection; the last few, there is worse to lose."""
    text = '{"event":%s,"boot":%d}' % (text, agent.facts[1])
    agent.events = agent.events[-3:] + [text.encode()]


def send(agent):
    """Send what waits."""
    lost = agent.outbox.lost
    if lost > agent.told:
        agent.told = lost
        event(agent, '"dropped","count":%d' % lost)
    link = agent.link
    try:
        while agent.events and link.up:
            link.send(b"events", agent.events.pop(0), 65_004)
    except Exception as error:
        link.down = error

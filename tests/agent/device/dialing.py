# Whatever goes wrong after `reach`, memory for a list among it: the next handshake is not kept out.
import sys

agent = sys.argv[1]
sys.path.insert(0, agent)

from seawall_agent import core, load


class Thing:
    pass


dial = load("dial")
link = Thing()  # it lacks all that a link has, and so the first line fails
link.agent = Thing()
link.agent.context = Thing()
link.broker = ("host", 1, "name")


async def reach(*_):
    link.agent.context.verify_callback = True
    return bytearray(1)


dial.reach = reach
try:
    core.run(dial.dial(link))
except AttributeError:
    print(link.agent.context.verify_callback)

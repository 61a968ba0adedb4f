# A device whose readings are changed on their way, after they were signed.
# `seawall demo` puts it into the slot as its application; the server must refuse all that it sends.
from seawall_agent import signer

honest_seal = signer.seal


def seal(pads, body, topic):
    return honest_seal(pads, body, topic).replace(b'"temp":', b'"temp":9')


def start(agent):
    signer.seal = seal

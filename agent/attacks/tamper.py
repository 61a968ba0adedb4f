# A device whose readings are changed on their way, after they were signed.
# `seawall demo` starts it in place of main.py; the server must refuse all that it sends.
from seawall_agent import signer

honest_seal = signer.seal


def seal(pads, body, topic):
    return honest_seal(pads, body, topic).replace(b'"temp":', b'"temp":9')


signer.seal = seal
import main  # the device's own start goes on from here

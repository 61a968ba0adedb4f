# A device whose readings are changed on their way, after they were signed.
# `seawall demo` starts it in place of main.py; the server must refuse all that it sends.
import sys

from seawall_agent import signer
from seawall_agent.app import main

honest_seal = signer.seal


def seal(pads, body, topic):
    return honest_seal(pads, body, topic).replace(b'"temp":', b'"temp":9')


signer.seal = seal
sys.exit(main(sys.argv))

# A device whose readings are changed on their way, after they were signed.
# `seawall demo` starts it in place of main.py; the server must refuse all that it sends.
import sys

from seawall_agent.app import main
from seawall_agent.signer import Signer

honest_seal = Signer.seal


def seal(self, body, topic):
    return honest_seal(self, body, topic).replace(b'"temp":', b'"temp":9', 1)


Signer.seal = seal
sys.exit(main(sys.argv))

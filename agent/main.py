# Starts the agent. Stays small: the guard that picks a slot (see README.md) takes this place.
import sys

from seawall_agent.app import main

sys.exit(main(sys.argv))

# Starts the agent. Stays small: the guard that picks a slot (see README.md) takes this place.
import os
import sys

if len(sys.argv) > 1:
    os.chdir(sys.argv[1])

from seawall_agent.app import main

if main():
    sys.exit(1)

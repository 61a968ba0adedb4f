# Starts the agent where there are no updates: one slot, and nothing for a guard to choose.
import os
import sys

if len(sys.argv) > 1:
    os.chdir(sys.argv[1])
sys.path.insert(0, "a")

from seawall_agent.app import main

try:
    status = main()
except KeyboardInterrupt:
    status = 0
if status:
    sys.exit(1)

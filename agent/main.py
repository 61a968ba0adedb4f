# The guard; never updated over the air. It chooses the slot that runs: see seawall_guard/.
import os
import sys

if len(sys.argv) > 1:
    os.chdir(sys.argv[1])
status = trial = None
while status is None:
    try:
        trial = __import__("seawall_guard.run").run.begin()
        status = __import__("seawall_agent.app").app.main(trial)
    except BaseException as e:
        status = e
    status = __import__("seawall_guard.run").run.end(trial, status)
if status:
    sys.exit(status)

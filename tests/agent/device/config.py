# Judges configurations, one JSON text a line on standard input; says OK or what is wrong.
import sys

sys.path.insert(0, sys.argv[1])

from seawall_agent.config import read

for line in sys.stdin:
    with open("config.json", "w") as f:
        f.write(line)
    try:
        read()
        print("OK")
    except SystemExit as error:
        print(error.args[0])

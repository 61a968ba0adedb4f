# The guard; it is never updated over the air. Chooses the slot that runs, and judges how it ended.
import os
import sys

if len(sys.argv) > 1:
    os.chdir(sys.argv[1])


def guard():
    # Read when needed, and forgotten: memory is for what runs.
    from seawall_guard import boot

    for name in list(sys.modules):
        if name.startswith("seawall_guard"):
            del sys.modules[name]
    return boot


status = None
while status is None:
    trial, kept = guard().begin()
    try:
        from seawall_agent.app import main

        status = main(trial)
    except KeyboardInterrupt:
        status = 0
    except BaseException as error:
        status = error
    main = None
    status = guard().end(trial, kept, status)
if status:
    sys.exit(status)

"""One process of the sweep: `micropython worker.py SPEC`, a file of JSON; prints lines of JSON."""

import gc
import json
import sys
import time


class _Gc:
    """Stands in for gc: seawall_agent.load collects before each module, slow on a big heap."""

    collect = staticmethod(lambda: 0)
    mem_free = staticmethod(gc.mem_free)
    mem_alloc = staticmethod(gc.mem_alloc)
    enable = disable = collect


def main(path):
    """Do what the specification says."""
    with open(path) as f:
        spec = json.load(f)
    sys.path.insert(0, spec["sweep"])
    sys.path.insert(1, spec["agent"])
    sys.modules["gc"] = _Gc
    from engine import Counts, Sweep, Tale, words
    from stage import Stage

    stage = Stage(spec["fs"], spec["blocks"])
    if spec["story"] == "keeping":
        import seawall_agent
        from keeping import Keeping

        story = Keeping(stage, seawall_agent)
    elif spec["story"] == "trusting":
        import seawall_agent
        from trusting import Trusting

        story = Trusting(stage, seawall_agent)
    else:
        from updating import Updating

        story = Updating(stage, spec["agent"])
    story.prepare(spec["age"])
    before = bytes(stage.flash.image)
    sys.argv[1:] = []
    tale = Tale(stage.flash, {})
    try:
        story.tell(tale)
    except Exception as error:  # without any cut: a planted bug, or a real one
        counts = Counts()
        counts.failures.append("without a cut: " + words(error))
    else:
        stage.flash.load(before)
        sweep = Sweep(
            stage,
            story.judge,
            spec["seed"],
            spec["share"],
            spec["points"],
            spec["phases"],
            spec["second"],
            spec["patience"],
        )
        sweep.run(tale)
        counts = sweep.counts
    result = {
        "points": [[phase, mode, n] for (phase, mode), n in counts.points.items()],
        "boots": counts.boots,
        "operations": counts.operations,
        "failures": counts.failures,
    }
    with open(spec["result"], "w") as f:
        json.dump(result, f)


try:
    main(sys.argv[1])
except Exception as error:
    sys.print_exception(error, sys.stderr)
    sys.exit(1)

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
    from engine import Sweep, Tale
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
    story.tell(tale)
    stage.flash.log = None
    stage.flash.load(before)
    sweep = Sweep(
        stage,
        story.judge,
        spec["seed"],
        spec["share"],
        spec["points"],
        spec["second_every"],
        spec["second_cuts"],
        spec["patience"],
    )
    sweep.run(tale)
    counts = sweep.counts
    points = [[phase, mode, n] for (phase, mode), n in counts.points.items()]
    result = {
        "points": points,
        "boots": counts.boots,
        "operations": counts.operations,
        "failures": counts.failures,
    }
    with open(spec["result"], "w") as f:
        json.dump(result, f)


main(sys.argv[1])

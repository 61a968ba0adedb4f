"""One process of the sweep: `micropython worker.py SPECIFICATION`, a file of JSON."""

import gc
import json
import sys
import time


class _Gc:
    """Stands in for gc: seawall_agent.load collects before each module, slow on a big heap."""

    collect = staticmethod(lambda: 0)
    mem_free = staticmethod(gc.mem_free)
    mem_alloc = staticmethod(gc.mem_alloc)
    threshold = staticmethod(lambda size: None)
    enable = disable = collect


def story_of(name, stage, agent):
    """Return a story by its name."""
    if name == "updating":
        from updating import Updating

        return Updating(stage, agent)
    import seawall_agent

    if name == "keeping":
        from keeping import Keeping

        return Keeping(stage, seawall_agent)
    from trusting import Trusting

    return Trusting(stage, seawall_agent)


def sweep(spec):
    """Do what a specification says; return the engine's Counts."""
    from engine import Counts, Sweep, Tale, words
    from stage import Stage

    stage = Stage(spec["fs"], spec["blocks"])
    story = story_of(spec["story"], stage, spec["agent"])
    try:
        story.prepare(spec["age"])
        before = bytes(stage.flash.image)
        tale = Tale(stage.flash, {})
        story.tell(tale)
    except Exception as error:  # without any cut: a planted bug, or a real one
        counts = Counts()
        counts.failures.append("without a cut: " + words(error))
        return counts
    stage.flash.load(before)
    names = "seed", "share", "points", "phases", "second", "patience"
    made = Sweep(stage, story.judge, *[spec[name] for name in names])
    made.run(tale)
    return made.counts


def main(path):
    """Read the specification, sweep, and write down what came of it."""
    with open(path) as f:
        spec = json.load(f)
    sys.argv[1:] = []  # main.py looks there
    sys.path.insert(0, spec["sweep"])
    sys.path.insert(1, spec["agent"])
    sys.modules["gc"] = _Gc
    counts = sweep(spec)
    found = {
        "points": [[phase, mode, n] for (phase, mode), n in counts.points.items()],
        "boots": counts.boots,
        "operations": counts.operations,
        "failures": counts.failures,
        "cpu_s": time.clock(),
    }
    with open(spec["result"], "w") as f:
        json.dump(found, f)


try:
    main(sys.argv[1])
except Exception as error:
    sys.print_exception(error, sys.stderr)
    sys.exit(1)

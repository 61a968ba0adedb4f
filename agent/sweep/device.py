"""One boot of a simulated device: the real guard and the real update, an imagined world.

The application in a slot (`releases.APP`) hands over to `Device.live`, which puts
together as much of an agent as software.py, update.py, build.py and trial.py need.
"""

import json
import sys
from binascii import unhexlify

import releases
import world
from engine import Failure

GOOD, HANGS, CRASHES, SILENT = range(4)
BEHAVES = {0: GOOD, 1: GOOD, 2: HANGS, 3: CRASHES, 4: SILENT, 5: GOOD, 6: GOOD}
MAX_BOOTS = 3
TRIAL_S = 30
DAY_MS = 120_000  # that a boot lasts if nothing ends it
NOBODY = -1


class Thing:
    """Has whatever attributes it is given."""


class Device:
    """From power on to power off.

    Args:
        story: `updating.Updating`.
        tale: Where facts go: ``live``, the confirmed version; ``wanted``, by the server;
            ``acked``, the last whose reading was stored; ``failed``, the last that the server
            knows to have failed; ``n``, of the last order, ``taken`` if the device has said that
            it has it; ``ran``, boots of a trial since the last order.
    """

    def __init__(self, story, tale):
        self.story = story
        self.stage = story.stage
        self.tale = tale
        self.facts = tale.facts
        self.settled = False
        self.fault = None

    def boot(self):
        """Run main.py until the power goes; return whether there is nothing more to do."""
        before = list(sys.modules)
        path = sys.path[:]
        world.device = self
        try:
            self.stage.mount()
            exec(self.story.main, {"__name__": "__main__"})
        except (world.PowerOff, SystemExit):
            pass
        except OSError:
            if not self.stage.flash.is_off:
                raise
        finally:
            self.stage.flash.is_off = False
            self.stage.unmount()
            sys.path[:] = path
            for name in list(sys.modules):
                if name not in before:
                    del sys.modules[name]
        if self.fault:
            raise Failure(self.fault)
        return self.settled

    def live(self, version, trial):
        """Judge that a version may run, and let it; return what its main() returns."""
        try:
            self.may_run(version, trial)
            way = BEHAVES[version] if trial else GOOD
            if way == HANGS:
                world.reset()
            if way == CRASHES:
                raise ValueError("crashed")
            core = sys.modules["seawall_agent"].core
            world.begin_loop(core)
            return core.run(self.day(version, trial, way))
        except Failure as error:
            self.fault = str(error)
            world.reset()

    def may_run(self, version, trial):
        """Raise Failure if this version may not run now."""
        facts = self.facts
        slot = sys.path[0]
        flaw = releases.flaw(slot, self.story.manifests)
        if flaw:
            raise Failure("boots slot %s, which %s" % (slot, flaw))
        if trial:
            if version != facts["wanted"] or version == facts["failed"]:
                raise Failure("tries version %d, facts %s" % (version, facts))
            self.tale.mark("trial", ran=facts["ran"] + 1)
            if facts["ran"] > MAX_BOOTS:
                raise Failure("version %d is on trial once more" % version)
        elif version != facts["live"]:
            if version != facts["acked"]:
                raise Failure("version %d is live, unproved: %s" % (version, facts))
            self.tale.mark(live=version)

    async def day(self, version, trial, way):
        """Live for a while."""
        package = sys.modules["seawall_agent"]
        agent = self.agent(package, way)
        state = package.load("state")
        agent.facts = state.read()
        agent.facts[1] += 1
        state.write(agent.facts)
        package.load("software").start(agent, trial)
        end = world.ahead_ms + DAY_MS
        deadline = world.ahead_ms + 1000 * TRIAL_S
        while world.ahead_ms < end and not agent.again:
            await package.core.sleep_ms(40)
            if trial and not trial.over and world.ahead_ms >= deadline:
                # As watch_board.py does.
                self.tale.mark("roll-back")
                trial.fail(trial.reason)
                raise KeyboardInterrupt
            agent.outbox.end += 1
            if agent.link.up:
                if trial and not trial.over:
                    self.tale.mark("confirm", acked=version)
                agent.outbox.start = agent.outbox.end
            if trial and trial.over:
                if self.facts["acked"] != version:
                    raise Failure("version %d is confirmed, and nothing was stored" % version)
                self.tale.mark("report", live=version)
                trial = None
            if not trial and not agent.session and self.is_done(agent, package):
                return 0
        return 75 if agent.again else 0

    def is_done(self, agent, package):
        """Return whether a device that is idle has nothing to do; else order something."""
        facts = self.facts
        if facts["wanted"] in (facts["live"], facts["failed"]):
            self.settled = True
            return True
        if facts["taken"]:
            raise Failure("has forgotten its order: %s" % facts)
        self.tale.mark("order")
        version = facts["wanted"]
        order = '{"cmd":"update","n":%d,"target":"unix/%d.json","version":"%d","trial_s":%d}'
        order %= (facts["n"], version, version, TRIAL_S)
        commands = package.load("commands")
        commands.obey(agent, commands.seal(agent.pads, order.encode(), b"devices/d/commands"))
        if not facts["taken"]:  # it says that it had been told
            self.tale.mark(taken=True)
        return False

    def agent(self, package, way):
        """Return what stands for the agent."""
        agent = Thing()
        agent.pads = bytes(128)
        agent.events = []
        agent.again = False
        agent.session = None
        agent.ahead_ms = None
        agent.outbox = Thing()
        agent.outbox.start = agent.outbox.end = agent.outbox.lost = 0
        agent.link = link = Thing()
        link.up = way != SILENT
        link.task = link
        link.why = ()
        link.topic = b"devices/d/"
        link.outbox = agent.outbox
        link.flush = lambda: True
        link.send = self.hear
        return agent

    def hear(self, channel, body, _):
        """Be the server, which gets a reply or an event."""
        told = json.loads(body)
        if channel == b"replies":
            self.tale.mark("download", taken=True)
        elif told["event"] == "update":
            state = told["state"]
            if state in ("failed", "refused", "rolled-back"):
                # Two cuts leave a good version a third boot to prove itself in.
                is_good = BEHAVES[int(told["version"])] == GOOD
                if is_good or told["reason"] not in self.story.reasons:
                    self.fault = "says %s" % told  # as an exception it would be caught
                    world.reset()
                self.tale.mark(failed=int(told["version"]))
            elif state == "trying":
                self.tale.mark("begin-trial")

    def find(self, target):
        """Be the repository: return length, SHA-256 and custom members of a target."""
        manifest = self.story.releases[int(target[5:-5])][0]
        custom = {"board": "unix", "version": target[5:-5], "kind": "files"}
        return len(manifest), unhexlify(releases.digest_of(manifest)), custom

    def file(self, path):
        """Be the repository: return a file."""
        return self.story.files.get(path.split("/")[-1])

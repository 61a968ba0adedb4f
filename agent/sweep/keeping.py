"""The story of what else is on flash: the agent's facts, and the readings it keeps."""

import os

from engine import Failure

LIMIT = 70  # readings: the oldest give way within the story, too


class Keeping:
    """Drives state.py and outbox.py, as they are, and judges what a cut leaves of them."""

    def __init__(self, stage, seawall_agent):
        self.stage = stage
        self.state = seawall_agent.load("state")
        self.start = seawall_agent.load("start")

    def prepare(self, rounds):
        """Make the file system, and age it by so many rounds."""
        self.stage.format()
        self.stage.mount()
        os.mkdir("state")
        os.mkdir("state/outbox")
        for _ in range(rounds):
            self.work(None, 30)
        self.stage.unmount()

    def tell(self, tale):
        """Count boots, note commands, keep readings and settle them."""
        self.stage.mount()
        self.work(tale, 90)
        self.stage.unmount()

    def work(self, tale, readings):
        """Do it; with a tale say what holds."""
        state = self.state
        facts = state.read()
        outbox = self.start.recover("state/outbox/", LIMIT)
        for change in range(4 if tale else 2):
            if tale:
                tale.mark("facts", was=str(facts[1:]), will=str([facts[1] + 1] + facts[2:]))
            facts[1] += 1
            state.write(facts)
            if tale:
                tale.mark(was=str(facts[1:]), floor=outbox.start, kept=outbox.end)
        if self.stage.kind == "fat-raw":
            return  # to append there is to erase what the sector held
        first = outbox.end
        for seq in range(first, first + readings):
            if tale:
                tale.mark("keeping" if seq - first < 80 else "giving-way")
            if not outbox.append(facts[1], seq, b'{"temp":23.5,"raw":723,"seq":%d}' % seq):
                raise Failure("the flash is full")
            if tale:
                tale.mark(kept=outbox.end, floor=outbox.start)
            if seq % 30 == 29 and seq - first < 80:
                if tale:
                    tale.mark("settling", floor=seq - 20)
                outbox.settle(seq - 20)
        if outbox.f:
            outbox.f.close()

    def judge(self, tale):
        """Boot, and look what is there."""
        facts = tale.facts
        try:
            self.stage.mount()
            found = self.state.read()
            if "was" in facts and str(found[1:]) not in (facts["was"], facts["will"]):
                raise Failure("facts are %s" % found)
            outbox = self.start.recover("state/outbox/", LIMIT)
            kept = facts.get("kept", 0)
            if not kept <= outbox.end <= kept + 1 and kept:
                raise Failure("%d readings kept, %d found" % (kept, outbox.end))
            # One more may give way for the one that is being written.
            for ordinal in range(facts.get("floor", 0) + 1, kept):
                record = outbox.read(ordinal)
                if not record or record[1] != ordinal:
                    raise Failure("reading %d is %s" % (ordinal, record))
            tale.mark(kept=outbox.end, floor=facts.get("floor", outbox.start))
            if not outbox.append(9, outbox.end, b"{}"):
                raise Failure("no reading can be kept any more")
            if outbox.f:
                outbox.f.close()
            self.state.write(found)
            if self.state.read() != found:
                raise Failure("facts cannot be written any more")
        finally:
            self.stage.unmount()

"""The story of an update: order, download, trial, confirmation, roll back, and again.

The guard (main.py, seawall_guard) and what writes a slot (software.py, update.py,
build.py, trial.py) are the real ones, and boot from the simulated flash.
"""

import os

import releases
from device import BEHAVES, NOBODY, Device
from engine import Failure

PATIENCE = 12  # boots until a device that is left alone has to be settled
LAST = 5  # the version that a device has to take after a cut
# Modules that the story has no use for: they would only make it slower.
NOT_IN_A_SLOT = """
app assembling start config trust sensing joining hardware_unix hardware_board fakes sensors dht
link dial farewell clock outbox backlog canonical ecdsa rsa_pss image
""".split()
CONFIG = b'{"board":"unix","updates":{"host":"h","port":1,"server_name":"h","block":4096}}'


class Updating:
    """Tells and judges; see engine.py.

    Args:
        stage: The medium.
        agent: Folder with the agent as it is on a board.
    """

    reasons = ("boot-loop", "no-connection", "crashed")

    def __init__(self, stage, agent):
        self.stage = stage
        with open(agent + "/main.py") as f:
            self.main = compile(f.read(), "main.py", "exec")
        modules = {}
        for name in os.listdir(agent + "/seawall_agent"):
            if name[:-4] not in NOT_IN_A_SLOT:
                with open(agent + "/seawall_agent/" + name, "rb") as f:
                    modules["seawall_agent/" + name] = f.read()
        self.releases = {number: releases.made(number, modules) for number in BEHAVES}
        self.manifests = {self.releases[number][0]: number for number in BEHAVES}
        self.files = {}
        for number, (manifest, files) in self.releases.items():
            self.files[releases.digest_of(manifest) + ".%d.json" % number] = manifest
            for path in files:
                self.files[releases.digest_of(files[path])] = files[path]

    def prepare(self, rounds):
        """Make the file system with version 0 in slot a, as a bundle is, and age it."""
        self.stage.format()
        self.stage.mount()
        for folder in ("state", "trust"):
            os.mkdir(folder)
        with open("config.json", "wb") as f:
            f.write(CONFIG)
        releases.write("a", *self.releases[0])
        for i in range(rounds * 12):
            with open("state/old%d" % (i % 3), "wb") as f:
                f.write(bytes(200 + i % 700))
            if i % 5 == 4:
                os.unlink("state/old%d" % (i % 3))
        self.stage.unmount()

    def tell(self, tale):
        """Offer a version that is good, one that hangs, one that does not connect."""
        tale.mark("idle", live=0, wanted=0, acked=0, failed=NOBODY, ran=0, n=0, taken=False)
        for number in (1, 2, 4):
            self.offer(tale, number)

    def offer(self, tale, number):
        """Have the server offer a version, and leave the device alone until it is settled."""
        facts = tale.facts
        tale.mark("idle", wanted=number, ran=0, n=facts["n"] + 1, taken=False)
        self.settle(tale)
        if facts["wanted"] not in (facts["live"], facts["failed"]):
            raise Failure("neither has what is wanted nor says why: %s" % facts)

    def settle(self, tale):
        """Boot until the device has done what there is to do."""
        for _ in range(PATIENCE):
            if Device(self, tale).boot():
                return
        raise Failure("does not settle: %s" % tale.facts)

    def judge(self, tale):
        """Leave the device alone, then give it an update, unless it has just taken one."""
        facts = tale.facts
        before = facts["live"]
        self.settle(tale)
        if facts["wanted"] != LAST and facts["live"] == before:
            self.offer(tale, LAST)
        if facts["live"] != facts["wanted"]:
            raise Failure("cannot be updated any more: %s" % facts)

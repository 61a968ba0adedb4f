"""Carries out an order to update: metadata, manifest, files; then a trial of the other slot."""

import gc
import json
import os
import time

from seawall_guard.slots import numbers

from . import core, load, log

_ATTEMPTS = 6  # without progress
_TEMPORARY = ("expired", "missing")
_MANIFEST = "state/manifest"


async def run(agent, slots, order):
    """Carry out an order.

    Returns:
        State, reason and whether to try again later. The state is ``trying`` if the device is
        about to start again.
    """
    failures = 0
    while True:
        session = Session(agent, slots, order)
        try:
            await session.carry_out()
            return "trying", None, None
        except MemoryError:
            reason = "memory"
        except OSError as error:
            reason = "network"
            log("update:", error)
            if error.errno == 28:
                return "failed", "flash-full", True
        except Exception as error:
            kind = type(error).__name__
            if kind == "Stop":
                return error.args
            if kind == "Refused":
                return "refused", error.args[0], error.args[0] in _TEMPORARY
            log("update:", kind, error)
            return "failed", "malformed", False
        finally:
            session.source.close()
        failures = 0 if session.progress else failures + 1
        session = None
        gc.collect()
        if failures == _ATTEMPTS:
            return "failed", reason, True
        await core.sleep_ms(500 << failures)


class Session:
    """One attempt.

    Attributes:
        agent, slots, order: As `run` gets them.
        config: Section ``updates`` of the configuration.
        board: That the device is.
        source: Of files.
        progress: Whether anything was downloaded.
        percent: That was reported last.
    """

    def __init__(self, agent, slots, order):
        self.agent = agent
        self.slots = slots
        self.order = order
        with open("config.json") as f:
            config = json.load(f)
        self.board = config["board"]
        self.config = updates = config["updates"]
        download = load("download")
        self.stop = download.Stop
        host = updates["host"], updates["port"], updates["server_name"]
        self.source = download.Source(agent, host)
        self.progress = False
        self.percent = -10

    def refuse(self, reason):
        """End it for good."""
        raise self.stop("refused", reason, False)

    def tell(self, state, percent=None):
        """Report how far it has come."""
        found = {"n": self.order["n"], "version": self.order["version"], "state": state}
        if percent is not None:
            if percent < self.percent + 10:
                return
            self.percent = found["percent"] = percent
        log("update", found["version"], state, "" if percent is None else percent)
        load("software").report(self.agent, found)

    async def carry_out(self):
        """Do what was ordered, up to the restart."""
        slots = self.slots
        version = self.order["version"]
        wanted = numbers(version)
        if not self.order["target"].startswith(self.board + "/"):
            self.refuse("wrong-board")
        if wanted < numbers(slots.floor):
            self.refuse("version-floor")
        if slots.seq and wanted == numbers(slots.floor):
            raise self.stop("confirmed", None, None)  # it runs
        while not self.agent.link.up:
            await core.sleep_ms(100)
        found = await self.metadata()
        gc.collect()
        self.tell("downloading", 0)
        kind = await self.manifest(*found)
        if kind == "image" and self.board == "esp32":
            slot = await load("image").build(self, _MANIFEST)
        elif kind == "files":
            slot = "b" if slots.live == "a" else "a"
            await load("build").build(self, _MANIFEST, slots.live, slot)
        else:
            self.refuse("wrong-kind")
        self.tell("verified")
        self.tell("trying")
        agent = self.agent
        for _ in range(20):
            await core.sleep_ms(20)
            if not agent.link.up or agent.link.flush():
                break
        boots = self.config.get("max_boots", 3)
        slots.begin_trial(slot, version, self.order["n"], boots, self.order["trial_s"])
        if kind == "image":
            __import__("seawall_guard.partition").partition.boot(slot)
        agent.again = True

    async def metadata(self):
        """Return length and SHA-256 of the manifest, as TUF vouches for them."""
        target = self.order["target"]
        facts = self.agent.facts
        ahead = self.agent.ahead_ms
        now = max(facts[4], 0 if ahead is None else (time.time_ns() // 1_000_000 + ahead) // 1000)
        try:
            os.mkdir("trust")
        except OSError:
            pass

        async def fetch(name, limit, path):
            return await self.source.save("metadata/" + name, limit, path)

        tuf = load("tuf")
        await tuf.refresh("trust/", fetch, now)
        length, digest, custom = tuf.find("trust/", target)
        if custom.get("board") != self.board:
            self.refuse("wrong-board")
        if numbers(custom["version"]) != numbers(self.order["version"]):
            self.refuse("wrong-version")
        return length, digest

    async def manifest(self, length, digest):
        """Have the manifest on flash; return its kind."""
        build = load("build")
        if length > 32_768:
            self.refuse("malformed")
        if await build.digest_of(_MANIFEST) != digest:
            folder, _, name = self.order["target"].rpartition("/")
            path = "targets/%s/%s.%s" % (folder, build.hexlify(digest).decode(), name)
            size = await self.source.save(path, length, _MANIFEST)
            if size is None:
                raise self.stop("failed", "missing", True)
            if await build.digest_of(_MANIFEST) != digest:
                self.refuse("wrong-hash")
        with open(_MANIFEST, "rb") as f:
            head = build.head_of(f)
        if head["board"] != self.board:
            self.refuse("wrong-board")
        if head["format"] != 1 or numbers(head["version"]) != numbers(self.order["version"]):
            self.refuse("wrong-version")
        return head["kind"]



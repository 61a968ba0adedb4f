"""What ``seawall demo --update`` adds: a good release, a bad one, and a roll-out that halts."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from seawall.errors import ServiceError
from seawall.model.device import Board
from seawall.model.release import parse_version
from seawall.model.rollout import Plan, RolloutState
from seawall.operations.build_release import build_release
from seawall.operations.create_update_keys import create_update_keys
from seawall.operations.installation import Installation
from seawall.operations.show_rollout import RolloutDetails, show_rollout
from seawall.operations.sign_release import sign_release
from seawall.operations.start_rollout import NewRollout, start_rollout
from seawall.operations.update_signing import NewKeys, Signing

FIRST, GOOD, BAD = "1", "2", "3"
GROUP: Final = "honest"
"""What an attacker sends is refused, so that it would never prove a version."""
PLAN: Final = Plan(cohorts=(20, 100), soak_ms=2_000, silence_ms=120_000, trial_s=20)
APPLICATIONS: Final = {
    FIRST: 'def start(agent):\n    print("application 1")\n',
    GOOD: 'def start(agent):\n    print("application 2, which does it better")\n',
    # It looks for the server where there is none: what every developer ships once.
    BAD: "def start(agent):\n    link = agent.link\n"
    "    link.broker = (link.broker[0], 1) + link.broker[2:]\n",
}
_POLL_S: Final = 0.1
_TIMEOUT_S: Final = 300.0

Tell = Callable[[str], None]


class UpdateShow:
    """Makes releases of a small application, and rolls them out.

    Args:
        installation: Whose fleet.
        folder: Gets the sources of the application.
        devices: How many honest ones there are.
        tell: Is told what happens, a line each.
    """

    def __init__(self, installation: Installation, folder: Path, devices: int, tell: Tell) -> None:
        self._installation = installation
        self._folder = folder
        self._devices = devices
        self._tell = tell
        # It is gone with the demonstration; people choose theirs, and keep it elsewhere.
        self._passphrase = secrets.token_urlsafe(24).encode()

    def prepare(self) -> None:
        """Make the keys, and publish the version that the fleet begins with."""
        create_update_keys(self._installation, NewKeys(passphrase=lambda _: self._passphrase))
        self._publish(FIRST)

    def carry_out(self, is_over: Callable[[], bool]) -> dict[str, Any] | None:
        """Roll the good release out, then the bad one; return the facts.

        Args:
            is_over: Whether somebody ended the demonstration; then there are no facts.

        Raises:
            ServiceError: a roll-out comes to no end.
        """
        self._wait(lambda: self._run_all(FIRST), is_over)
        rollouts = []
        for version, expected in ((GOOD, RolloutState.COMPLETE), (BAD, RolloutState.HALTED)):
            self._publish(version)
            facts = self._roll_out(version, is_over)
            if is_over():
                return None
            if facts["state"] != expected.value:
                raise ServiceError(
                    f"the roll-out of version {version} is {facts['state']}, not {expected.value}:"
                    f" {facts['reason']}",
                    hint="--keep DIR leaves what the devices printed",
                )
            rollouts.append(facts)
        if not self._wait(lambda: self._run_all(GOOD), is_over):
            return None
        return {"from": FIRST, "rollouts": rollouts, "versions": dict(self._versions())}

    def _publish(self, version: str) -> None:
        source = self._folder / version
        source.mkdir(parents=True)
        (source / "application.py").write_text(APPLICATIONS[version], encoding="utf-8")
        packed = build_release(
            source,
            parse_version(version),
            Board.UNIX,
            updates=Path(self._installation.paths.updates),
        )
        signing = Signing(passphrase=lambda _: self._passphrase)
        sign_release(self._installation, [packed.built], signing, publish=True)

    def _roll_out(self, version: str, is_over: Callable[[], bool]) -> dict[str, Any]:
        started = time.monotonic()
        new = NewRollout(f"{Board.UNIX.value}/{version}", group=GROUP, plan=PLAN)
        rollout_id = start_rollout(self._installation, new).rollout.rollout_id
        told = ""

        def has_ended() -> bool:
            nonlocal told
            details = show_rollout(self._installation, rollout_id)
            words = _words(details)
            if words != told:
                self._tell(words)
                told = words
            return details.rollout.state in (RolloutState.COMPLETE, RolloutState.HALTED)

        self._wait(has_ended, is_over)
        details = show_rollout(self._installation, rollout_id)
        rollout = details.rollout
        return {
            "version": version,
            "state": rollout.state.value,
            "reason": rollout.reason,
            "cohort": rollout.cohort + 1,
            "cohorts": len(rollout.plan.cohorts),
            "devices": {state.value: count for state, count in details.counts.items()},
            "rolled_back": {
                way.device_id: way.reason
                for way in details.ways
                if way.state.value == "rolled-back"
            },
            "trial_s": rollout.plan.trial_s,
            "seconds": round(time.monotonic() - started, 1),
        }

    def _run_all(self, version: str) -> bool:
        """Whether every honest device runs a version that has proved itself."""
        return self._versions() == {version: self._devices}

    def _versions(self) -> Counter[str]:
        devices = {each.device_id: each.group for each in self._installation.store.devices()}
        return Counter(
            each.version
            for each in self._installation.store.software()
            if devices.get(each.device_id) == GROUP and not each.trial
        )

    def _wait(self, condition: Callable[[], bool], is_over: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + _TIMEOUT_S
        while not condition():
            if is_over():
                return False
            if time.monotonic() > deadline:
                raise ServiceError(f"the roll-out came to no end within {_TIMEOUT_S:g} s")
            time.sleep(_POLL_S)
        return True


def _words(details: RolloutDetails) -> str:
    rollout = details.rollout
    counts = ", ".join(f"{count} {state.value}" for state, count in details.counts.items())
    words = f"version {rollout.version}: cohort {rollout.cohort + 1}, {counts}"
    if rollout.state is RolloutState.HALTED:
        words += f"; HALTED: {rollout.reason}"
    return words

"""A throwaway authority, and what agent_lab.py makes with it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from agent_lab import Lab, Mosquitto

from seawall.pki.authority import Authority, create_issuing, create_root


@pytest.fixture(scope="session")
def authority() -> Authority:
    """An authority of this run alone."""
    now = datetime.now(UTC)
    return create_issuing(create_root(now), now)


@pytest.fixture
def lab(
    tmp_path: Path, authority: Authority, program: Callable[[str], str]
) -> Generator[Lab, None, None]:
    """Everything that a device needs."""
    lab = Lab(tmp_path, authority, program("micropython"))
    yield lab
    lab.close()


@pytest.fixture
def mosquitto(
    lab: Lab, tmp_path: Path, program: Callable[[str], str], free_port: Callable[[], int]
) -> Generator[Mosquitto, None, None]:
    """A running Mosquitto with mutual TLS."""
    broker = Mosquitto(tmp_path / "mosquitto", program("mosquitto"), free_port(), lab)
    broker.start()
    broker.observe()
    yield broker
    broker.stop()

"""The builtin broker under the contract that all drivers keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("seawall.testing.broker_contract")

from seawall.testing.broker_contract import BrokerContract  # noqa: E402
from seawall.testing.builtin_rig import BuiltinRig  # noqa: E402

pytestmark = pytest.mark.system


class TestBuiltin(BrokerContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[BuiltinRig]:
        rig = BuiltinRig(tmp_path)
        rig.start()
        try:
            yield rig
        finally:
            rig.stop()

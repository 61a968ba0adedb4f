"""Every store keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("seawall.testing.store_contract", "seawall.testing.command_contract")

from seawall.store.checking import CheckingStore  # noqa: E402
from seawall.store.contract import Store  # noqa: E402
from seawall.store.sqlite import open_sqlite_store  # noqa: E402
from seawall.store.sqlite.store import SqliteStore  # noqa: E402
from seawall.testing.memory_store import MemoryStore  # noqa: E402
from seawall.testing.store_contract import StoreContract  # noqa: E402


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore(max_refusals=self.MAX_REFUSALS)


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_sqlite_store(
            tmp_path / "seawall.db", max_refusals=self.MAX_REFUSALS, create=True
        )
        yield store
        store.close()


class TestSqliteStoreThatSettlesAtOnce(StoreContract):
    """The same, with every batch sorted into its place right away."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SqliteStore(
            tmp_path / "seawall.db", max_refusals=self.MAX_REFUSALS, create=True, settle_rows=0
        )
        yield store
        store.close()


class TestCheckedSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_sqlite_store(
            tmp_path / "seawall.db", max_refusals=self.MAX_REFUSALS, create=True
        )
        yield CheckingStore(store)
        store.close()

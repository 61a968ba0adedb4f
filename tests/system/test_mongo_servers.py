"""The MongoDB servers that other tests stand on do what those tests need."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from seawall.testing.mongo_process import MongoProcess

pytestmark = pytest.mark.system


def test_documents_come_back(mongo_db: Any) -> None:
    mongo_db.things.insert_many([{"_id": n, "a": {"b": [n]}} for n in range(3)])

    assert [each["_id"] for each in mongo_db.things.find({"_id": {"$gt": 0}}).sort("_id", -1)] == [
        2,
        1,
    ]


def test_a_password_is_asked_for(scram_mongodb: MongoProcess) -> None:
    with scram_mongodb.client() as client:
        client.db.things.insert_one({"a": 1})
        assert client.db.things.count_documents({}) == 1
    with (
        MongoClient("127.0.0.1", scram_mongodb.port) as client,
        pytest.raises(OperationFailure),
    ):
        client.db.things.insert_one({"a": 1})


def test_tls_is_spoken_alone(tls_mongodb: MongoProcess) -> None:
    with tls_mongodb.client() as client:
        assert client.admin.command("ping")["ok"] == 1
    with (
        MongoClient("127.0.0.1", tls_mongodb.port, serverSelectionTimeoutMS=500) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        client.admin.command("ping")

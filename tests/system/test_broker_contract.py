"""Mosquitto under the contract that all drivers keep."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

pytest.register_assert_rewrite("seawall.testing.broker_contract")

from seawall.broker.drivers.mosquitto import MosquittoBroker  # noqa: E402
from seawall.broker.port import Endpoint  # noqa: E402
from seawall.ingest.link import BrokerAddress  # noqa: E402
from seawall.ingest.subscriber import Subscriber  # noqa: E402
from seawall.model.installation import MqttSettings  # noqa: E402
from seawall.pki.contexts import service_client_context  # noqa: E402
from seawall.testing.broker_contract import BrokerContract  # noqa: E402
from seawall.testing.broker_rig import Keys, LoopThread, RecordingSink  # noqa: E402

pytestmark = pytest.mark.system

SETTINGS = MqttSettings(host="127.0.0.1", port=0)


class MosquittoRig:
    acknowledgement: Literal["puback", "stored"] = "stored"

    def __init__(self, directory: Path) -> None:
        self.sink = RecordingSink()
        self.loop = LoopThread()
        self.keys = Keys(directory)
        self.keys.device("a")
        self.keys.device("b")
        certificate, key = self.keys.keystore.server_paths()
        self.broker = MosquittoBroker(
            SETTINGS,
            directory / "broker",
            certificate=certificate,
            key=key,
            ca_chain=self.keys.keystore.ca_chain_path,
            sink=self.sink,
        )
        self.endpoint: Endpoint
        self.subscriber: Subscriber
        self._serving: Future[Any] | None = None
        self._receiving: Future[Any] | None = None

    def start(self) -> None:
        self.endpoint = self.loop.do(self.broker.start(self.keys.policy()))
        self._serving = self._begin(self.broker.run())
        address = BrokerAddress(
            "localhost", self.endpoint.port, lambda: service_client_context(self.keys.keystore)
        )
        self.subscriber = self.loop.call(lambda: Subscriber(address, self.sink))
        self._receive()

    def apply(self) -> None:
        self.loop.do(self.broker.apply(self.keys.policy()))

    def publish(self, topic: str, payload: bytes) -> None:
        self.loop.do(self.subscriber.publish(topic, payload))

    def reconnect_ingest(self) -> None:
        self._end(self._receiving)
        self._receive()

    def stop(self) -> None:
        self._end(self._receiving)
        self.loop.do(self.broker.stop())
        self._end(self._serving)
        self.loop.close()

    def _receive(self) -> None:
        self._receiving = self._begin(self.subscriber.run())
        self.loop.do(asyncio.wait_for(self.subscriber.wait_connected(), 10))

    def _begin(self, work: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self.loop.loop)

    def _end(self, work: Future[Any] | None) -> None:
        if work is not None:
            work.cancel()
            with suppress(BaseException):
                work.result(10)
            # The task behind the future ends a turn of the loop later.
            self.loop.do(asyncio.sleep(0.05))


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[MosquittoRig]:
    rig = MosquittoRig(tmp_path)
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()


class TestMosquitto(BrokerContract):
    @pytest.fixture
    def rig(self, mosquitto: MosquittoRig) -> MosquittoRig:
        return mosquitto

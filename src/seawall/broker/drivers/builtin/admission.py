"""Whether a client whose TLS handshake succeeded may connect: pure."""

from __future__ import annotations

from dataclasses import dataclass

from seawall.broker.policy import AccessPolicy
from seawall.model.reading import Reason
from seawall.pki.peers import Peer
from seawall.wire.mqtt.codes import V311, ReasonCode
from seawall.wire.mqtt.packets import Connect


@dataclass(frozen=True, slots=True)
class No:
    """A refused CONNECT: what the client is told, and what we keep of it."""

    code: ReasonCode
    reason: Reason
    detail: str


def judge_connect(policy: AccessPolicy, proof: Peer, connect: Connect) -> No | None:
    """Judge a CONNECT; None: it is welcome.

    The client id must be the certificate's identity. An empty one stands for
    it, in 3.1.1 in a clean session only [MQTT-3.1.3-8]. User name and password
    mean nothing.
    """
    identity = proof.identity
    reason = policy.judge_connection(identity, proof.serial)
    if reason is not None:
        return No(ReasonCode.NOT_AUTHORIZED, reason, "the certificate may not connect")
    if connect.client_id not in {"", identity}:
        detail = f"client id {connect.client_id[:64]!r} is not the certificate's"
        return No(ReasonCode.CLIENT_ID_NOT_VALID, Reason.MALFORMED, detail)
    if not connect.client_id and connect.version == V311 and not connect.clean_start:
        detail = "an empty client id with a session to keep [MQTT-3.1.3-8]"
        return No(ReasonCode.CLIENT_ID_NOT_VALID, Reason.MALFORMED, detail)
    if connect.will is not None and not policy.may_publish(identity, connect.will.topic):
        detail = f"the will's topic {connect.will.topic[:128]!r} is not the device's"
        return No(ReasonCode.NOT_AUTHORIZED, Reason.WRONG_TOPIC, detail)
    return None

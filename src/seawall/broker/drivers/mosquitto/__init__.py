"""A supervised Mosquitto as the broker."""

from seawall.broker.drivers.mosquitto.driver import MosquittoBroker

__all__ = ["MosquittoBroker"]

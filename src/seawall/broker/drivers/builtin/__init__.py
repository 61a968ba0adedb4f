"""Our own MQTT endpoint for devices; see ``broker.BuiltinBroker``."""

from seawall.broker.drivers.builtin.broker import BuiltinBroker

__all__ = ["BuiltinBroker"]

"""How an import or export says no; each class is one shape of message and ends with status 1."""

from __future__ import annotations

from seawall.errors import SeawallError


class OptionError(SeawallError):
    """The command line cannot be understood; the tool says where its help is."""

    reference = "transfer-option"


class SettingsError(SeawallError):
    """The options are well formed, but do not go together."""

    reference = "transfer-settings"


class VerbosityError(SeawallError):
    """The level of ``--verbose`` is neither a number nor a row of v's (status 255)."""

    reference = "transfer-verbosity"


class UnreachableError(SeawallError):
    """No connection: no server, bad certificate, wrong password."""

    reference = "transfer-unreachable"


class TransferFailedError(SeawallError):
    """The run ended before its end: bad input, a refused write, a server gone."""

    reference = "transfer-failed"


class IrregularError(Exception):
    """A fast path met what it does not decide; the exact path has to. Never leaves this package."""

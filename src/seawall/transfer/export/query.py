"""Queries, sort orders and read preferences as people type them."""

from __future__ import annotations

from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import read_preferences
from pymongo.errors import ConfigurationError

from seawall.transfer.cells import encoded
from seawall.transfer.failures import OptionError, SettingsError, TransferFailedError
from seawall.transfer.readers.extended import Pairs, document
from seawall.transfer.readers.json_exact import Parser
from seawall.transfer.readers.json_legacy import LegacyParser

READ_MODES: Final = {
    mode.lower(): mode
    for mode in ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")
}
_ANY: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)
"""Whatever was typed can be looked at; the server says what it thinks of it."""
_SAID_BY_LEGACY: Final = "error unmarshaling bytes on document #0: "


def check_query(text: str) -> None:
    """Check a query by the grammar of the shell, before a connection is made.

    Raises:
        SettingsError: It is none.
    """
    _legacy(text, "query")


def filter_of(text: str) -> RawBSONDocument:
    """Return the filter that a query is; it has to be strict Extended JSON.

    Raises:
        TransferFailedError: It is not.
    """
    raw = encoded(text)
    parser = Parser(raw)
    try:
        value = parser.value()
        if raw[parser.at :].strip() or not isinstance(value, Pairs):
            raise TransferFailedError("it is no JSON object")
        return RawBSONDocument(document(value))
    except TransferFailedError as error:
        raise TransferFailedError(
            f"error parsing query as Extended JSON: {error.message}",
            hint='names have to be in double quotes: {"n": {"$gt": 1}}',
        ) from None


def sort_of(text: str) -> list[tuple[str, Any]]:
    """Return a sort order, its keys in order.

    Raises:
        SettingsError: It is none.
    """
    pairs = bson.decode(_legacy(text, "sort"), _ANY).items()
    return [
        (key, int(each) if isinstance(each, float) and each.is_integer() else each)
        for key, each in pairs
    ]


def _legacy(text: str, what: str) -> bytes:
    raw = encoded(text)
    parser = LegacyParser(raw)
    try:
        value = parser.document(0)
        rest = raw[parser.at :].strip()
        if rest:
            raise TransferFailedError(f"invalid character {chr(rest[0])!r} after top-level value")
        return document(value)
    except TransferFailedError as error:
        why = error.message.removeprefix(_SAID_BY_LEGACY)
        why = why.replace("unexpected EOF", "unexpected end of JSON input")
        raise SettingsError(
            f"{what} '{text}' is not valid JSON: {why}",
            hint="mind your shell: put it into single quotes",
        ) from None


def preference_of(text: str) -> Any:
    """Return the read preference that `--readPreference` names; None if it is empty.

    Args:
        text: A mode, or ``{mode: "nearest", tagSets: [{...}], maxStalenessSeconds: 120}``.

    Raises:
        OptionError: There is no such preference.
    """
    if not text:
        return None
    facts: dict[str, Any] = {"mode": text}
    if text.lstrip().startswith("{"):
        try:
            facts = bson.decode(_legacy(text, "preference"), _ANY)
        except SettingsError as error:
            raise OptionError(f"error parsing --readPreference: {error.message}") from None
    mode = READ_MODES.get(str(facts.get("mode", "")).lower())
    if mode is None:
        raise OptionError(
            f"error parsing --readPreference: unknown read preference {facts.get('mode', '')}"
        )
    staleness = facts.get("maxStalenessSeconds", -1)
    try:
        return read_preferences.make_read_preference(
            read_preferences.read_pref_mode_from_name(mode),
            facts.get("tagSets"),
            staleness,
        )
    except (ConfigurationError, TypeError, ValueError) as error:
        raise OptionError(f"error parsing --readPreference: {error}") from None


def projection_of(fields: str) -> dict[str, int]:
    """Return what the server is to send: ``_id``, and whole top-level fields.

    A name that ends with ``.$`` is the server's to understand.
    """
    found = {"_id": 1}
    for name in fields.split(","):
        found[name if name.endswith(".$") else name.partition(".")[0]] = 1
    return found

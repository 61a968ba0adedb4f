"""Whether options go together; the first thing that does not is named, in a fixed order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Final

from seawall.transfer import options
from seawall.transfer.columns import NameError_, tree_of
from seawall.transfer.failures import SettingsError
from seawall.transfer.options import ImportOptions

MAX_DATABASE_BYTES: Final = 63
BAD_IN_COLLECTION: Final = "$\0"
BAD_IN_DATABASE: Final = '/\\. "\0$'


def validated(asked: ImportOptions, log: Callable[[str], None]) -> ImportOptions:
    """Return the options with their defaults filled in.

    Args:
        asked: As they came.
        log: Is told what was chosen because nothing was said.

    Raises:
        SettingsError: They do not go together.
    """
    database = asked.database or "test"
    check_database(database)
    _check_input(asked)
    mode = _mode(asked)
    if asked.ingest.upsert_fields is not None and mode == options.INSERT:
        raise SettingsError("cannot use --upsertFields with --mode=insert")
    if asked.ingest.upsert_fields is not None:
        try:
            tree_of(asked.ingest.upsert_fields.split(","))
        except NameError_ as error:
            raise SettingsError(f"invalid --upsertFields argument: {error}") from None
    collection = asked.collection
    if not collection:
        log("no collection specified")
        first = asked.input.files[0] if asked.input.files else ""
        collection = _stem(os.path.basename(first))  # noqa: PTH119
        log(f"using filename `{collection}` as collection")
    check_collection(collection)
    return dataclasses.replace(
        asked,
        database=database,
        collection=collection,
        ingest=_settled(asked.ingest, mode),
    )


def _stem(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot else name


def _mode(asked: ImportOptions) -> str:
    if asked.ingest.mode is not None:
        return asked.ingest.mode
    upserts = asked.ingest.upsert or asked.ingest.upsert_fields is not None
    return options.UPSERT if upserts else options.INSERT


def _settled(ingest: options.IngestOptions, mode: str) -> options.IngestOptions:
    ordered = ingest.maintain_insertion_order or mode != options.INSERT
    return dataclasses.replace(
        ingest,
        mode=mode,
        maintain_insertion_order=ordered,
        stop_on_error=ingest.stop_on_error or ordered,
        insertion_workers=1 if ordered else max(1, ingest.insertion_workers),
    )


def _check_input(asked: ImportOptions) -> None:
    given = asked.input
    if given.type not in {options.JSON, options.CSV, options.TSV}:
        raise SettingsError(f"unknown type {given.type}", hint="json, csv and tsv are known")
    if given.type == options.JSON:
        _check_json(given)
        return
    if given.headerline:
        if given.fields is not None:
            raise SettingsError("incompatible options: --fields and --headerline")
        if given.field_file is not None:
            raise SettingsError("incompatible options: --fieldFile and --headerline")
    elif given.fields is None and given.field_file is None:
        raise SettingsError(
            "must specify --fields, --fieldFile or --headerline to import this file type"
        )
    elif given.field_file == "":
        raise SettingsError("--fieldFile cannot be empty string")
    elif given.fields is not None and given.field_file is not None:
        raise SettingsError("incompatible options: --fields and --fieldFile")
    if given.parse_grace not in options.GRACES:
        raise SettingsError(f"invalid parse grace: {given.parse_grace}")
    if given.legacy:
        raise SettingsError("cannot use --legacy if input type is not JSON")


def _check_json(given: options.InputOptions) -> None:
    for flag, is_given in (
        ("headerline", given.headerline),
        ("fields", given.fields is not None),
        ("fieldFile", given.field_file is not None),
        ("ignoreBlanks", given.ignore_blanks),
        ("columnsHaveTypes", given.columns_have_types),
    ):
        if is_given:
            raise SettingsError(
                f"cannot use --{flag} when input type is JSON", hint="is it CSV? --type csv"
            )


def check_database(name: str) -> None:
    """Check the name of a database.

    Raises:
        SettingsError: The server would not take it.
    """
    for character in name:
        if character in BAD_IN_DATABASE:
            raise SettingsError(
                f"invalid database name: illegal character '{character}' found in db name '{name}'"
            )
    if len(name.encode()) > MAX_DATABASE_BYTES:
        raise SettingsError(
            f"invalid database name: db name '{name}' is longer than "
            f"{MAX_DATABASE_BYTES} characters"
        )


def check_collection(name: str) -> None:
    """Check the name of a collection.

    Raises:
        SettingsError: The server would not take it.
    """
    if not name:
        raise SettingsError(
            "invalid collection name: collection name cannot be an empty string",
            hint="name it: --collection NAME",
        )
    if name.startswith("system."):
        raise SettingsError(
            f"invalid collection name: collection name '{name}' "
            "is not allowed to begin with 'system.'"
        )
    check_letters(name)


def check_letters(name: str) -> None:
    """Check the letters of a collection's name.

    Raises:
        SettingsError: The server would not take one.
    """
    for character in name:
        if character in BAD_IN_COLLECTION:
            raise SettingsError(
                f"invalid collection name: illegal character '{character}' found in '{name}'"
            )

"""What an export is asked to do; flags are named in `cli.export_flags`."""

from __future__ import annotations

from dataclasses import dataclass, field

from seawall.transfer.failures import SettingsError
from seawall.transfer.options import ToolOptions
from seawall.transfer.validation import check_database, check_letters

JSON, CSV = "json", "csv"
RELAXED, CANONICAL = "relaxed", "canonical"


@dataclass(frozen=True)
class OutputOptions:
    """What is written, and where.

    Args:
        fields: Comma list of `--fields`; empty if it was not given.
        field_file: Path of a file with a name a line; empty if it was not given.
        out: Path; empty for standard output.
    """

    type: str = JSON
    fields: str = ""
    field_file: str = ""
    out: str = ""
    json_array: bool = False
    pretty: bool = False
    no_header_line: bool = False
    json_format: str = RELAXED


@dataclass(frozen=True)
class QueryOptions:
    """Which documents are asked for, and how the server is to find them.

    Args:
        query: Extended JSON; empty for all documents.
        query_file: Path of a file that holds it.
        read_preference: A word, or an object as JSON; empty for the server string's.
        sort: JSON of the shell's grammar; empty for none.
    """

    query: str = ""
    query_file: str = ""
    read_preference: str = ""
    force_table_scan: bool = False
    skip: int = 0
    limit: int = 0
    sort: str = ""
    assert_exists: bool = False
    allow_disk_use: bool = False


@dataclass(frozen=True)
class ExportOptions(ToolOptions):
    """All of one export."""

    output: OutputOptions = field(default_factory=OutputOptions)
    query: QueryOptions = field(default_factory=QueryOptions)


def check_settings(asked: ExportOptions) -> None:
    """Check that options go together; the first thing that does not is named.

    Raises:
        SettingsError: They do not.
    """
    check_database(asked.database or "test")
    if not asked.collection:
        raise SettingsError("must specify a collection", hint="name it: --collection NAME")
    check_letters(asked.collection)
    output, query = asked.output, asked.query
    if not output.type:
        raise SettingsError("--type cannot be empty")
    if output.type not in {JSON, CSV}:
        raise SettingsError(f"invalid output type '{output.type}', choose 'json' or 'csv'")
    if output.json_format not in {RELAXED, CANONICAL}:
        raise SettingsError(
            f"invalid JSON format '{output.json_format}', choose 'relaxed' or 'canonical'"
        )
    if query.query and query.force_table_scan:
        raise SettingsError("cannot use --forceTableScan when specifying --query")
    if query.query and query.query_file:
        raise SettingsError("either --query or --queryFile can be specified as a query option")

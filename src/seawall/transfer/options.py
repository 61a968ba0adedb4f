"""What an import is asked to do, in groups by purpose; flags are named in `cli.import_flags`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_BATCH_DOCUMENTS: Final = 1000
"""Documents in one command; the original sends no more either."""
JSON, CSV, TSV = "json", "csv", "tsv"
INSERT, UPSERT, MERGE, DELETE = "insert", "upsert", "merge", "delete"
MODES: Final = (INSERT, UPSERT, MERGE, DELETE)
STOP, AUTO_CAST, SKIP_FIELD, SKIP_ROW = "stop", "autoCast", "skipField", "skipRow"
GRACES: Final = (AUTO_CAST, SKIP_FIELD, SKIP_ROW, STOP)


@dataclass(frozen=True)
class ConnectionOptions:
    """Where the server is.

    Args:
        host: ``[set/]host[:port][,host...]``; empty for localhost.
        uri: Connection string; empty if there is none.
        dial_timeout_s: Longest time for one connection.
        socket_timeout_s: Longest wait for an answer; 0 for ever.
        server_selection_timeout_s: Longest search for a server; 0 for the driver's 30 s.
        compressors: Comma-separated, or ``none``.
    """

    host: str = ""
    port: str = ""
    uri: str = ""
    dial_timeout_s: int = 3
    socket_timeout_s: int = 0
    keep_alive_s: int = 30
    server_selection_timeout_s: int = 0
    compressors: str = ""


@dataclass(frozen=True)
class TlsOptions:
    """How the server is trusted, and what we show it. Files are PEM."""

    enabled: bool = False
    ca_file: str = ""
    key_file: str = ""
    key_password: str = field(default="", repr=False)
    crl_file: str = ""
    fips: bool = False
    insecure: bool = False
    allow_invalid_certificates: bool = False
    allow_invalid_hostnames: bool = False


@dataclass(frozen=True)
class AuthOptions:
    """Who signs in, and how. ``password`` None means that none was given."""

    username: str = ""
    password: str | None = field(default=None, repr=False)
    source: str = ""
    mechanism: str = ""
    aws_session_token: str = field(default="", repr=False)
    gssapi_service: str = ""
    gssapi_host: str = ""


@dataclass(frozen=True)
class InputOptions:
    """What is read, and how its cells become values.

    Args:
        files: Paths, read one after the other; none for standard input.
        fields: Comma list of `--fields`; None if it was not given.
        field_file: Path of a file with a name a line; None if it was not given.
        delimiter: One character between cells of CSV.
        quote: One character around cells of CSV; empty for none.
        string_columns: Names of columns that stay text whatever they look like.
        skip_bad_rows: None: a bad row ends the run; else rows that cannot be read are left
            out and counted, and written to this file unless it is empty.
    """

    files: tuple[str, ...] = ()
    type: str = JSON
    fields: str | None = None
    field_file: str | None = None
    headerline: bool = False
    json_array: bool = False
    legacy: bool = False
    parse_grace: str = STOP
    columns_have_types: bool = False
    use_array_index_fields: bool = False
    ignore_blanks: bool = False
    delimiter: str = ","
    quote: str = '"'
    string_columns: tuple[str, ...] = ()
    skip_bad_rows: str | None = None


@dataclass(frozen=True)
class IngestOptions:
    """How documents are written.

    Args:
        mode: One of `MODES`; None if it was not given.
        upsert_fields: Comma list; None if it was not given.
        write_concern: As typed; empty for the server string's, or majority.
    """

    drop: bool = False
    maintain_insertion_order: bool = False
    insertion_workers: int = 1
    stop_on_error: bool = False
    mode: str | None = None
    upsert: bool = False
    upsert_fields: str | None = None
    write_concern: str = ""
    bypass_document_validation: bool = False
    batch_size: int = MAX_BATCH_DOCUMENTS


@dataclass(frozen=True)
class ToolOptions:
    """What import and export share."""

    database: str = ""
    collection: str = ""
    verbosity: int = 0
    quiet: bool = False
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)
    tls: TlsOptions = field(default_factory=TlsOptions)
    auth: AuthOptions = field(default_factory=AuthOptions)


@dataclass(frozen=True)
class ImportOptions(ToolOptions):
    """All of one import."""

    input: InputOptions = field(default_factory=InputOptions)
    ingest: IngestOptions = field(default_factory=IngestOptions)

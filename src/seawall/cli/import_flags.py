"""The flags of `seawall import`, and the options they mean."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from typing import Final

from seawall.cli.flags import (
    BOOL,
    CHOICE,
    MANY,
    NUMBER,
    VERBOSITY,
    Flag,
    Grammar,
    Line,
    split_positionals,
)
from seawall.cli.readings_flags import IMPORT_READINGS_FLAGS
from seawall.transfer import options
from seawall.transfer.failures import OptionError

GENERAL, CONNECTION, TLS, AUTH = "general", "connection", "ssl", "authentication"
NAMESPACE, URI, INPUT, INGEST, MENDED = "namespace", "uri", "input", "ingest", "beyond mongoimport"

CONNECTION_FLAGS: Final = (
    Flag("help", "", BOOL, GENERAL, "print usage"),
    Flag("version", "", BOOL, GENERAL, "print the tool version and exit"),
    Flag(
        "config",
        "",
        group=GENERAL,
        help="YAML file with password, uri, sslPEMKeyPassword",
        value="<file>",
    ),
    Flag(
        "verbose",
        "v",
        VERBOSITY,
        GENERAL,
        "more detailed log output; repeat it, or give a number",
        "[=<level>]",
    ),
    Flag("quiet", "", BOOL, GENERAL, "hide all log output"),
    Flag("numThreads", kind=NUMBER),
    Flag("failpoints"),
    Flag("trace", kind=BOOL),
    Flag(
        "host",
        "h",
        group=CONNECTION,
        help="server; setname/host1,host2 for a replica set",
        value="<host>",
    ),
    Flag(
        "port",
        "",
        group=CONNECTION,
        help="port; also possible as --host hostname:port",
        value="<port>",
    ),
    Flag("dialTimeout", kind=NUMBER),
    Flag("socketTimeout", kind=NUMBER),
    Flag("TCPKeepAliveSeconds", kind=NUMBER),
    Flag("serverSelectionTimeout", kind=NUMBER),
    Flag("compressors"),
    Flag("ssl", "", BOOL, TLS, "connect over TLS"),
    Flag("sslCAFile", "", group=TLS, help="PEM file with the root certificates", value="<file>"),
    Flag(
        "sslPEMKeyFile", "", group=TLS, help="PEM file with our certificate and key", value="<file>"
    ),
    Flag(
        "sslPEMKeyPassword",
        "",
        group=TLS,
        help="password of that key; better in --config",
        value="<password>",
    ),
    Flag("sslCRLFile", "", group=TLS, help="PEM file with revoked certificates", value="<file>"),
    Flag("sslFIPSMode", "", BOOL, TLS, "use FIPS mode of the TLS library"),
    Flag("tlsInsecure", "", BOOL, TLS, "do not check the server's certificate and name"),
    Flag("sslAllowInvalidCertificates", kind=BOOL),
    Flag("sslAllowInvalidHostnames", kind=BOOL),
    Flag("username", "u", group=AUTH, help="user name", value="<username>"),
    Flag(
        "password",
        "p",
        group=AUTH,
        help="leave it out to be asked; others see command lines",
        value="<password>",
    ),
    Flag(
        "authenticationDatabase",
        "",
        group=AUTH,
        help="database that holds the user",
        value="<name>",
    ),
    Flag(
        "authenticationMechanism",
        "",
        group=AUTH,
        help="authentication mechanism",
        value="<mechanism>",
    ),
    Flag("awsSessionToken", "", group=AUTH, help="session token for AWS", value="<token>"),
    Flag("gssapiServiceName", "", group=AUTH, help="service name for GSSAPI", value="<name>"),
    Flag("gssapiHostName", "", group=AUTH, help="accepted, and not used", value="<name>"),
    Flag("db", "d", group=NAMESPACE, help="database (default: test)", value="<name>"),
    Flag(
        "collection",
        "c",
        group=NAMESPACE,
        help="collection (default: name of the file)",
        value="<name>",
    ),
    Flag("uri", "", group=URI, help="mongodb connection string", value="<uri>"),
)
"""What import and export share."""

IMPORT_FLAGS: Final = (
    Flag(
        "fields", "f", group=INPUT, help="comma-separated field names", value="<field>[,<field>]*"
    ),
    Flag("fieldFile", "", group=INPUT, help="file with field names, one a line", value="<file>"),
    Flag(
        "file", "", group=INPUT, help="file to import from; default: standard input", value="<file>"
    ),
    Flag("headerline", "", BOOL, INPUT, "first line is the field list (CSV and TSV only)"),
    Flag("jsonArray", "", BOOL, INPUT, "the source is one JSON array"),
    Flag(
        "parseGrace",
        "",
        group=INPUT,
        help="for typed cells that do not fit: autoCast, skipField, skipRow, stop (default)",
        value="<grace>",
    ),
    Flag("type", "", group=INPUT, help="json (default), csv or tsv", value="<type>"),
    Flag(
        "columnsHaveTypes",
        "",
        BOOL,
        INPUT,
        "fields are written as name.type(argument); types: auto, binary, boolean, date, "
        "date_go, date_ms, date_oracle, decimal, double, int32, int64, string",
    ),
    Flag("legacy", "", BOOL, INPUT, "use the legacy extended JSON format"),
    Flag("useArrayIndexFields", "", BOOL, INPUT, "numbers in field names are array indexes"),
    Flag("drop", "", BOOL, INGEST, "drop the collection first"),
    Flag("ignoreBlanks", "", BOOL, INGEST, "leave out empty cells (CSV and TSV only)"),
    Flag(
        "maintainInsertionOrder",
        "",
        BOOL,
        INGEST,
        "insert in the order of the input; implies --stopOnError",
    ),
    Flag(
        "numInsertionWorkers",
        "j",
        NUMBER,
        INGEST,
        "number of insert operations at a time (default: 1)",
        "<number>",
    ),
    Flag("stopOnError", "", BOOL, INGEST, "stop after the first write that fails"),
    Flag(
        "mode",
        "",
        CHOICE,
        INGEST,
        "insert (default), upsert, merge or delete",
        "<mode>",
        options.MODES,
    ),
    Flag("upsert", kind=BOOL),
    Flag(
        "upsertFields",
        "",
        group=INGEST,
        help="fields that find the document (default: _id)",
        value="<field>[,<field>]*",
    ),
    Flag(
        "writeConcern",
        "",
        group=INGEST,
        help="for example majority, 1, '{w: 3, wtimeout: 500, j: true}'",
        value="<concern>",
    ),
    Flag("bypassDocumentValidation", "", BOOL, INGEST, "ask the server not to validate"),
    Flag("batchSize", kind=NUMBER),
    Flag("numDecodingWorkers", kind=NUMBER),
    Flag(
        "delimiter",
        "",
        group=MENDED,
        help="character between cells of CSV (default: comma); 'tab' is one",
        value="<character>",
    ),
    Flag(
        "quote",
        "",
        group=MENDED,
        help='character around cells of CSV (default: "); empty for none',
        value="<character>",
    ),
    Flag(
        "string-columns",
        "",
        group=MENDED,
        help="columns whose cells stay text",
        value="<field>[,<field>]*",
    ),
    Flag(
        "skip-bad-rows",
        "",
        MANY,
        MENDED,
        "leave out and count rows that cannot be read; with =<file>, keep them there",
        "[=<file>]",
    ),
    Flag(
        "files",
        "",
        MANY,
        MENDED,
        "one more file, or a quoted pattern; may be repeated (any file may be packed: "
        "gzip, zstd, xz or bzip2)",
        "<file>",
    ),
)

GRAMMAR: Final = Grammar((*CONNECTION_FLAGS, *IMPORT_FLAGS, *IMPORT_READINGS_FLAGS))


def read_line(arguments: Sequence[str]) -> Line:
    """Return what the line says, its connection string and file moved to their flags.

    Raises:
        OptionError: The line cannot be understood.
    """
    line = GRAMMAR.parse(arguments)
    uri, file = split_positionals(line.positionals, line.take("uri", ""), files=True)
    if file and line.take("file", ""):
        raise OptionError(
            "error parsing positional arguments: "
            "cannot use both --file and a positional argument to set the input file"
        )
    line.values["uri"] = uri
    line.values["file"] = file or line.take("file", "")
    return line


def _connection_options(line: Line) -> options.ConnectionOptions:
    """Return the options of the group."""
    return options.ConnectionOptions(
        host=line.take("host", ""),
        port=line.take("port", ""),
        uri=line.take("uri", ""),
        dial_timeout_s=line.take("dialTimeout", 3),
        socket_timeout_s=line.take("socketTimeout", 0),
        keep_alive_s=line.take("TCPKeepAliveSeconds", 30),
        server_selection_timeout_s=line.take("serverSelectionTimeout", 0),
        compressors=line.take("compressors", ""),
    )


def _tls_options(line: Line) -> options.TlsOptions:
    """Return the options of the group."""
    certificates = line.take("sslAllowInvalidCertificates", False)
    hostnames = line.take("sslAllowInvalidHostnames", False)
    return options.TlsOptions(
        enabled=line.take("ssl", False),
        ca_file=line.take("sslCAFile", ""),
        key_file=line.take("sslPEMKeyFile", ""),
        key_password=line.take("sslPEMKeyPassword", ""),
        crl_file=line.take("sslCRLFile", ""),
        fips=line.take("sslFIPSMode", False),
        insecure=line.take("tlsInsecure", False),
        allow_invalid_certificates=certificates,
        allow_invalid_hostnames=hostnames,
    )


def _auth_options(line: Line) -> options.AuthOptions:
    """Return the options of the group."""
    return options.AuthOptions(
        username=line.take("username", ""),
        password=line.take("password", None),
        source=line.take("authenticationDatabase", ""),
        mechanism=line.take("authenticationMechanism", ""),
        aws_session_token=line.take("awsSessionToken", ""),
        gssapi_service=line.take("gssapiServiceName", ""),
        gssapi_host=line.take("gssapiHostName", ""),
    )


def tool_options(line: Line) -> options.ToolOptions:
    """Return the options that import and export share."""
    return options.ToolOptions(
        database=line.take("db", ""),
        collection=line.take("collection", ""),
        verbosity=line.take("verbose", 0),
        quiet=line.take("quiet", False),
        connection=_connection_options(line),
        tls=_tls_options(line),
        auth=_auth_options(line),
    )


def _character(line: Line, name: str, default: str, *, may_be_empty: bool) -> str:
    value: str = line.take(name, default)
    value = {"tab": "\t", "\\t": "\t"}.get(value, value)
    fits = len(value) == 1 and value.isascii() and value not in "\r\n\0"
    if not fits and not (may_be_empty and not value):
        raise OptionError(f"--{name} needs one ASCII character, not {value!r}")
    return value


def _matching(patterns: Sequence[str]) -> list[str]:
    """Return the files of each pattern in the order of their names; a plain name stays."""
    return [
        name
        for each in patterns
        for name in (sorted(glob.glob(each)) or [each])  # noqa: PTH207  text
    ]


def input_options(line: Line) -> options.InputOptions:
    """Return the options of the group."""
    file = line.take("file", "")
    columns = line.take("string-columns", "")
    skipped = line.take("skip-bad-rows", None)
    return options.InputOptions(
        files=(*((file,) if file else ()), *_matching(line.take("files", ()))),
        type=(line.take("type", "") or options.JSON).lower(),
        fields=line.take("fields", None),
        field_file=line.take("fieldFile", None),
        headerline=line.take("headerline", False),
        json_array=line.take("jsonArray", False),
        legacy=line.take("legacy", False),
        parse_grace=line.take("parseGrace", options.STOP),
        columns_have_types=line.take("columnsHaveTypes", False),
        use_array_index_fields=line.take("useArrayIndexFields", False),
        ignore_blanks=line.take("ignoreBlanks", False),
        delimiter=_character(line, "delimiter", ",", may_be_empty=False),
        quote=_character(line, "quote", '"', may_be_empty=True),
        string_columns=tuple(columns.split(",")) if columns else (),
        skip_bad_rows=skipped[-1] if isinstance(skipped, list) else skipped,
    )


def ingest_options(line: Line) -> options.IngestOptions:
    """Return the options of the group."""
    size = line.take("batchSize", options.MAX_BATCH_DOCUMENTS)
    return options.IngestOptions(
        drop=line.take("drop", False),
        maintain_insertion_order=line.take("maintainInsertionOrder", False),
        insertion_workers=line.take("numInsertionWorkers", 1),
        stop_on_error=line.take("stopOnError", False),
        mode=line.take("mode", None),
        upsert=line.take("upsert", False),
        upsert_fields=line.take("upsertFields", None),
        write_concern=line.take("writeConcern", ""),
        bypass_document_validation=line.take("bypassDocumentValidation", False),
        batch_size=size if 0 < size <= options.MAX_BATCH_DOCUMENTS else options.MAX_BATCH_DOCUMENTS,
    )


def import_options(line: Line) -> options.ImportOptions:
    """Return all options of an import.

    Raises:
        OptionError: A value is none of its kind.
    """
    return options.ImportOptions(
        **vars(tool_options(line)),
        input=input_options(line),
        ingest=ingest_options(line),
    )

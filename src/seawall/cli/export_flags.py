"""The flags of `seawall export`, and the options they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall.cli.flags import BOOL, NUMBER, Flag, Grammar, Line, split_positionals
from seawall.cli.import_flags import CONNECTION_FLAGS, tool_options
from seawall.cli.readings_flags import EXPORT_READINGS_FLAGS
from seawall.transfer.export.options import ExportOptions, OutputOptions, QueryOptions
from seawall.transfer.failures import OptionError

OUTPUT, QUERYING = "output", "querying"

EXPORT_FLAGS: Final = (
    Flag(
        *("fields", "f"),
        group=OUTPUT,
        help="comma-separated field names; CSV needs them: -f name,address.city",
        value="<field>[,<field>]*",
    ),
    Flag("fieldFile", group=OUTPUT, help="file with field names, one a line", value="<file>"),
    Flag("type", group=OUTPUT, help="json (default) or csv", value="<type>"),
    Flag("csv", kind=BOOL),
    Flag("out", "o", group=OUTPUT, help="file to write; default: standard output", value="<file>"),
    Flag("jsonArray", "", BOOL, OUTPUT, "write one JSON array instead of a document a line"),
    Flag("pretty", "", BOOL, OUTPUT, "write JSON for people, over many lines"),
    Flag("noHeaderLine", "", BOOL, OUTPUT, "write CSV without a line of names"),
    Flag(
        "jsonFormat",
        group=OUTPUT,
        help="relaxed (default) or canonical Extended JSON",
        value="<format>",
    ),
    Flag(
        *("query", "q"),
        group=QUERYING,
        help="""filter, as Extended JSON: '{"n": {"$gt": 1}}'""",
        value="<json>",
    ),
    Flag("queryFile", group=QUERYING, help="file with the filter", value="<file>"),
    Flag("slaveOk", "k", BOOL),
    Flag(
        "readPreference",
        group=QUERYING,
        help="a mode such as nearest, or an object: "
        '\'{mode: "nearest", tagSets: [{a: "b"}], maxStalenessSeconds: 123}\'',
        value="<mode>|<json>",
    ),
    Flag("forceTableScan", "", BOOL, QUERYING, "accepted; has no effect"),
    Flag("skip", "", NUMBER, QUERYING, "leave out so many documents first", "<count>"),
    Flag("limit", "", NUMBER, QUERYING, "export so many documents at most", "<count>"),
    Flag("sort", group=QUERYING, help="order, as JSON: '{n: -1}'", value="<json>"),
    Flag("assertExists", "", BOOL, QUERYING, "fail if the collection does not exist"),
    Flag("allowDiskUse", kind=BOOL),
)
GRAMMAR: Final = Grammar((*CONNECTION_FLAGS, *EXPORT_FLAGS, *EXPORT_READINGS_FLAGS))


def read_line(arguments: Sequence[str]) -> Line:
    """Return what the line says, its connection string moved to its flag.

    Raises:
        OptionError: The line cannot be understood.
    """
    line = GRAMMAR.parse(arguments)
    uri, _ = split_positionals(line.positionals, line.take("uri", ""), files=False)
    line.values["uri"] = uri
    return line


def export_options(line: Line) -> ExportOptions:
    """Return all options of an export.

    Raises:
        OptionError: Two of them exclude each other.
    """
    preference = line.take("readPreference", "")
    if line.take("slaveOk", False):
        if preference:
            raise OptionError("--slaveOk can't be specified when --readPreference is specified")
        preference = "nearest"
    return ExportOptions(
        **vars(tool_options(line)),
        output=OutputOptions(
            type="csv" if line.take("csv", False) else line.take("type", "json").lower(),
            fields=line.take("fields", ""),
            field_file=line.take("fieldFile", ""),
            out=line.take("out", ""),
            json_array=line.take("jsonArray", False),
            pretty=line.take("pretty", False),
            no_header_line=line.take("noHeaderLine", False),
            json_format=line.take("jsonFormat", "relaxed"),
        ),
        query=QueryOptions(
            query=line.take("query", ""),
            query_file=line.take("queryFile", ""),
            read_preference=preference,
            force_table_scan=line.take("forceTableScan", False),
            skip=line.take("skip", 0),
            limit=line.take("limit", 0),
            sort=line.take("sort", ""),
            assert_exists=line.take("assertExists", False),
            allow_disk_use=line.take("allowDiskUse", False),
        ),
    )

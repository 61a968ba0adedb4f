"""Whether the server tells which version of what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    KINDS,
    curl,
    if_answered,
    on_surface,
    pages,
    printable,
    references,
    root_of,
)
from seawall.audit.check import Answers, Check
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_NAMES: Final = ("server", "x-powered-by", "x-aspnet-version", "x-generator")
_VERSION: Final = re.compile(r"[/ v]\d+\.\d+|^\d+\.\d+\.")


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    told: set[str] = set()
    for _, reply in pages(target, answers):
        for name in _NAMES:
            value = reply.header(name)
            if name not in told and _VERSION.search(value):
                told.add(name)
                yield Finding(
                    Status.FAIL,
                    f"{name}: {printable(value)}",
                    Fix(
                        "Leave the version out, in nginx: `server_tokens off;`, in Apache: "
                        "`ServerTokens Prod`, in Express: `app.disable('x-powered-by')`."
                    ),
                    reproduce=curl(target, root_of(target)),
                    key=name,
                )
    if not told:
        yield Finding(Status.PASS, "no version is told in the headers")


CHECK: Final = Check(
    id="api.server.version",
    title="The server tells its version",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why=(
        "The day a weakness of that version is known, lists of the addresses that told it are for "
        "sale. To hide it mends nothing; to have nobody find it first buys the days for renewing."
    ),
    references=references(200, 497, etsi=("5.6-2",), item=Item.DEFAULTS),
    jobs=on_surface,
    judge=if_answered(_judge),
)

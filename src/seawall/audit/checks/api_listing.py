"""Folders that list what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    FOLDERS,
    KINDS,
    curl,
    if_answered,
    on_surface,
    pages,
    printable,
    references,
    surface,
    verdict,
)
from seawall.audit.check import Answers, Check
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_LISTING: Final = re.compile(
    r"(?i)<(?:title|h1|h2)>\s*(?:index of|directory listing (?:for|of)|listing directory)"
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[surface(target)]
    is_listed = False
    folders = [item for item in facts.answered() if item[0] in FOLDERS]
    for request, reply in [*pages(target, answers), *folders]:
        if reply.is_ok and _LISTING.search(reply.text):
            is_listed = True
            yield Finding(
                Status.FAIL,
                f"GET {printable(request.path)} lists a folder, {reply.text.count('<a ')} links",
                Fix(
                    "Turn listings off, in nginx: `autoindex off;`, in Apache: `Options -Indexes`."
                ),
                reproduce=curl(target, request),
                key=request.path,
            )
    if not is_listed:
        yield verdict(facts, FOLDERS, "no folder that was asked for is listed")


CHECK: Final = Check(
    id="api.exposure.listing",
    title="A folder lists what is in it",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "Backups, firmware images, logs and what somebody left there for a moment are found by "
        "who would never have guessed their names."
    ),
    references=references(548, etsi=("5.6-2",)),
    jobs=on_surface,
    judge=if_answered(_judge),
)

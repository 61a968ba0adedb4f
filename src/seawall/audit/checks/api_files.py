"""Files that lie in the web server's folder by mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    ENVIRONMENT,
    GIT,
    KINDS,
    curl,
    if_answered,
    on_surface,
    references,
    surface,
    verdict,
)
from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_HEAD: Final = re.compile(rb"\A(?:ref: refs/|[0-9a-f]{40}\s*\Z)")
_SETTING: Final = re.compile(rb"(?m)^(?:export )?[A-Za-z_][A-Za-z0-9_]*=")
_FIX: Final = Fix(
    "Serve a folder that holds nothing but what is meant to be served, and refuse the rest, in "
    "nginx: `location ~ /\\. { deny all; }`. Change every password and key that was in it."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[surface(target)]
    is_there = False
    for request, pattern in ((GIT, _HEAD), (ENVIRONMENT, _SETTING)):
        try:
            reply = facts[request]
        except Unobserved:
            continue
        if not reply.is_ok or reply.is_html or not pattern.search(reply.body):
            continue
        is_there = True
        count = len(_SETTING.findall(reply.body))
        what = "the history of a Git repository" if request is GIT else f"{count} settings"
        yield Finding(
            Status.FAIL,
            f"{request.path} is served ({len(reply.body)} bytes): {what}",
            _FIX,
            severity=Severity.HIGH if request is GIT else Severity.CRITICAL,
            reproduce=curl(target, request),
            key=request.path,
        )
    if not is_there:
        yield verdict(facts, (GIT, ENVIRONMENT), "/.git/HEAD and /.env are not served")


CHECK: Final = Check(
    id="api.exposure.files",
    title="Source or settings are served to everybody",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "From /.git the whole source comes down, with every password that was ever committed; "
        "/.env mostly holds those in use. Programs ask every address for both, all day long."
    ),
    references=references(538, 527, 200, etsi=("5.6-2",)),
    jobs=on_surface,
    judge=if_answered(_judge),
)

"""Debug pages, and stack traces in answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    DEBUG,
    KINDS,
    MISSING,
    ODD,
    curl,
    everything,
    if_answered,
    is_like_missing,
    on_surface_and_routes,
    printable,
    references,
    shown,
    surface,
    verdict,
)
from seawall.audit.check import Answers, Check
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_TRACES: Final = {
    "a Python traceback": re.compile(r"Traceback \(most recent call last\)"),
    "the debugger of Werkzeug": re.compile(r"Werkzeug (?:powered|Debugger)|__debugger__|EVALEX"),
    "the debug page of Django": re.compile(
        r"You're seeing this error because you have.{1,40}DEBUG"
    ),
    "a Java stack trace": re.compile(r"\sat [\w.$]{1,200}\(\w{1,100}\.java:\d+\)"),
    "a JavaScript stack trace": re.compile(r"\sat .{1,120}\.(?:js|ts):\d+:\d+"),
    "a Go stack trace": re.compile(r"goroutine \d+ \["),
    "a PHP error": re.compile(r"(?:Fatal|Parse) error.{1,200} on line <?b?>?\d+"),
    "a .NET stack trace": re.compile(r"\bat [\w.]{1,200}\(.{0,120}\) in .{1,200}:line \d+"),
    "a Ruby backtrace": re.compile(r"\.rb:\d+:in [`']"),
}
_PAGES: Final = {
    "the console of Werkzeug": re.compile(r"Interactive Console|__debugger__"),
    "the environment of Spring Boot": re.compile(r'"propertySources"|"activeProfiles"'),
    "settings of the program": re.compile(
        r"(?i)\b(?:env(?:iron(?:ment)?)?|config|settings|heap)\b"
    ),
}
_FIX: Final = Fix(
    "Turn debugging off in what is deployed (Flask: `FLASK_DEBUG=0`, Django: `DEBUG = False`, "
    "FastAPI: `debug=False`), answer faults with a plain 500, and keep the trace in the log."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[surface(target)]
    seen: set[str] = set()
    for request, reply in everything(target, answers):
        text = reply.text
        found = next((name for name, pattern in _TRACES.items() if pattern.search(text)), "")
        is_page = request in DEBUG and reply.is_ok and not is_like_missing(facts, reply)
        if not found and is_page:
            found = next((name for name, pattern in _PAGES.items() if pattern.search(text)), "")
        if found and found not in seen:
            seen.add(found)
            is_console = "Werkzeug" in found
            yield Finding(
                Status.FAIL,
                f"{printable(shown(request, reply), 200)}; it holds {found}",
                _FIX,
                severity=Severity.CRITICAL if is_console else None,
                reproduce=curl(target, request),
                key=found,
            )
    if not seen:
        asked = (*DEBUG, MISSING, ODD)
        yield verdict(facts, asked, "no debug page, and no stack trace in answers to odd requests")


CHECK: Final = Check(
    id="api.exposure.debug",
    title="Debug pages or stack traces are shown to everybody",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "A stack trace names files, versions and queries, and shows where to push next. A debug "
        "console runs what one types into it: the machine is given away."
    ),
    references=references(209, 489, 215, etsi=("5.6-2", "5.6-4"), item=Item.DEFAULTS),
    jobs=on_surface_and_routes,
    judge=if_answered(_judge),
)

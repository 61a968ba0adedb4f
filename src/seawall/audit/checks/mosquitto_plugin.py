"""Whether others may replace a plugin."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_files import (
    KINDS,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.probes.mosquitto import ReadBroker
from seawall.audit.target import Target
from seawall.model.finding import (
    ChangeMode,
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    files = facts.files("plugin", "auth_plugin", "plugin_load", "global_plugin")
    for file in files:
        place = facts.at(file.setting) if file.setting else None
        if file.reason:
            text = f"the plugin cannot be looked at: {file.reason}"
            yield Finding(Status.UNKNOWN, text, location=place, key=file.path)
        elif file.mode & 0o002:
            yield Finding(
                Status.FAIL,
                f"mode {file.mode:04o}: every user of this machine may replace the plugin",
                Fix(
                    "Take that right away.",
                    command=f"chmod o-w {shlex.quote(file.path)}",
                    changes=(ChangeMode(file.path, file.mode & 0o7775),),
                ),
                location=place,
                key=file.path,
            )
        elif file.folder_mode & 0o002:
            yield Finding(
                Status.FAIL,
                f"folder of mode {file.folder_mode:04o}: any user may put another plugin there",
                Fix("Move the plugin into a folder of root's, such as /usr/lib/mosquitto."),
                location=place,
                key=file.path,
            )
        else:
            yield Finding(Status.PASS, f"mode {file.mode:04o}", location=place, key=file.path)
    if not files:
        yield Finding(Status.NOT_APPLICABLE, "no plugin is loaded")


CHECK = Check(
    id="mosquitto.plugin.writable",
    title="A plugin can be replaced by others",
    item=Item.COMPONENTS,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A plugin is code within the broker. Who may replace the file is the broker, with its "
    "keys and all messages.",
    references=References(("I5", "I7"), ("5.4-1", "5.6-7"), ("DC",), (732, 829)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)

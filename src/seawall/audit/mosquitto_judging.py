"""When a check of a Mosquitto configuration may say that all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from seawall.audit.check import Answers
from seawall.audit.probes.mosquitto import ReadBroker
from seawall.audit.target import Target
from seawall.model.finding import Finding, Status

Judge = Callable[[Target, Answers], Iterable[Finding]]
_CLEAN: Final = frozenset({Status.PASS, Status.NOT_APPLICABLE})
_SHOWN_CHARS: Final = 200


def if_all_was_read(judge: Judge) -> Judge:
    """Wrap a judge: an included file that could not be read may say the opposite.

    What was seen of one file, as its mode, stays what it is. What was included from elsewhere
    on this machine is named: where the configuration is a copy, its own machine has others.
    """

    def judged(target: Target, answers: Answers) -> Iterable[Finding]:
        facts = answers[ReadBroker(target.path or Path())]
        unread = facts.unread
        places = f" (read with {', '.join(facts.elsewhere)} on this machine)"[:_SHOWN_CHARS]
        for finding in judge(target, answers):
            if unread and finding.location is None and finding.status in _CLEAN:
                reason = f"nothing found, but not all was read: {'; '.join(unread)}"
                yield Finding(Status.UNKNOWN, reason[:_SHOWN_CHARS], key="unread")
            elif facts.elsewhere:
                yield replace(finding, evidence=f"{finding.evidence}{places}")
            else:
                yield finding

    return judged

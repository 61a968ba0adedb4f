"""Files of another user than the installation's."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.probes.state import ReadStateFiles
from seawall.audit.state_files import STATE, files_jobs, quoted
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Location, References, Risk, Severity, Status

_LENT = "broker/mosquitto"


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    files = answers[ReadStateFiles()]
    owner = files.files[0].uid
    # Started as root, Mosquitto gives its rights up: what it is to read belongs to its account.
    lent = {each.uid for each in files.files if each.path == _LENT}
    strange = [
        each
        for each in files.files
        if each.uid != owner and not (each.uid in lent and each.path.startswith(_LENT))
    ]
    for file in strange:
        yield Finding(
            Status.FAIL,
            f"{file.path} belongs to user {file.uid}, the installation to user {owner}",
            Fix(
                "Give it back to the user whom Seawall runs as.",
                f"sudo chown {owner} {quoted(target, file.path)}",
            ),
            # root reaches everything anyway; what it left behind stops the daemon, no more.
            Severity.LOW if file.uid == 0 else None,
            location=Location(file.path),
            key=file.path,
        )
    if not files.is_whole:
        text = f"only the first {len(files.files)} files were looked at"
        yield Finding(Status.UNKNOWN, text, key="rest")
    elif not strange:
        yield Finding(Status.PASS, f"all {len(files.files)} belong to whom they should")


CHECK = Check(
    id="state.files.owner",
    title="A file of the installation belongs to another user",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A file's owner can read and change it whatever its mode says. Files that a command run "
    "as root left behind stop the daemon at the next start.",
    references=References(("I7",), ("5.4-1", "5.6-7"), ("DP",), (708, 282)),
    jobs=files_jobs,
    judge=_judge,
)

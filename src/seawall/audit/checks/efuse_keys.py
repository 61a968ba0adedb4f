"""Keys in eFuses that software may read."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.efuses import Summary
from seawall.audit.chip.judging import EFUSE, at, file_jobs, summary_of, unknown
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_SECRET = ("XTS_AES", "HMAC", "ECDSA", "KM_INIT")
"""Beginnings of purposes whose keys are for the hardware alone; digests must stay readable."""
_BLOCKS = 6


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    summary = summary_of(target, answers)
    secret = dict(_secret_blocks(summary))
    found = []
    for block, purpose in secret.items():
        fuse = summary.fields.get(block)
        if fuse is not None and fuse.is_readable:
            found.append(
                Finding(
                    Status.FAIL,
                    f"{block} ({purpose}) is not protected from being read",
                    Fix(
                        "Protect the block. This cannot be undone.",
                        f"espefuse read-protect-efuse {block}",
                    ),
                    location=at(target, fuse.line),
                    key=block,
                )
            )
    missing = [block for block in secret if block not in summary.fields]
    yield from found
    if missing:
        yield unknown(f"{missing[0]} is not in the summary")
    elif not found and secret:
        yield Finding(Status.PASS, ", ".join(secret) + ": software cannot read it")
    elif not found and not _says_what_blocks_hold(summary):
        yield unknown("the summary does not say what the blocks hold")
    elif not found:
        yield Finding(Status.NOT_APPLICABLE, "no block holds a secret key")


def _secret_blocks(summary: Summary) -> Iterable[tuple[str, str]]:
    if summary.is_first_generation:
        for block, purpose in (("BLOCK1", "flash encryption"), ("BLOCK2", "secure boot")):
            fuse = summary.fields.get(block)
            is_digest = block == "BLOCK2" and not _is_set(summary, "ABS_DONE_0")
            # With secure boot of version 2 the block holds a digest, which must be readable.
            if fuse is not None and fuse.value != "zeros" and not is_digest:
                yield block, purpose
        return
    for number in range(_BLOCKS):
        purpose_fuse = summary.fields.get(f"KEY_PURPOSE_{number}")
        if purpose_fuse is not None and purpose_fuse.value.startswith(_SECRET):
            yield f"BLOCK_KEY{number}", purpose_fuse.value
    if "KEY_PURPOSE_0" not in summary.fields and _is_set(summary, "SPI_BOOT_CRYPT_CNT"):
        yield "BLOCK_KEY0", "XTS_AES_128_KEY"  # The C2 has one block and no purposes.


def _says_what_blocks_hold(summary: Summary) -> bool:
    if summary.is_first_generation:
        return "BLOCK1" in summary.fields and "BLOCK2" in summary.fields
    return "KEY_PURPOSE_0" in summary.fields or "SPI_BOOT_CRYPT_CNT" in summary.fields


def _is_set(summary: Summary, name: str) -> bool:
    return name in summary.fields and summary.fields[name].is_set


CHECK = Check(
    id="efuse.keys.readable",
    title="Keys in eFuses can be read",
    item=Item.HARDWARE,
    kinds=EFUSE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="The key of flash encryption is worth as much as the flash: any program that runs once, or "
    "the serial port, reads it out of a block that is not protected.",
    references=References(("I10",), ("5.4-1", "5.4-2"), ("DP",), (522, 1191)),
    jobs=file_jobs,
    judge=_judge,
)

"""Changes: brought together, applied as a whole or not at all, modes kept."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit import fixing
from seawall.audit.fixing import apply, planned
from seawall.audit.redaction import MASK, mask_settings
from seawall.errors import ConflictError
from seawall.model.finding import (
    Change,
    ChangeMode,
    ChangeText,
    Confidence,
    Fix,
    Item,
    Result,
    Severity,
    Status,
    Waiver,
)

BEFORE = b"one\ntwo\nthree\nfour\n"


def result(*changes: Change, status: Status = Status.FAIL, waiver: Waiver | None = None) -> Result:
    fix = Fix("mend it", changes=changes)
    return Result(
        "t",
        "a.b",
        Item.SERVICES,
        status,
        Severity.HIGH,
        Confidence.HIGH,
        "e",
        fix,
        None,
        "f",
        None,
        waiver,
    )


def text(after: bytes, before: bytes = BEFORE, path: str = "x") -> ChangeText:
    return ChangeText(path, before, after)


def test_only_open_failures_are_mended() -> None:
    change = ChangeMode("x", 0o600)
    waiver = Waiver("a.b", "because", date(2026, 1, 1))
    others = [result(change, status=Status.PASS), result(change, waiver=waiver)]
    assert planned(others) == ()
    assert planned([*others, result(change), result(change)]) == (change,)


def test_the_strictest_mode_wins() -> None:
    assert planned([result(ChangeMode("x", 0o640)), result(ChangeMode("x", 0o604))]) == (
        ChangeMode("x", 0o600),
    )


def test_changes_of_different_lines_become_one() -> None:
    changes = [
        text(b"ONE\ntwo\nthree\nfour\n"),
        text(b"one\ntwo\nfour\n"),
        text(b"one\ntwo\nthree\nfour\nfive\n"),
        text(b"one\ntwo\nthree\nfour\nsix\n"),
        text(b"ONE\ntwo\nthree\nfour\n"),
    ]
    (change,) = planned([result(each) for each in changes])
    assert change == text(b"ONE\ntwo\nfour\nfive\nsix\n")


def test_of_changes_that_contradict_the_first_is_made() -> None:
    first = text(b"one\nTWO\nthree\nfour\n")
    assert planned([result(first), result(text(b"one\n2\nthree\nfour\n"))]) == (first,)
    assert planned([result(first), result(text(b"x", before=b"other"))]) == (first,)


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d"]), max_size=8)


@given(LINES, LINES)
def test_one_change_alone_is_made_exactly(before: list[bytes], after: list[bytes]) -> None:
    change = text(b"".join(after), b"".join(before))
    # Twice, so that it goes through bringing together.
    assert planned([result(change), result(change)]) == (change,)


def test_files_are_changed_and_keep_their_modes(tmp_path: Path) -> None:
    path, key = tmp_path / "conf", tmp_path / "key"
    path.write_bytes(BEFORE)
    path.chmod(0o640)
    key.write_text("k")
    key.chmod(0o644)
    apply([text(b"after\n", path=str(path)), ChangeMode(str(key), 0o600)])
    assert path.read_bytes() == b"after\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert key.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["conf", "key"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(BEFORE)
    (tmp_path / "link").symlink_to("real")
    apply([text(b"after\n", path=str(tmp_path / "link"))])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"after\n"


def test_nothing_is_done_if_a_file_was_changed_meanwhile(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(BEFORE)
    two.write_bytes(b"somebody else\n")
    with pytest.raises(ConflictError, match="two was changed since"):
        apply([text(b"after\n", path=str(one)), text(b"after\n", path=str(two))])
    assert one.read_bytes() == BEFORE


@pytest.mark.parametrize("name", ["gone", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConflictError, match="cannot be changed"):
        apply([text(b"after\n", path=str(tmp_path / name))])


def test_what_was_done_is_taken_back_when_a_later_change_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for each in (one, two):
        each.write_bytes(BEFORE)
    one.chmod(0o604)
    write = fixing._write

    def full(path: Path, content: bytes, mode: int) -> None:
        if path == two and content != BEFORE:
            raise OSError(28, "No space left on device")
        write(path, content, mode)

    monkeypatch.setattr(fixing, "_write", full)
    with pytest.raises(ConflictError, match="No space left"):
        apply([text(b"after\n", path=str(one)), text(b"after\n", path=str(two))])
    assert one.read_bytes() == two.read_bytes() == BEFORE
    assert one.stat().st_mode & 0o777 == 0o604


def test_values_of_secrets_are_masked_and_names_of_their_files_are_not() -> None:
    kept = "+allow_anonymous false\n password_file /etc/pw\n-keyfile /etc/key.pem\n listener 8883\n"
    masked = [
        " remote_password hunter2",
        "-password = 'hunter2'",
        '+  "api_key": "hunter2",',
        "+user:$7$101$hunter2==$hunter2==",
        "SECRET=hunter2",
    ]
    assert mask_settings(kept) == kept
    text = mask_settings("\n".join(masked))
    assert "hunter2" not in text
    assert text.count(MASK) == len(masked)


def test_a_link_that_somebody_else_made_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = Path("/etc/passwd")  # root's: neither ours to lend, nor a stranger's to link to
    mode = victim.stat().st_mode
    link = tmp_path / "passwords"
    link.symlink_to(victim)
    if os.geteuid() == 0:
        os.lchown(link, 12_345, 12_345)
    else:
        mine = os.geteuid()
        monkeypatch.setattr(fixing.os, "geteuid", lambda: mine + 1)
    with pytest.raises(ConflictError, match="not theirs"):
        apply([ChangeMode(str(link), 0o600)])
    assert victim.stat().st_mode == mode


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConflictError):
        apply([ChangeMode(str(tmp_path / "loop"), 0o600)])

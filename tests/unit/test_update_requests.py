"""Paths and ranges of the update endpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.updates.requests import Part, part_of, range_header, wanted_file

SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "target",
    ["/metadata/1.root.json", "/metadata/17.snapshot.json", "/metadata/2.targets.json",
     "/metadata/timestamp.json", f"/targets/files/{SHA}", f"/targets/unix/{SHA}.1.2.0.json"],
)  # fmt: skip
def test_names_of_the_repository_are_served(target: str) -> None:
    wanted = wanted_file(target)
    assert wanted is not None
    assert "/" + str(wanted.path) == target


@pytest.mark.parametrize(
    "target",
    ["/", "", "*", "/metadata/", "/metadata/root.json", "/metadata/01.root.json", "/keys/keys.json",
     "/metadata/../keys/keys.json", "/metadata/1.root.json/", "//metadata/1.root.json",
     "/metadata/1.root.json?x=1", "/metadata/1.root.json#x", "/metadata/%31.root.json",
     "/metadata/1.root.json\n", "/metadata/99999999999.root.json", "/metadata/1.other.json",
     "https://h/metadata/timestamp.json", "/staged/root.json", "/targets/../keys/timestamp-1.pem",
     f"/targets/files/{SHA[:-1]}", f"/targets/files/{SHA.upper()}", f"/targets/files/../{SHA}",
     f"/targets/unix/{SHA}.1.json/..", f"/targets/../unix/{SHA}.1.json",
     f"/targets/unix/{SHA}.json",
     "/targets/files/" + "a" * 300, "/.lock", "/metadata/1.root.json\0"],
)  # fmt: skip
def test_everything_else_is_no_name(target: str) -> None:
    assert wanted_file(target) is None


@given(st.text(max_size=100))
def test_no_text_leads_out_of_the_two_folders(target: str) -> None:
    wanted = wanted_file(target)
    assert wanted is None or (
        wanted.path.parts[0] in {"metadata", "targets"} and ".." not in wanted.path.parts
    )


def _ranges(*values: str) -> list[tuple[str, str]]:
    return [("range", value) for value in values]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-", Part(206, 0, 100)),
        ("bytes=99-", Part(206, 99, 1)),
        ("bytes=10-19", Part(206, 10, 10)),
        ("bytes=10-10", Part(206, 10, 1)),
        ("bytes=90-999999", Part(206, 90, 10)),
        (" bytes=90- ", Part(206, 90, 10)),
        ("bytes=100-", Part(416, 0, 0)),
        ("bytes=100-200", Part(416, 0, 0)),
        ("bytes=20-10", Part(200, 0, 100)),
        ("bytes=-5", Part(200, 0, 100)),
        ("bytes=0-1,5-6", Part(200, 0, 100)),
        ("bytes=", Part(200, 0, 100)),
        ("bytes=-", Part(200, 0, 100)),
        ("bytes=a-", Part(200, 0, 100)),
        ("lines=0-", Part(200, 0, 100)),
        ("bytes=" + "9" * 40 + "-", Part(200, 0, 100)),
        ("bytes=٣-", Part(200, 0, 100)),
    ],
)
def test_ranges(value: str, part: Part) -> None:
    assert part_of("GET", _ranges(value), 100) == part


def test_ranges_that_do_not_count() -> None:
    whole = Part(200, 0, 100)
    assert part_of("HEAD", _ranges("bytes=10-"), 100) == whole
    assert part_of("GET", _ranges("bytes=10-", "bytes=20-"), 100) == whole
    assert part_of("GET", [*_ranges("bytes=10-"), ("if-range", '"x"')], 100) == whole
    assert part_of("GET", [], 100) == whole
    assert part_of("GET", _ranges("bytes=0-"), 0) == Part(416, 0, 0)


def test_content_range() -> None:
    assert range_header(Part(206, 10, 5), 100) == "bytes 10-14/100"
    assert range_header(Part(416, 0, 0), 100) == "bytes */100"
    assert range_header(Part(200, 0, 100), 100) is None


@given(st.text(max_size=40), st.integers(0, 1000))
def test_what_is_sent_lies_within_the_file(value: str, length: int) -> None:
    part = part_of("GET", _ranges(value), length)
    assert 0 <= part.first <= part.first + part.length <= length

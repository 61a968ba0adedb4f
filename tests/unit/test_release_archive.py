"""Versions, manifests, ESP32 images, archives and folders of releases."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.errors import (
    ConfigurationError,
    InvalidNameError,
    NotFoundError,
    ProtocolError,
    SeawallError,
    UsageError,
)
from seawall.model.device import Board
from seawall.model.release import ReleaseFile, ReleaseKind, parse_version
from seawall.operations.build_release import build_release
from seawall.updates.application import read_application
from seawall.updates.esp_image import parse_esp_image
from seawall.updates.manifest import (
    IMAGE_NAME,
    Manifest,
    check_path,
    check_paths,
    parse_manifest,
    render_manifest,
)
from seawall.updates.release_bundle import (
    MAX_FILE_BYTES,
    BuiltRelease,
    pack_release,
    release_of_files,
    release_of_image,
    unpack_release,
)

V1 = parse_version("1.0")
AGENT = {"seawall_agent/__init__.mpy": b"M\x06", "seawall_agent/app.mpy": b"M\x06app"}

numbers = st.integers(0, 65_535)
versions = st.lists(numbers, min_size=1, max_size=4)
segments = st.text("abcXYZ019_-.", min_size=1, max_size=8).filter(lambda s: s not in {".", ".."})
paths = st.lists(segments, min_size=1, max_size=3).map("/".join)


# Versions


@given(versions, versions)
def test_versions_compare_as_numbers(one: list[int], other: list[int]) -> None:
    first = parse_version(".".join(map(str, one)))
    second = parse_version(".".join(map(str, other)))
    padded = [(*each, 0, 0, 0)[:4] for each in (one, other)]
    assert (first < second) == (padded[0] < padded[1])
    assert (first == second) == (padded[0] == padded[1])
    if first == second:
        assert hash(first) == hash(second)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.",
        ".1",
        "1..2",
        "1.2.3.4.5",
        "65536",
        "01",
        "1.02",
        "-1",
        "1a",
        "v1",
        "1 ",
        "1\n",
        "¹",
    ],
)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        parse_version(text)
    assert caught.value.reference == "invalid-version"


@given(st.text())
def test_any_text_is_a_version_or_is_refused(text: str) -> None:
    try:
        version = parse_version(text)
    except InvalidNameError:
        return
    assert version.text == text
    assert max(version.numbers) <= 65_535


# Paths and manifests


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", "..", "../a", "a/../b", "./a", "a/./b", "a\\b", "a b", "ä", "a\0",
     "a:b", "a/" * 50 + "b", "a" * 101, "%2e%2e/a", "~/a", "a\n"],
)  # fmt: skip
def test_paths_that_climb_or_hide_are_refused(path: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_path(path)
    assert caught.value.reference == "release-path"


@given(st.text(max_size=120))
def test_a_path_that_is_allowed_stays_below(path: str) -> None:
    try:
        check_path(path)
    except InvalidNameError:
        return
    assert os.path.normpath(f"/slot/{path}") == f"/slot/{path}"


@pytest.mark.parametrize(
    "clash", [("a.py", "A.py"), ("x", "x/y"), ("X/y", "x"), ("d/A/f", "D/a"), ("Lib/a", "lib/A")]
)
def test_what_fat_takes_for_one_is_refused(clash: tuple[str, str]) -> None:
    with pytest.raises(InvalidNameError):
        check_paths(clash)


@given(st.dictionaries(paths, st.binary(max_size=20), max_size=8), versions)
def test_manifests_round_trip(contents: dict[str, bytes], version: list[int]) -> None:
    files = tuple(
        ReleaseFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in sorted(contents.items())
    )
    parsed = parse_version(".".join(map(str, version)))
    manifest = Manifest(Board.RP2, parsed, ReleaseKind.FILES, files)
    try:
        data = render_manifest(manifest)
    except InvalidNameError:
        return  # two that FAT takes for one
    assert parse_manifest(data) == manifest


def test_a_manifest_is_written_as_devices_expect() -> None:
    manifest = Manifest(
        Board.UNIX, parse_version("1.2.0"), ReleaseKind.FILES, (ReleaseFile("b", 1, "0" * 64),)
    )
    assert render_manifest(manifest) == (
        b'{"format":1,"board":"unix","version":"1.2.0","kind":"files","files":[["b",1,"'
        + b"0" * 64
        + b'"]]}'
    )


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_bytes_that_are_no_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_manifest(data)


_VALID = json.loads(
    render_manifest(Manifest(Board.UNIX, V1, ReleaseKind.FILES, (ReleaseFile("a", 1, "0" * 64),)))
)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"board": "esp9000"},
        {"version": "1.2.3.4.5"},
        {"kind": "disk"},
        {"kind": "image"},
        {"files": [["../a", 1, "0" * 64]]},
        {"files": [["a", -1, "0" * 64]]},
        {"files": [["a", True, "0" * 64]]},
        {"files": [["a", 1.0, "0" * 64]]},
        {"files": [["a", 1, "0" * 63]]},
        {"files": [["a", 1, "G" * 64]]},
        {"files": [["a", 1]]},
        {"files": [["b", 1, "0" * 64], ["a", 1, "0" * 64]]},
        {"files": {}},
        {"more": 1},
    ],
)
def test_a_manifest_with_a_fault_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_manifest(json.dumps({**_VALID, **change}, separators=(",", ":")).encode())
    assert caught.value.reference == "bad-manifest"


# ESP32 images


def _image(
    *,
    chip: int = 9,
    digest: bool = True,
    lengths: tuple[int, ...] = (256, 12, 1000),
    app: bool = True,
) -> bytes:
    """Write an image by the book, with arithmetic of its own."""
    header = bytearray(24)
    header[0], header[1], header[23] = 0xE9, len(lengths), int(digest)
    header[12:14] = struct.pack("<H", chip)
    body, checksum = bytes(header), 0xEF
    for number, length in enumerate(lengths):
        data = bytearray((7 * k + number) & 0xFF for k in range(length))
        if app and number == 0:
            data[:4] = struct.pack("<I", 0xABCD5432)
            data[16:48] = b"v1.28".ljust(32, b"\0")
            data[48:80] = b"micropython".ljust(32, b"\0")
        for byte in data:
            checksum ^= byte
        body += struct.pack("<II", 0x3F400000, length) + bytes(data)
    while len(body) % 16 != 15:
        body += b"\0"
    body += bytes((checksum,))
    return body + (hashlib.sha256(body).digest() if digest else b"")


@pytest.mark.parametrize("digest", [True, False])
@pytest.mark.parametrize("last", range(995, 1012))
def test_an_image_is_read(digest: bool, last: int) -> None:
    data = _image(digest=digest, lengths=(256, 12, last))
    image = parse_esp_image(data)
    assert (image.chip, image.segments, image.length) == ("ESP32-S3", 3, len(data))
    assert (image.project, image.version) == ("micropython", "v1.28")
    assert (image.has_digest, image.is_signed) == (digest, False)


def test_every_flipped_byte_of_an_image_is_noticed() -> None:
    data = _image(lengths=(100, 40))
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x41
        with pytest.raises(ProtocolError):
            parse_esp_image(bytes(broken))


def test_every_cut_of_an_image_is_noticed() -> None:
    data = _image(lengths=(100, 40), digest=False)
    for length in range(len(data)):
        with pytest.raises(ProtocolError):
            parse_esp_image(data[:length])


def test_an_image_for_the_whole_flash_and_a_bootloader_are_told_from_an_application() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_esp_image(_image() + b"\xff" * 100 + _image())
    assert "partition" in caught.value.hint
    with pytest.raises(ProtocolError) as caught:
        parse_esp_image(_image(app=False))
    assert "bootloader" in caught.value.hint
    with pytest.raises(ProtocolError):
        parse_esp_image(_image(chip=0x7777))


def test_a_secure_boot_signature_may_follow() -> None:
    data = _image()
    data += b"\xff" * (-len(data) % 4096)
    assert parse_esp_image(data + b"\xe7\x02".ljust(4096, b"\0")).is_signed
    with pytest.raises(ProtocolError):
        parse_esp_image(data + b"\xe7\x03".ljust(4096, b"\0"))


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda tail: b"\xe9" + tail))
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_esp_image(data)


def test_an_image_is_for_an_esp32() -> None:
    built = release_of_image(Board.ESP32, V1, _image())
    assert [each.path for each in built.release.files] == [IMAGE_NAME]
    assert unpack_release(pack_release(built)).image == built.image
    with pytest.raises(ConfigurationError):
        release_of_image(Board.RP2, V1, _image())


# Archives


def _built(**application: bytes) -> BuiltRelease:
    return release_of_files(Board.UNIX, V1, AGENT, application or {"application.mpy": b"code"})


@given(st.dictionaries(paths, st.binary(max_size=50), max_size=6))
def test_archives_round_trip_and_repeat(application: dict[str, bytes]) -> None:
    try:
        built = release_of_files(Board.UNIX, V1, AGENT, application)
    except SeawallError:
        return
    data = pack_release(built)
    assert unpack_release(data) == built
    again = release_of_files(Board.UNIX, V1, dict(reversed(AGENT.items())), application)
    assert pack_release(again) == data


@given(st.data())
def test_an_archive_with_a_changed_byte_is_refused(data: st.DataObject) -> None:
    archive = bytearray(pack_release(_built()))
    at = data.draw(st.integers(0, len(archive) - 1))
    archive[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((ProtocolError, UsageError, InvalidNameError)):
        unpack_release(bytes(archive))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_archive_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack_release(data)


def test_archives_that_others_write_are_refused() -> None:
    def archive(entries: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", how) as file:
            for name, data in entries.items():
                file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        return buffer.getvalue()

    built = _built()
    good = {"manifest.json": built.manifest_bytes, **built.contents}
    for bad in (
        archive(good, zipfile.ZIP_DEFLATED),
        archive({**good, "../climb": b""}),
        archive({**good, "application.mpy": b"other"}),
        archive(dict(reversed(good.items()))),
        archive(built.contents | {}),
        pack_release(built) + b"tail",
        b"head" + pack_release(built),
    ):
        with pytest.raises(ProtocolError):
            unpack_release(bad)


@pytest.mark.parametrize(
    ("path", "data", "reference"),
    [
        ("key.der", b"", "release-secret"),
        ("lib/HMAC.key", b"", "release-secret"),
        ("config.json", b"{}", "release-secret"),
        ("server.pem", b"", "release-secret"),
        ("notes.txt", b"-----BEGIN EC PRIVATE KEY-----", "release-secret"),
        ("seawall_guard/run.mpy", b"", "release-clash"),
        ("seawall_agent/app.mpy", b"", "release-clash"),
        ("seawall_agent.py", b"", "release-clash"),
        ("SEAWALL_AGENT/new.mpy", b"", "release-clash"),
        ("manifest.json", b"", "release-clash"),
        ("Manifest.JSON", b"", "release-clash"),
        ("MAIN.py", b"", "release-clash"),
        ("Boot.MPY", b"", "release-clash"),
        ("main.py", b"", "release-clash"),
        ("boot.py", b"", "release-clash"),
        ("big.bin", b"\0" * (MAX_FILE_BYTES + 1), "release-too-large"),
        ("../up.py", b"", "release-path"),
    ],
)
def test_what_may_not_be_in_a_release(path: str, data: bytes, reference: str) -> None:
    with pytest.raises(SeawallError) as caught:
        release_of_files(Board.UNIX, V1, AGENT, {path: data})
    assert caught.value.reference == reference


def test_a_release_has_limits() -> None:
    part = b"\0" * (MAX_FILE_BYTES // 2)
    with pytest.raises(UsageError) as caught:
        release_of_files(Board.UNIX, V1, AGENT, {f"f{n}": part for n in range(5)})
    assert caught.value.reference == "release-too-large"
    with pytest.raises(UsageError) as caught:
        release_of_files(Board.UNIX, V1, AGENT, {f"file-{n}": b"" for n in range(400)})
    assert "manifest" in caught.value.message
    with pytest.raises(ConfigurationError):
        release_of_files(Board.ESP8266, V1, AGENT, {})


# Folders


def test_a_folder_is_read_and_what_hides_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.py").write_bytes(b"a")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").write_bytes(b"secret")
    (tmp_path / "__pycache__").mkdir()
    found = read_application(tmp_path)
    assert found.contents == {"lib/a.py": b"a"}
    assert found.left_out == [".env", ".git", "__pycache__"]


@pytest.mark.parametrize("where", ["/etc/hostname", "inside.txt", "nowhere"])
def test_links_are_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "inside.txt").write_bytes(b"x")
    (tmp_path / "link").symlink_to(where)
    with pytest.raises(UsageError) as caught:
        read_application(tmp_path)
    assert caught.value.reference == "release-link"


def test_pipes_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_application(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError):
        read_application(tmp_path)


@pytest.fixture
def powerless() -> Iterator[Path]:
    """Return a folder of a user whom modes bind; the test runs as that user."""
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if is_root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            for path in folder.iterdir():
                path.chmod(0o700)


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o600])
def test_a_folder_that_cannot_be_read_is_told(powerless: Path, mode: int) -> None:
    inner = powerless / "inner"
    inner.mkdir()
    (inner / "a.py").write_bytes(b"a")
    inner.chmod(mode)
    for folder in (powerless, inner, inner / "a.py"):
        with pytest.raises(SeawallError) as caught:
            read_application(folder)
        assert caught.value.reference in {"release-unreadable", "application-missing"}
        assert "inner" in caught.value.message
    with pytest.raises(UsageError) as told:
        read_application(powerless)
    assert told.value.reference == "release-unreadable"


@pytest.mark.parametrize("compiled", [True, False])
def test_files_that_differ_in_case_alone_are_refused(tmp_path: Path, compiled: bool) -> None:
    for name in ("app.py", "APP.py"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InvalidNameError) as caught:
        build_release(tmp_path, V1, Board.UNIX, agent=AGENT, compiled=compiled)
    assert caught.value.reference == "release-path"


def test_a_build_repeats_wherever_the_folder_is(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "two"):
        folder = tmp_path / name / "app"
        folder.mkdir(parents=True)
        for file in ("b.py", "a.py") if name == "one" else ("a.py", "b.py"):
            (folder / file).write_text(f"NAME = {file!r}\n")
            os.utime(folder / file, (len(archives) * 1000, 0))
        archives.append(build_release(folder, V1, Board.UNIX, agent=AGENT).archive)
    assert archives[0] == archives[1]
    names = zipfile.ZipFile(io.BytesIO(archives[0])).namelist()
    assert names == ["manifest.json", "a.mpy", "b.mpy", *sorted(AGENT)]


def test_a_build_keeps_sources_if_told_and_refuses_a_module_twice(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A = 1\n")
    kept = build_release(tmp_path, V1, Board.UNIX, compiled=False, agent=AGENT)
    assert kept.built.contents["a.py"] == b"A = 1\n"
    (tmp_path / "a.mpy").write_bytes(b"M\x06")
    with pytest.raises(UsageError) as caught:
        build_release(tmp_path, V1, Board.UNIX, agent=AGENT)
    assert caught.value.reference == "release-clash"


def test_a_build_takes_the_agent_of_its_board(tmp_path: Path) -> None:
    unix = build_release(tmp_path, V1, Board.UNIX).built.contents
    board = build_release(tmp_path, V1, Board.RP2).built.contents
    assert "seawall_agent/hardware_unix.mpy" in unix
    assert "seawall_agent/hardware_unix.mpy" not in board
    assert "seawall_agent/hardware_board.mpy" in board
    assert all(path.startswith("seawall_agent/") for path in (*unix, *board))

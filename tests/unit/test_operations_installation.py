"""Making installations, and the people in them."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any

import pytest

from seawall.errors import (
    ConflictError,
    InvalidNameError,
    NotFoundError,
    SeawallError,
    StateError,
    StoreError,
    UsageError,
)
from seawall.model.installation import Settings, StatePaths
from seawall.model.user import Role, Session
from seawall.operations import passwords
from seawall.operations.add_user import add_user
from seawall.operations.change_password import change_password
from seawall.operations.check_password import check_password
from seawall.operations.create_installation import (
    CreatedInstallation,
    NewInstallation,
    check_complete,
    create_installation,
)
from seawall.operations.installation import Installation
from seawall.operations.list_users import list_users
from seawall.testing.memory_store import MemoryStore

NOW_MS = 1_795_000_000_000
PASSWORD = "walls of sea water"


class Ports:
    """The ports of `create_installation`, which leave files as the real ones do."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.users: list[Any] = []

    def create_store(self, path: Path) -> Any:
        path.write_bytes(b"database")
        return self

    def put_user(self, user: Any) -> None:
        self.users.append(user)

    def log(self, events: Any) -> None:
        self.events = list(events)

    def close(self) -> None:
        pass

    @staticmethod
    def write_settings(path: Path, settings: Settings) -> None:
        path.write_text(f"names = {list(settings.names)}\n")


def _create(root: Path, ports: Ports | None = None, **changes: Any) -> CreatedInstallation:
    ports = ports or Ports()
    return create_installation(
        root,
        NewInstallation(Settings(), **changes),
        create_store=changes.pop("create_store", ports.create_store),
        write_settings=ports.write_settings,
        now_ms=lambda: NOW_MS,
        actor="cli:test",
    )


def test_a_state_directory_is_complete_and_private(tmp_path: Path) -> None:
    root, ports = tmp_path / "deep" / "state", Ports()
    created = _create(root, ports)
    check_complete(root)
    assert created.generated_password is not None
    assert len(created.generated_password) == 20
    for path in (root, *root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    (user,) = ports.users
    assert (user.name, user.role) == ("admin", Role.ADMIN)
    assert passwords.matches(user.password_hash, created.generated_password)
    for path in root.rglob("*"):
        if path.is_file():
            assert created.generated_password.encode() not in path.read_bytes()


def test_a_given_password_is_not_repeated(tmp_path: Path) -> None:
    assert _create(tmp_path / "state", password=PASSWORD).generated_password is None


def test_an_empty_directory_will_do(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    _create(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_mount_point_is_filled_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "state"
    (root / "lost+found").mkdir(parents=True)
    monkeypatch.setattr(Path, "is_mount", lambda self: self == root)
    _create(root)
    check_complete(root)
    assert not [path for path in root.iterdir() if path.name.startswith(".seawall")]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    root = tmp_path / "state"
    _create(root)
    key = (root / "pki" / "master.key").read_bytes()
    with pytest.raises(ConflictError) as caught:
        _create(root)
    assert caught.value.reference == "state-exists"
    assert (root / "pki" / "master.key").read_bytes() == key
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(ConflictError):
        _create(other)
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        _create(tmp_path / "file")


def test_a_half_made_directory_is_described(tmp_path: Path) -> None:
    root = tmp_path / "state"
    _create(root)
    (root / "seawall.toml").unlink()
    for check in (check_complete, _create):
        with pytest.raises(StateError, match=r"seawall\.toml") as caught:
            check(root)
        assert caught.value.reference == "state-half-made"
        assert "seawall init" in caught.value.hint
    with pytest.raises(StateError) as caught:
        check_complete(tmp_path / "nowhere")
    assert caught.value.reference == "state-missing"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def full(path: Path) -> Any:
        raise StoreError("the disk is full")

    ports = Ports()
    ports.create_store = full  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        _create(tmp_path / "state", ports)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"admin": "Not A Name"}, InvalidNameError),
        ({"admin": ""}, InvalidNameError),
        ({"password": "short"}, UsageError),
        ({"admin": "administrator", "password": "administrator"}, UsageError),
    ],
)
def test_bad_wishes_are_refused_before_anything_is_made(
    tmp_path: Path, changes: dict[str, Any], error: type[SeawallError]
) -> None:
    with pytest.raises(error):
        _create(tmp_path / "state", **changes)
    assert list(tmp_path.iterdir()) == []


# People


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    keystore = _create(tmp_path / "state").keystore
    paths = StatePaths(tmp_path / "state")
    return Installation(paths, Settings(), MemoryStore(), keystore, lambda: NOW_MS, "cli:test")


def test_users_sign_in_with_their_password_alone(installation: Installation) -> None:
    user = add_user(installation, "maria", Role.OPERATOR, PASSWORD)
    assert check_password(installation, "maria", PASSWORD) == user
    for name, password in (("maria", "another password"), ("mario", PASSWORD), ("maria", "")):
        assert check_password(installation, name, password) is None
    assert check_password(installation, "maria", PASSWORD + "x" * 10_000) is None
    assert user.password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert list_users(installation) == [user]
    with pytest.raises(ConflictError):
        add_user(installation, "maria", Role.ADMIN, PASSWORD)


def test_a_new_password_ends_the_sessions(installation: Installation) -> None:
    add_user(installation, "maria", Role.VIEWER, PASSWORD)
    installation.store.put_session(Session("ab", "maria", "browser", "c", NOW_MS, NOW_MS + 10))
    change_password(installation, "maria", "other walls of water")
    assert installation.store.session("ab", NOW_MS) is None
    assert check_password(installation, "maria", PASSWORD) is None
    assert check_password(installation, "maria", "other walls of water") is not None
    kinds = [event.kind for event in installation.store.events()]
    assert kinds == ["user-added", "password-changed"]
    with pytest.raises(NotFoundError):
        change_password(installation, "mario", PASSWORD)


@pytest.mark.parametrize(
    "password", ["", "elevenchars", "a" * 20, "mariamariamaria", "Maria Maria Maria", "x" * 257]
)
def test_weak_passwords(installation: Installation, password: str) -> None:
    with pytest.raises(UsageError) as caught:
        add_user(installation, "maria", Role.VIEWER, password)
    assert caught.value.reference == "weak-password"
    assert password not in caught.value.message or not password
    assert installation.store.users() == []


def test_an_unknown_user_costs_as_much_time_as_a_known_one(installation: Installation) -> None:
    add_user(installation, "maria", Role.VIEWER, PASSWORD)
    check_password(installation, "nobody", PASSWORD)  # makes the hash of nobody

    def fastest_s(name: str) -> float:
        times = []
        for _ in range(4):
            start = time.perf_counter()
            assert check_password(installation, name, "wrong password") is None
            times.append(time.perf_counter() - start)
        return min(times)

    known, unknown = fastest_s("maria"), fastest_s("mario")
    assert 0.5 < known / unknown < 2


def test_generated_passwords_differ_and_pass_the_rules() -> None:
    made = {passwords.generate_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        passwords.check_new_password("admin", password)

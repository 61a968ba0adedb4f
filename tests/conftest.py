"""What all tests share: no skips, a clean environment, free ports, waiting for events."""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import hypothesis
import pytest

if TYPE_CHECKING:
    from seawall.testing.mongo_process import MongoProcess, TlsFiles

# Before anything imports them: suites that live in the package, for drivers to come.
pytest.register_assert_rewrite(
    "seawall.testing.broker_contract",
    "seawall.testing.command_contract",
    "seawall.testing.rollout_contract",
    "seawall.testing.store_contract",
)

T = TypeVar("T")

REPOSITORY: Final = Path(__file__).resolve().parent.parent
POLL_S: Final = 0.02
CALLED: Final = pytest.StashKey[Any]()

# A slow machine is no failing property. The examples are the same in each run, so that a change is
# judged by what it changes; SEAWALL_SEARCH=1 looks for new ones, and prints how to see one again.
hypothesis.settings.register_profile(
    "seawall",
    deadline=None,
    derandomize=not os.environ.get("SEAWALL_SEARCH"),
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("seawall")


# A missing component is a failure, never a skip


def _fail_if_skipped(report: Any) -> Any:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"a test must not be skipped, a missing component is a failure: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Turn a skipped test into a failed one."""
    report = _fail_if_skipped((yield))
    if report.when == "call":
        item.stash[CALLED] = report
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Turn a skipped module into a failed one."""
    return _fail_if_skipped((yield))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share real programs on one worker, and those of the browser last.

    (`pytest -n N --dist loadgroup --no-loadscope-reorder`.) Playwright's loop stays
    running in its thread until the session ends, and no other loop can run there then.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
        elif item.get_closest_marker("system"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees, or writes to, an installation or settings of the person who runs it."""
    for name in [name for name in os.environ if name.startswith("SEAWALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg-data"))


@pytest.fixture(autouse=True)
def _shows_what_the_matrix_says(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Look whether tests of the audit show what `tests/audit-matrix.toml` names them for."""
    if not request.path.stem.startswith("test_audit_"):
        yield
        return
    from seawall.audit import runner
    from seawall.testing.audit_matrix import cases_by_test, name_of, not_shown

    test = name_of(request.path, request.node.name)
    cases = cases_by_test(REPOSITORY / "tests" / "audit-matrix.toml").get(test, ())
    audits: list[Any] = []
    judge = runner.results

    def results(*arguments: Any) -> Any:
        audits.append(judge(*arguments))
        return audits[-1]

    if cases:
        monkeypatch.setattr(runner, "results", results)
    yield
    report = request.node.stash.get(CALLED, None)
    if report is not None and report.passed and (missing := not_shown(test, cases, audits)):
        pytest.fail(f"this test no longer shows what it is named for: {'; '.join(missing)}")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run `pytest.mark.anyio` tests on asyncio, the loop that the daemon runs on."""
    return "asyncio"


# Places and ports


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that returns a TCP port on 127.0.0.1 which nobody uses now.

    Prefer to bind port 0; this is for programs that want to be told a number.
    """
    given: set[int] = set()

    def pick() -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                given.add(port)
                return port

    return pick


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return a function that finds a real program, and fails the test if it is missing."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    beside = str(Path(sys.executable).parent)

    def find(name: str) -> str:
        path = shutil.which(name, path=search) or shutil.which(name, path=beside)
        if path is None:
            pytest.fail(f"{name} is not installed: ./run test installs it as root, or says how")
        return path

    return find


# Waiting for events instead of sleeping


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """Return a function that waits for a predicate: ``wait_until(predicate, timeout_s=10)``.

    It polls until the predicate returns something true, and returns that;
    past ``timeout_s`` the test fails, naming ``what`` it waited for.
    """

    def wait(predicate: Callable[[], T], timeout_s: float = 10.0, what: str = "") -> T:
        deadline = time.monotonic() + timeout_s
        while True:
            if answer := predicate():
                return answer
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout_s} s in vain for {what or _source(predicate)}")
            time.sleep(POLL_S)

    return wait


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Awaitable[Any]]:
    """Return `wait_until` as a coroutine function; the predicate may be one as well."""

    async def wait(predicate: Callable[[], Any], timeout_s: float = 10.0, what: str = "") -> Any:
        deadline = time.monotonic() + timeout_s
        while True:
            answer = predicate()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout_s} s in vain for {what or _source(predicate)}")
            await asyncio.sleep(POLL_S)

    return wait


def _source(predicate: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(predicate).strip()
    except OSError:
        return repr(predicate)


# MongoDB: a wire server as a process of its own, or any that MONGODB_URI names


@contextmanager
def _mongo_process(process: MongoProcess) -> Iterator[MongoProcess]:
    process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="session")
def plain_mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoProcess]:
    """A server of our own without sign-in or TLS."""
    from seawall.testing.mongo_process import MongoProcess

    with _mongo_process(MongoProcess(tmp_path_factory.mktemp("mongodb"))) as server:
        yield server


@pytest.fixture(scope="session")
def mongodb_uri(request: pytest.FixtureRequest) -> str:
    """Connection string of a server without sign-in or TLS, or of the one in MONGODB_URI.

    Tests that use it are system tests. Each works in a database of its own (`mongo_db`).
    """
    given = os.environ.get("MONGODB_URI")
    return given or str(request.getfixturevalue("plain_mongodb").uri)


@pytest.fixture(scope="session")
def mongo_tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Certificates of the server of `tls_mongodb`, minted for this run."""
    from seawall.testing.mongo_process import mint_tls_files

    return mint_tls_files(tmp_path_factory.mktemp("mongodb-tls"))


@pytest.fixture(scope="session")
def scram_mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoProcess]:
    """A server that asks for a name and a password (SCRAM), without TLS."""
    from seawall.testing.mongo_process import MongoProcess

    who = ("writer", secrets.token_urlsafe(9) + ":/@%")
    folder = tmp_path_factory.mktemp("mongodb-scram")
    with _mongo_process(MongoProcess(folder, user=who)) as server:
        yield server


@pytest.fixture(scope="session")
def tls_mongodb(
    tmp_path_factory: pytest.TempPathFactory, mongo_tls_files: TlsFiles
) -> Iterator[MongoProcess]:
    """A server that speaks TLS alone; its authority is in `mongo_tls_files`."""
    from seawall.testing.mongo_process import MongoProcess

    folder = tmp_path_factory.mktemp("mongodb-tls-server")
    with _mongo_process(MongoProcess(folder, tls=mongo_tls_files)) as server:
        yield server


@pytest.fixture(scope="session")
def secure_mongodb(
    tmp_path_factory: pytest.TempPathFactory, mongo_tls_files: TlsFiles
) -> Iterator[MongoProcess]:
    """A replica set of one that speaks TLS alone, and asks for a password or a certificate."""
    from seawall.testing.mongo_process import MongoProcess

    who = ("ann", secrets.token_urlsafe(9) + ":/@%")
    folder = tmp_path_factory.mktemp("mongodb-secure")
    server = MongoProcess(folder, tls=mongo_tls_files, user=who, alone=False)
    with _mongo_process(server):
        yield server


@pytest.fixture
def mongo_db(mongodb_uri: str) -> Iterator[Any]:
    """A database of `mongodb_uri` that nobody else uses (`pymongo.database.Database`)."""
    from pymongo import MongoClient

    with MongoClient(mongodb_uri, tz_aware=True) as client:
        name = f"seawall_test_{secrets.token_hex(6)}"
        yield client[name]
        client.drop_database(name)

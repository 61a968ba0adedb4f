"""The order of imports, the budgets and the names of the house, as a test.

Every rule says why it is there. docs/architecture.md has the picture. To argue
with a rule, change it here and there, in a commit that says what got better.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "seawall"
AGENT: Final = ROOT / "agent"

LAYERS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"errors"}),
    frozenset({"model"}),
    frozenset({"wire"}),
    frozenset({"pki", "store"}),
    frozenset({"devices", "broker", "ingest", "updates", "transfer", "audit"}),
    frozenset({"operations"}),
    frozenset({"web"}),
    frozenset({"daemon"}),
    frozenset({"cli"}),
)
"""From the bottom to the top. One total order; those in one line never import each other."""
RANK: Final = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}

DRIVERS: Final = ("seawall.store.sqlite", "seawall.store.mongodb", "seawall.broker.drivers")
ASSEMBLE: Final = "seawall.daemon.assemble"
TESTING: Final = "seawall.testing"
MAY_IMPORT_TESTING: Final = {"seawall.cli.commands.demo", "seawall.cli.commands.simulate"}

TOUCHES_THE_WORLD: Final = frozenset(
    {"asyncio", "http.client", "multiprocessing", "random", "secrets", "select", "signal"}
    | {"socket", "sqlite3", "ssl", "subprocess", "threading", "time", "urllib.request"}
)
ONE_HOME: Final[dict[str, frozenset[str]]] = {
    "cryptography": frozenset({"pki"}),
    "fastapi": frozenset({"web", "daemon"}),
    "starlette": frozenset({"web"}),
    "jinja2": frozenset({"web", "audit"}),
    "uvicorn": frozenset({"web", "daemon"}),
    "h11": frozenset({"daemon", "audit"}),
    "tuf": frozenset({"updates"}),
    "securesystemslib": frozenset({"updates"}),
    "click": frozenset({"cli"}),
    "rich": frozenset({"cli"}),
    "sqlite3": frozenset({"store"}),
    "pymongo": frozenset({"store", "transfer"}),
}
"""Libraries and the rooms that may know them."""

AUDIT_RUNS: Final = {"seawall.audit.runner", "seawall.audit.running"}
"""They start jobs and give up on them, and open nothing themselves."""

BAD_NAMES: Final = ("util", "utils", "helper", "helpers", "common", "manager", "managers", "misc")
MAX_MODULE_LINES: Final = 400
MAX_FUNCTION_LINES: Final = 40

LONGER: Final[dict[str, str]] = {
    "src/seawall/ingest/pipeline.py:_judge_readings": "the hot loop: a call costs a tenth of it",
    "agent/seawall_agent/dial.py:dial": "one coroutine: another would take heap while TLS does",
    "src/seawall/wire/mqtt/decoder.py:_publishes": "the path of almost every byte, flat on purpose",
}
"""``path`` or ``path:function`` of what is longer than the budget, and why it has to be."""


class Import(NamedTuple):
    """One import of one module, where it stands, and how."""

    importer: str
    imported: str
    line: int
    late: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def _modules(base: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        parts = list(path.relative_to(base).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def _sources() -> dict[str, Path]:
    return dict(_modules(PACKAGE.parent, PACKAGE))


def _imports_of(module: str, path: Path) -> Iterator[Import]:
    late = {
        id(inner)
        for outer in ast.walk(_tree(path))
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, id(node) in late)
        elif isinstance(node, ast.ImportFrom):
            # `from package import name` may name a module, or something in the package.
            base = node.module or ""
            for alias in node.names:
                name = f"{base}.{alias.name}"
                is_module = name in _sources()
                yield Import(module, name if is_module else base, node.lineno, id(node) in late)


@cache
def _imports() -> tuple[Import, ...]:
    return tuple(each for name, path in _sources().items() for each in _imports_of(name, path))


def _internal() -> list[Import]:
    return [each for each in _imports() if each.imported.split(".")[0] == "seawall"]


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _judge(broken: list[str], reason: str) -> None:
    if broken:
        pytest.fail(f"{reason}\n  " + "\n  ".join(broken), pytrace=False)


# Order


def test_layers_are_all_the_rooms() -> None:
    rooms = {_room(name) for name in _sources()} - {"", "testing", "__main__"}
    _judge(sorted(rooms - set(RANK)), "a room without a place in the order: give it one in LAYERS")


def test_imports_go_down() -> None:
    broken = [
        str(each)
        for each in _internal()
        if _room(each.importer) in RANK
        and _room(each.imported) in RANK
        and RANK[_room(each.imported)] > RANK[_room(each.importer)]
    ]
    _judge(broken, "Imports go down the order, so that what is below can be read and tested alone:")


def test_siblings_do_not_import_each_other() -> None:
    broken = [
        str(each)
        for each in _internal()
        if _room(each.importer) in RANK
        and RANK.get(_room(each.imported)) == RANK[_room(each.importer)]
        and _room(each.imported) != _room(each.importer)
    ]
    _judge(broken, "Siblings meet in operations; assemble hands them their ports:")


def test_no_circles() -> None:
    graph = defaultdict(set)
    for each in _internal():
        if each.imported != each.importer and not each.late:
            graph[each.importer].add(each.imported)
    broken = [" -> ".join(circle) for circle in _circles(graph)]
    _judge(broken, "A circle is one module in several files; put what they share below both:")


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            found.append([*way[way.index(module) :], module])
        elif module not in done:
            for following in sorted(graph.get(module, ())):
                visit(following, [*way, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found


def test_late_imports_hide_no_circle() -> None:
    broken = [
        str(each)
        for each in _internal()
        if each.late
        and _room(each.importer) not in {"cli", "testing", ""}
        and each.importer != ASSEMBLE
    ]
    reason = (
        "Late imports are for start-up time (cli, the public API) and optional parts (assemble):"
    )
    _judge(broken, reason)


def test_absolute_imports_only() -> None:
    broken = [
        f"{name}:{node.lineno}"
        for name, path in _sources().items()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    _judge(broken, "Absolute imports say where a thing lives, and this test reads them:")


# Who may know whom


def test_only_assemble_names_drivers() -> None:
    broken = [
        str(each)
        for each in _internal()
        for driver in DRIVERS
        if _is_in(each.imported, driver)
        and not _is_in(each.importer, driver)
        and not _is_in(each.importer, TESTING)
        and each.importer != ASSEMBLE
    ]
    _judge(broken, "A driver is chosen in one place (daemon/assemble), so that it can be replaced:")


def test_drivers_do_not_know_each_other() -> None:
    broken = []
    for each in _internal():
        if "seawall.broker.drivers." in each.importer and "broker.drivers." in each.imported:
            mine, other = (name.split(".")[3] for name in (each.importer, each.imported))
            broken += [str(each)] if mine != other else []
    _judge(broken, "Drivers share the port alone, so that one can go without the others:")


def test_nothing_imports_testing() -> None:
    broken = [
        str(each)
        for each in _internal()
        if _is_in(each.imported, TESTING)
        and not _is_in(each.importer, TESTING)
        and each.importer not in MAY_IMPORT_TESTING
    ]
    _judge(broken, "Fakes stay out of the product; only demo and simulate play devices:")


def test_the_public_face_is_for_others() -> None:
    broken = [str(each) for each in _internal() if each.imported == "seawall"]
    _judge(broken, "`from seawall import ...` is the public API; inside it would make circles:")


def test_errors_import_nothing_and_model_the_standard_library() -> None:
    standard = sys.stdlib_module_names
    broken = [
        str(each)
        for each in _imports()
        if _room(each.importer) in {"errors", "model"}
        and each.imported.split(".")[0] not in standard
        and not (_room(each.importer) == "model" and _room(each.imported) in {"model", "errors"})
    ]
    _judge(broken, "Nouns that everybody shares must cost nothing and know nobody:")


def test_model_and_wire_do_not_touch_the_world() -> None:
    broken = [
        str(each)
        for each in _imports()
        if _room(each.importer) in {"errors", "model", "wire"}
        and each.imported in TOUCHES_THE_WORLD
    ]
    reason = "Bytes in, verdict out; clock and randomness are arguments, so that it can be fuzzed:"
    _judge(broken, reason)


def test_only_probes_of_the_audit_touch_the_world() -> None:
    broken = [
        str(each)
        for each in _imports()
        if _room(each.importer) == "audit"
        and each.imported in TOUCHES_THE_WORLD
        and not _is_in(each.importer, "seawall.audit.probes")
        and not (each.importer in AUDIT_RUNS and each.imported in {"asyncio", "threading", "time"})
    ]
    reason = "A check judges facts that a test can make up; jobs in audit/probes fetch them:"
    _judge(broken, reason)


def test_libraries_have_one_home() -> None:
    broken = [
        str(each)
        for each in _imports()
        if (homes := ONE_HOME.get(each.imported.split(".")[0]))
        and _room(each.importer) not in homes | {"testing", ""}
    ]
    _judge(broken, "A library that everybody imports cannot be replaced; its room speaks for it:")


def test_agent_and_server_share_no_code() -> None:
    broken = []
    for name, path in _modules(AGENT, AGENT):
        broken += [str(e) for e in _imports_of(name, path) if e.imported.split(".")[0] == "seawall"]
    broken += [str(e) for e in _imports() if e.imported.split(".")[0] == "seawall_agent"]
    _judge(broken, "They share vectors/ alone, so that each proves the other wrong:")


# Names and sizes


def _measured() -> list[tuple[str, Path]]:
    scripts = list(_modules(ROOT, ROOT / "scripts"))
    return [*_sources().items(), *_modules(ROOT, AGENT), *scripts]


def test_names_say_what_is_inside() -> None:
    broken = []
    for _, path in _measured():
        place = path.relative_to(ROOT)
        words = [*place.with_suffix("").parts]
        words += [node.name for node in ast.walk(_tree(path)) if isinstance(node, ast.ClassDef)]
        broken += [f"{place}: {word}" for word in words if _is_vague(word)]
    _judge(broken, "A vague name attracts everything; name the noun:")


def _is_vague(word: str) -> bool:
    spaced = "".join(f"_{c.lower()}" if c.isupper() else c for c in word)
    return any(part in BAD_NAMES for part in spaced.split("_"))


def test_modules_are_short() -> None:
    broken = []
    for _, path in _measured():
        place = str(path.relative_to(ROOT))
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines >= MAX_MODULE_LINES and place not in LONGER:
            broken.append(f"{place}: {lines} lines")
    _judge(broken, f"A module is read in one sitting (under {MAX_MODULE_LINES} lines):")


def test_functions_are_short() -> None:
    broken = []
    for _, path in _measured():
        place = str(path.relative_to(ROOT))
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = _length(node)
            if lines >= MAX_FUNCTION_LINES and f"{place}:{node.name}" not in LONGER:
                broken.append(f"{place}:{node.lineno} {node.name}: {lines} lines")
    _judge(
        broken, f"A function is seen at once (under {MAX_FUNCTION_LINES} lines, less docstring):"
    )


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring and the parameters."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 2


def test_what_is_longer_still_exists() -> None:
    here = {str(path.relative_to(ROOT)) for _, path in _measured()}
    gone = [place for place in LONGER if place.split(":")[0] not in here]
    _judge(gone, "An exception outlived its reason; take it out of LONGER:")

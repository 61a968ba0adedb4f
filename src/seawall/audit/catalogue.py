"""Finds checks: each module of `seawall.audit.checks`, and each file of a folder given.

A module is one check and has it as ``CHECK``. Names that begin with ``_`` are left out, so
that checks can share what they need. Nothing lists the checks: to add one is to add a file.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Final

from seawall.audit import checks as home
from seawall.audit.check import Check
from seawall.audit.target import Access
from seawall.errors import ConfigurationError

_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*){1,3}\Z")
_ACCESS: Final = frozenset(field.name for field in fields(Access))
_GUIDE: Final = "docs/guides/audit-checks.md shows how a check is written"


def find_checks(folders: Iterable[Path] = ()) -> tuple[Check, ...]:
    """Return the checks of Seawall and of folders, sorted by item and id.

    Args:
        folders: Where people keep checks of their own.

    Raises:
        ConfigurationError: a folder is not there; a file cannot be imported, holds no
            check or one that is not whole; two checks have the same id.
    """
    found: dict[str, tuple[Check, str]] = {}
    for module, place in _modules(folders):
        check = _check_of(module, place)
        if check.id in found:
            raise ConfigurationError(f"check '{check.id}' is in {found[check.id][1]} and {place}")
        found[check.id] = (check, place)
    return tuple(sorted((check for check, _ in found.values()), key=lambda c: (c.item, c.id)))


def _modules(folders: Iterable[Path]) -> Iterator[tuple[ModuleType, str]]:
    for info in pkgutil.walk_packages(home.__path__, f"{home.__name__}."):
        if not info.ispkg and not info.name.rpartition(".")[2].startswith("_"):
            yield importlib.import_module(info.name), info.name
    for folder in folders:
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is no folder of checks", hint=_GUIDE)
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield _import_file(path), str(path)


def _import_file(path: Path) -> ModuleType:
    """Import a file that belongs to no package.

    Raises:
        ConfigurationError: it cannot be imported; says the line.
    """
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"seawall_check_{place}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by its name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as fault:
        # SystemExit as well: a file that ends the program would end the audit as a clean one.
        del sys.modules[name]
        line = _line_in(path, fault)
        kind = type(fault).__name__
        raise ConfigurationError(f"{path}, line {line}: {kind}: {fault}", hint=_GUIDE) from fault
    return module


def _line_in(path: Path, fault: BaseException) -> int:
    if isinstance(fault, SyntaxError):
        return fault.lineno or 0
    frames = traceback.extract_tb(fault.__traceback__)
    return next((f.lineno or 0 for f in reversed(frames) if f.filename == str(path)), 0)


def _check_of(module: ModuleType, place: str) -> Check:
    check = getattr(module, "CHECK", None)
    if not isinstance(check, Check):
        raise ConfigurationError(f"{place} has no CHECK = Check(...)", hint=_GUIDE)
    for problem in _problems(check):
        raise ConfigurationError(f"{place}: check '{check.id}': {problem}", hint=_GUIDE)
    return check


def _problems(check: Check) -> Iterator[str]:
    if _ID.match(check.id) is None:
        yield "id must be two to four kebab-case words with dots, such as mqtt.limits.packet-size"
    if not check.kinds:
        yield "kinds is empty: it would never run"
    if not check.title.strip() or not check.why.strip():
        yield "title and why say what is wrong and what an attacker does with it"
    if unknown := sorted(set(check.needs) - _ACCESS):
        yield f"needs names '{unknown[0]}', which is no field of Access"

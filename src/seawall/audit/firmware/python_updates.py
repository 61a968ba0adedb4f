"""What in a Python module has to do with updates of the device over the air."""

from __future__ import annotations

import ast
import re
from typing import Final

from seawall.audit.firmware.python_spots import HTTP_CALLS
from seawall.audit.firmware.source import Trait
from seawall.audit.firmware.syntax import Module, argument, dotted

_UPDATERS: Final = re.compile(
    r"(?i)^(?:senko\.Senko|micropython_ota\.\w+|ugit\.(?:pull\w*|update)|ota_updater\.\w+"
    r"|uota\.\w+|mip\.install|upip\.install|(?:app\.)?ota(?:_update\w*)?\.(?:OTAUpdater|ota_update|Updater)"
    r"|ota\.update\.\w+)$"
)
"""Calls that fetch code and write it, and check no signature (their sources say so)."""
_CODE_NAME: Final = re.compile(r"(?i)\.(?:py|mpy|bin|app|uf2)\b")
_SAYS_UPDATE: Final = re.compile(
    r"(?:^|_)(?:ota|OTA)(?:_|$|[A-Z])|OTA[A-Z_]"
    r"|(?i:upgrade|firmware|self_?update|do_?update|install_?update|check_?(?:for_?)?updates?"
    r"|update_?(?:firmware|code|self|data|info|files?|available|server|url)|updater)"
)
_VERIFIES: Final = re.compile(
    r"(?i)verif(?:y|ies|ied|ier)|ed25519|ecdsa|rsa_|signature|check_sig|trusted_root"
)
_OF_TLS: Final = re.compile(
    r"(?i)verify_?(?:locations|mode|flags|host|cert|server|peer|ssl|tls|callback|paths)"
    r"|load_verify|crc|checksum|sha\d|md5|hash|size|length|password|login"
)
"""What is verified with these is a connection, or what nobody signed."""
_HASHES: Final = re.compile(r"(?i)sha256|sha512|blake2|checksum|md5|sha1$")
_PARTITION: Final = frozenset({"writeblocks", "set_boot"})


def update_traits(module: Module) -> dict[Trait, int]:
    """Return where a module fetches, writes code, verifies, compares versions, rolls back."""
    traits: dict[Trait, int] = {}
    for name, call in module.calls():
        _of_call(module, name, call, traits)
    says_update = False
    for node in module.nodes:
        word = _word(node)
        says_update = says_update or bool(_SAYS_UPDATE.search(word))
        line = getattr(node, "lineno", 1)
        if _is_verifying(module, node):
            traits.setdefault(Trait.VERIFIES, line)
        if _HASHES.search(word):
            traits.setdefault(Trait.HASHES, line)
        if word == "mark_app_valid_cancel_rollback":
            traits.setdefault(Trait.ROLLS_BACK, line)
        if isinstance(node, ast.Compare) and _compares_versions(node):
            traits.setdefault(Trait.COMPARES_VERSIONS, line)
    if says_update and Trait.FETCHES in traits and Trait.WRITES_CODE not in traits:
        written = _writes_anything(module)
        if written:
            traits[Trait.WRITES_CODE] = written
    return traits


def _is_verifying(module: Module, node: ast.AST) -> bool:
    """Return whether a function for signatures is called, or a module for them imported."""
    match node:
        case ast.Call():
            words = [module.callee(node)]
        case ast.Import(names=names):
            words = [each.name for each in names]
        case ast.ImportFrom(module=str(origin)):
            words = [origin]
        case _:
            return False
    return any(_VERIFIES.search(word) and not _OF_TLS.search(word) for word in words)


def _of_call(module: Module, name: str, call: ast.Call, traits: dict[Trait, int]) -> None:
    line, last = call.lineno, name.rpartition(".")[2]
    if _UPDATERS.match(name):
        traits.setdefault(Trait.UPDATES, line)
    elif HTTP_CALLS.search(name):
        traits.setdefault(Trait.FETCHES, line)
        if module.start_of(argument(call, "url", 0)).lower().startswith("http://"):
            traits.setdefault(Trait.FETCHES_PLAIN, line)
    elif _writes_code(module, name, last, call):
        traits.setdefault(Trait.WRITES_CODE, line)


def _writes_code(module: Module, name: str, last: str, call: ast.Call) -> bool:
    if name == "open":
        return _opens_code(module, call)
    if name in {"os.rename", "os.replace"}:
        return any(_CODE_NAME.search(_all_text(module, each)) for each in call.args[1:2])
    if name == "exec":  # exec(response.text): run, not even written.
        return bool(call.args) and isinstance(call.args[0], ast.Attribute)
    return last in _PARTITION and "Partition" in _receiver(module, call)


def _receiver(module: Module, call: ast.Call) -> str:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    made = module.value_of(owner)
    return " ".join([dotted(owner), dotted(made), dotted(getattr(made, "func", None))])


def _opens_code(module: Module, call: ast.Call) -> bool:
    mode = module.text_of(argument(call, "mode", 1)) or "r"
    if not call.args or not set(mode) & {"w", "a", "x"}:
        return False
    return bool(_CODE_NAME.search(_all_text(module, call.args[0])))


def _writes_anything(module: Module) -> int:
    for name, call in module.calls():
        if name == "open" and set(module.text_of(argument(call, "mode", 1)) or "r") & {"w", "a"}:
            return call.lineno
    return 0


def _all_text(module: Module, node: ast.expr) -> str:
    """Return the constant parts of a text that is put together."""
    node = module.value_of(node) or node
    return " ".join(
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )


def _word(node: ast.AST) -> str:
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word) | ast.FunctionDef(name=word):
            return word
        case ast.ClassDef(name=word) | ast.AsyncFunctionDef(name=word) | ast.alias(name=word):
            return word
        case _:
            return ""


def _compares_versions(node: ast.Compare) -> bool:
    ordered = any(isinstance(op, ast.Gt | ast.Lt | ast.GtE | ast.LtE) for op in node.ops)
    names = " ".join(
        _word(each) for side in [node.left, *node.comparators] for each in ast.walk(side)
    )
    return ordered and bool(re.search(r"(?i)version|\bver\b|_ver\b|floor", names))

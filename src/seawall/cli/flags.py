"""The command-line grammar of the MongoDB tools: exact names, glued values, no abbreviation.

click parses differently (it abbreviates nothing either, but ``-h`` is help, values may look
like options, and its words are others), so `import` and `export` read their line with this.
No I/O; importing it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from seawall.transfer.failures import OptionError, VerbosityError

BOOL, TEXT, NUMBER, CHOICE, VERBOSITY, MANY = (
    "bool",
    "text",
    "number",
    "choice",
    "verbosity",
    "many",
)

UNSUPPORTED: Final = ("dbpath", "directoryperdb", "journal")
URI_SCHEMES: Final = ("mongodb://", "mongodb+srv://")


@dataclass(frozen=True)
class Flag:
    """One flag.

    Args:
        name: Long name without dashes.
        short: One letter, or empty.
        kind: `BOOL`, `TEXT`, `NUMBER`, `CHOICE`, `VERBOSITY`, or `MANY` (may be repeated).
        group: Heading in the help; empty hides the flag.
        help: One line; ``<x>`` in front names the value.
        choices: What a `CHOICE` allows.
    """

    name: str
    short: str = ""
    kind: str = TEXT
    group: str = ""
    help: str = ""
    value: str = ""
    choices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The flag as messages name it."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


@dataclass
class Line:
    """What stood on the line: values by long name, and what belongs to no flag."""

    values: dict[str, Any] = field(default_factory=dict)
    positionals: list[str] = field(default_factory=list)

    def take(self, name: str, default: Any) -> Any:
        """Return the value of a flag, or the default."""
        return self.values.get(name, default)


class Grammar:
    """Reads command lines by a table of flags."""

    def __init__(self, flags: Sequence[Flag]) -> None:
        self.flags = tuple(flags)
        self._long = {flag.name: flag for flag in flags}
        self._short = {flag.short: flag for flag in flags if flag.short}

    def parse(self, arguments: Sequence[str]) -> Line:
        """Return what the line says.

        Raises:
            OptionError: An unknown flag, a missing or a bad value.
            VerbosityError: `--verbose` with a level that is none.
        """
        line = Line()
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "--":
                # The original takes this for a file; the end of the options is what people mean.
                line.positionals += [each for each in rest if each]
                break
            if word.startswith("--"):
                self._take_long(line, word[2:], rest)
            elif word.startswith("-") and len(word) > 1:
                self._take_short(line, word[1:], rest)
            elif word:
                line.positionals.append(word)
        return line

    def _take_long(self, line: Line, word: str, rest: list[str]) -> None:
        name, equals, value = word.partition("=")
        flag = self._long.get(name)
        if flag is None:
            raise _unknown(name)
        if flag.kind == VERBOSITY:
            _raise_verbosity(line, value if equals else "v")
        elif flag.kind == BOOL:
            if equals:
                raise OptionError(f"bool flag `--{name}' cannot have an argument")
            line.values[name] = True
        elif flag.kind == MANY and not flag.value.startswith("<") and not equals:
            line.values.setdefault(name, []).append("")
        else:
            _store(line, flag, value if equals else _following(flag, rest))

    def _take_short(self, line: Line, word: str, rest: list[str]) -> None:
        while word:
            flag = self._short.get(word[0])
            if flag is None:
                raise _unknown(word)
            if flag.kind == VERBOSITY:
                return _raise_verbosity(line, word)
            if flag.kind != BOOL:
                glued = word[1:].removeprefix("=")
                has_value = len(word) > 1
                return _store(line, flag, glued if has_value else _following(flag, rest))
            if word[1:].startswith("="):
                raise OptionError(f"bool flag `{flag.title}' cannot have an argument")
            line.values[flag.name] = True
            word = word[1:]
        return None


def _unknown(name: str) -> OptionError:
    if name in UNSUPPORTED:
        return OptionError(
            "--dbpath and related flags are not supported in 3.0 tools.\n"
            "See http://dochub.mongodb.org/core/tools-dbpath-deprecated for more information"
        )
    return OptionError(f"unknown option `{name}`")


def _following(flag: Flag, rest: list[str]) -> str:
    if not rest:
        raise OptionError(f"expected argument for flag `{flag.title}'")
    value = rest[0]
    is_negative = flag.kind == NUMBER and value[1:2].isdigit()
    if value.startswith("-") and len(value) > 1 and not is_negative:
        raise OptionError(f"expected argument for flag `{flag.title}', but got option `{value}'")
    return rest.pop(0)


def _store(line: Line, flag: Flag, value: str) -> None:
    if flag.kind == NUMBER:
        line.values[flag.name] = _number(flag, value)
    elif flag.kind == MANY:
        line.values.setdefault(flag.name, []).append(value)
    elif flag.kind == CHOICE and value not in flag.choices:
        allowed = ", ".join(flag.choices[:-1]) + " or " + flag.choices[-1]
        raise OptionError(
            f"Invalid value `{value}' for option `{flag.title}'. Allowed values are: {allowed}"
        )
    else:
        line.values[flag.name] = value


def _number(flag: Flag, value: str) -> int:
    digits = value[1:] if value[:1] in {"+", "-"} else value
    if digits.isascii() and digits.isdigit():
        number = int(value[:40])
        if len(value) <= 40 and -(2**63) <= number < 2**63:
            return number
        why = "value out of range"
    else:
        why = "invalid syntax"
    raise OptionError(
        f"invalid argument for flag `{flag.title}' (expected int): "
        f'strconv.ParseInt: parsing "{value}": {why}'
    )


def _raise_verbosity(line: Line, word: str) -> None:
    """Add up ``v``, ``vvv``, or take over the number of ``3``, ``v=3``, ``vv=3``."""
    level = line.values.get("verbose", 0)
    letters = len(word) - len(word.lstrip("v"))
    rest = word[letters:].removeprefix("=")
    if not rest:
        line.values["verbose"] = level + letters
        return
    try:
        line.values["verbose"] = int(rest)
    except ValueError:
        if set(rest) != {"v"}:
            raise VerbosityError("Invalid verbosity value given") from None
        line.values["verbose"] = level + len(rest)


def split_positionals(words: Sequence[str], uri: str, *, files: bool) -> tuple[str, str]:
    """Return the connection string and the file name among the words that belong to no flag.

    Args:
        words: At most one of each, in any order.
        uri: What `--uri` said.
        files: Whether a file name may be among them (the importer's may, the exporter's not).

    Raises:
        OptionError: Too many of one kind, or a connection string beside `--uri`.
    """
    uris = [word for word in words if word.startswith(URI_SCHEMES)]
    names = [word for word in words if not word.startswith(URI_SCHEMES)]
    if len(uris) > 1:
        raise OptionError(
            "too many URIs found in positional arguments: "
            "only one URI can be set as a positional argument"
        )
    if uris and uri:
        raise OptionError(
            "illegal argument combination: cannot specify a URI in a positional argument and --uri"
        )
    if len(names) > int(files):
        kinds = (
            "one file name and only one MongoDB connection string"
            if files
            else "one MongoDB connection string"
        )
        raise OptionError(
            f"error parsing positional arguments: provide only {kinds}. "
            "Connection strings must begin with mongodb:// or mongodb+srv:// schemes",
            hint="for several files: --files, once for each or with a pattern" if files else "",
        )
    return (uris[0] if uris else uri), (names[0] if names else "")

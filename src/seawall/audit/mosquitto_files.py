"""A Mosquitto installation as its files tell it, and how to change them: pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final, TypeAlias

from seawall.audit.mosquitto_access import Rule, parse_access
from seawall.audit.mosquitto_configuration import (
    Configuration,
    Listener,
    Problem,
    Section,
    Setting,
    Source,
)
from seawall.audit.mosquitto_passwords import Entry
from seawall.audit.shell_words import path_word, sed_pattern
from seawall.audit.target import TargetKind
from seawall.model.finding import ChangeText, Finding, Location, Status

KINDS: Final = frozenset({TargetKind.MOSQUITTO})

SECRET_FILES: Final = ("keyfile", "bridge_keyfile")
PASSWORD_FILES: Final = ("password_file", "psk_file")
ACCESS_FILES: Final = ("acl_file",)
PLUGIN_FILES: Final = ("plugin", "auth_plugin", "plugin_load", "global_plugin")
OTHER_FILES: Final = ("crlfile", "certfile", "cafile")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that a setting names.

    Attributes:
        setting: The setting; None for the persistence file.
        path: As a command in the current directory would name it.
        reason: Why it was not seen; empty: it was.
        mode: Permission bits.
        folder_mode: Permission bits of its folder.
        owner_uid: Whose it is.
        data: Content, of ACL and password files alone.
    """

    setting: Setting | None
    path: str
    reason: str = ""
    mode: int = 0
    folder_mode: int = 0
    owner_uid: int = 0
    data: bytes | None = field(default=None, repr=False)

    @property
    def source(self) -> Source | None:
        """Return the content with its path, if it was read."""
        return None if self.data is None else Source(self.path, self.data)


Access: TypeAlias = tuple[list[Rule], list[Problem], NamedFile]
"""An ACL file: its lines, what is none, and the file."""


def parsed_access(named: Iterable[NamedFile]) -> dict[Setting, Access]:
    """Read the ACL files, each once."""
    return {
        each.setting: (*parse_access(each.source), each)
        for each in named
        if each.setting is not None and each.setting.name in ACCESS_FILES and each.source
    }


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Everything that was read.

    Attributes:
        configuration: What mosquitto.conf and its included files say.
        sources: Those files by path.
        modes: Their permission bits.
        named: Files that they name.
        folder: Absolute path of the folder of mosquitto.conf.
        access: ACL files by the setting that names them.
        persistence: The file that keeps messages, if it is there.
        unread: Folders and files that could not be read, with the reason.
        elsewhere: What was included from other places of this machine than the folder of
            mosquitto.conf: for a copied configuration, that is another machine's.
    """

    configuration: Configuration
    sources: Mapping[str, Source]
    modes: Mapping[str, int]
    named: tuple[NamedFile, ...]
    folder: str
    access: Mapping[Setting, Access] = field(default_factory=dict)
    persistence: NamedFile | None = None
    unread: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def files(self, *names: str) -> list[NamedFile]:
        """Return the files that settings of these names name."""
        return [each for each in self.named if each.setting and each.setting.name in names]

    @property
    def plugin_files(self) -> list[NamedFile]:
        """The files that a plugin's options name."""
        return [each for each in self.named if each.setting and each.setting.names_plugin_file]

    def source_of(self, path: str, *names: str) -> Source | None:
        """Return the content of a file that settings of these names name, if it was read."""
        return next((each.source for each in self.files(*names) if each.path == path), None)

    def location(self, path: str, line: int | None = None) -> Location:
        """Return a place, relative to the folder of mosquitto.conf if it is below."""
        base = PurePath(self.configuration.main).parent
        inside = PurePath(path).is_relative_to(base)
        return Location(str(PurePath(path).relative_to(base)) if inside else path, line)

    def at(self, setting: Setting) -> Location:
        """Return where a setting stands."""
        return self.location(setting.path, setting.line)

    def at_section(self, section: Section) -> Location:
        """Return where a section begins."""
        return self.at(section.head) if section.head else self.location(self.configuration.main)

    def rules(self, listener: Listener) -> Access | None:
        """Return the ACL that counts at a listener; None: there is none, or it was not read."""
        setting = self.configuration.security(listener).find("acl_file")
        return self.access.get(setting) if setting is not None else None


@dataclass(frozen=True, slots=True)
class JudgedEntry:
    """An entry of a password file, and how the short list opens it, in words."""

    entry: Entry
    weakness: str | None
    is_judged: bool


class Editor:
    """Collects changes of lines, and makes whole files of them.

    Args:
        sources: The files as they were read.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._lines: dict[str, dict[int, list[str]]] = {}

    def replace(self, path: str, line: int, *texts: str) -> Editor:
        """Put other lines, or none, in the place of a line."""
        self._lines.setdefault(path, {})[line] = list(texts)
        return self

    def add(self, path: str, line: int, *texts: str) -> Editor:
        """Put lines below a line; 0: at the top."""
        lines = self._lines.setdefault(path, {})
        lines[line] = [*lines.get(line, self._kept(path, line)), *texts]
        return self

    def changes(self) -> tuple[ChangeText, ...]:
        """Return the files that change."""
        return tuple(
            ChangeText(path, self._sources[path].data, self._applied(path, edits))
            for path, edits in self._lines.items()
        )

    def _kept(self, path: str, line: int) -> list[str]:
        lines = self._sources[path].data.decode("utf-8", "surrogateescape").split("\n")
        return [lines[line - 1]] if 0 < line <= len(lines) else []

    def _applied(self, path: str, edits: Mapping[int, list[str]]) -> bytes:
        data = self._sources[path].data.decode("utf-8", "surrogateescape")
        lines = data.removesuffix("\n").split("\n") if data else []
        after = list(edits.get(0, []))
        for number, line in enumerate(lines, 1):
            after += edits.get(number, [line])
        return ("\n".join(after) + "\n").encode("utf-8", "surrogateescape")


def setting_changes(
    facts: BrokerFiles, section: Section, values: Mapping[str, str]
) -> tuple[ChangeText, ...]:
    """Return the changes that give a section's settings these values."""
    editor = Editor(facts.sources)
    for name, value in values.items():
        found = section.find(name)
        if found is not None:
            editor.replace(found.path, found.line, f"{name} {value}")
        elif section.head is not None:
            editor.add(section.head.path, section.head.line, f"{name} {value}")
        else:
            editor.add(facts.configuration.main, _top(facts), f"{name} {value}")
    return editor.changes()


def command_to_add(facts: BrokerFiles, section: Section, line: str) -> str:
    """Return the command that adds a line to a section.

    The place is told by what stands there: lines that were added before, by this command for
    another section too, move nothing.
    """
    text = shlex.quote(line)
    if section.head is not None:
        head = section.head
        above = f"{head.name}  *{sed_pattern(head.value)}"
        return _appended(above, line, head.path)
    main = facts.configuration.main
    if _top(facts):
        return _appended("per_listener_settings  *[^ ]*", line, main)
    if not facts.sources[main].data:
        return f"printf '%s\\n' {text} > {path_word(main)}"
    return f"sed -i {shlex.quote(f'1i {_literal(line)}')} {path_word(main)}"


def _appended(above: str, line: str, path: str) -> str:
    pattern = f"^ *{above}[[:space:]]*$"
    return f"sed -i {shlex.quote(f'/{pattern}/a {_literal(line)}')} {path_word(path)}"


def _literal(line: str) -> str:
    return line.replace("\\", "\\\\")  # sed takes a backslash away


def _top(facts: BrokerFiles) -> int:
    """Return the line below which a setting of no section goes."""
    # Mosquitto wants `per_listener_settings` above all authentication.
    first = facts.configuration.general.find("per_listener_settings")
    return first.line if first is not None and first.path == facts.configuration.main else 0


def line_for_this_machine(listener: Listener) -> str:
    """Return the line that makes a listener one of this machine alone.

    No change is made of it: whoever is on the network is cut off by it.
    """
    if listener.head is None:
        return "bind_address localhost"
    return f"listener {listener.head.value.split()[0]} localhost"


def reachable(facts: BrokerFiles) -> list[Listener]:
    """Return the listeners that another machine may reach."""
    return [each for each in facts.configuration.listeners if not each.is_loopback]


def over_tcp(facts: BrokerFiles) -> list[Listener]:
    """Return the listeners that are no file."""
    return [each for each in facts.configuration.listeners if not each.is_socket]


def key_of(listener: Listener) -> str:
    """Return what tells a listener from the others of a configuration."""
    return f"listener {listener.port} {listener.host}".strip()


def each_listener(
    listeners: Iterable[Listener],
    judge: Callable[[Listener], Finding | None],
    sound: str,
    beside: str = "no listener is for other machines",
) -> Iterator[Finding]:
    """Judge listeners: what fails, or one pass, or that there is nothing to judge."""
    among = list(listeners)
    failed = [found for each in among if (found := judge(each)) is not None]
    yield from failed
    if not among:
        yield Finding(Status.NOT_APPLICABLE, beside)
    elif not failed:
        yield Finding(Status.PASS, sound)

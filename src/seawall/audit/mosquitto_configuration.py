"""What a mosquitto.conf says, as Mosquitto reads it: pure, total, with line numbers.

Mosquitto splits a line at its first blank; ``#`` begins a comment only in the
first column; nothing is quoted and nothing is continued. Where a setting counts
depends on what stands above it: ``listener`` and ``connection`` begin sections,
and with ``per_listener_settings true`` the settings of authentication belong to
the listener as well. A file of ``include_dir`` begins outside of any section.

Sources: mosquitto.conf(5) and ``src/conf.c`` of 2.0.11 to 2.0.22.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from seawall.audit.mosquitto_settings import (
    ALL_SETTINGS,
    BRIDGE_SETTINGS,
    GENERAL_SETTINGS,
    LISTENER_SETTINGS,
    NO_SECRET,
    PLUGIN_FILE,
    SECRET,
    SECURITY_PREFIXES,
    SECURITY_SETTINGS,
)

DEFAULT_PORT: Final = 1883
MAX_LINES: Final = 100_000
"""More is no configuration; the rest is not read, and said so."""

MAX_PROBLEMS: Final = 200
"""Lines that are named as not understood: a file with more is another kind of file."""


_MAX_NAME: Final = max(map(len, ALL_SETTINGS)) + 2


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a file, and the path by which it was found."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Setting:
    """One line: name, the rest of it without blanks at its ends, and where it stands."""

    name: str
    value: str
    path: str
    line: int

    @property
    def flag(self) -> bool | None:
        """The value as a yes or no; None: it is neither, in whatever letters."""
        return {"true": True, "1": True, "false": False, "0": False}.get(self.word.strip().lower())

    @property
    def word(self) -> str:
        """The first word, which is all that Mosquitto takes of a yes, a no or a number."""
        return self.value.partition(" ")[0]

    @property
    def is_secret(self) -> bool:
        """Whether the value is a password or key: of a bridge, or by its name of a plugin."""
        return bool(SECRET.fullmatch(self.name)) and not NO_SECRET.fullmatch(self.name)

    @property
    def names_plugin_file(self) -> bool:
        """Whether a plugin keeps there what it decides by, as ``plugin_opt_config_file``."""
        return bool(PLUGIN_FILE.fullmatch(self.name))

    @property
    def number(self) -> int | None:
        """The value as a decimal number; None if it is none."""
        word = self.word.strip()
        digits = word.removeprefix("-")
        return int(word) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that Mosquitto would not understand."""

    path: str
    line: int
    text: str


@dataclass(slots=True)
class Section:
    """Settings that belong together.

    Of yes, no and numbers the last counts, as in Mosquitto; texts given twice it refuses
    (`seawall.audit.mosquitto_refusals`).
    """

    head: Setting | None = None
    settings: list[Setting] = field(default_factory=list)

    def find(self, name: str) -> Setting | None:
        """Return the setting of that name that counts."""
        return next((each for each in reversed(self.settings) if each.name == name), None)

    def every(self, *names: str) -> list[Setting]:
        """Return all settings of these names, in order."""
        return [each for each in self.settings if each.name in names]

    def text(self, name: str) -> str:
        """Return the value, empty if there is none."""
        setting = self.find(name)
        return setting.value if setting is not None else ""

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a yes or no; what Mosquitto would refuse counts as the default."""
        setting = self.find(name)
        value = setting.flag if setting is not None else None
        return default if value is None else value


@dataclass(slots=True)
class Listener(Section):
    """An address that Mosquitto listens at. Without a head: the default one."""

    is_local_only: bool = False

    @property
    def _words(self) -> list[str]:
        return self.head.value.split() if self.head is not None else []

    @property
    def port(self) -> int:
        """TCP port; 0: a socket of the file system."""
        words = self._words
        text = words[0] if words else self.text("port")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else DEFAULT_PORT

    @property
    def host(self) -> str:
        """Address that it is bound to, path of the socket, or empty: every interface."""
        if self.is_local_only:
            return "localhost"
        words = self._words
        return words[1] if len(words) > 1 else self.text("bind_address")

    @property
    def is_socket(self) -> bool:
        """Whether only this machine's processes reach it, through a file."""
        return self.port == 0 and self.host.count("/") + len(self.host) > 0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.is_socket or self.text("bind_interface") == "lo":
            return True
        return self.host in {"localhost", "::1", "ip6-localhost"} or self.host.startswith("127.")

    @property
    def has_tls(self) -> bool:
        """Whether the server shows a certificate, or shares a key with its clients."""
        return self.find("certfile") is not None or self.find("psk_hint") is not None

    @property
    def has_psk(self) -> bool:
        """Whether clients prove themselves by a shared key (then certificates do not count)."""
        return self.find("psk_hint") is not None

    @property
    def is_websockets(self) -> bool:
        """Whether browsers are meant."""
        return self.text("protocol").lower() == "websockets"

    @property
    def wants_certificate(self) -> bool:
        """Whether a client has to show one."""
        return self.has_tls and not self.has_psk and self.flag("require_certificate")

    @property
    def takes_name_from_certificate(self) -> bool:
        """Whether the user name is the certificate's (or the shared key's)."""
        return self.flag("use_identity_as_username") or self.flag("use_subject_as_username")

    @property
    def label(self) -> str:
        """How to name it to a person."""
        if self.is_socket:
            return f"the listener at {self.host}"
        return f"the listener {self.host or 'of every interface'}, port {self.port}"


@dataclass(slots=True)
class Configuration:
    """A whole configuration.

    Attributes:
        main: Path of the first file.
        general: What counts for the whole broker (and in the default, its authentication).
        listeners: At least one: the default one, this machine only, if none is declared.
        bridges: Connections to other brokers.
        problems: Lines that are not understood, in order.
        per_listener: Whether authentication is set listener by listener.
    """

    main: str
    general: Section
    listeners: list[Listener]
    bridges: list[Section]
    problems: list[Problem]
    per_listener: bool

    def security(self, listener: Listener) -> Section:
        """Return the section whose authentication counts at a listener."""
        return listener if self.per_listener else self.general

    def allows_anonymous(self, listener: Listener) -> bool:
        """Tell whether a client without a name is let in.

        Since 2.0 the default is no, except where only this machine is listened to because
        nothing is declared.
        """
        own = listener.find("listener_allow_anonymous")
        if own is not None and own.flag is not None:
            return own.flag
        return self.security(listener).flag("allow_anonymous", listener.is_local_only)

    def has_plugin(self, listener: Listener) -> bool:
        """Tell whether a plugin may decide (what it decides cannot be read here)."""
        sections = (self.security(listener), self.general)
        names = ("plugin", "auth_plugin", "plugin_use", "plugin_load", "global_plugin")
        return any(section.every(*names) for section in sections)

    def all(self) -> Iterator[Setting]:
        """Yield all settings, wherever they stand."""
        for section in (self.general, *self.listeners, *self.bridges):
            yield from section.settings

    def every(self, *names: str) -> Iterator[Setting]:
        """Yield all settings of these names, wherever they stand."""
        return (each for each in self.all() if each.name in names)


def lines_of(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither empty nor a comment, with their numbers from 1.

    Undecodable bytes become surrogates: they make no line disappear.
    """
    for number, line in enumerate(source.data.split(b"\n", MAX_LINES)[:MAX_LINES], 1):
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if text and text[0] != "#" and text.strip(" "):
            yield number, text


def settings_of(source: Source) -> Iterator[Setting]:
    """Yield a file's settings in order, whatever their names."""
    for number, line in lines_of(source):
        name, _, value = line.lstrip(" ").partition(" ")
        yield Setting(name, value.strip(" "), source.path, number)


def included_folders(source: Source) -> list[str]:
    """Return the folders whose ``*.conf`` Mosquitto reads besides; the main file names them."""
    return [each.value for each in settings_of(source) if each.name == "include_dir" and each.value]


def holds_setting(source: Source) -> bool:
    """Whether any line begins with a setting that Mosquitto has; comments alone count too."""
    names = [each.name for each in settings_of(source)]
    known = GENERAL_SETTINGS | LISTENER_SETTINGS | SECURITY_SETTINGS | BRIDGE_SETTINGS
    known |= {"listener", "connection", "include_dir"}
    return not names or any(n in known or n.startswith(SECURITY_PREFIXES) for n in names)


def is_too_long(source: Source) -> bool:
    """Whether there are more lines than are read."""
    return source.data.count(b"\n") >= MAX_LINES


def parse_configuration(main: Source, included: Sequence[Source] = ()) -> Configuration:
    """Read a configuration.

    Args:
        main: The file that Mosquitto is started with.
        included: The files of its ``include_dir``, in order of their names.
    """
    files = [main, *included]
    per_listener = any(
        each.flag is True
        for source in files
        for each in settings_of(source)
        if each.name == "per_listener_settings"
    )
    found = Configuration(main.path, Section(), [Listener()], [], [], per_listener)
    for source in files:
        _read(source, found)
        if is_too_long(source):
            text = f"only the first {MAX_LINES} lines are read"
            found.problems.append(Problem(source.path, MAX_LINES, text))
    _settle_default(found)
    return found


def _read(source: Source, found: Configuration) -> None:
    listener = found.listeners[0]
    bridge: Section | None = None
    for setting in settings_of(source):
        name = setting.name
        if "\t" in name:
            _note(found, setting, _tabbed(name))
        elif not setting.value:
            _note(found, setting, "a setting has no value")
        elif name == "listener":
            listener = Listener(setting)
            found.listeners.append(listener)
        elif name == "connection":
            bridge = Section(setting)
            found.bridges.append(bridge)
        elif name in BRIDGE_SETTINGS:
            if bridge is None:
                _note(found, setting, f"{name} stands outside of a bridge's section")
            else:
                bridge.settings.append(setting)
        else:
            _place(setting, listener, found)


def _place(setting: Setting, listener: Listener, found: Configuration) -> None:
    name = setting.name
    if name in SECURITY_SETTINGS or name.startswith(SECURITY_PREFIXES):
        (listener if found.per_listener else found.general).settings.append(setting)
    elif name in LISTENER_SETTINGS:
        listener.settings.append(setting)
    elif name in GENERAL_SETTINGS:
        found.general.settings.append(setting)
    else:
        known = len(found.problems) < MAX_PROBLEMS  # looking for what is alike takes its time
        _note(found, setting, f"unknown {_shown(name)}" if known else "")


def _settle_default(found: Configuration) -> None:
    """Drop the default listener unless something makes Mosquitto open it (``config__check``)."""
    default = found.listeners[0]
    opens = any(each.name in LISTENER_SETTINGS for each in default.settings)
    if len(found.listeners) > 1 and not opens:
        orphans = found.listeners.pop(0).settings  # authentication above the first listener
        found.general.settings.extend(orphans)
    elif len(found.listeners) == 1:
        default.is_local_only = not default.every("port", "bind_address")


def _note(found: Configuration, setting: Setting, text: str) -> None:
    if len(found.problems) >= MAX_PROBLEMS:
        return
    found.problems.append(Problem(setting.path, setting.line, text))


def _shown(name: str) -> str:
    """Name a setting with a typing error; a word that is like none may be anything, a secret."""
    return f"setting `{name}`, like `{near[0]}`" if (near := _like(name)) else "setting"


def _tabbed(name: str) -> str:
    words = name.split()
    known = words and (words[0] in ALL_SETTINGS or words[0].startswith(SECURITY_PREFIXES))
    what = f"`{words[0][:60]}`" if known else "a setting"
    return f"a tab stands beside {what}: Mosquitto takes blanks alone, and does not start"


def _like(name: str) -> list[str]:
    if len(name) > _MAX_NAME:
        return []
    return get_close_matches(name, ALL_SETTINGS, 1, 0.8)

"""Read settings from a file, the environment and flags, strictly; later ones win."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from entrepot.config import check
from entrepot.config.policy_check import Problem
from entrepot.config.positions import Key, lines_of
from entrepot.config.settings import Settings
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import ConfigError

PREFIX: Final = "ENTREPOT_"
BUILT_IN: Final = {"pypi": "pypi", "npm": "npm", "go": "golang", "cargo": "cargo", "maven": "maven"}
"""The repositories that exist where the file names none, and their ecosystems."""

Table = dict[str, object]


@dataclass(frozen=True)
class Sources:
    """What was read from where, before it was checked."""

    file: Path | None
    text: str
    variables: Mapping[Key, str]
    """Settings that the environment sets, and by which variable."""
    overrides: frozenset[Key]

    @cached_property
    def _lines(self) -> dict[Key, int]:
        return lines_of(self.text)

    def origin(self, key: Key) -> str | None:
        """`file:line`, a variable or "command line"; None where nothing sets the key or anything in it."""
        if key in self.overrides:
            return "command line"
        if key in self.variables:
            return self.variables[key]
        # Options of an ecosystem may stand in the repository's table itself.
        for spelling in (key, tuple(part for part in key if part != "options")):
            if spelling in self._lines:
                return f"{self.file}:{self._lines[spelling]}"
        return None

    def nearest(self, key: Key) -> str:
        """The origin of the key or of the closest table around it."""
        for length in range(len(key), 0, -1):
            if origin := self.origin(key[:length]):
                return origin
        return str(self.file or "built-in configuration")


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each value came from."""

    settings: Settings
    sources: Sources

    def origin(self, key: Key) -> str:
        """`file:line`, an environment variable, "command line" or "default"."""
        # A table that the environment or a flag gives as one value covers what is in it.
        covering = (key[:length] for length in range(len(key) - 1, 1, -1))
        given = [part for part in covering if part in self.sources.variables or part in self.sources.overrides]
        return self.sources.origin(given[0] if given else key) or "default"

    def is_built_in(self, repository: str) -> bool:
        """Whether nobody asked for this repository by name."""
        return self.sources.origin(("repositories", repository, "ecosystem")) is None


def load(
    file: Path | None,
    environment: Mapping[str, str],
    overrides: Mapping[str, object],
    ecosystems: Mapping[str, type[Ecosystem]],
) -> Loaded:
    """Settings from `file` (None: none), `ENTREPOT_…` variables, and flags by dotted key.

    Raises ConfigError with one line for each mistake: where it is, what is wrong, what to do.
    """
    text = _read(file) if file else ""
    raw = _parse(file, text)
    raw.setdefault("repositories", {name: {"ecosystem": ecosystem} for name, ecosystem in BUILT_IN.items()})
    variables: dict[Key, str] = {}
    for name, key, value in _from_environment(environment):
        _put(raw, key, value, name)
        variables[key] = name
    for dotted, value in overrides.items():
        _put(raw, tuple(dotted.split(".")), value, "command line")
    sources = Sources(file, text, variables, frozenset(tuple(dotted.split(".")) for dotted in overrides))
    return Loaded(_validated(raw, sources, ecosystems, environment), sources)


def find_file(environment: Mapping[str, str]) -> Path | None:
    """The configuration that is read where no flag names one; None where there is none."""
    if named := environment.get("ENTREPOT_CONFIG"):
        return Path(named)
    usual = _user_directory(environment, "XDG_CONFIG_HOME", ".config") / "entrepot.toml"
    return usual if usual.exists() else None


def _user_directory(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    """Our own directory (XDG Base Directory Specification, which has relative paths ignored)."""
    base = Path(environment.get(variable, ""))
    return (base if base.is_absolute() else Path(environment.get("HOME") or Path.home(), usual)) / "entrepot"


def _validated(
    raw: Table, sources: Sources, ecosystems: Mapping[str, type[Ecosystem]], environment: Mapping[str, str]
) -> Settings:
    check.lift_options(raw, ecosystems)
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise _refusal(sources, check.explain(error, ecosystems, raw)) from error
    if problems := list(check.contradictions(settings, ecosystems, environment)):
        raise _refusal(sources, problems)
    return settings


def _refusal(sources: Sources, problems: list[Problem]) -> ConfigError:
    return ConfigError("\n".join(f"{sources.nearest(key)}: {complaint}" for key, complaint in problems))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; name a readable file with --config") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: not UTF-8; save the file as UTF-8") from error


def _parse(file: Path | None, text: str) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).rpartition(" (at ")
        number = re.match(r"line (\d+)", place)
        line = int(number[1]) if number else text.rstrip("\n").count("\n") + 1
        raise ConfigError(f"{file}:{line}: not TOML: {reason}; correct this line") from error


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Key, object]]:
    """Name, key and value of each variable that is a setting."""
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        parts = name.removeprefix(PREFIX).lower().split("__")
        section, _, rest = parts[0].partition("_")
        if len(parts) > 1 or (not rest and section in Settings.model_fields):
            yield name, tuple(parts), _environment_value(name, text)
        elif rest and section in Settings.model_fields:
            meant = f"{PREFIX}{section}__{rest}".upper()
            raise ConfigError(f"{name}: unknown; two underscores stand between section and key: {meant}")


def _environment_value(name: str, text: str) -> object:
    """Lists and tables are written as in TOML; everything else stands for itself."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f'{name}: no list or table: {error}; write it as in TOML, such as ["a", "b"]') from error


def _put(raw: Table, key: Key, value: object, origin: str) -> None:
    table = raw
    for part in key[:-1]:
        inner = table.setdefault(str(part), {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{origin}: {'.'.join(map(str, key))}: {part} is a value and no table; remove this")
        table = inner
    table[str(key[-1])] = value


def data_directory(settings: Settings, environment: Mapping[str, str]) -> Path:
    """storage.directory, or this user's own (XDG Base Directory Specification)."""
    if settings.storage.directory:
        return Path(settings.storage.directory).expanduser().absolute()
    if own := environment.get("ENTREPOT_DATA"):
        return Path(own).expanduser().absolute()
    return _user_directory(environment, "XDG_DATA_HOME", ".local/share")

"""Which system a configuration is of, and its translation."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal, get_args

from entrepot.config.importing import artifactapi, athens, git_pkgs
from entrepot.config.importing.athens_filter import is_filter
from entrepot.config.importing.document import Document, Note
from entrepot.config.importing.draft import Draft
from entrepot.config.importing.toml import write_toml
from entrepot.config.importing.yaml import read_yaml
from entrepot.config.positions import lines_of
from entrepot.errors import ConfigError

System = Literal["athens", "artifactapi", "git-pkgs"]
SYSTEMS: Final[tuple[System, ...]] = get_args(System)


@dataclass(frozen=True, slots=True)
class Given:
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    system: System
    text: str
    """Our configuration (TOML)."""
    beside: Mapping[str, str]
    """Files that it refers to, by name."""
    notes: tuple[Note, ...]
    """What was not taken, and what is not the same."""


def translate(given: Sequence[Given], system: System | None, find: athens.Find, *, inline: bool) -> Imported:
    """`find`: other files that a configuration names. `inline`: without files beside. Raises ConfigError."""
    main = _main_file(given)
    kind = system or _system_of(main)
    draft = _convert_athens(main, given, find) if kind == "athens" else _convert_yaml(kind, given)
    if inline and athens.POLICY in draft.beside:
        policy = draft.beside.pop(athens.POLICY)
        for repository in draft.repositories.values():
            assert isinstance(repository, dict)
            repository["mode"] = athens.inline(policy)
    heading = (
        f"# Made from {', '.join(PurePosixPath(one.name).name for one in given)} ({kind}) by `entrepot config import`."
    )
    notes = tuple(dict.fromkeys(draft.document.notes))
    return Imported(system=kind, text=f"{heading}\n\n{write_toml(draft.tree())}", beside=draft.beside, notes=notes)


def _main_file(given: Sequence[Given]) -> Given:
    """The first that is no filter and no download file of Athens's; where all are, the first."""
    return next((one for one in given if not _belongs_to_athens(one) or _is_athens(one)), given[0])


def _system_of(given: Given) -> System:
    """By what is in it."""
    if _is_athens(given) or _belongs_to_athens(given):
        return "athens"
    document = read_yaml(given.text, given.name)
    words = set(document.values) if document else set()
    if words & {"remotes"} or (words and words <= set(artifactapi.SIGNS)):
        return "artifactapi"
    if words & set(git_pkgs.SIGNS):
        return "git-pkgs"
    raise ConfigError(f"{given.name}: nothing says which system it is of; say so with --from {'|'.join(SYSTEMS)}")


def _is_athens(given: Given) -> bool:
    try:
        return bool(set(tomllib.loads(given.text)) & athens.SIGNS)
    except tomllib.TOMLDecodeError:
        return False


def _belongs_to_athens(given: Given) -> bool:
    return PurePosixPath(given.name).suffix == ".hcl" or is_filter(given.text)


def _convert_athens(main: Given, given: Sequence[Given], find: athens.Find) -> Draft:
    return athens.convert(_read_athens(main), _among(given, find))


def _read_athens(main: Given) -> Document:
    """A file that Athens's configuration would name stands for one that does."""
    if is_filter(main.text):
        return Document(main.name, {"FilterFile": main.name}, {})
    if PurePosixPath(main.name).suffix == ".hcl":
        return Document(main.name, {"DownloadMode": f"file:{main.name}"}, {})
    try:
        return Document(main.name, tomllib.loads(main.text), lines_of(main.text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{main.name}: not TOML: {error}; correct it") from error


def _among(given: Sequence[Given], find: athens.Find) -> athens.Find:
    """The files that were given, by their last names: where Athens has them is somewhere else."""

    def found(name: str) -> str | None:
        last = PurePosixPath(name).name
        return next((one.text for one in given if PurePosixPath(one.name).name == last), None) or find(name)

    return found


def _convert_yaml(system: System, given: Sequence[Given]) -> Draft:
    """artifactapi's configuration may be many files, of which each adds remotes."""
    draft: Draft | None = None
    for one in given:
        document = read_yaml(one.text, one.name)
        if document is None:
            raise ConfigError(f"{one.name}: no table of settings; is this file of {system}?")
        if system == "artifactapi":
            draft = artifactapi.convert(document, draft)
        elif draft is None:
            draft = git_pkgs.convert(document)
        else:
            raise ConfigError(f"{one.name}: git-pkgs has one configuration only; give that one")
    assert draft is not None
    return draft

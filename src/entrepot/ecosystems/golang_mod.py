"""What a go.mod file requires (https://go.dev/ref/mod#go-mod-file)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from entrepot.ecosystems.golang_names import is_module_path
from entrepot.errors import UnreadableLock

_KNOWN = frozenset({"module", "go", "toolchain", "godebug", "require", "exclude", "replace", "retract", "tool", "ignore"})  # fmt: skip  # noqa: E501
_TOKEN = re.compile(
    r'\s*(?:(?P<end>//.*)|(?P<quoted>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<word>=>|[(),\[\]]|[^\s"`(),\[\]]+))'
)
_GO = re.compile(r"1\.(?P<minor>[0-9]+)")
# From this on a go.mod names all that its packages need, and the go command looks no further.
_COMPLETE_SINCE = 17


@dataclass(frozen=True, slots=True, order=True)
class Required:
    """A module at a version; the version may be empty, where all are meant."""

    path: str
    version: str


@dataclass(slots=True, kw_only=True)
class ModFile:
    module: str = ""
    go: str = ""
    requires: list[Required] = field(default_factory=list)
    excludes: set[Required] = field(default_factory=set)
    replaces: dict[Required, Required] = field(default_factory=dict)
    """By what is replaced; what replaces it has no version where it is a folder."""

    @property
    def is_complete(self) -> bool:
        """Whether it also names what its requirements require, as far as its packages need it (graph pruning)."""
        found = _GO.match(self.go)
        return bool(found) and int(found["minor"] if found else 0) >= _COMPLETE_SINCE


def read_mod(text: str) -> ModFile:
    """A published go.mod. As the go command does with other people's, lines that it does not know are passed over."""
    found = ModFile()
    for _, words in _lines_of(text):
        _take(found, words)
    return found


def read_own_mod(text: str, name: str) -> ModFile:
    """The go.mod of somebody's own program. Raises UnreadableLock."""
    found = ModFile()
    for number, words in _lines_of(text):
        if words is None or words[0] not in _KNOWN:
            meant = f"{words[0][:100]!r} is no directive" if words else "a quote without its end"
            raise UnreadableLock(f"{name}: line {number}: {meant} of a go.mod; known are: {', '.join(sorted(_KNOWN))}")
        if not _take(found, words):
            raise UnreadableLock(
                f"{name}: line {number}: {' '.join(words)[:200]!r} is not what {words[0]} says: {_FORMS[words[0]]}"
            )
    if not found.module:
        raise UnreadableLock(f"{name}: no line says `module`, so this is no go.mod")
    return found


_FORMS: Mapping[str, str] = {
    "module": "module PATH",
    "go": "go VERSION",
    "require": "require PATH VERSION",
    "exclude": "exclude PATH VERSION",
    "replace": "replace PATH [VERSION] => PATH VERSION, or => ./FOLDER",
}


def _take(found: ModFile, words: list[str] | None) -> bool:
    """Whether it was understood; what is of no use here is."""
    match words or []:
        case ["module", path]:
            found.module = path
        case ["go", version]:
            found.go = version
        case ["require", path, version] if is_module_path(path):
            found.requires.append(Required(path, version))
        case ["exclude", path, version] if is_module_path(path):
            found.excludes.add(Required(path, version))
        case ["replace", path, "=>", *other]:
            return _replace(found, Required(path, ""), other)
        case ["replace", path, version, "=>", *other]:
            return _replace(found, Required(path, version), other)
        case [directive, *_] if directive in _FORMS:
            return False
    return True


def _replace(found: ModFile, what: Required, other: list[str]) -> bool:
    match other:
        case [folder] if folder.startswith(("./", "../", "/", ".\\", "..\\")) or folder in (".", "..") or ":" in folder:
            found.replaces[what] = Required(folder, "")
        case [path, version] if is_module_path(path):
            found.replaces[what] = Required(path, version)
        case _:
            return False
    return True


def _lines_of(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each directive with its line's number, blocks taken apart; None for a line that has no words."""
    block = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = _words_of(line)
        if words is None:
            yield number, None
        elif block and words == [")"]:
            block = ""
        elif words and block:
            yield number, [block, *words]
        elif words[1:] == ["("]:
            block = words[0]
        elif words[1:] != ["(", ")"] and words:
            yield number, words


def _words_of(line: str) -> list[str] | None:
    words, position, line = [], 0, line.rstrip()
    while position < len(line):
        found = _TOKEN.match(line, position)
        if not found:
            return None
        if found["end"]:
            break
        words.append(found["quoted"][1:-1] if found["quoted"] else found["word"])
        position = found.end()
    return _without_comment(words)


def _without_comment(words: list[str]) -> list[str]:
    """A comment may follow a word without a space between them."""
    for position, word in enumerate(words):
        if "//" in word and "://" not in word:
            before = word.partition("//")[0]
            return [*words[:position], *([before] if before else [])]
    return words

"""Somebody else's configuration: its values, their lines, and which of them were understood."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from entrepot.config.positions import Key

Table = dict[str, object]

NOTHING: Final[tuple[object, ...]] = ("", None, [], {}, False)
"""Values that ask for nothing; nobody needs to hear that they were left out."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know about the translation. Never holds a value that may be a secret."""

    where: str
    """`file:line`, as far as known."""
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass
class Document:
    """Reading a value marks it as understood; what is left over is named at the end."""

    name: str
    values: Table
    lines: Mapping[Key, int]
    notes: list[Note] = field(default_factory=list)
    _read: set[Key] = field(default_factory=set)

    def where(self, *key: str | int) -> str:
        """The line of a key, or of the first in it, or of the closest one around it."""
        inner = (known for known in self.lines if key and known[: len(key)] == key)
        around = (key[:length] for length in range(len(key), 0, -1))
        line = next((self.lines[part] for part in chain(inner, around) if part in self.lines), None)
        return f"{self.name}:{line}" if line else self.name

    def note(self, key: Key, text: str) -> None:
        self.notes.append(Note(self.where(*key), f"{dotted(key)}: {text}" if key else text))

    def get(self, *key: str | int) -> object:
        """The value, None where there is none; it counts as understood, with all that is in it."""
        self._read.add(key)
        value: object = self.values
        for part in key:
            if isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int):
                value = value[part]
            else:
                return None
        return value

    def text(self, *key: str | int) -> str:
        """Texts, and numbers as texts; "" where there is none, or something else."""
        value = self.get(*key)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
        self._misfit(key, value, "a text")
        return ""

    def number(self, *key: str | int) -> float | None:
        value = self.get(*key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return float(value)
        self._misfit(key, value, "a number")
        return None

    def flag(self, *key: str | int) -> bool:
        value = self.get(*key)
        if not isinstance(value, bool):
            self._misfit(key, value, "true or false")
        return value is True

    def texts(self, *key: str | int) -> list[tuple[Key, str]]:
        """Each with its key. A list that is no list of texts is left out, and said to be."""
        value = self.get(*key)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return [((*key, number), item) for number, item in enumerate(value)]
        self._misfit(key, value, "a list of texts")
        return []

    def names(self, *key: str | int) -> list[str]:
        """The keys of a table, which does not count as understood yet."""
        known = key in self._read
        value = self.get(*key)
        if not known:
            self._read.discard(key)
        return [str(name) for name in value] if isinstance(value, Mapping) else []

    def _misfit(self, key: Key, value: object, wanted: str) -> None:
        if value not in NOTHING:
            self.note(key, f"not taken: it is not {wanted}")

    def leftovers(self) -> Iterator[Key]:
        """The outermost keys of what was not read and asks for something."""
        yield from self._leftovers((), self.values)

    def _leftovers(self, key: Key, table: Mapping[str, object]) -> Iterator[Key]:
        for name, value in table.items():
            inner = (*key, str(name))
            if inner in self._read or value in NOTHING:
                continue
            touched = any(read[: len(inner)] == inner for read in self._read)
            if touched and isinstance(value, Mapping):
                yield from self._leftovers(inner, value)
            else:
                yield inner


def dotted(key: Key) -> str:
    """`remotes.github.mutable_patterns[0]`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text

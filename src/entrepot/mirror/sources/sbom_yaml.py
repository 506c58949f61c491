"""YAML of strangers: made plain values event by event, because the loaders' own recursion is not bounded."""

from dataclasses import dataclass
from typing import Final

import yaml
from yaml import events
from yaml.reader import ReaderError

from entrepot.errors import UnreadableBill
from entrepot.mirror.sources.sbom_json import MOST_VALUES

DEEPEST: Final = 64
_Value = str | list["_Value"] | dict[str, "_Value"]


def load_yaml(body: bytes) -> object:
    """The first document in it, as lists, tables and texts: no scalar is taken for anything but text. Raises
    UnreadableBill."""
    builder = _Builder()
    try:
        for event in yaml.parse(body, Loader=yaml.CBaseLoader):
            if isinstance(event, events.DocumentEndEvent):
                break
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UnreadableBill(f"{place}{error.problem or error.context}") from error
    except ReaderError as error:
        line = body.count(b"\n", 0, error.position) + 1
        raise UnreadableBill(f"line {line}: {error.reason}") from error
    except UnicodeError as error:
        raise UnreadableBill(f"is in no encoding that YAML may have: {error}") from error
    return builder.result


@dataclass(slots=True)
class _Open:
    """A collection that has not ended."""

    value: list[_Value] | dict[str, _Value]
    anchor: str | None
    before: int
    """How many values there were before it."""
    key: str | None = None

    def add(self, value: _Value) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None:
            self.value[self.key], self.key = value, None
        elif isinstance(value, str):
            self.key = value


class _Builder:
    """An alias stands for the very value that its anchor names, and is counted as if that was copied: whoever walks
    through the result meets no more values than that."""

    def __init__(self) -> None:
        self.result: _Value | None = None
        self._open: list[_Open] = []
        self._anchored: dict[str, tuple[_Value, int]] = {}
        self._count = 0

    def take(self, event: events.Event) -> None:
        """Raises UnreadableBill."""
        match event:
            case events.ScalarEvent():
                self._add(event.value, 1)
                self._remember(event.anchor, event.value, 1)
            case events.AliasEvent():
                value, size = self._anchored.get(event.anchor or "", (None, 0))
                if value is None:
                    raise UnreadableBill(f"{_line(event)}: *{event.anchor} stands for nothing that was complete before")
                self._add(value, size)
            case events.MappingStartEvent():
                self._enter(event, {})
            case events.SequenceStartEvent():
                self._enter(event, [])
            case events.CollectionEndEvent():
                ended = self._open.pop()
                self._remember(ended.anchor, ended.value, self._count - ended.before)

    def _enter(self, event: events.CollectionStartEvent, value: list[_Value] | dict[str, _Value]) -> None:
        around = self._open[-1] if self._open else None
        if around and isinstance(around.value, dict) and around.key is None:
            raise UnreadableBill(f"{_line(event)}: a key that is no text")
        if len(self._open) >= DEEPEST:
            raise UnreadableBill(f"{_line(event)}: nested deeper than {DEEPEST} times")
        opened = _Open(value=value, anchor=event.anchor, before=self._count)
        self._add(value, 1)
        self._open.append(opened)

    def _add(self, value: _Value, size: int) -> None:
        self._count += size
        if self._count > MOST_VALUES:
            raise UnreadableBill(f"holds more than {MOST_VALUES:,} values, each alias counted as what it stands for")
        if self._open:
            self._open[-1].add(value)
        else:
            self.result = value

    def _remember(self, anchor: str | None, value: _Value, size: int) -> None:
        if anchor:
            self._anchored[anchor] = value, size


def _line(event: events.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"

"""YAML as chart repositories have it, read event by event: bounded in depth and in what aliases make of it, texts left
as they are spelled."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import yaml

from entrepot.errors import UnreadableIndex

DEEPEST = 40
MOST_NODES = 5_000_000
"""With those that aliases repeat."""
LONG = 64
"""So many characters of a text count like one node: aliases repeat texts, too."""

Value = str | bool | float | int | None | list["Value"] | dict[str, "Value"]

_WORDS: dict[str, bool | None] = {"true": True, "True": True, "false": False, "False": False}
_NOTHING = ("", "~", "null", "Null", "NULL")


def load(body: bytes, place: str) -> Value:
    """The first document; JSON is one, too. Numbers and dates stay texts, because versions look like them. Raises
    UnreadableIndex."""
    try:
        if body.lstrip()[:1] == b"{":
            found: Value = msgspec.json.decode(body)
            return found
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # Or YAML that begins so.
    except RecursionError as error:
        raise UnreadableIndex(f"{place}: nested too deeply") from error
    try:
        return _Builder().build(yaml.parse(body, Loader=yaml.CBaseLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableIndex(f"{place}: {str(error).partition(chr(10))[0]}") from error
    except _Odd as error:
        raise UnreadableIndex(f"{place}: {error}") from error


class _Odd(Exception):
    """What no index has."""


@dataclass(slots=True)
class _Open:
    value: list[Value] | dict[str, Value]
    anchor: str
    began: int
    """How many nodes there were before it."""
    key: str | None = None
    """Whose value comes next."""


@dataclass(slots=True)
class _Builder:
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Value, int]] = field(default_factory=dict)
    """With the number of their nodes."""
    nodes: int = 0
    result: Value = None

    def build(self, events: Iterable[yaml.Event]) -> Value:
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent():
                    self._begin({}, event.anchor)
                case yaml.SequenceStartEvent():
                    self._begin([], event.anchor)
                case yaml.CollectionEndEvent():
                    done = self.open.pop()
                    if done.anchor:
                        self.anchors[done.anchor] = done.value, self.nodes - done.began
                case yaml.AliasEvent():
                    value, size = self.anchors.get(event.anchor or "", (None, 0))
                    self._add(value, size)
                case yaml.DocumentEndEvent():
                    break
        return self.result

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        value: Value = event.value
        if event.implicit[0] and event.style in (None, ""):
            value = None if value in _NOTHING else _WORDS.get(event.value, event.value)
        is_key = bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is None
        size = 1 + len(event.value) // LONG
        self._add(event.value if is_key else value, size)
        if event.anchor:
            self.anchors[event.anchor] = value, size

    def _begin(self, value: list[Value] | dict[str, Value], anchor: str | None) -> None:
        began = self.nodes
        self._add(value, 1)
        self.open.append(_Open(value, anchor or "", began))
        if len(self.open) > DEEPEST:
            raise _Odd(f"nested more than {DEEPEST} levels deep")

    def _add(self, value: Value, size: int) -> None:
        self.nodes += size
        if self.nodes > MOST_NODES:
            raise _Odd(f"more than {MOST_NODES} values")
        if not self.open:
            self.result = value
            return
        holder = self.open[-1]
        if isinstance(holder.value, list):
            holder.value.append(value)
        elif holder.key is not None:
            holder.value[holder.key] = value
            holder.key = None
        elif isinstance(value, str):
            holder.key = value
        else:
            raise _Odd("the name of a member is a list or a mapping")

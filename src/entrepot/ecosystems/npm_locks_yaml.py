"""YAML as pnpm and yarn write it in lock files: mappings, lists and texts, a few levels deep.

Read event by event: libyaml's own way to make whole documents overflows the stack where they nest too deep.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

_DEEPEST = 32

Value = str | list["Value"] | dict[str, "Value"]


class OddYaml(Exception):
    """Something in YAML that no lock file has, or that is no YAML. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def load_documents(body: bytes) -> list[Value]:
    """All scalars are texts. Raises OddYaml."""
    try:
        return _Builder().build(yaml.parse(body, Loader=yaml.CBaseLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is missed behind it.
        last = body.rstrip().count(b"\n") + 1
        raise OddYaml(min(mark.line + 1, last) if mark else last, str(error.problem)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OddYaml(1, str(error).partition("\n")[0]) from error


@dataclass(slots=True)
class _Builder:
    documents: list[Value] = field(default_factory=list)
    open: list[list[Value] | dict[str, Value]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    """For each that is open: the key whose value comes next."""

    def build(self, events: Iterable[yaml.Event]) -> list[Value]:
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._add(event.value, event)
                case yaml.MappingStartEvent():
                    self._begin({}, event)
                case yaml.SequenceStartEvent():
                    self._begin([], event)
                case yaml.CollectionEndEvent():
                    self.open.pop()
                    self.keys.pop()
                case yaml.AliasEvent():
                    # An alias makes documents grow, and no lock file has one.
                    raise OddYaml(_line_of(event), "an alias (*) is not understood in a lock file")
        return self.documents

    def _begin(self, value: list[Value] | dict[str, Value], event: yaml.Event) -> None:
        self._add(value, event)
        self.open.append(value)
        self.keys.append(None)
        if len(self.open) > _DEEPEST:
            raise OddYaml(_line_of(event), f"this is nested more than {_DEEPEST} levels deep")

    def _add(self, value: Value, event: yaml.Event) -> None:
        if not self.open:
            self.documents.append(value)
            return
        holder, key = self.open[-1], self.keys[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif key is not None:
            holder[key] = value
            self.keys[-1] = None
        elif isinstance(value, str):
            self.keys[-1] = value
        else:
            raise OddYaml(_line_of(event), "expected the name of a member, found a list or a mapping")


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1

"""On which line of a TOML document a key stands; the standard parser tells values only."""

import re
import tomllib
from collections.abc import Iterator, Mapping

Key = tuple[str | int, ...]
"""The way to a value: keys, and indexes into arrays of tables."""

_MAY_END = re.compile(r"""[\]}]\s*(?:#.*)?\Z|"{3}|'{3}""")
"""What the last of several lines of a statement must hold."""


def lines_of(text: str) -> dict[Key, int]:
    """The line (from 1) of every table and value of a document that `tomllib` reads.

    A statement of TOML is a document of its own, so the parser itself tells where one ends.
    """
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    for line, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(parsed, counts)
            found.setdefault(table, line)
            if table and isinstance(table[-1], int):
                found.setdefault(table[:-1], line)
        else:
            for key in _keys(parsed):
                found.setdefault(table + key, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    start, pending = 1, ""
    for number, line in enumerate(text.split("\n"), start=1):
        continued, pending = bool(pending), f"{pending}{line}\n"
        # A long array would take for ever if each of its lines were tried as the last one.
        if continued and not _MAY_END.search(line):
            continue
        try:
            tomllib.loads(pending)
        except tomllib.TOMLDecodeError:
            continue  # It goes on in the next line.
        yield start, pending
        start, pending = number + 1, ""


def _header(parsed: object, counts: dict[Key, int]) -> Key:
    """The table that a header opens; `counts` has the tables seen of each array."""
    key: Key = ()
    while isinstance(parsed, dict) and parsed:
        name, parsed = next(iter(parsed.items()))
        key += (name,)
        if isinstance(parsed, list):
            counts[key] = counts.get(key, 0) + 1
            return (*key, counts[key] - 1)
        if parsed and key in counts:
            key += (counts[key] - 1,)
    return key


def _keys(parsed: Mapping[str, object]) -> Iterator[Key]:
    for name, value in parsed.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *rest) for rest in _keys(value))

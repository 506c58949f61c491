"""Write settings as TOML, in the order in which they were put together."""

import json
import re
from collections.abc import Iterator, Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)
_LITERAL = re.compile(r"[^'\x00-\x08\x0a-\x1f\x7f]*\Z")


def write_toml(tree: Mapping[str, object]) -> str:
    """Values are texts, numbers, booleans, lists of these, tables, and lists of tables."""
    return "\n".join(_table("", tree)).strip("\n") + "\n"


def _table(header: str, table: Mapping[str, object]) -> Iterator[str]:
    plain = {name: value for name, value in table.items() if not _is_nested(value)}
    if plain and header:
        yield f"\n[{header}]"
    yield from (f"{_key(name)} = {_value(value)}" for name, value in plain.items())
    for name, value in table.items():
        if _is_nested(value):
            yield from _nested(f"{header}.{_key(name)}" if header else _key(name), value)


def _nested(header: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _table(header, value)
        return
    for item in value if isinstance(value, list) else ():
        yield f"\n[[{header}]]"
        yield from (f"{_key(name)} = {_value(inner)}" for name, inner in item.items())


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value))


def _value(value: object) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(str(value))


def _text(text: str) -> str:
    """Expressions are full of backslashes, which a literal text keeps as they are."""
    text = text.encode(errors="replace").decode()
    if "\\" in text and _LITERAL.match(text):
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.match(name) else _text(name)

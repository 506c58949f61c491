"""JSON of strangers: decoded a piece at a time, with the place of what is wrong."""

import re
from typing import Final, TypeVar

import msgspec

from entrepot.errors import UnreadableBill

MOST_VALUES: Final = 4_000_000
"""In one document: each costs memory, however short it is."""

_BYTE = re.compile(r" \(byte (\d+)\)\Z")
_T = TypeVar("_T")


class UnreadableMember(Exception):
    """One member that is not as it should be; the others may be."""


def read_members(body: bytes) -> dict[str, msgspec.Raw]:
    """The members of the outermost object. Raises UnreadableBill: line and column of what is no JSON."""
    if body.count(b",") + body.count(b"[") > MOST_VALUES:
        raise UnreadableBill(f"holds more than {MOST_VALUES:,} values")
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise UnreadableBill(f"is JSON, but no object: {error}") from error
    except msgspec.DecodeError as error:
        raise UnreadableBill(_placed(body, str(error))) from error
    except UnicodeDecodeError as error:
        raise UnreadableBill(f"{_place(body, error.start)}: is not UTF-8") from error
    except RecursionError as error:
        raise UnreadableBill("is JSON that is nested too deeply") from error


def read_part(raw: msgspec.Raw | bytes, kind: type[_T], place: str) -> _T:
    """Raises UnreadableBill, which tells the place."""
    try:
        return read_member(raw, kind)
    except UnreadableMember as error:
        raise UnreadableBill(f"{place}: {error}" if place else str(error)) from error


def read_member(raw: msgspec.Raw | bytes, kind: type[_T]) -> _T:
    """Raises UnreadableMember."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableMember(str(error)) from error
    except RecursionError as error:
        raise UnreadableMember("is nested too deeply") from error


def _placed(body: bytes, problem: str) -> str:
    found = _BYTE.search(problem)
    place = _place(body, int(found[1]) if found else len(body))
    return f"{place}: {_BYTE.sub('', problem)}"


def _place(body: bytes, position: int) -> str:
    line, begin = body.count(b"\n", 0, position) + 1, body.rfind(b"\n", 0, position)
    return f"line {line}, column {position - begin}"

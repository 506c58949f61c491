"""What becomes of each member of an order, and the file by which it comes from the helper process in pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import msgspec

from entrepot.errors import EntrepotError
from entrepot.model.selection import Selection

_SIZE_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One member of an order: a selection of a repository, or why there is none."""

    place: str
    """Where it stands, for people: the purl as it was given, or `bom.json: components[3] 'left-pad'`."""
    repository: str = ""
    selection: Selection | None = None
    skipped: str = ""
    """Why no repository serves such a thing; empty where that is not so."""
    error: str = ""
    code: str = ""
    """Of the error, as in `EntrepotError.code`."""

    @classmethod
    def failed(cls, place: str, error: EntrepotError) -> "Parsed":
        return cls(place=place, error=str(error), code=error.code)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Parsed)


def write_parsed(file: BinaryIO, member: Parsed) -> None:
    """As MessagePack behind its length. Raises OSError."""
    body = _encoder.encode(member)
    file.write(len(body).to_bytes(_SIZE_BYTES) + body)


def read_parsed(file: BinaryIO, count: int) -> list[Parsed]:
    """The next ones, at most `count`; none at the end. Raises OSError."""
    return [_decoder.decode(body) for _ in range(count) if (body := _next(file))]


def all_parsed(file: BinaryIO) -> Iterator[Parsed]:
    """All that are left. Raises OSError."""
    while body := _next(file):
        yield _decoder.decode(body)


def _next(file: BinaryIO) -> bytes:
    return file.read(int.from_bytes(file.read(_SIZE_BYTES)))

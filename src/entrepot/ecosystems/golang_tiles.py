"""Which tiles of a checksum database prove what (golang.org/x/mod/sumdb/tlog).

The tree's hashes are stored in tiles of 256, level above level; at its right edge they are partial. As the tree grows,
a tile grows until it is full, and then never changes: each tile of a small tree is the beginning of the one that a
larger tree has in its place. So of each place only the widest is wanted, and narrower ones are cut from it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_HEIGHT = 8
_FULL = 1 << _HEIGHT
_PATH = re.compile(r"tile/8/(?P<level>[0-9]+)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[0-9]+))?\Z")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """`width` hashes at `level`, of which those before are in `number` full tiles."""

    level: int
    number: int
    width: int = _FULL

    @property
    def records(self) -> int:
        """The smallest tree that has this tile."""
        return ((self.number << _HEIGHT) + self.width) << (_HEIGHT * self.level)

    @property
    def full(self) -> "Tile":
        """What it is, or grows to."""
        return Tile(self.level, self.number)

    @property
    def question(self) -> str:
        """How the database is asked for it."""
        digits, rest = f"{self.number % 1000:03}", self.number // 1000
        while rest:
            digits, rest = f"x{rest % 1000:03}/{digits}", rest // 1000
        return f"tile/{_HEIGHT}/{self.level}/{digits}" + ("" if self.width == _FULL else f".p/{self.width}")


def parse_tile(question: str) -> Tile | None:
    """The reverse of `question`; None for what is no tile of hashes of the usual height."""
    found = _PATH.match(question)
    if not found:
        return None
    number = int(found["number"].replace("x", "").replace("/", ""))
    return Tile(int(found["level"]), number, int(found["width"] or _FULL))


def tile_in(size: int, level: int, number: int) -> Tile | None:
    """The tile that a tree of that many records has in a place; None where it has none."""
    width = min((size >> (_HEIGHT * level)) - (number << _HEIGHT), _FULL)
    return Tile(level, number, width) if width > 0 else None


def tiles_of(record: int, size: int) -> Iterator[Tile]:
    """What proves a record in a tree of `size` records, and the head of this tree."""
    for level in range(_levels(size)):
        places = {record >> (_HEIGHT * (level + 1)), size >> (_HEIGHT * (level + 1))}
        yield from (tile for number in sorted(places) if (tile := tile_in(size, level, number)))


def wider_tiles(held: Iterable[Tile]) -> Iterator[Tile]:
    """What is missing to prove whatever rests on the held tiles in the largest tree of which some are held."""
    widths: dict[tuple[int, int], int] = {}
    for tile in held:
        place = tile.level, tile.number
        widths[place] = max(tile.width, widths.get(place, 0))
    widest = max((Tile(*place, width).records for place, width in widths.items()), default=0)
    for level, number in _with_parents(widths, _levels(widest)):
        grown = tile_in(widest, level, number)
        if grown and grown.width > widths.get((level, number), 0):
            yield grown


def _with_parents(places: Iterable[tuple[int, int]], levels: int) -> list[tuple[int, int]]:
    found = {(at, number >> (_HEIGHT * (at - level))) for level, number in places for at in range(level, levels)}
    return sorted(found)


def _levels(size: int) -> int:
    return -(-size.bit_length() // _HEIGHT)

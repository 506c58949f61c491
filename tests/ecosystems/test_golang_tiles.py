"""Which tiles of a checksum database are named, against what the go command's own client reads."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.ecosystems.golang_tiles import Tile, parse_tile, tile_in, tiles_of, wider_tiles

Hash = tuple[int, int]
"""The height of a complete subtree, and its number at this height."""


class Client:
    """What golang.org/x/mod/sumdb reads, without the hashes: Client.mergeLatestMem, Client.checkRecord and
    tlog.tileHashReader.ReadHashes of Go 1.26, as they are there."""

    def __init__(self) -> None:
        self.latest = 0
        self.read: set[Tile] = set()

    def look_up(self, record: int, size: int) -> None:
        older, newer = sorted((self.latest, size))
        if older:
            self._read_hashes(newer, list(subtrees(0, older)))
        self.latest = newer
        self._read_hashes(newer, [(0, record)])

    def _read_hashes(self, size: int, hashes: list[Hash]) -> None:
        tiles = {parent(tile_for(one), 0, size) for one in subtrees(0, size)}
        for one in hashes:
            tile, above = tile_for(one), 0
            while parent(tile, above, size) not in tiles:
                above += 1
            tiles |= {parent(tile, step, size) for step in range(above)}
        assert None not in tiles
        self.read |= {tile for tile in tiles if tile}


def subtrees(low: int, high: int) -> Iterator[Hash]:
    """tlog.subTreeIndex."""
    while low < high:
        height = (high - low).bit_length() - 1
        yield height, low >> height
        low += 1 << height


def tile_for(one: Hash) -> Tile:
    """tlog.tileForIndex."""
    height, number = one
    inside = height % 8
    tile = (number << inside) >> 8
    return Tile(height // 8, tile, (number - ((tile << 8) >> inside) + 1) << inside)


def parent(tile: Tile, steps: int, size: int) -> Tile | None:
    """tlog.tileParent."""
    level, number, most = tile.level + steps, tile.number >> (8 * steps), size >> (8 * (tile.level + steps))
    if (number << 8) + 256 < most:
        return Tile(level, number)
    return Tile(level, number, most - (number << 8)) if number << 8 < most else None


def covers(held: set[Tile], wanted: Tile) -> bool:
    """A narrower tile is cut from a wider one."""
    return any((one.level, one.number) == (wanted.level, wanted.number) and one.width >= wanted.width for one in held)


SIZES = st.one_of(
    st.integers(1, 1 << 26),
    st.integers(1, 700),
    # Around where tiles become full, and where a level begins.
    st.builds(lambda high, low: max(1, (high << 8) + low), st.integers(0, 600), st.integers(-3, 3)),
    st.builds(lambda high, low: max(1, (high << 16) + low), st.integers(0, 300), st.integers(-300, 300)),
)


@st.composite
def answers(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Lookups: the record, and the size of the tree at which the answer was signed."""
    sizes = draw(st.lists(SIZES, min_size=1, max_size=6))
    return [(draw(st.one_of(st.integers(0, size - 1), st.just(size - 1))), size) for size in sizes]


@given(answers(), st.randoms(use_true_random=False), st.booleans())
@example([(3, 65541), (5, 65541 + 70000)], Random(1), False)
def test_whatever_a_client_reads_in_whatever_order_is_named(
    lookups: list[tuple[int, int]], order: Random, twice: bool
) -> None:
    held = {tile for record, size in lookups for tile in tiles_of(record, size)}
    held |= set(wider_tiles(held))
    client, shuffled = Client(), lookups * (2 if twice else 1)
    order.shuffle(shuffled)
    for record, size in shuffled:
        client.look_up(record, size)
    assert [tile.question for tile in sorted(client.read) if not covers(held, tile)] == []


@given(answers())
def test_one_lookup_alone_is_proved_by_what_is_named_for_it(lookups: list[tuple[int, int]]) -> None:
    client = Client()
    client.look_up(*lookups[0])
    held = set(tiles_of(*lookups[0]))
    assert [tile.question for tile in sorted(client.read) if not covers(held, tile)] == []


@given(answers())
def test_every_tile_that_is_named_is_in_the_newest_tree(lookups: list[tuple[int, int]]) -> None:
    newest = max(size for _, size in lookups)
    held = {tile for record, size in lookups for tile in tiles_of(record, size)}
    wider = set(wider_tiles(held))
    assert all(tile == tile_in(newest, tile.level, tile.number) for tile in wider)
    assert set(wider_tiles(held | wider)) == set()


def test_a_tile_that_was_partial_is_wanted_full_when_the_tree_has_grown() -> None:
    held = set(tiles_of(5, 300))
    assert held == {Tile(0, 0), Tile(0, 1, 44), Tile(1, 0, 1)}
    assert set(wider_tiles(held)) == set()
    assert set(wider_tiles({*held, *tiles_of(900, 1000)})) == {Tile(0, 1)}


@pytest.mark.parametrize(
    ("tile", "question"),
    [
        (Tile(0, 0, 7), "tile/8/0/000.p/7"),
        (Tile(1, 999), "tile/8/1/999"),
        (Tile(0, 1000), "tile/8/0/x001/000"),
        (Tile(2, 1234067, 255), "tile/8/2/x001/x234/067.p/255"),
    ],
)
def test_tiles_are_spelled_as_the_database_does(tile: Tile, question: str) -> None:
    assert tile.question == question
    assert parse_tile(question) == tile


@pytest.mark.parametrize("question", ["tile/8/data/000", "tile/4/0/000", "tile/8/0/00", "lookup/a.example/m@v1.0.0"])
def test_what_is_no_tile_of_hashes_is_none(question: str) -> None:
    assert parse_tile(question) is None

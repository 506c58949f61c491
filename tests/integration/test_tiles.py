"""Tiles of a checksum database without upstream: which ones clients need changes from one run to the next."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.fixture_golang import DATABASE
from tests.clients.shop import Shop, open_shop

HASH_BYTES = 32
TILES = f"sumdb/{DATABASE}/tile/8"


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield open_shop(stack, tmp_path, "golang")


def _widest(go: Shop, level: str) -> int:
    """The width of the one tile that the registry has."""
    prefix = f"/{TILES}/{level}/000.p/"
    return int(next(path for path in go.registry.files if path.startswith(prefix)).removeprefix(prefix))


def _stored(go: Shop, tile: str) -> bytes:
    """The tile; when this returns it is in the store, which an answer does not wait for."""
    got = go.get(f"{TILES}/{tile}")
    assert got.status == 200
    go.restart(later=0)
    return got.body


def test_a_narrower_tile_is_the_start_of_a_stored_one(go: Shop) -> None:
    width = _widest(go, "0")
    whole = _stored(go, f"0/000.p/{width}")
    go.registry.go_dark()
    narrow = go.get(f"{TILES}/0/000.p/{width - 1}")
    assert (narrow.status, narrow.body) == (200, whole[: (width - 1) * HASH_BYTES])
    assert len(whole) == width * HASH_BYTES


def test_a_partial_tile_is_the_start_of_the_full_one(go: Shop) -> None:
    full = bytes(range(256)) * HASH_BYTES
    go.registry.files = {f"/{TILES}/0/000": ("application/octet-stream", full)}
    _stored(go, "0/000")
    assert go.get(f"{TILES}/0/000.p/7").body == full[: 7 * HASH_BYTES]


def test_a_wider_tile_is_not_made_of_a_narrower_one(go: Shop) -> None:
    width = _widest(go, "0")
    _stored(go, f"0/000.p/{width}")
    go.registry.go_dark()
    assert go.get(f"{TILES}/0/000.p/{width + 1}").status in (502, 503)


def test_a_tile_of_records_is_never_cut(go: Shop) -> None:
    width = _widest(go, "data")
    _stored(go, f"data/000.p/{width}")
    go.registry.go_dark()
    assert go.get(f"{TILES}/data/000.p/{width - 1}").status in (502, 503)

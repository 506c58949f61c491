"""A checksum database that grows: records come in, and tree heads are signed at whatever size it has then."""

import hashlib
from collections.abc import Iterator

from tests.clients.fixture_golang import BINARY, DATABASE, TEXT, Files, escape, signed_head

HEIGHT = 8


class GrowingDatabase:
    """As a static server has it: full tiles, and those partial ones that some signed head has and that are not full
    by now."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]
        """Hashes of complete subtrees, by their height."""
        self._heads: set[int] = set()
        self._lookups: Files = {}
        self._places: dict[tuple[str, str], tuple[int, bytes]] = {}

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def add(self, module: str, version: str, lines: bytes) -> None:
        self._places[module, version] = self.size, lines
        self._append(hashlib.sha256(b"\x00" + lines).digest())

    def grow_to(self, size: int) -> None:
        """With records of modules that nobody here uses."""
        while self.size < size:
            self._append(hashlib.sha256(b"\x00%d" % self.size).digest())

    def sign(self, module: str, version: str) -> None:
        """From now on a lookup of this version is answered with the head of the tree as it is now."""
        number, lines = self._places[module, version]
        answer = f"{number}\n".encode() + lines + b"\n" + self._head()
        self._lookups[f"/sumdb/{DATABASE}/lookup/{escape(module)}@{escape(version)}"] = TEXT, answer

    @property
    def files(self) -> Files:
        root = f"/sumdb/{DATABASE}"
        found = {f"{root}/supported": (TEXT, b""), f"{root}/latest": (TEXT, self._head()), **self._lookups}
        tiles = {tile for size in self._heads for tile in _edge(size)}
        full = set(self._full())
        tiles = {tile for tile in tiles if tile[:2] not in full} | {(*place, 256) for place in full}
        return {**found, **{f"{root}/{_question(*tile)}": (BINARY, self._tile(*tile)) for tile in tiles}}

    def _head(self) -> bytes:
        self._heads.add(self.size)
        return signed_head(self.size, self._root())

    def _append(self, leaf: bytes) -> None:
        self._levels[0].append(leaf)
        height = 0
        while len(self._levels[height]) % 2 == 0:
            if len(self._levels) == height + 1:
                self._levels.append([])
            left, right = self._levels[height][-2:]
            height += 1
            self._levels[height].append(hashlib.sha256(b"\x01" + left + right).digest())

    def _root(self) -> bytes:
        """RFC 6962 §2.1: from the complete subtrees of the size's binary digits, right to left."""
        parts = [hashes[-1] for hashes in self._levels if len(hashes) % 2]
        root = parts[0]
        for left in parts[1:]:
            root = hashlib.sha256(b"\x01" + left + root).digest()
        return root

    def _full(self) -> Iterator[tuple[int, int]]:
        for level, hashes in enumerate(self._levels[::HEIGHT]):
            yield from ((level, number) for number in range(len(hashes) >> HEIGHT))

    def _tile(self, level: int, number: int, width: int) -> bytes:
        start = number << HEIGHT
        return b"".join(self._levels[level * HEIGHT][start : start + width])


def _edge(size: int) -> Iterator[tuple[int, int, int]]:
    level = 0
    while count := size >> (HEIGHT * level):
        if count & 255:
            yield level, count >> HEIGHT, count & 255
        level += 1


def _question(level: int, number: int, width: int) -> str:
    path = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        path = f"x{number % 1000:03}/{path}"
    return f"tile/{HEIGHT}/{level}/{path}" + ("" if width == 256 else f".p/{width}")

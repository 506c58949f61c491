"""What a client needs of checksum databases to believe a module's digests, without asking upstream."""

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.golang_documents import read_text
from entrepot.ecosystems.golang_questions import Questions
from entrepot.ecosystems.golang_sumdb import database_resource, lookup_of, read_lookup, read_place
from entrepot.ecosystems.golang_tiles import Tile, parse_tile, tiles_of, wider_tiles
from entrepot.model.digest import Digest
from entrepot.model.release import Document
from entrepot.model.selection import Selection

_Found = TypeVar("_Found")
Steps = Generator[Need | Selection | Skipped, Reading | None, _Found]
"""A part of a closure that finds something out."""
Check = Callable[[str, Digest], None]


def checked(questions: Questions, module: str, version: str, check: Check) -> Closure:
    """The lookups of a version, with what proves them; `check` is told each file's name and digest, and may raise."""
    if questions.private_by(module):
        return
    for name in questions.databases:
        supported = yield Need(resource=database_resource(name, "supported"), reads=True, absent="maybe")
        if supported is None:
            # Clients ask the database itself, and so does nobody here.
            continue
        reading = yield Need(resource=lookup_of(name, module, version), reads=True, absent="maybe")
        if reading is not None:
            yield from _proof(name, reading.document, check)


def _proof(name: str, document: Document, check: Check) -> Closure:
    text = read_text(document)
    for _, version, extension, digest in read_lookup(text, document.place):
        check(f"{version}.{extension}", digest)
    record, size = read_place(text, document.place)
    yield Need(resource=database_resource(name, "latest"), absent="maybe")
    # The tree of this answer, not the newest: what is held already will do, however much the database has grown since.
    for tile in tiles_of(record, size):
        if not (yield from _is_there(name, tile)):
            yield Need(resource=database_resource(name, tile.full.question))


def _is_there(name: str, tile: Tile) -> Steps[bool]:
    """A database need not keep a partial tile once it is full; clients, too, then ask for the full one."""
    resource = database_resource(name, tile.question)
    if tile == tile.full:
        yield Need(resource=resource)
        return True
    return (yield Need(resource=resource, reads=True, absent="maybe")) is not None


def settle(keys: Iterable[str]) -> Closure:
    """The tiles that prove the lookups of all orders consistent with each other, in whatever order clients ask."""
    held: dict[str, set[Tile]] = {}
    for key in keys:
        name, _, question = key.removeprefix("sumdb/").partition("/tile/")
        if tile := parse_tile(f"tile/{question}"):
            held.setdefault(name, set()).add(tile)
    for name, tiles in sorted(held.items()):
        for tile in wider_tiles(tiles):
            if not (yield from _is_there(name, tile)):
                yield Need(resource=database_resource(name, tile.full.question), absent="maybe")

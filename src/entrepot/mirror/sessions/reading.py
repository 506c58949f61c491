"""Reads the bills of sessions that we wrote: exactly what was served. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from entrepot.errors import UnreadableBill
from entrepot.mirror.sessions.words import ABSENT, DOCUMENT, INCOMPLETE, split_place
from entrepot.mirror.sources.cyclonedx import PATH_PROPERTY, Component, Property
from entrepot.model.digest import parse_hex

_WROTE = "it is no bill that `entrepot run --record` has written"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFile:
    repository: str
    key: str
    """The stored key."""
    sha256: str
    package: str
    """The purl, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    files: tuple[ToldFile, ...]
    documents: tuple[tuple[str, str], ...]
    """Repositories and stored keys."""
    absent: tuple[tuple[str, str], ...]
    incomplete: bool


class _File(Component):
    pass


class _Package(msgspec.Struct):
    purl: str = ""
    components: list[_File] = []


class _Bill(msgspec.Struct):
    components: list[_Package] = []
    properties: list[Property] = []


def read_session_bill(name: str, body: bytes) -> Told:
    """Raises UnreadableBill, which tells the file's `name`."""
    try:
        bill = msgspec.json.decode(body, type=_Bill)
    except msgspec.DecodeError as error:
        raise UnreadableBill(f"{name}: {_WROTE}: {error}") from error
    files = tuple(one for package in bill.components for one in _files_of(name, package))
    places = {known: tuple(_places(bill, known)) for known in (DOCUMENT, ABSENT)}
    if not (files or places[DOCUMENT]):
        raise UnreadableBill(f"{name}: {_WROTE}: it tells no file with our path of it")
    incomplete = any(one.name == INCOMPLETE for one in bill.properties)
    return Told(files=files, documents=places[DOCUMENT], absent=places[ABSENT], incomplete=incomplete)


def _files_of(name: str, package: _Package) -> Iterator[ToldFile]:
    for file in package.components:
        place = next((one.value or "" for one in file.properties or () if one.name == PATH_PROPERTY), "")
        repository, key = split_place(place)
        digests = (parse_hex((one.alg or "").replace("-", ""), one.content or "") for one in file.hashes or ())
        sha256 = next((one.value for one in digests if one is not None and one.algorithm == "sha256"), "")
        if not repository or not sha256:
            raise UnreadableBill(f"{name}: {_WROTE}: the file {file.name!r} of {package.purl} has no path or no digest")
        yield ToldFile(repository=repository, key=key, sha256=sha256, package=package.purl)


def _places(bill: _Bill, known: str) -> Iterator[tuple[str, str]]:
    for one in bill.properties:
        value = one.value or ""
        place = value.partition(" ")[2] if known == DOCUMENT else value
        repository, key = split_place(place)
        if one.name == known and repository:
            yield repository, key

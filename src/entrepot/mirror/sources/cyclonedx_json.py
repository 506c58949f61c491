"""Reads CycloneDX in JSON (ECMA-424), 1.2 and later."""

from collections.abc import Iterator, Mapping

import msgspec

from entrepot.mirror.sources.cyclonedx import Component, members_of
from entrepot.mirror.sources.sbom_json import UnreadableMember, read_member, read_part
from entrepot.mirror.sources.sbom_member import Member, check_depth

_Pieces = list[msgspec.Raw]


class _Nested(Component):
    components: list[msgspec.Raw] | None = None


class _Metadata(msgspec.Struct):
    component: msgspec.Raw = msgspec.Raw()


def read_cyclonedx_json(bill: Mapping[str, msgspec.Raw]) -> Iterator[Member]:
    """All packages, however deep. Raises UnreadableBill."""
    metadata = read_part(bill.get("metadata", b"{}"), _Metadata, "metadata")
    if bytes(metadata.component) not in (b"", b"null"):
        yield from _read(metadata.component, "metadata.component", 0, is_root=True)
    pieces = read_part(bill.get("components", b"[]"), _Pieces, "components")
    yield from _read_all(pieces, "components", 0)


def _read_all(pieces: _Pieces, place: str, depth: int) -> Iterator[Member]:
    check_depth(depth, place)
    for number, piece in enumerate(pieces):
        yield from _read(piece, f"{place}[{number}]", depth)


def _read(piece: msgspec.Raw, place: str, depth: int, *, is_root: bool = False) -> Iterator[Member]:
    try:
        component = read_member(piece, _Nested)
    except UnreadableMember as error:
        yield Member(place=place, error=str(error))
        return
    pieces = component.components or []
    below = list(_files(pieces)) if component.repository else []
    yield from members_of(component, place, below=below, is_root=is_root)
    yield from _read_all(pieces, f"{place}.components", depth + 1)


def _files(pieces: _Pieces) -> Iterator[Component]:
    """What cannot be read is told when its turn comes."""
    for piece in pieces:
        try:
            yield read_member(piece, Component)
        except UnreadableMember:
            continue

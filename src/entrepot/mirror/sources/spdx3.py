"""Reads SPDX 3 in its compact JSON-LD form."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec

from entrepot.mirror.sources.sbom_json import UnreadableMember, read_member, read_part
from entrepot.mirror.sources.sbom_member import Member, known_digests, names_a_file, title_of

_PACKAGES: Final = ("software_Package", "ai_AIPackage", "dataset_DatasetPackage")


class _Hash(msgspec.Struct):
    algorithm: str | None = None
    value: str | None = msgspec.field(default=None, name="hashValue")


class _Identifier(msgspec.Struct):
    type: str | None = msgspec.field(default=None, name="externalIdentifierType")
    value: str | None = msgspec.field(default=None, name="identifier")


class _Element(msgspec.Struct):
    """What matters of it. Where a text stands instead of an object, it is the name of one that stands elsewhere."""

    type: str | None = None
    at_type: str | list[str] | None = msgspec.field(default=None, name="@type")
    id: str | None = msgspec.field(default=None, name="spdxId")
    at_id: str | None = msgspec.field(default=None, name="@id")
    name: str | None = None
    version: str | None = msgspec.field(default=None, name="software_packageVersion")
    purl: str | None = msgspec.field(default=None, name="software_packageUrl")
    location: str | None = msgspec.field(default=None, name="software_downloadLocation")
    hashes: list[_Hash | str] | None = msgspec.field(default=None, name="verifiedUsing")
    identifiers: list[_Identifier | str] | None = msgspec.field(default=None, name="externalIdentifier")
    roots: list[str] | str | None = msgspec.field(default=None, name="rootElement")

    @property
    def is_package(self) -> bool:
        kinds = self.at_type if isinstance(self.at_type, list) else [self.type or self.at_type or ""]
        return any(kind in _PACKAGES for kind in kinds)

    def purls(self) -> list[str]:
        told = [one for one in self.identifiers or () if isinstance(one, _Identifier) and one.type == "packageUrl"]
        return list(dict.fromkeys(purl for purl in (self.purl, *(one.value for one in told)) if purl))


_Numbered = list[tuple[int, _Element]]


def read_spdx3(document: Mapping[str, msgspec.Raw]) -> Iterator[Member]:
    """Raises UnreadableBill."""
    elements: _Numbered = []
    for number, piece in enumerate(read_part(document.get("@graph", b"[]"), list[msgspec.Raw], "@graph")):
        try:
            elements.append((number, read_member(piece, _Element)))
        except UnreadableMember as error:
            yield Member(place=f"@graph[{number}]", error=str(error))
    packages = [(number, one) for number, one in elements if one.is_package or one.purls()]
    described = _described(packages, elements)
    for number, package in packages:
        yield from _members_of(package, f"@graph[{number}]", described)


def _described(packages: _Numbered, elements: _Numbered) -> Collection[str]:
    """The id of the one package that the document is about; none where it is about several."""
    told = {root for _, one in elements for root in ([one.roots] if isinstance(one.roots, str) else one.roots or ())}
    known = {one.id or one.at_id or "" for _, one in packages}
    found = told & known
    return found if len(found) == 1 else ()


def _members_of(package: _Element, place: str, described: Collection[str]) -> Iterator[Member]:
    for purl in package.purls() or ("",):
        certain = names_a_file(package.location or "") or "file_name=" in purl
        hashes = [one for one in package.hashes or () if isinstance(one, _Hash)] if certain else []
        yield Member(
            place=title_of(place, package.name),
            purl=purl.strip(),
            version=package.version or "",
            digests=known_digests((one.algorithm or "", one.value or "") for one in hashes),
            is_root=(package.id or package.at_id) in described,
        )

"""A package of an SPDX 2 document, in whichever notation it came, and the documents that are trees of plain values
(JSON, YAML)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from entrepot.errors import UnreadableBill
from entrepot.mirror.sources.sbom_json import UnreadableMember, read_member, read_part
from entrepot.mirror.sources.sbom_member import Member, known_digests, names_a_file, title_of

_T = TypeVar("_T")


class Checksum(msgspec.Struct):
    algorithm: str | None = None
    value: str | None = msgspec.field(default=None, name="checksumValue")


class Reference(msgspec.Struct):
    """The category is not looked at: it is spelled PACKAGE-MANAGER by some, PACKAGE_MANAGER by others."""

    type: str | None = msgspec.field(default=None, name="referenceType")
    locator: str | None = msgspec.field(default=None, name="referenceLocator")


class Package(msgspec.Struct):
    """What matters of it; all else is skipped."""

    id: str | None = msgspec.field(default=None, name="SPDXID")
    name: str | None = None
    version: str | None = msgspec.field(default=None, name="versionInfo")
    location: str | None = msgspec.field(default=None, name="downloadLocation")
    checksums: list[Checksum] | None = None
    references: list[Reference] | None = msgspec.field(default=None, name="externalRefs")


class Relationship(msgspec.Struct):
    element: str | None = msgspec.field(default=None, name="spdxElementId")
    type: str | None = msgspec.field(default=None, name="relationshipType")
    related: str | None = msgspec.field(default=None, name="relatedSpdxElement")


def members_of(package: Package, place: str, described: Collection[str] = ()) -> Iterator[Member]:
    """One for each purl that it has; one without a purl where it has none. `described`: as `described_by` says."""
    references = package.references or ()
    locators = [one.locator or "" for one in references if (one.type or "").rpartition("/")[2] == "purl"]
    for purl in dict.fromkeys(locators) or ("",):
        certain = names_a_file(package.location or "") or "file_name=" in purl
        checksums = (package.checksums or ()) if certain else ()
        yield Member(
            place=title_of(place, package.name),
            purl=purl.strip(),
            version=package.version or "",
            digests=known_digests((one.algorithm or "", one.value or "") for one in checksums),
            is_root=package.id in described,
        )


def described_by(relationships: Iterable[Relationship], told: Iterable[str] = ()) -> Collection[str]:
    """The id of the one package that a document is about; none where it is about several: that is a plain list.
    `told`: what the document tells outside of relationships."""
    found = set(told)
    for one in relationships:
        if one.type == "DESCRIBES" and one.related:
            found.add(one.related)
        elif one.type == "DESCRIBED_BY" and one.element:
            found.add(one.element)
    return found if len(found) == 1 else ()


def read_spdx2_json(document: Mapping[str, msgspec.Raw]) -> Iterator[Member]:
    """Raises UnreadableBill."""
    related = read_part(document.get("relationships", b"[]"), list[Relationship], "relationships")
    told = read_part(document.get("documentDescribes", b"[]"), list[str], "documentDescribes")
    described = described_by(related, told)
    for number, piece in enumerate(read_part(document.get("packages", b"[]"), list[msgspec.Raw], "packages")):
        try:
            package = read_member(piece, Package)
        except UnreadableMember as error:
            yield Member(place=f"packages[{number}]", error=str(error))
        else:
            yield from members_of(package, f"packages[{number}]", described)


def read_spdx2_tree(document: Mapping[str, object]) -> Iterator[Member]:
    """A document whose scalars are all texts. Raises UnreadableBill."""
    related = [_convert(one, Relationship) for one in _listed(document, "relationships")]
    described = described_by(
        (one for one in related if isinstance(one, Relationship)),
        (one for one in _listed(document, "documentDescribes") if isinstance(one, str)),
    )
    for number, piece in enumerate(_listed(document, "packages")):
        package = _convert(piece, Package)
        if isinstance(package, Package):
            yield from members_of(package, f"packages[{number}]", described)
        else:
            yield Member(place=f"packages[{number}]", error=package)


def _listed(document: Mapping[str, object], key: str) -> list[object]:
    pieces = document.get(key) or []
    if not isinstance(pieces, list):
        raise UnreadableBill(f"{key}: is no list")
    return pieces


def _convert(piece: object, kind: type[_T]) -> _T | str:
    """What is wrong with it, where it is not as it should be."""
    try:
        return msgspec.convert(piece, kind)
    except msgspec.ValidationError as error:
        return str(error)

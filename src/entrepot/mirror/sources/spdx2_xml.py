"""Reads SPDX 2 in XML."""

from collections.abc import Iterator

from lxml import etree

from entrepot.mirror.sources.sbom_member import Member
from entrepot.mirror.sources.sbom_xml import children, elements, forget, text
from entrepot.mirror.sources.spdx2 import Checksum, Package, Reference, Relationship, described_by, members_of


def read_spdx2_xml(body: bytes) -> Iterator[Member]:
    """Raises UnreadableBill."""
    packages: list[Package] = []
    relationships: list[Relationship] = []
    told: list[str] = []
    for element in elements(body, ("{*}packages", "{*}relationships", "{*}documentDescribes")):
        parent = element.getparent()
        # The same names may stand deeper, where they mean something else.
        if parent is None or parent.getparent() is not None:
            continue
        match etree.QName(element).localname:
            case "packages":
                packages.append(_package(element))
            case "relationships":
                relationships.append(_relationship(element))
            case _:
                told.append((element.text or "").strip())
        forget(element)
    described = described_by(relationships, told)
    for number, package in enumerate(packages):
        yield from members_of(package, f"packages[{number}]", described)


def _package(element: etree._Element) -> Package:
    return Package(
        id=text(element, "SPDXID"),
        name=text(element, "name"),
        version=text(element, "versionInfo"),
        location=text(element, "downloadLocation"),
        checksums=[
            Checksum(algorithm=text(one, "algorithm"), value=text(one, "checksumValue"))
            for one in children(element, "checksums")
        ],
        references=[
            Reference(type=text(one, "referenceType"), locator=text(one, "referenceLocator"))
            for one in children(element, "externalRefs")
        ],
    )


def _relationship(element: etree._Element) -> Relationship:
    return Relationship(
        element=text(element, "spdxElementId"),
        type=text(element, "relationshipType"),
        related=text(element, "relatedSpdxElement"),
    )

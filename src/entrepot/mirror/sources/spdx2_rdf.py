"""Reads SPDX 2 in RDF/XML: first what it says as a graph, because one graph is written in many ways."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from lxml import etree

from entrepot.mirror.sources.sbom_member import Member
from entrepot.mirror.sources.sbom_xml import elements, forget, name_of
from entrepot.mirror.sources.spdx2 import Checksum, Package, Reference, Relationship, described_by, members_of

RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_KEPT: Final = frozenset(
    [
        "type",
        "name",
        "versionInfo",
        "downloadLocation",
        "checksum",
        "algorithm",
        "checksumValue",
        "externalRef",
        "referenceType",
        "referenceLocator",
        "relationship",
        "relationshipType",
        "relatedSpdxElement",
        "describesPackage",
    ]
)


def read_spdx2_rdf(body: bytes) -> Iterator[Member]:
    """Raises UnreadableBill."""
    graph = _Graph()
    for element in elements(body, "{*}*"):
        parent = element.getparent()
        if parent is not None and parent.getparent() is None:
            graph.take_node(element)
            forget(element)
    relationships = [one for subject in graph.subjects for one in graph.relationships(subject)]
    told = [one for subject in graph.subjects for one in graph.all(subject, "describesPackage")]
    described = described_by(relationships, told)
    for subject in graph.subjects:
        if graph.last(subject, "type") == "Package":
            yield from members_of(graph.package(subject), subject.rpartition("#")[2], described)


class _Graph:
    """Subjects, and what is said of them by properties that matter here (RDF 1.1 XML Syntax §2)."""

    def __init__(self) -> None:
        self._facts: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._nameless = 0

    @property
    def subjects(self) -> list[str]:
        return list(self._facts)

    def all(self, subject: str, name: str) -> list[str]:
        known = self._facts.get(subject)
        return known.get(name, []) if known is not None else []

    def one(self, subject: str, name: str) -> str:
        return next(iter(self.all(subject, name)), "")

    def last(self, subject: str, name: str) -> str:
        """The end of the address that is the value."""
        return _end_of(self.one(subject, name))

    # --- what it says -----------------------------------------------------------------------------------------------

    def package(self, subject: str) -> Package:
        return Package(
            id=subject,
            name=self.one(subject, "name"),
            version=self.one(subject, "versionInfo"),
            location=self.one(subject, "downloadLocation"),
            checksums=[
                Checksum(
                    algorithm=self.last(one, "algorithm").removeprefix("checksumAlgorithm_"),
                    value=self.one(one, "checksumValue"),
                )
                for one in self.all(subject, "checksum")
            ],
            references=[
                Reference(type=self.one(one, "referenceType"), locator=self.one(one, "referenceLocator"))
                for one in self.all(subject, "externalRef")
            ],
        )

    def relationships(self, subject: str) -> Iterator[Relationship]:
        for one in self.all(subject, "relationship"):
            kind = self.last(one, "relationshipType").removeprefix("relationshipType_").upper()
            kind = {"DESCRIBEDBY": "DESCRIBED_BY"}.get(kind, kind)
            yield Relationship(element=subject, type=kind, related=self.one(one, "relatedSpdxElement"))

    # --- how it is written ------------------------------------------------------------------------------------------

    def take_node(self, element: etree._Element) -> str:
        """The subject that an element stands for, after what it says was taken."""
        subject = self._subject(element)
        if element.tag != f"{{{RDF}}}Description":
            self._say(subject, "type", name_of(element))
        self._take_properties(element, subject)
        return subject

    def _take_properties(self, element: etree._Element, subject: str) -> None:
        for attribute, value in element.attrib.items():
            if isinstance(attribute, str) and not attribute.startswith(f"{{{RDF}}}"):
                self._say(subject, etree.QName(attribute).localname, str(value))
        for one in element:
            self._say(subject, name_of(one), self._value(one))

    def _subject(self, element: etree._Element) -> str:
        name, node = element.get(f"{{{RDF}}}about"), element.get(f"{{{RDF}}}nodeID")
        local = element.get(f"{{{RDF}}}ID")
        if name is not None:
            return name
        if local is not None:
            return f"#{local}"
        return self._nodes_name(node)

    def _nodes_name(self, node: str | None) -> str:
        self._nameless += node is None
        return f"_:{self._nameless}" if node is None else f"_:node/{node}"

    def _value(self, element: etree._Element) -> str:
        resource, node = element.get(f"{{{RDF}}}resource"), element.get(f"{{{RDF}}}nodeID")
        if resource is not None:
            return resource
        if node is not None:
            return self._nodes_name(node)
        if element.get(f"{{{RDF}}}parseType") == "Resource":
            subject = self._nodes_name(None)
            self._take_properties(element, subject)
            return subject
        nodes = [self.take_node(one) for one in element]
        return nodes[0] if nodes else (element.text or "").strip()

    def _say(self, subject: str, name: str, value: str) -> None:
        if name in _KEPT:
            self._facts[subject][name].append(value)


def _end_of(address: str) -> str:
    return address.rpartition("#")[2].rpartition("/")[2]

"""Reads CycloneDX in XML (ECMA-424), 1.0 and later."""

from collections.abc import Iterator, Sequence

from lxml import etree

from entrepot.mirror.sources.cyclonedx import Component, Hash, Property, Reference, members_of
from entrepot.mirror.sources.sbom_member import Member, check_depth
from entrepot.mirror.sources.sbom_xml import children, elements, forget, name_of, text


def read_cyclonedx_xml(body: bytes) -> Iterator[Member]:
    """All packages, however deep. Raises UnreadableBill."""
    number = 0
    for element in elements(body, "{*}component"):
        # Other components (tools, ancestors in a pedigree, formulas) are no part of what the bill is about.
        match _path_of(element):
            case ["bom", "metadata"]:
                yield from _read(element, "metadata.component", 0, is_root=True)
            case ["bom", "components"]:
                yield from _read(element, f"components[{number}]", 0)
                number += 1
                forget(element)


def _path_of(element: etree._Element) -> Sequence[str]:
    return [name_of(one) for one in element.iterancestors()][::-1]


def _read(element: etree._Element, place: str, depth: int, *, is_root: bool = False) -> Iterator[Member]:
    check_depth(depth, place)
    nested = children(element, "components", "component")
    below = [_component(one) for one in nested]
    yield from members_of(_component(element), place, below=below, is_root=is_root)
    for number, one in enumerate(nested):
        yield from _read(one, f"{place}.components[{number}]", depth + 1)


def _component(element: etree._Element) -> Component:
    return Component(
        type=element.get("type"),
        name=text(element, "name"),
        version=text(element, "version"),
        purl=text(element, "purl"),
        hashes=_hashes(element),
        references=[
            Reference(type=one.get("type"), url=text(one, "url"), hashes=_hashes(one))
            for one in children(element, "externalReferences", "reference")
        ],
        properties=[
            Property(name=one.get("name"), value=(one.text or "").strip())
            for one in children(element, "properties", "property")
        ],
    )


def _hashes(element: etree._Element) -> list[Hash]:
    return [Hash(alg=one.get("alg"), content=one.text) for one in children(element, "hashes", "hash")]

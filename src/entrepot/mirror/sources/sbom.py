"""Reads bills of materials: knows a format by its content, and has the reader of that format tell the packages."""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from lxml import etree

from entrepot.errors import UnreadableBill
from entrepot.mirror.sources.cyclonedx_json import read_cyclonedx_json
from entrepot.mirror.sources.cyclonedx_xml import read_cyclonedx_xml
from entrepot.mirror.sources.sbom_json import read_members, read_part
from entrepot.mirror.sources.sbom_member import Member
from entrepot.mirror.sources.sbom_schemas import Standard, check_schema
from entrepot.mirror.sources.sbom_xml import root_of
from entrepot.mirror.sources.sbom_yaml import load_yaml
from entrepot.mirror.sources.spdx2 import read_spdx2_json, read_spdx2_tree
from entrepot.mirror.sources.spdx2_rdf import RDF, read_spdx2_rdf
from entrepot.mirror.sources.spdx2_tags import read_spdx2_tags
from entrepot.mirror.sources.spdx2_xml import read_spdx2_xml
from entrepot.mirror.sources.spdx3 import read_spdx3

LARGEST_BYTES: Final = 64 << 20
_CYCLONEDX: Final = "http://cyclonedx.org/schema/bom/"
_SPDX3: Final = "://spdx.org/rdf/3"
_WRAPPERS: Final = ("sbom", "predicate")
"""GitHub's dependency graph and in-toto's statements have the bill itself in a member of theirs."""
_TAGS = re.compile(rb"^SPDXVersion[ \t]*:[ \t]*(\S*)", re.MULTILINE)
_YAML = re.compile(rb"^[\"']?spdxVersion[\"']?[ \t]*:[ \t]*[\"']?([^\s\"']*)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A bill whose format is known."""

    standard: Standard
    version: str
    """Of the standard, as the bill tells it."""
    body: bytes
    """Without what it was wrapped in."""
    read: Callable[[], Iterator[Member]]
    """Raises UnreadableBill."""

    def __str__(self) -> str:
        return f"{self.standard.value}, version {self.version or 'unknown'}"


def read_bill(name: str, body: bytes, *, validate: bool = False) -> Iterator[Member]:
    """The packages that it names. What the bill is about is one only where it names no other. Raises UnreadableBill,
    which tells the file's `name` and what was understood instead; BadRequest where it should be validated and what does
    that is not installed."""
    try:
        bill = recognise(body)
        members = _parts(bill)
        if validate:
            members = iter(list(members))
            check_schema(bill.standard, bill.version, bill.body)
        yield from members
    except UnreadableBill as error:
        raise UnreadableBill(f"{name}: {error}") from error


def _parts(bill: Bill) -> Iterator[Member]:
    seen = named = 0
    roots = []
    for member in bill.read():
        if member.is_root:
            roots.append(member)
        else:
            seen += 1
            named += bool(member.purl or member.error)
            yield member
    if named:
        return
    if not any(root.purl for root in roots):
        found = f"it has {seen} packages, none of them with a purl" if seen else "it names no packages"
        raise UnreadableBill(f"is {bill}, but {found}")
    yield from roots


# --- formats ----------------------------------------------------------------------------------------------------------


def recognise(body: bytes) -> Bill:
    """Raises UnreadableBill."""
    if len(body) > LARGEST_BYTES:
        raise UnreadableBill(f"has {len(body):,} bytes; bills of up to {LARGEST_BYTES:,} are read")
    body = _as_utf8(body)
    match body[:1]:
        case b"{":
            return _recognise_json(body, read_members(body))
        case b"<":
            return _recognise_xml(body, root_of(body))
        case _:
            return _recognise_text(body)


def _as_utf8(body: bytes) -> bytes:
    """Some shells redirect output as UTF-16. XML tells its encoding by itself."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = body.decode("utf-16").lstrip()
        except UnicodeDecodeError as error:
            raise UnreadableBill(f"is neither UTF-8 nor UTF-16: {error.reason}") from error
        return body if text.startswith("<") else text.encode()
    return body.removeprefix(codecs.BOM_UTF8).lstrip()


def _recognise_json(body: bytes, members: Mapping[str, msgspec.Raw], *, wrapped: bool = False) -> Bill:
    if _text(members, "bomFormat") == "CycloneDX":
        version = _text(members, "specVersion")
        return Bill(
            standard=Standard.CYCLONEDX_JSON,
            version=version,
            body=body,
            read=lambda: read_cyclonedx_json(members),
        )
    if version := _text(members, "spdxVersion"):
        return Bill(standard=Standard.SPDX2_JSON, version=version, body=body, read=lambda: read_spdx2_json(members))
    if _SPDX3.encode() in bytes(members.get("@context", b"")):
        return Bill(standard=Standard.SPDX3, version="3", body=body, read=lambda: read_spdx3(members))
    inner = next((bytes(members[name]) for name in _WRAPPERS if name in members), b"")
    if inner.startswith(b"{") and not wrapped:
        return _recognise_json(inner, read_members(inner), wrapped=True)
    names = ", ".join(list(members)[:8]) or "none"
    raise UnreadableBill(
        f"is JSON with these members: {names}. A CycloneDX bill has bomFormat, one of SPDX 2 spdxVersion, and one of "
        "SPDX 3 a @context of spdx.org"
    )


def _recognise_xml(body: bytes, root: etree._Element) -> Bill:
    name = etree.QName(root)
    space = name.namespace or ""
    if name.localname == "bom" and space.startswith(_CYCLONEDX):
        version = space.removeprefix(_CYCLONEDX)
        return Bill(
            standard=Standard.CYCLONEDX_XML,
            version=version,
            body=body,
            read=lambda: read_cyclonedx_xml(body),
        )
    if name.text == f"{{{RDF}}}RDF":
        return Bill(standard=Standard.SPDX2_RDF, version="2", body=body, read=lambda: read_spdx2_rdf(body))
    if name.localname in ("Document", "SpdxDocument"):
        return Bill(standard=Standard.SPDX2_XML, version="2", body=body, read=lambda: read_spdx2_xml(body))
    raise UnreadableBill(
        f"is XML whose outermost element is {name.text}; that of a CycloneDX bill is bom, in a namespace that begins "
        f"with {_CYCLONEDX}, and that of an SPDX document is Document or rdf:RDF"
    )


def _recognise_text(body: bytes) -> Bill:
    if found := _TAGS.search(body):
        version = found[1].decode(errors="replace")
        return Bill(standard=Standard.SPDX2_TAGS, version=version, body=body, read=lambda: read_spdx2_tags(body))
    if found := _YAML.search(body):
        version = found[1].decode(errors="replace")
        return Bill(standard=Standard.SPDX2_YAML, version=version, body=body, read=lambda: _read_yaml(body))
    first = body.partition(b"\n")[0][:60].decode(errors="replace").strip()
    raise UnreadableBill(
        f"begins with {first!r}: that is neither JSON nor XML, and no line begins with SPDXVersion or spdxVersion"
        if first
        else "is empty"
    )


def _read_yaml(body: bytes) -> Iterator[Member]:
    document = load_yaml(body)
    if not isinstance(document, dict):
        raise UnreadableBill("is YAML, but no table")
    yield from read_spdx2_tree(document)


def _text(members: Mapping[str, msgspec.Raw], name: str) -> str:
    """Empty where it is none."""
    raw = bytes(members.get(name, b""))
    return read_part(raw, str, name) if raw.startswith(b'"') else ""

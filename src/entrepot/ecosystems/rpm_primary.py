"""The packages of an RPM repository, as its primary metadata and its list of deltas name them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import unescape
from typing import IO, cast

from lxml import etree

from entrepot.ecosystems.rpm_repomd import base_of, digest_in, foreign_base, place
from entrepot.ecosystems.rpm_unpacking import PlainText
from entrepot.ecosystems.rpm_versions import join_evr
from entrepot.errors import UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.release import Document

_COMMON = "{http://linux.duke.edu/metadata/common}"
_RPM = "{http://linux.duke.edu/metadata/rpm}"
_LOCATION = re.compile(rb"""<(?:[^\s<>/"'=:]+:)?location\b((?:[^<>"']++|"[^"]*+"|'[^']*+')*+)""")
_PLACE = re.compile(r"""(?:xml:base|href)\s*=\s*(?:"([^"]*)|'([^']*))""")
# What could say the same in other words: entities, attributes that are there by default, letters of other codes.
_DISGUISED = re.compile(rb"<!DOCTYPE|<!ENTITY|\0")
_OTHER_CODE = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml\b[^>]*?\bencoding\s*=\s*["'](?!(?i:utf-8|us-ascii)["'])""")
_PIECE_BYTES = 1 << 20
_START_BYTES = 1 << 10
_LONGEST_TAG = 64 << 10
_COMPARISONS = {"EQ": "=", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}


@dataclass(frozen=True, slots=True)
class Capability:
    """What a package provides or wants: a name, or the path of a file, and with `comparison` versions of it."""

    name: str
    comparison: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    name: str
    version: str
    """`[epoch:]version-release`."""
    arch: str
    key: str
    """The path below our repository; empty for one that is not below it."""
    digest: Digest | None
    size_bytes: int | None
    provides: tuple[Capability, ...] = ()
    requires: tuple[Capability, ...] = ()
    recommends: tuple[Capability, ...] = ()
    files: tuple[str, ...] = ()
    """Only the paths that primary metadata names: programs and configuration."""


def read_packages(document: Document, *, name: str = "", relations: bool = False) -> Iterator[Package]:
    """In the order of the document. `name`: only the package that is called so; `relations`: with what they provide and
    want. Raises UnreadableIndex."""
    base = base_of(document.place)
    for element in _elements(document, f"{_COMMON}package", f"{_COMMON}metadata"):
        if name and element.findtext(f"{_COMMON}name") != name:
            continue
        key = place(base, _location_of(element, document))
        plain = _package(element, key)
        yield _related(plain, element) if relations else plain


def read_deltas(document: Document) -> Iterator[Package]:
    """Of prestodelta metadata. Raises UnreadableIndex."""
    base = base_of(document.place)
    for element in _elements(document, "newpackage", "prestodelta"):
        version = join_evr(element.get("epoch", ""), element.get("version", ""), element.get("release", ""))
        for delta in element.iterfind("delta"):
            yield Package(
                name=element.get("name", ""),
                version=version,
                arch=element.get("arch", ""),
                key=place(base, delta.findtext("filename") or ""),
                digest=digest_in(delta.find("checksum")),
                size_bytes=_number(delta.findtext("size")),
            )


def check_places(document: Document) -> None:
    """Raises UnreadableIndex where packages are named at other addresses than below the repository, and for what cannot
    be decompressed. Quick: a big distribution's metadata is looked through, and not parsed."""
    source, held, start = PlainText(document), b"", b""
    while piece := source.read(_PIECE_BYTES):
        held += piece
        start += piece[: _START_BYTES - len(start)]
        if _DISGUISED.search(held) or _OTHER_CODE.match(start):
            raise UnreadableIndex(f"{document.place}: has a document type, or is in another code than UTF-8")
        for found in _LOCATION.finditer(held):
            _check_place(found[1], document)
        # In text, this sign is always escaped: what is behind the last one may be a part of a place.
        held = held[max(held.rfind(b"<"), len(held) - _LONGEST_TAG) :]


def _check_place(attributes: bytes, document: Document) -> None:
    """Raises UnreadableIndex for a place elsewhere."""
    if not (b"base" in attributes or b"//" in attributes or b"&" in attributes):
        return
    for double, single in _PLACE.findall(attributes.decode("utf-8", "replace")):
        address = unescape(double or single).strip()
        if "://" in address or address.startswith("//"):
            raise _elsewhere(document, address)


def _elsewhere(document: Document, address: str) -> UnreadableIndex:
    return UnreadableIndex(
        f"{document.place}: names packages at {address[:200]} (xml:base), which clients would fetch from there and not "
        "from here; use a repository without xml:base, or that address as upstream of one"
    )


def _elements(document: Document, tag: str, outermost: str) -> Iterator[etree._Element]:
    """One by one: what was read is forgotten. Raises UnreadableIndex."""
    source = PlainText(document)
    events = etree.iterparse(
        cast("IO[bytes]", source), tag=tag, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        for _, element in events:
            yield element
            _forget(element)
    except etree.XMLSyntaxError as error:
        raise UnreadableIndex(f"{document.place}: not XML: {error}") from error
    if events.root is None or events.root.tag != outermost:
        raise UnreadableIndex(f"{document.place}: this is no such metadata of an RPM repository")


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def _location_of(element: etree._Element, document: Document) -> str:
    """What a package's place is called, relative to its repository. Raises UnreadableIndex for one elsewhere: clients
    would go there, and what is signed cannot be rewritten."""
    location = element.find(f"{_COMMON}location")
    if location is None:
        return ""
    elsewhere = foreign_base(location)
    if elsewhere:
        raise _elsewhere(document, elsewhere)
    return location.get("href", "")


def _package(element: etree._Element, key: str) -> Package:
    version, size = element.find(f"{_COMMON}version"), element.find(f"{_COMMON}size")
    epoch, ver, rel = (version.get(name, "") if version is not None else "" for name in ("epoch", "ver", "rel"))
    return Package(
        name=element.findtext(f"{_COMMON}name") or "",
        version=join_evr(epoch, ver, rel),
        arch=element.findtext(f"{_COMMON}arch") or "",
        key=key,
        digest=digest_in(element.find(f"{_COMMON}checksum")),
        size_bytes=_number(size.get("package")) if size is not None else None,
    )


def _related(plain: Package, element: etree._Element) -> Package:
    provides, requires, recommends = (
        tuple(map(_capability, element.iterfind(f"{_COMMON}format/{_RPM}{kind}/{_RPM}entry")))
        for kind in ("provides", "requires", "recommends")
    )
    files = tuple(found.text or "" for found in element.iterfind(f"{_COMMON}format/{_COMMON}file"))
    return replace(plain, provides=provides, requires=requires, recommends=recommends, files=files)


def _capability(entry: etree._Element) -> Capability:
    comparison = _COMPARISONS.get(entry.get("flags", ""), "")
    if not comparison:
        return Capability(entry.get("name", ""))
    version = join_evr(entry.get("epoch", ""), entry.get("ver", ""), entry.get("rel", ""))
    return Capability(entry.get("name", ""), comparison, version)


def _number(text: str | None) -> int | None:
    plain = (text or "").strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= 15 else None

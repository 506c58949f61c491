"""What roots of RPM repositories name (repomd.xml), and where what they name is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from entrepot.errors import BadRequest, UnreadableIndex
from entrepot.model.digest import Digest, parse_hex
from entrepot.model.paths import decode_segment, encode_segment, is_segment
from entrepot.model.release import Document

FOLDER = "repodata"
ROOT = "repomd.xml"
_NUMBER = re.compile(r"[0-9]{1,15}\Z", re.ASCII)
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LARGEST_BYTES = 16 << 20
_MOST_NAMED = 10_000
"""Roots name a few dozen files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One file that a root names."""

    kind: str
    """"primary", "filelists", "updateinfo" …"""
    key: str
    """The path below the repository, percent-encoded."""
    digest: Digest
    size_bytes: int | None


def base_of(key: str) -> str:
    """The path of the repository that a root, or another file beside it, belongs to: empty or with a slash at its
    end."""
    parts = key.split("/")
    return "".join(f"{part}/" for part in parts[: parts.index(FOLDER) if FOLDER in parts else -1])


def read_repomd(document: Document) -> Iterator[Named]:
    """Raises UnreadableIndex for what is no root, and for one that leads elsewhere."""
    named = read_xml(document, "repomd").findall("{*}data")
    if len(named) > _MOST_NAMED:
        raise UnreadableIndex(f"{document.place}: names more than {_MOST_NAMED} files")
    for data in named:
        location = data.find("{*}location")
        href = location.get("href", "") if location is not None else ""
        elsewhere = foreign_base(location) if location is not None else ""
        if elsewhere and data.get("type", "").startswith("primary"):
            # It is signed, so clients would go there, and what they find there is not checked here.
            raise UnreadableIndex(
                f"{document.place}: names packages at {elsewhere[:200]}, and not below this repository"
            )
        key = "" if elsewhere else place(base_of(document.place), href)
        digest = digest_in(data.find("{*}checksum"))
        if key and digest:
            size = (data.findtext("{*}size") or "").strip()
            size_bytes = int(size) if _NUMBER.match(size) else None
            yield Named(kind=data.get("type", ""), key=key, digest=digest, size_bytes=size_bytes)


def read_xml(document: Document, outermost: str) -> etree._Element:
    """Without entities and without any contact. Raises UnreadableIndex."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    body = document.body.read(_LARGEST_BYTES + 1)
    if len(body) > _LARGEST_BYTES:
        raise UnreadableIndex(f"{document.place}: is larger than {_LARGEST_BYTES:,} bytes")
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableIndex(f"{document.place}: not XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableIndex(f"{document.place}: has a document type, which <{outermost}> never has")
    if etree.QName(root).localname != outermost:
        raise UnreadableIndex(f"{document.place}: <{outermost}> was expected, this is <{etree.QName(root).localname}>")
    return root


def digest_in(element: etree._Element | None) -> Digest | None:
    """Of a <checksum>; None for an algorithm that is not known here."""
    if element is None:
        return None
    kind = element.get("type", "").lower()
    return parse_hex("sha1" if kind == "sha" else kind, element.text or "")


def place(base: str, href: str) -> str:
    """The path below our repository of what is named relative to `base`; empty for what is not below it, or has no
    single meaning."""
    found: list[str] = base.split("/")[:-1]
    for raw in href.split("/"):
        if raw == "..":
            if not found:
                return ""
            found.pop()
        elif raw not in ("", "."):
            segment = _segment(raw)
            if not segment:
                return ""
            found.append(segment)
    return "/".join(found)


def _segment(raw: str) -> str:
    """As we spell it. Names come with escapes, or with characters in them that should be escaped."""
    try:
        return encode_segment(decode_segment(raw))
    except BadRequest:
        # What is escaped, and not served all the same, is not meant as it is written either.
        escaped = "%" in raw and not _BROKEN.search(raw)
        return encode_segment(raw) if is_segment(raw) and not escaped else ""


def foreign_base(location: etree._Element) -> str:
    """The address outside of the repository that clients would take a file from; empty for one inside."""
    base = location.get("{http://www.w3.org/XML/1998/namespace}base", "")
    outside = (base or location.get("href", "")).strip()
    return outside if "://" in outside or outside.startswith("//") else ""

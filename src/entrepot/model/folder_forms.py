"""Directory listings as servers write them: JSON of nginx, Caddy and zddc; HTML of Apache, nginx, lighttpd, Python."""

import json
import re
from collections.abc import Iterator

from lxml import etree

from entrepot.errors import UnreadableIndex
from entrepot.model.folders import Caps, Folder, Member, decoded, gather

ACCEPT = "application/json, text/html;q=0.9, */*;q=0.1"
"""Asked of upstream: JSON tells sizes to the byte and times with their zone."""

_TITLE = re.compile(r"\b(?:index of|directory listing (?:for|of))\b", re.IGNORECASE)
_END = re.compile(rb"</html>\s*\Z", re.IGNORECASE)
_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?|\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d(?::\d\d)?|"
    r"\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d(?::\d\d)?)\s*([\d.]+ ?[A-Za-z]*|-)?"
)
_ELSEWHERE = re.compile(r"[?#/]|[A-Za-z][A-Za-z0-9+.-]*:|\.\.?(?:/|\Z)")
_EXACT = re.compile(r"\d{1,18}\Z", re.ASCII)
_LARGEST = 10**18
"""Bytes of a file; the catalog holds no number that is much larger."""
_LONGEST = 200
"""Letters of a time or a digest."""


def read_folder(body: bytes, content_type: str, subject: str, caps: Caps) -> Folder:
    """Raises UnreadableIndex for everything that is not, for sure, a whole listing: an error page, a login page, one
    that was cut off or is longer than allowed."""
    if len(body) > caps.size_bytes:
        raise UnreadableIndex(f"{subject}: the listing is larger than {caps.size_bytes} bytes")
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"[" and "html" not in content_type:
        return gather(_json_members(_parse_json(body, subject, caps), subject), caps, subject)
    if start == b"<":
        return gather(_html_members(_parse_html(body, content_type, subject, caps)), caps, subject)
    raise UnreadableIndex(f"{subject}: this is no directory listing")


# --- JSON -------------------------------------------------------------------------------------------------------------


def _parse_json(body: bytes, subject: str, caps: Caps) -> list[object]:
    # Counted before anything is made of it: a million small objects would take a gigabyte.
    if body.count(b"{") + body.count(b"[") > 4 * caps.members:
        raise UnreadableIndex(f"{subject}: more than {caps.members} names; raise max_entries if that is true")
    try:
        # A name that is no UTF-8 is told with the hostile ones; it shall not take the others with it.
        found = json.loads(body.decode("utf-8-sig", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise UnreadableIndex(f"{subject}: the listing cannot be read: {error}") from error
    if not isinstance(found, list):
        raise UnreadableIndex(f"{subject}: this JSON is no directory listing")
    return found


def _json_members(items: list[object], subject: str) -> Iterator[tuple[str, Member]]:
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise UnreadableIndex(f"{subject}: this JSON is no directory listing: an entry has no name")
        name, kind, folder, size = item["name"], item.get("type"), item.get("is_dir"), item.get("size")
        if not (isinstance(kind, str) or isinstance(folder, bool)):
            raise UnreadableIndex(f"{subject}: this JSON is no directory listing: {name[:80]!r} has no type")
        is_folder = folder is True or kind == "directory"
        is_size = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _LARGEST
        yield (
            name,
            Member(
                name=name.removesuffix("/") if is_folder else name,
                is_folder=is_folder,
                size_bytes=size if is_size and not is_folder else None,
                modified=_first_text(item, "mtime", "mod_time"),
                digest=_first_text(item, "sha256", "hash", "etag"),
                # Of another kind nginx calls what it cannot look at, such as a link that leads nowhere, and sockets.
                is_seen=kind in (None, "file", "directory"),
            ),
        )


def _first_text(item: dict[str, object], *keys: str) -> str:
    """A time or a digest: empty where it is none."""
    texts = (value for key in keys if isinstance(value := item.get(key), str))
    return next((text for text in texts if text.isascii() and len(text) <= _LONGEST), "")


# --- HTML -------------------------------------------------------------------------------------------------------------


def _parse_html(body: bytes, content_type: str, subject: str, caps: Caps) -> etree._Element:
    # Sort links and the like are few beside the names.
    if body.count(b"<a ") + body.count(b"<A ") > caps.members + 100:
        raise UnreadableIndex(f"{subject}: more than {caps.members} names; raise max_entries if that is true")
    if not _END.search(body[-200:]):
        raise UnreadableIndex(f"{subject}: the page has no end, so names may be missing")
    charset = _CHARSET.search(content_type)
    try:
        parser = etree.HTMLParser(
            encoding=charset[1] if charset else "utf-8", no_network=True, huge_tree=True, remove_comments=True
        )
        root = etree.fromstring(body, parser)
    except (etree.LxmlError, LookupError, ValueError) as error:
        raise UnreadableIndex(f"{subject}: this page is no HTML: {error}") from error
    if root is None or not _is_listing(root):
        raise UnreadableIndex(f"{subject}: this page is no directory listing (is it a login page?)")
    return root


def _is_listing(root: etree._Element) -> bool:
    if any(tag.get("type", "").lower() == "password" for tag in root.iter("input")):
        return False
    return any(_TITLE.search("".join(map(str, tag.itertext()))) for name in ("title", "h1") for tag in root.iter(name))


def _html_members(root: etree._Element) -> Iterator[tuple[str, Member]]:
    for tag in root.iter("a"):
        sent = (tag.get("href") or "").strip()
        raw = sent.removeprefix("./")
        if not raw or _ELSEWHERE.match(raw):
            continue  # The parent folder, another order, a column's title, another site.
        raw = re.split("[?#]", raw, maxsplit=1)[0]
        is_folder = raw.endswith("/")
        told = _TIME.search(_text_beside(tag))
        size = (told[2] or "").strip() if told else ""
        yield (
            sent,
            Member(
                name=decoded(raw.removesuffix("/")),
                is_folder=is_folder,
                size_bytes=int(size) if _EXACT.match(size) and not is_folder else None,
                modified=told[1] if told else "",
            ),
        )


def _text_beside(tag: etree._Element) -> str:
    """What stands behind a name: in its line, or in the other cells of its row."""
    cell = tag.getparent()
    if cell is None or cell.tag not in ("td", "th"):
        return str(tag.tail or "").split("\n", 1)[0]
    return " ".join("".join(map(str, beside.itertext())).strip() for beside in cell.itersiblings("td"))

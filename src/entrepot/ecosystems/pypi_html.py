"""The HTML form of a project's page (PEP 503, 592, 629, 658, 708, 714, 740, 792), read with lxml, written by hand."""

import re
from collections.abc import Iterator
from html import escape
from typing import cast
from urllib.parse import unquote, urljoin

from lxml import etree

from entrepot.ecosystems.pypi_names import DISTRIBUTIONS
from entrepot.ecosystems.pypi_pages import ListedFile, Meta, Page, Status, checked_version
from entrepot.errors import UnreadableIndex
from entrepot.model.digest import STRENGTH

_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
# The titles that indexes and directory listings give a page, also an empty one.
_TITLE = re.compile(r"\b(?:links for|index of|directory listing for|simple index)\b", re.IGNORECASE)


def read_html(body: bytes, content_type: str, url: str) -> Page:
    """Raises UnreadableIndex for what is not a page of a project: a login page, an error page with status 200."""
    root = _parse(body, content_type, url)
    metas = [(tag.get("name", "").lower(), tag.get("content", "")) for tag in root.iter("meta")]
    base = next((tag.get("href", "") for tag in root.iter("base")), "")
    try:
        base = urljoin(url, base) if base else ""
        anchors = (cast("dict[str, str]", dict(tag.attrib)) for tag in root.iter("a"))
        files = [file for values in anchors if (file := _file(values, base))]
    except ValueError as error:
        raise UnreadableIndex(f"{url}: a link of this page is no URL: {error}") from error
    if _asks_for_password(root) or not (_names_version(metas) or _has_title(root) or _has_distribution(files)):
        raise UnreadableIndex(f"{url}: this HTML is no page of a project (is it a login page?)")
    return checked_version(_page(files, metas), url)


def _parse(body: bytes, content_type: str, url: str) -> etree._Element:
    charset = _CHARSET.search(content_type)
    try:
        parser = etree.HTMLParser(
            encoding=charset[1] if charset else "utf-8", no_network=True, huge_tree=True, remove_comments=True
        )
        root = etree.fromstring(body, parser)
    except (etree.LxmlError, LookupError, ValueError) as error:
        raise UnreadableIndex(f"{url}: this page is no HTML: {error}") from error
    if root is None:
        raise UnreadableIndex(f"{url}: this page is empty")
    return root


def _names_version(metas: list[tuple[str, str]]) -> bool:
    return any(name == "pypi:repository-version" for name, _ in metas)


def _has_title(root: etree._Element) -> bool:
    return any(_TITLE.search("".join(map(str, tag.itertext()))) for name in ("title", "h1") for tag in root.iter(name))


def _has_distribution(files: list[ListedFile]) -> bool:
    return any(file.filename.endswith(DISTRIBUTIONS) for file in files)


def _asks_for_password(root: etree._Element) -> bool:
    return any(tag.get("type", "").lower() == "password" for tag in root.iter("input"))


def _page(files: list[ListedFile], metas: list[tuple[str, str]]) -> Page:
    def values(name: str) -> list[str]:
        return [content for found, content in metas if found == f"pypi:{name}"]

    status, reason = values("project-status"), values("project-status-reason")
    return Page(
        meta=Meta(api_version=(values("repository-version") or ["1.0"])[0], tracks=values("tracks")),
        name="",
        files=files,
        alternate_locations=values("alternate-locations"),
        project_status=Status(status=status[0], reason=reason[0] if reason else None) if status else None,
    )


def _file(values: dict[str, str], base: str) -> ListedFile | None:
    """The file of an anchor; None where it leads to no file (the parent directory, a column to sort by)."""
    href = values.get("href", "").strip()
    address, _, fragment = href.partition("#")
    filename = unquote(address.partition("?")[0].rpartition("/")[2])
    if not filename:
        return None
    metadata = values.get("data-core-metadata", values.get("data-dist-info-metadata"))
    return ListedFile(
        filename=filename,
        url=urljoin(base, address) if base else address,
        hashes=_hashes(fragment),
        requires_python=values.get("data-requires-python"),
        core_metadata=_metadata(metadata),
        upload_time=values.get("data-upload-time"),
        yanked=(values["data-yanked"] or True) if "data-yanked" in values else None,
        provenance=values.get("data-provenance"),
        gpg_sig={"true": True, "false": False}.get(values.get("data-gpg-sig", "").lower()),
    )


def _hashes(fragment: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in fragment.split("&"))
    return {name: value for name, _, value in pairs if name in STRENGTH}


def _metadata(value: str | None) -> bool | dict[str, str] | None:
    """`true`, or a hash; anything else that is there promises the metadata without a hash, as pip has it."""
    if value is None or value.lower() in ("", "false"):
        return None
    algorithm, equals, digest = value.partition("=")
    return {algorithm: digest} if equals else True


def write_html(page: Page) -> bytes:
    title = f"Links for {escape(page.name)}"
    lines = [
        "<!DOCTYPE html>",
        "<html>",
        "  <head>",
        *(f'    <meta name="pypi:{name}" content="{escape(content)}">' for name, content in _metas(page)),
        f"    <title>{title}</title>",
        "  </head>",
        "  <body>",
        f"    <h1>{title}</h1>",
        *(_anchor(file) for file in page.files),
        "  </body>",
        "</html>",
        "",
    ]
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _metas(page: Page) -> Iterator[tuple[str, str]]:
    yield "repository-version", page.meta.api_version
    yield from (("tracks", url) for url in page.meta.tracks)
    yield from (("alternate-locations", url) for url in page.alternate_locations)
    if page.project_status:
        yield "project-status", page.project_status.status
        if page.project_status.reason:
            yield "project-status-reason", page.project_status.reason


def _anchor(file: ListedFile) -> str:
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in _attributes(file))
    return f"    <a{attributes}>{escape(file.filename)}</a><br>"


def _attributes(file: ListedFile) -> Iterator[tuple[str, str]]:
    yield "href", file.url + _fragment(file.hashes)
    if file.requires_python is not None:
        yield "data-requires-python", file.requires_python
    if file.has_metadata:
        hashes = file.core_metadata if isinstance(file.core_metadata, dict) else {}
        value = _fragment(hashes)[1:] or "true"
        yield "data-core-metadata", value
        yield "data-dist-info-metadata", value
    if file.upload_time is not None:
        # No standard has it, uv reads it: an age gate must not depend on the form it is served.
        yield "data-upload-time", file.upload_time
    if file.yanked:
        yield "data-yanked", file.yanked if isinstance(file.yanked, str) else ""
    if file.provenance:
        yield "data-provenance", file.provenance
    if file.gpg_sig is not None:
        yield "data-gpg-sig", str(file.gpg_sig).lower()


def _fragment(hashes: dict[str, str]) -> str:
    """One hash fits into a fragment: SHA-256, which every client knows, or the strongest there is (PEP 503)."""
    best = next((name for name in ("sha256", *STRENGTH) if name in hashes), None)
    return f"#{best}={hashes[best]}" if best else ""

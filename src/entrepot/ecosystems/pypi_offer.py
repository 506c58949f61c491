"""What a project's page offers: its releases, and the page as a client of ours sees it."""

from collections.abc import Iterator

import msgspec

from entrepot.ecosystems.pypi_html import read_html
from entrepot.ecosystems.pypi_names import project_of, version_of
from entrepot.ecosystems.pypi_pages import ListedFile, Meta, Page, read_json
from entrepot.ecosystems.pypi_places import Places, link_of
from entrepot.errors import BadRequest, UnreadableIndex
from entrepot.model.digest import Digest, parse_hex, strongest_first
from entrepot.model.release import Document, Location, Release, ReleaseFile

_NEWEST_MINOR = 4
"""Of the API version 1: the fields up to PEP 792. What a later one adds is not passed on, so it is not promised."""


def read_page(document: Document) -> Page:
    """By content type; only where that says nothing by the first character. Raises UnreadableIndex."""
    body, media_type = document.body.read(), document.content_type.partition(";")[0].strip().lower()
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if media_type.endswith(("+json", "/json")) or (not media_type.endswith("html") and start == b"{"):
        return read_json(body, document.url)
    if media_type.endswith("html") or start == b"<":
        return read_html(body, document.content_type, document.url)
    raise UnreadableIndex(f"{document.url}: {media_type or 'no content type'} is neither JSON nor HTML")


def releases_of(page: Page, project: str, places: Places) -> Iterator[Release]:
    """The releases of a page with what can be fetched, side files included."""
    files: dict[str, list[ReleaseFile]] = {}
    kept: dict[str, bool] = {}
    for file in offered_files(page):
        version = version_of(file.filename, project)
        found = list(_release_files(file, places))
        if found:
            files.setdefault(version, []).extend(found)
            kept[version] = kept.get(version, False) or not file.yanked
    for version, members in files.items():
        yield Release(package=project, version=version, files=tuple(members), yanked=not kept[version])


def shown(page: Page, project: str, places: Places, hidden: frozenset[str], base: str = "") -> Page:
    """The page without what may not be seen or cannot be fetched, and with our links: below our `base`, or relative to
    the page's own place.

    Raises UnreadableIndex where the page is another project's.
    """
    if page.name and _normalized(page.name) != project:
        raise UnreadableIndex(f"the index of {project} is that of {page.name!r}")
    files, lost = [], set()
    for file in offered_files(page):
        if hidden and not hidden.isdisjoint((file.filename, version_of(file.filename, project))):
            lost.add(version_of(file.filename, project))
        elif link := _link(file.url, project, places, base):
            provenance = _link(file.provenance, project, places, base)
            files.append(msgspec.structs.replace(file, url=link, provenance=provenance))
    lost -= {version_of(file.filename, project) for file in files} if lost else set()
    versions = page.versions and [version for version in page.versions if version not in lost]
    meta = Meta(api_version=_kept_promise(page), tracks=page.meta.tracks)
    return msgspec.structs.replace(page, name=project, files=files, versions=versions, meta=meta)


def offered_files(page: Page) -> list[ListedFile]:
    """A quarantined project offers no files, whatever its index lists (PEP 792)."""
    if page.project_status and page.project_status.status == "quarantined":
        return []
    return [file for file in page.files if _is_plain(file.filename)]


def _is_plain(filename: str) -> bool:
    return filename not in ("", ".", "..") and filename.isprintable() and "/" not in filename and "\\" not in filename


def _link(url: str | None, project: str, places: Places, base: str) -> str | None:
    location = places.find(url) if url else None
    return f"{base or '../..'}/{link_of(project, location)}" if location else None


def _normalized(name: str) -> str:
    try:
        return project_of(name)
    except BadRequest:
        return ""


def _kept_promise(page: Page) -> str:
    """The API version whose mandatory fields are all there: from 1.1 on these are `versions` and sizes (PEP 700)."""
    minor = page.meta.api_version.partition(".")[2]
    if page.versions is None or not minor.isdecimal() or any(file.size is None for file in page.files):
        return "1.0"
    return f"1.{min(int(minor), _NEWEST_MINOR)}"


def _release_files(file: ListedFile, places: Places) -> Iterator[ReleaseFile]:
    location = places.find(file.url)
    if location is None:
        return
    published = file.published
    digests = digests_of(file.hashes)
    yield ReleaseFile(name=file.filename, location=location, digests=digests, size_bytes=file.size, published=published)
    for suffix, hashes in _side_files(file):
        beside = Location(location.origin, location.path + suffix)
        yield ReleaseFile(name=file.filename + suffix, location=beside, digests=digests_of(hashes), published=published)
    provenance = places.find(file.provenance) if file.provenance else None
    if provenance:
        yield ReleaseFile(name=f"{file.filename}.provenance", location=provenance, published=published)


def _side_files(file: ListedFile) -> Iterator[tuple[str, dict[str, str]]]:
    """What clients ask for by adding to the file's URL (PEP 658, PEP 503), and its hashes."""
    if file.has_metadata:
        yield ".metadata", file.core_metadata if isinstance(file.core_metadata, dict) else {}
    if file.gpg_sig:
        yield ".asc", {}


def digests_of(hashes: dict[str, str]) -> tuple[Digest, ...]:
    known = (parse_hex(algorithm, value) for algorithm, value in hashes.items())
    return strongest_first(digest for digest in known if digest)

"""The JSON API that came before PEP 691: `pypi/{project}/json` and `pypi/{project}/{version}/json`."""

from collections.abc import Callable

import msgspec

from entrepot.ecosystems.pypi_names import newest_of
from entrepot.ecosystems.pypi_pages import ListedFile, Meta, Page
from entrepot.errors import UnreadableIndex

Entry = dict[str, msgspec.Raw]
FindLink = Callable[[str, str], str | None]
"""From a file's name and its upstream URL to our URL of it; None: it is not to be seen."""
_text = msgspec.json.Decoder(str).decode
_table = msgspec.json.Decoder(Entry).decode
_entries = msgspec.json.Decoder(list[Entry]).decode
_releases = msgspec.json.Decoder(dict[str, list[Entry]]).decode


class _File(msgspec.Struct):
    filename: str
    url: str
    digests: dict[str, str] = {}
    size: int | None = None
    upload_time_iso_8601: str | None = None
    requires_python: str | None = None
    yanked: bool = False


class _Info(msgspec.Struct):
    name: str


class _Project(msgspec.Struct):
    info: _Info
    urls: list[_File]
    releases: dict[str, list[_File]] | None = None


def read_legacy(body: bytes, url: str) -> Page:
    """The files of such a document as a page. Raises UnreadableIndex."""
    try:
        project = msgspec.json.decode(body, type=_Project)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableIndex(f"{url}: this is no JSON description of a project: {error}") from error
    listed = {file.url: file for files in (project.releases or {}).values() for file in files}
    listed |= {file.url: file for file in project.urls}
    files = [
        ListedFile(
            filename=file.filename,
            url=file.url,
            hashes=file.digests,
            requires_python=file.requires_python,
            size=file.size,
            upload_time=file.upload_time_iso_8601,
            yanked=file.yanked,
        )
        for file in listed.values()
    ]
    return Page(meta=Meta(api_version="1.0"), name=project.info.name, files=files)


def write_legacy(body: bytes, url: str, find_link: FindLink) -> bytes:
    """The document with our links; entries that `find_link` knows none for are left out, everything else stays.

    Raises UnreadableIndex.
    """
    try:
        document = _table(body)
        listed = _entries(document["urls"])
        urls = _linked(listed, find_link)
        document["urls"] = _raw(urls)
        if document.get("releases", b"null") != b"null":
            releases = _releases(document["releases"])
            shown = {name: _linked(files, find_link) for name, files in releases.items()}
            kept = {name: files for name, files in shown.items() if files or not releases[name]}
            document["releases"] = _raw(kept)
            if listed and not urls:
                document |= _described_anew(document["info"], kept)
    except (msgspec.DecodeError, RecursionError, KeyError) as error:
        raise UnreadableIndex(f"{url}: this is no JSON description of a project: {error}") from error
    return msgspec.json.encode(document)


def _described_anew(info: msgspec.Raw, releases: dict[str, list[Entry]]) -> Entry:
    """What such a document says of its newest version, where that may not be seen: of the newest that is left. What
    that one requires this document does not tell."""
    newest = newest_of(name for name, files in releases.items() if files)
    unknown = {name: _raw(None) for name in ("requires_dist", "requires_python") if name in _table(info)}
    described = _table(info) | unknown | {"version": _raw(newest)}
    return {"info": _raw(described), "urls": _raw(releases.get(newest, []))}


def _linked(entries: list[Entry], find_link: FindLink) -> list[Entry]:
    links = ((entry, find_link(_text(entry["filename"]), _text(entry["url"]))) for entry in entries)
    return [entry | {"url": _raw(link)} for entry, link in links if link]


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))

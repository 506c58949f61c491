"""What `maven-metadata.xml` says at its three levels (plugin prefixes of a group, versions of an artifact, files of a
snapshot), and what of it a client is shown."""

import hashlib
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from entrepot.ecosystems.maven_names import METADATA, is_snapshot, package_at
from entrepot.ecosystems.maven_versions import version_key
from entrepot.ecosystems.maven_xml import children, read_xml, text_of
from entrepot.errors import Absent, UnreadableIndex
from entrepot.model.release import Document, Release, Rendered
from entrepot.model.resource import Resource

_XML = "text/xml"
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    extension: str
    classifier: str
    version: str
    """With its time stamp."""


def read_releases(document: Document) -> Iterator[Release]:
    """The versions that it names. Raises UnreadableIndex."""
    folders = document.place.split("/")[:-1]
    root = _read(document)
    if folders and is_snapshot(folders[-1]) and len(folders) > 2:
        package = package_at(folders[:-1])
        versions = dict.fromkeys(file.version for file in read_snapshot(root, folders[-1]))
    else:
        package = package_at(folders)
        versions = dict.fromkeys(read_versions(root))
    yield from (Release(package=package, version=version, files=()) for version in versions)


def read_versions(root: etree._Element) -> list[str]:
    """As they are listed."""
    return [text for one in children(root, "versioning", "versions", "version") if (text := text_of(one))]


def read_snapshot(root: etree._Element, folder: str) -> list[SnapshotFile]:
    """The newest files of a snapshot. Maven 2 tells only one time stamp for all, and the extension is not known."""
    found = [
        SnapshotFile(
            extension=text_of(one, "extension"), classifier=text_of(one, "classifier"), version=text_of(one, "value")
        )
        for one in children(root, "versioning", "snapshotVersions", "snapshotVersion")
    ]
    if found:
        return [file for file in found if file.version]
    stamp = text_of(root, "versioning", "snapshot", "timestamp")
    number = text_of(root, "versioning", "snapshot", "buildNumber")
    if not stamp or not number:
        return []
    return [SnapshotFile(extension="", classifier="", version=f"{folder.removesuffix('SNAPSHOT')}{stamp}-{number}")]


def snapshot_files(document: Document) -> list[SnapshotFile]:
    """Raises UnreadableIndex."""
    return read_snapshot(_read(document), document.place.split("/")[-2])


def listed_versions(document: Document) -> list[str]:
    """Raises UnreadableIndex."""
    return read_versions(_read(document))


def last_updated(document: Document) -> datetime | None:
    """When something was deployed last: nothing that it lists is younger. None where it does not say."""
    text = text_of(_read(document), "versioning", "lastUpdated")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def render_metadata(resource: Resource, document: Document, hidden: Set[str]) -> Rendered | None:
    """What is left of it, or its digest: side files belong to what is shown. None where it stays as it is. Raises
    UnreadableIndex, and Absent where nothing is left."""
    body = _shown(document, hidden)
    if not resource.form:
        return None if body is None else Rendered(body=body, content_type=_XML)
    if body is None:
        document.body.seek(0)
        body = document.body.read()
    digest = hashlib.new(resource.form, body, usedforsecurity=False).hexdigest()
    return Rendered(body=digest.encode(), content_type=_TEXT)


def _shown(document: Document, hidden: Set[str]) -> bytes | None:
    """None where nothing is to be left out."""
    root = _read(document)
    folder = document.place.split("/")[-2]
    if any(file.version in hidden for file in read_snapshot(root, folder)):
        # A build of a snapshot is had as a whole or not at all.
        raise Absent(document.place)
    listed = [one for one in children(root, "versioning", "versions", "version") if text_of(one) in hidden]
    if not listed:
        return None
    left = [version for version in read_versions(root) if version not in hidden]
    if not left and next(children(root, "plugins", "plugin"), None) is None:
        raise Absent(document.place)
    for one in listed:
        _remove(one)
    _point(root, "latest", hidden, newest_of(left))
    _point(root, "release", hidden, newest_of(version for version in left if not is_snapshot(version)))
    encoded: bytes = etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8")
    return encoded


def newest_of(versions: Iterable[str]) -> str | None:
    ranked = [(key, version) for version in versions if (key := version_key(version)) is not None]
    return max(ranked)[1] if ranked else None


def _point(root: etree._Element, name: str, hidden: Set[str], target: str | None) -> None:
    """What pointed at a hidden version points at the newest that is left."""
    for element in children(root, "versioning", name):
        if text_of(element) not in hidden:
            continue
        if target is None:
            _remove(element)
        else:
            element.text = target


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _read(document: Document) -> etree._Element:
    if document.place.rpartition("/")[2] != METADATA:
        raise UnreadableIndex(f"{document.place}: no {METADATA}")
    return read_xml(document, "metadata")

"""The resources that Maven's clients ask for, made from coordinates."""

from dataclasses import replace

from entrepot.ecosystems.maven_names import (
    METADATA,
    Place,
    checksum_of,
    decode_path,
    encode_path,
    file_key,
    file_name,
    folder_of,
    folders_of,
    is_snapshot,
    place_of,
)
from entrepot.model.resource import Kind, Resource

_TEXT = "text/plain; charset=utf-8"
_UNCHECKED = (".asc", ".sigstore.json")
"""Signatures: they are checked against the file, by those who have the keys."""


def metadata_at(folders: list[str], about: str, form: str = "", version: str = "") -> Resource:
    """A `maven-metadata.xml`, or one of the side files that belong to what is shown of it."""
    key = encode_path([*folders, METADATA])
    kind = _TEXT if form else ""
    return Resource(key=key, path=key, kind=Kind.INDEX, form=form, about=about, version=version, content_type=kind)


def list_of(package: str) -> Resource:
    """The document that lists a package's versions."""
    return metadata_at(folders_of(package), package)


def snapshots_of(package: str, version: str) -> Resource:
    """The document that tells which files a snapshot has today."""
    folder = folder_of(version)
    return metadata_at([*folders_of(package), folder], package, version=folder)


def file_at(place: Place, checksums: str) -> Resource:
    """`checksums`: the algorithm of the side files that tell digests."""
    plain = Resource(
        key=place.key,
        path=place.key,
        kind=Kind.ARTIFACT if place.is_fixed else Kind.SIGNED,
        about=place.package,
        version=place.version,
        must_be_listed=False,
    )
    if not place.is_fixed:
        return plain
    _, algorithm = checksum_of(place.file)
    if algorithm:
        return replace(plain, examined=True, content_type=_TEXT)
    if place.file.endswith(_UNCHECKED):
        return plain
    return replace(plain, listed_in=file_at(replace(place, file=f"{place.file}.{checksums}"), checksums))


def file_of(package: str, version: str, rest: str, checksums: str) -> Resource:
    """`rest`: what follows artifact and version in the file's name: `.pom`, `-sources.jar`."""
    segments = [*folders_of(package), folder_of(version), file_name(package, version, rest)]
    return file_at(place_of(segments), checksums)


def side_file(resource: Resource, algorithm: str) -> Resource:
    """The one beside a file."""
    place = place_of(decode_path(resource.key))
    return file_at(replace(place, file=f"{place.file}.{algorithm}"), algorithm)


def date_of(package: str, version: str) -> Resource:
    """What is as old as the version: its POM; of a snapshot that is replaced again and again, what tells its files."""
    if is_snapshot(version):
        return snapshots_of(package, version)
    name = file_name(package, version, ".pom")
    key = file_key(package, version, name)
    return Resource(key=key, path=key, kind=Kind.ARTIFACT, about=package, version=version, must_be_listed=False)

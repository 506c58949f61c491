"""Coordinates and paths of Maven's default repository layout."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.errors import BadRequest, NotServed
from entrepot.model.paths import decode_segment, encode_segment

METADATA = "maven-metadata.xml"
CATALOG = "archetype-catalog.xml"
CHECKSUMS = ("sha512", "sha256", "sha1", "md5")
"""Of side files, strongest first."""

_SNAPSHOT = "SNAPSHOT"
_ELEMENT = re.compile(r"[A-Za-z0-9_\-]+\Z")
_ARTIFACT = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_\-.]*\Z")
# Besides what Maven refuses: some servers cut off what follows a semicolon, and would give under another version's name
# what rules deny under its own.
_VERSION = re.compile(r"[A-Za-z0-9_\-][^\\/:;\"<>|?*\[\]{}\s]*\Z")
_LONGEST_VERSION = 256
_STAMP = re.compile(r"[0-9]{8}\.[0-9]{6}-[0-9]+(?=[-.])")
_STAMPED = re.compile(r"(?P<base>.*?)[0-9]{8}\.[0-9]{6}-[0-9]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file below a version's folder."""

    package: str
    """`group:artifact`."""
    folder: str
    """What the version's folder is called: of a snapshot `1.0-SNAPSHOT`."""
    file: str
    version: str
    """Of a snapshot with a time stamp in its name: with that."""
    named: bool
    """Whether the file's name begins with artifact and version, as those of all artifacts do."""

    @property
    def is_fixed(self) -> bool:
        """Whether the bytes under this name never change."""
        return self.named and not is_snapshot(self.version)

    @property
    def rest(self) -> str:
        """What stands behind artifact and version in the file's name: `-sources.jar`, `.pom`."""
        artifact = self.package.partition(":")[2]
        return self.file[len(f"{artifact}-{self.version}") :] if self.named else ""

    @property
    def key(self) -> str:
        return file_key(self.package, self.version, self.file)


def is_snapshot(version: str) -> bool:
    """Whether it means something else tomorrow (Maven, ArtifactUtils.isSnapshot)."""
    return version.upper().endswith(_SNAPSHOT)


def decode_path(path: str) -> list[str]:
    """Segments, decoded. Raises BadRequest, and NotServed for folders and for what begins with a dot."""
    if not path or path.endswith("/"):
        raise NotServed("a Maven repository has no listings here: ask for a file")
    segments = [decode_segment(raw) for raw in path.split("/")]
    if any(segment.startswith(".") for segment in segments):
        raise NotServed(f"{path[:200]}: not served here; what a repository tells about itself is upstream's alone")
    return segments


def encode_path(segments: Sequence[str]) -> str:
    return "/".join(map(encode_segment, segments))


def package_at(folders: Sequence[str]) -> str:
    """The package whose folder this is; a group's alone has no colon. Raises NotServed."""
    *group, artifact = folders
    if not all(map(_ELEMENT.match, group)) or not _ARTIFACT.match(artifact):
        raise NotServed(f"{'/'.join(folders)[:200]}: no path that Maven's coordinates lead to")
    return f"{'.'.join(group)}:{artifact}" if group else artifact


def place_of(segments: Sequence[str]) -> Place:
    """Raises NotServed."""
    if len(segments) < 4 or not is_version(segments[-2]):
        raise NotServed(f"{'/'.join(segments)[:200]}: no path that Maven's coordinates lead to")
    *folders, folder, file = segments
    package = package_at(folders)
    stem = f"{folders[-1]}-"
    version = folder
    if folder.endswith(_SNAPSHOT) and file.startswith(stem + folder.removesuffix(_SNAPSHOT)):
        base = folder.removesuffix(_SNAPSHOT)
        stamp = _STAMP.match(file, len(stem + base))
        version = f"{base}{stamp[0]}" if stamp else folder
    named = file.startswith(stem + version) and file[len(stem + version) :][:1] in ("-", ".")
    return Place(package=package, folder=folder, file=file, version=version, named=named)


def folders_of(package: str) -> list[str]:
    group, colon, artifact = package.partition(":")
    return [*group.split("."), artifact] if colon else [package]


def folder_of(version: str) -> str:
    """Where the files of a version are: those of a snapshot with a time stamp are beside all others of it."""
    stamped = _STAMPED.match(version)
    return f"{stamped['base']}{_SNAPSHOT}" if stamped else version


def file_key(package: str, version: str, file: str) -> str:
    return encode_path([*folders_of(package), folder_of(version), file])


def file_name(package: str, version: str, rest: str) -> str:
    return f"{package.partition(':')[2]}-{version}{rest}"


def check_package(package: str) -> str:
    """`group:artifact`, if it is that. Raises BadRequest."""
    group, _, artifact = package.partition(":")
    if not all(map(_ELEMENT.match, group.split("."))) or not _ARTIFACT.match(artifact):
        raise BadRequest(f"{package[:200]!r} is no Maven package; write it like org.example:library")
    return package


def is_version(version: str) -> bool:
    return len(version) <= _LONGEST_VERSION and bool(_VERSION.match(version))


def check_version(version: str) -> str:
    """Raises BadRequest."""
    if not is_version(version):
        raise BadRequest(f"{version[:200]!r} is no version of Maven's")
    return version


def checksum_of(file: str) -> tuple[str, str]:
    """The file that a side file is about, and by which algorithm; the same file and nothing for any other."""
    stem, _, algorithm = file.rpartition(".")
    return (stem, algorithm) if stem and algorithm in CHECKSUMS else (file, "")

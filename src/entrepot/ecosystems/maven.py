"""Maven's default repository layout, as Maven, Gradle, sbt and others ask for it.

Source: https://maven.apache.org/repositories/layout.html, https://maven.apache.org/repositories/metadata.html, and what
mvn 3.8 and Gradle send.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import msgspec
from packageurl.contrib.purl2url import get_download_url

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, Limits, Lockfile, View
from entrepot.ecosystems.maven_clients import CLIENTS, LOCKFILES
from entrepot.ecosystems.maven_closure import close, select
from entrepot.ecosystems.maven_metadata import last_updated, newest_of, read_releases, render_metadata
from entrepot.ecosystems.maven_names import (
    CATALOG,
    CHECKSUMS,
    METADATA,
    Place,
    check_package,
    checksum_of,
    decode_path,
    folders_of,
    is_snapshot,
    is_version,
    package_at,
    place_of,
)
from entrepot.ecosystems.maven_resources import date_of, file_at, list_of, metadata_at
from entrepot.ecosystems.maven_versions import MAVEN
from entrepot.errors import BadContent, ConfigError, EntrepotError, MethodRefused, NotServed, UnreadableIndex
from entrepot.model.digest import Digest, parse_hex
from entrepot.model.headers import Headers
from entrepot.model.names import ReservedNames
from entrepot.model.paths import encode_segment
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import BASE, Kind, Reply, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import VersionOrder

_LARGEST_SIDE_FILE = 4096
_SHORTEST_FILE = 256
_WORD = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,128}(?![0-9a-fA-F])")
_NAME = re.compile(r"\([^()]*\)")
"""Of the file, in a side file; it may hold digits enough for a checksum."""
_REST = re.compile(r"(?:-(?P<classifier>[^.].*?))?\.(?P<extension>(?:tar\.)?[^.]+)\Z")
_SIGNATURES = (".asc", ".sigstore.json")


class Maven(Ecosystem):
    name: ClassVar[str] = "maven"
    title: ClassVar[str] = "Maven"
    token_hint: ClassVar[str] = "a <server> in settings.xml whose id is the mirror's, with it as the password"
    purl_types: ClassVar[tuple[str, ...]] = ("maven",)
    versions: ClassVar[VersionOrder] = MAVEN
    clients: ClassVar[tuple[Client, ...]] = CLIENTS
    lockfiles: ClassVar[tuple[Lockfile, ...]] = LOCKFILES
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=32 << 20)
    dates: ClassVar[Literal["registry", "author", "none"]] = "registry"
    dated_by_field: ClassVar[bool] = True
    revision: ClassVar[int] = 2
    option_names: ClassVar[Mapping[str, str]] = {
        "checksums": 'By which side files releases are checked: "sha1" (every repository has them), "sha256", "sha512" '
        'or "md5".',
    }

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        checksums = self.options.get("checksums", "sha1")
        if checksums not in CHECKSUMS:
            raise ConfigError(f"maven: checksums = {checksums!r} is none of {', '.join(CHECKSUMS)}")
        self._checksums = str(checksums)

    @classmethod
    def default_upstream(cls) -> str | None:
        url = get_download_url("pkg:maven/sentinel/sentinel@0")  # type: ignore[no-untyped-call]
        base, found, _ = str(url or "").partition("sentinel/sentinel/0/")
        return base if found else None

    # --- names --------------------------------------------------------------------------------------------------------

    def package_of(self, namespace: str, name: str) -> str:
        return check_package(f"{namespace}:{name}" if namespace else name)

    def pattern_of(self, glob: str) -> str:
        """Package URLs have a slash between group and artifact; here it is a colon."""
        return glob.replace("/", ":", 1)

    def spelled(self, package: str) -> str:
        return "/".join(map(encode_segment, folders_of(package)))

    def index_of(self, package: str) -> Resource:
        return list_of(check_package(package))

    # --- what is asked for --------------------------------------------------------------------------------------------

    def route(self, request: Request) -> Resource | Reply:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        segments = decode_path(request.path)
        file, form = checksum_of(segments[-1])
        if file == CATALOG and len(segments) == 1:
            return Resource(key=segments[-1], path=segments[-1], kind=Kind.SIGNED)
        if file == METADATA:
            return _metadata(segments[:-1], form)
        if segments[-1].startswith(f"{METADATA}."):
            # What we show of it may be another document than the one that was signed.
            raise NotServed(f"{request.path[:200]}: {METADATA} has checksums here, and no signature")
        return file_at(place_of(segments), self._checksums)

    def releases(self, document: Document) -> Iterator[Release]:
        """The versions of a metadata file; the digest that a side file tells."""
        segments = decode_path(document.place)
        if segments[-1] == METADATA:
            return read_releases(document)
        file, algorithm = checksum_of(segments[-1])
        if not algorithm or len(segments) < 4:
            return iter(())
        place = replace(place_of(segments), file=file)
        root = urlsplit(document.upstream).path.rstrip("/")
        found = ReleaseFile(
            name=f"{place.folder}/{place.file}",
            location=Location(BASE, f"{root}/{place.key}"),
            digests=(_read_checksum(document, algorithm),),
        )
        return iter((Release(package=place.package, version=place.version, files=(found,)),))

    def link(self, package: str, file: ReleaseFile) -> str:
        return "/".join((self.spelled(package), *map(encode_segment, file.name.split("/"))))

    def examine(self, resource: Resource, document: Document) -> None:
        """A side file must be one: it decides over the file that it is about."""
        algorithm = checksum_of(resource.key.rpartition("/")[2])[1]
        try:
            _read_checksum(document, algorithm)
        except UnreadableIndex as error:
            raise BadContent(str(error)) from error

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        return render_metadata(resource, documents[0], view.hidden)

    # --- checksums in fields ------------------------------------------------------------------------------------------

    def told_digest(self, headers: Headers) -> Digest | None:
        """The strongest that stands in the answer itself. Beside a side file it may be that of the file that it is
        about."""
        length = headers.get("content-length")
        if length.isdigit() and int(length) < _SHORTEST_FILE:
            return None
        told = (parse_hex(algorithm, headers.get(f"x-checksum-{algorithm}")) for algorithm in CHECKSUMS)
        return next((digest for digest in told if digest is not None), None)

    def shown(self, resource: Resource, headers: Headers, sha256: str) -> Iterable[tuple[str, str]]:
        """What upstream told so: with it, Maven 3.9 and later ask for no side files. An index may have been changed."""
        names = (f"x-checksum-{algorithm}" for algorithm in CHECKSUMS)
        return [(name, headers.get(name)) for name in names if resource.kind is not Kind.INDEX and name in headers]

    # --- ages ---------------------------------------------------------------------------------------------------------

    def dated_by(self, package: str, version: str) -> Resource | None:
        return date_of(package, version) if ":" in package and is_version(version) else None

    def last_change(self, document: Document) -> datetime | None:
        return last_updated(document)

    def newest_of(self, versions: Iterable[str]) -> str | None:
        return newest_of(versions)

    # --- mirroring ----------------------------------------------------------------------------------------------------

    def select(self, purl: Purl, extent: Extent) -> Selection:
        return select(purl, self.package_of(purl.namespace, purl.name), extent)

    def closure(self, selection: Selection) -> Closure:
        return close(selection, self._checksums)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        place = _artifact_of(resource)
        if place is None:
            return None
        group, _, artifact = place.package.partition(":")
        rest = _REST.match(place.rest)
        known = {"classifier": rest["classifier"] or "", "type": rest["extension"]} if rest else {}
        qualifiers = tuple((key, value) for key, value in known.items() if value)
        return Purl(type="maven", namespace=group, name=artifact, version=place.version, qualifiers=qualifiers)

    def billed_as(self, resource: Resource) -> str:
        """POMs count: without one, what is billed could not be built again."""
        place = _artifact_of(resource)
        return place.file if place is not None else ""

    def problem(self, error: EntrepotError) -> Reply:
        """Maven 4 and late versions of Maven 3.9 show `title` and `detail` (RFC 9457); others no body at all."""
        content = {"type": "about:blank", "title": error.code, "status": error.status, "detail": str(error)}
        return Reply(
            status=error.status, body=msgspec.json.encode(content) + b"\n", content_type="application/problem+json"
        )


def _metadata(folders: list[str], form: str) -> Resource:
    if not folders:
        raise NotServed(f"{METADATA} stands in the folder of a group, an artifact or a snapshot")
    if len(folders) > 2 and is_snapshot(folders[-1]):
        return metadata_at(folders, package_at(folders[:-1]), form, folders[-1])
    return metadata_at(folders, package_at(folders), form)


def _artifact_of(resource: Resource) -> Place | None:
    """None for what only tells about artifacts."""
    if resource.kind not in (Kind.ARTIFACT, Kind.SIGNED) or not resource.about:
        return None
    place = place_of(decode_path(resource.key))
    is_beside = checksum_of(place.file)[1] or place.file.endswith(_SIGNATURES)
    return place if place.named and not is_beside else None


def _read_checksum(document: Document, algorithm: str) -> Digest:
    """`hex`, `hex  name` and `SHA1(name)= hex` are all about. Raises UnreadableIndex."""
    text = document.body.read(_LARGEST_SIDE_FILE).decode(errors="replace")
    for word in _WORD.findall(_NAME.sub(" ", text)):
        digest = parse_hex(algorithm, word)
        if digest is not None:
            return digest
    raise UnreadableIndex(f"{document.place}: no {algorithm} checksum is in it")

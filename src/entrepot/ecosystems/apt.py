"""Debian's archives: suites and flat ones. What is signed reaches clients byte for byte."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, Limits, Lockfile, Member
from entrepot.ecosystems.apt_clients import CLIENTS, LOCKFILES
from entrepot.ecosystems.apt_closure import Wanted, close_packages
from entrepot.ecosystems.apt_packages import MOST_BYTES, Listed, files_of, read_stanzas
from entrepot.ecosystems.apt_places import (
    BY_HASH,
    by_hash_of,
    is_patch,
    is_root,
    lists_files,
    read_file_name,
    root_folder_of,
)
from entrepot.ecosystems.apt_release import NamedFile, read_release
from entrepot.ecosystems.apt_versions import DEBIAN
from entrepot.errors import BadContent, BadRequest, ConfigError, EntrepotError, MethodRefused, NotServed
from entrepot.model.names import ReservedNames
from entrepot.model.paths import decode_segment, encode_segment, is_segment
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile
from entrepot.model.resource import BASE, Kind, Reply, Request, Resource
from entrepot.model.selection import Selection
from entrepot.model.versions import VersionOrder

_FOLDERS = {algorithm: folder for folder, algorithm in BY_HASH.items()}


class Apt(Ecosystem):
    name: ClassVar[str] = "apt"
    title: ClassVar[str] = "Debian packages"
    purl_types: ClassVar[tuple[str, ...]] = ("deb",)
    versions: ClassVar[VersionOrder] = DEBIAN
    clients: ClassVar[tuple[Client, ...]] = CLIENTS
    lockfiles: ClassVar[tuple[Lockfile, ...]] = LOCKFILES
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=MOST_BYTES)
    views_by_generation: ClassVar[bool] = True
    proxied: ClassVar[bool] = True
    option_names: ClassVar[Mapping[str, str]] = {
        "suites": "suites that purls and lists mean: names, or paths like debian/dists/stable; ./ for a flat archive",
        "components": "components of these suites; all of them where none are named",
        "architectures": "architectures of these suites, such as amd64",
        "unlisted": "allow or refuse package files that no stored index names",
    }

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        self._suites = self._names("suites")
        self._wanted = Wanted(
            suites=self._suites, components=self._names("components"), architectures=self._names("architectures")
        )
        unlisted = self.options.get("unlisted", "allow")
        if unlisted not in ("allow", "refuse"):
            raise ConfigError(f'apt: unlisted = {unlisted!r}; write "allow" or "refuse"')
        self._refuses_unlisted = unlisted == "refuse"

    def _names(self, option: str) -> tuple[str, ...]:
        value = self.options.get(option, ())
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
            raise ConfigError(f"apt: {option} = {value!r} is no list of names; put them in quotes and brackets")
        return tuple(value)

    # --- paths ------------------------------------------------------------------------------------------------------

    def route(self, request: Request) -> Resource | Reply:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        # apt asks for flat archives as `./InRelease`.
        raw = [segment for segment in request.path.split("/") if segment != "."]
        if not raw or not raw[-1]:
            raise NotServed("directories are not served: name a file")
        segments = [decode_segment(segment) for segment in raw]
        if any(";" in segment for segment in segments):
            # Some servers cut off what follows it: that would be a second name of a package, without its rules.
            raise BadRequest(f"{request.path[:200]!r}: no path of an archive holds a semicolon")
        return self._resource_at(segments)

    def _resource_at(self, segments: Sequence[str]) -> Resource:
        key = _encoded(segments)
        plain = Resource(key=key, path=key, kind=Kind.SIGNED, lists=lists_files(segments))
        digest = by_hash_of(segments)
        if digest is not None:
            return replace(plain, kind=Kind.ARTIFACT, digest=digest)
        if is_root(segments):
            return replace(plain, snapshot=key, lists=False)
        if segments[-1] == "Release.gpg":
            return replace(plain, snapshot=_encoded((*segments[:-1], "Release")), examined=True)
        file = read_file_name(segments[-1])
        if file is not None:
            plain = replace(plain, about=file.name, version=file.version)
        if file is not None or is_patch(segments):
            must = self._refuses_unlisted and file is not None
            return replace(plain, kind=Kind.ARTIFACT, listed_anywhere=True, must_be_listed=must)
        folder = root_folder_of(segments, self._nested_suites())
        if folder is None:
            return plain
        inline, detached = (_encoded((*folder, name)) for name in ("InRelease", "Release"))
        return replace(plain, snapshot=inline, snapshot_else=detached)

    def _nested_suites(self) -> tuple[str, ...]:
        return tuple(one.rpartition("dists/")[2].strip("/") for one in self._suites if "/" in one.strip("/"))

    # --- documents --------------------------------------------------------------------------------------------------

    def members(self, root: Document) -> Iterator[Member]:
        folder = _segments(root.place)[:-1]
        release = read_release(root.body, root.place)
        for file in release.files.values():
            parts = file.path.split("/")
            if file.digests and all(map(is_segment, parts)):
                yield from self._members_of(file, [*folder, *parts], by_hash=release.has_by_hash)

    def _members_of(self, file: NamedFile, segments: Sequence[str], *, by_hash: bool) -> Iterator[Member]:
        strongest, size = file.strongest, file.size_bytes
        named = self._resource_at([*segments[:-1], "by-hash", _FOLDERS[strongest.algorithm], strongest.value])
        also = named if by_hash else None
        plain = self._resource_at(segments)
        if plain.kind is Kind.SIGNED and not plain.is_root:
            digest = file.sha256 or strongest
            yield Member(role=file.path, resource=plain, digest=digest, size_bytes=size, also=also)
        if also is not None:
            yield Member(role=f"{file.path} by-hash", resource=also, digest=strongest, size_bytes=size)

    def examine(self, resource: Resource, document: Document) -> None:
        """A Release.gpg: nothing names its digest, and it would stay as long as its root does."""
        if document.body.read(1) == b"<":
            raise BadContent(f"{resource.key}: upstream sent a web page where a signature belongs")

    def expires(self, root: Document) -> datetime | None:
        return read_release(root.body, root.place).valid_until

    def releases(self, document: Document) -> Iterator[Release]:
        """Package files, sources and patches. Nothing for what is no index of files. Raises UnreadableIndex."""
        base = urlsplit(document.upstream).path.rstrip("/")
        segments = _segments(document.place)
        for stanza in read_stanzas(document.body, document.place):
            for listed in files_of(stanza):
                path = _place_of(listed, segments)
                if path is not None:
                    location = Location(BASE, f"{base}/{_encoded(path)}")
                    file = ReleaseFile(
                        name="/".join(path), location=location, digests=listed.digests, size_bytes=listed.size_bytes
                    )
                    yield Release(package=listed.package, version=listed.version, files=(file,))

    def link(self, package: str, file: ReleaseFile) -> str:
        return _encoded(file.name.split("/"))

    # --- mirroring --------------------------------------------------------------------------------------------------

    def package_of(self, namespace: str, name: str) -> str:
        """`pkg:deb/debian/curl`: the namespace is the vendor, and no part of a name."""
        if not is_segment(name):
            raise BadRequest(f"{name!r} is no name of a Debian package")
        return name

    def closure(self, selection: Selection) -> Closure:
        return close_packages(selection, self._wanted, self._resource_of)

    def _resource_of(self, path: str) -> Resource:
        """Of a decoded path. Raises BadRequest."""
        segments = [part for part in path.split("/") if part not in ("", ".")]
        if not segments or not all(map(is_segment, segments)):
            raise BadRequest(f"{path!r} leads out of the archive")
        return self._resource_at(segments)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        file = read_file_name(_segments(resource.key)[-1])
        if file is None:
            return None
        qualifiers = (("arch", file.arch),) if file.arch else ()
        return Purl(type="deb", namespace="debian", name=file.name, version=version, qualifiers=qualifiers)

    def problem(self, error: EntrepotError) -> Reply:
        """apt shows the status line only; whoever asks by hand reads this."""
        return Reply(status=error.status, body=f"{' '.join(str(error).split())}\n".encode())


def _segments(key: str) -> list[str]:
    return [decode_segment(segment) for segment in key.split("/")]


def _encoded(segments: Sequence[str]) -> str:
    return "/".join(map(encode_segment, segments))


def _place_of(listed: Listed, index: Sequence[str]) -> tuple[str, ...] | None:
    """Where a file is that an index names, below the repository; None for what leads out of it.

    Below `dists` paths are told from the archive's base. In a flat archive nothing says which folder that is: the
    index's own, or the one above, if the paths begin with the index's folder.
    """
    path = [part for part in listed.path.split("/") if part not in ("", ".")]
    folder = list(index[:-3]) if len(index) > 2 and index[-3] == "by-hash" else list(index[:-1])
    if not path or not all(map(is_segment, path)):
        return None
    if listed.is_patch:
        return (*folder, *path)
    if "dists" in folder:
        return (*folder[: folder.index("dists")], *path)
    shared = next((size for size in range(len(folder), 0, -1) if folder[-size:] == path[:size] and path[size:]), 0)
    return (*folder[: len(folder) - shared], *path)

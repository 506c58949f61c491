"""RPM repositories: repomd metadata, as dnf, yum, microdnf and zypper read it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, Limits, Lockfile, Member, View
from entrepot.ecosystems.rpm_clients import CLIENTS
from entrepot.ecosystems.rpm_closure import close, purl_of, select
from entrepot.ecosystems.rpm_lists import read_package_list
from entrepot.ecosystems.rpm_mirrors import read_patterns, render_mirrors
from entrepot.ecosystems.rpm_primary import Package, check_places, read_deltas, read_packages
from entrepot.ecosystems.rpm_repomd import base_of, read_repomd
from entrepot.ecosystems.rpm_resources import MIRRORS, arch_of, is_primary, is_signature, resource_at
from entrepot.ecosystems.rpm_versions import RPM
from entrepot.errors import BadContent, BadRequest, ConfigError, MethodRefused
from entrepot.model.listing import Listing
from entrepot.model.names import ReservedNames
from entrepot.model.paths import decode_segment
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import BASE, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import VersionOrder

_COUNTED = "countme"
_QUERY = re.compile(r"[!$-~]*\Z")


class Rpm(Ecosystem):
    """One or more repositories below an upstream."""

    name: ClassVar[str] = "rpm"
    title: ClassVar[str] = "RPM repositories"
    token_hint: ClassVar[str] = "write username=me and password=TOKEN into the .repo file"
    purl_types: ClassVar[tuple[str, ...]] = ("rpm",)
    versions: ClassVar[VersionOrder] = RPM
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=1 << 30)
    clients: ClassVar[tuple[Client, ...]] = CLIENTS
    lockfiles: ClassVar[tuple[Lockfile, ...]] = (
        Lockfile(name="rpm-packages*", remedy="It names no address.", read=read_package_list),
    )
    absolute_links: ClassVar[bool] = True
    option_names: ClassVar[Mapping[str, str]] = {
        "paths": "List of the repositories below the upstream, by the path above their repodata folder: those in which "
        "`entrepot mirror` looks for packages. Without it, the upstream itself is the repository.",
        "mirrors": "List of expressions that match the addresses of mirrors in metalinks and mirror lists; the group "
        "`path` is what of it is below this repository.",
        "unlisted": 'Package files that no stored metadata names: "allow" (kept as they come first) or "refuse".',
        "vendor": 'Who distributes the packages, as package URLs tell it: "fedora", "opensuse".',
    }

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        self._paths = _read_paths(self.options.get("paths", [""]))
        self._mirrors = read_patterns(self.options.get("mirrors", []))
        vendor = self.options.get("vendor", "")
        if not isinstance(vendor, str):
            raise ConfigError(f'rpm: vendor = {vendor!r} is no text; write it like "fedora"')
        self._vendor = vendor
        unlisted = self.options.get("unlisted", "allow")
        if unlisted not in ("allow", "refuse"):
            raise ConfigError(f'rpm: unlisted = {unlisted!r}; write "allow" or "refuse"')
        self._must_be_listed = unlisted == "refuse"

    def names_our_address(self, form: str) -> bool:
        return form == MIRRORS

    def package_of(self, namespace: str, name: str) -> str:
        return name

    def listing(self, request: Request) -> Listing | None:
        """Never: any path may be one of the tree."""
        return None

    def route(self, request: Request) -> Resource:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        # People are counted by it, once a week each: as part of a name it would make one thing four.
        query = "&".join(part for part in request.query.split("&") if part.partition("=")[0] != _COUNTED)
        if not _QUERY.match(query):
            raise BadRequest("a query may only hold visible ASCII")
        segments = [decode_segment(raw) for raw in request.path.split("/")]
        if any(";" in segment for segment in segments):
            # Some servers cut off what follows it: that would be a second name of a package, without its rules.
            raise BadRequest(f"{request.path[:200]!r}: no path of an RPM repository holds a semicolon")
        resource = resource_at(segments, query)
        refuses = self._must_be_listed and resource.listed_anywhere
        return replace(resource, must_be_listed=True) if refuses else resource

    def members(self, root: Document) -> Iterator[Member]:
        base, roles = base_of(root.place), dict[str, int]()
        for named in read_repomd(root):
            resource = resource_at([decode_segment(part) for part in named.key.split("/")], "")
            # What is outside of the folder is no metadata by its path: it is a file like others.
            if resource.key.startswith(f"{base}repodata/") and (resource.digest or resource.snapshot == root.place):
                count = roles[named.kind] = roles.get(named.kind, 0) + 1
                role = named.kind if count == 1 else f"{named.kind} {count}"
                yield Member(role=role, resource=resource, digest=named.digest, size_bytes=named.size_bytes)

    def releases(self, document: Document) -> Iterator[Release]:
        name = document.place.rpartition("/")[2]
        resource = resource_at([decode_segment(part) for part in document.place.split("/")], "")
        if not resource.lists:
            return
        root = urlsplit(document.upstream).path.rstrip("/")
        for package in read_packages(document) if is_primary(name) else read_deltas(document):
            if package.key:
                yield Release(package=package.name, version=package.version, files=(_file_of(package, root),))

    def link(self, package: str, file: ReleaseFile) -> str:
        return file.name

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        return render_mirrors(documents[0], self._mirrors, view.base)

    def examine(self, resource: Resource, document: Document) -> None:
        if not is_signature(resource.key):
            check_places(document)
        elif document.body.read(1) == b"<":
            # Nothing names its digest, and it would stay as long as its root does.
            raise BadContent(f"{resource.key}: upstream sent a web page where a signature belongs")

    def select(self, purl: Purl, extent: Extent) -> Selection:
        return select(purl, extent)

    def closure(self, selection: Selection) -> Closure:
        return close(self._paths, selection)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        """Only of packages."""
        return purl_of(resource, version, self._vendor, arch_of(resource.key)) if resource.listed_anywhere else None

    def billed_as(self, resource: Resource) -> str:
        return super().billed_as(resource) if resource.listed_anywhere else ""


def _file_of(package: Package, root: str) -> ReleaseFile:
    """Named by its key: no path leads from a package's name to its file."""
    return ReleaseFile(
        name=package.key,
        location=Location(BASE, f"{root}/{package.key}"),
        digests=(package.digest,) if package.digest else (),
        size_bytes=package.size_bytes,
    )


def _read_paths(value: object) -> tuple[str, ...]:
    """Raises ConfigError."""
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) for one in value):
        raise ConfigError(f'rpm: paths = {value!r} is not a list of paths; write ["40/Everything/x86_64/os"]')
    try:
        return tuple("/".join(map(decode_segment, filter(None, str(one).split("/")))) for one in value)
    except BadRequest as error:
        raise ConfigError(f"rpm: paths: {error}") from error

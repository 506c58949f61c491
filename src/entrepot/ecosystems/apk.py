"""Alpine's packages: signed indexes that nobody changes, and packages that are checked against them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, ClassVar
from urllib.parse import urlsplit

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, Limits, Member
from entrepot.ecosystems.apk_clients import APK as CLIENT
from entrepot.ecosystems.apk_closure import close, is_placed, place_of
from entrepot.ecosystems.apk_index import check_index, read_packages
from entrepot.ecosystems.apk_package import ALGORITHMS, digest_of
from entrepot.ecosystems.apk_places import INDEX_3, key_of, qualifiers_of, read_places
from entrepot.ecosystems.apk_signatures import read_keys
from entrepot.ecosystems.apk_versions import APK
from entrepot.errors import BadRequest, ConfigError, MethodRefused, NotServed, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.names import ReservedNames
from entrepot.model.paths import decode_segment
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile
from entrepot.model.resource import BASE, Kind, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import VersionOrder

_MAGIC_3 = b"ADB"


class Apk(Ecosystem):
    """A mirror of Alpine, or of anything else that apk installs from."""

    name: ClassVar[str] = "apk"
    title: ClassVar[str] = "Alpine packages"
    purl_types: ClassVar[tuple[str, ...]] = ("apk",)
    versions: ClassVar[VersionOrder] = APK
    # Scanners tell the checksum of the control part, and call it SHA-1 all the same.
    hashes_are_of_files = False
    limits: ClassVar[Limits] = Limits(artifact_bytes=4 << 30)
    token_hint: ClassVar[str] = "put it into /etc/apk/repositories as a password: http://me:TOKEN@{host}/…"
    clients: ClassVar[tuple[Client, ...]] = (CLIENT,)
    option_names: ClassVar[Mapping[str, str]] = {
        "branches": 'Folders of branches that are mirrored where an order names none: ["v3.20"].',
        "repositories": 'Folders below a branch that packages are looked up in; ["main", "community"].',
        "architectures": 'Folders of architectures that are mirrored where an order names none: ["x86_64"].',
        "keys": "Public keys, each as its PEM text: an index that none of them signed is not served.",
        "unlisted": 'What a package gets that no index names: "refuse", or "allow" (its bytes are remembered).',
        "distribution": "What package URLs call the distribution; alpine.",
    }

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        self._places = read_places(self.options)
        self._keys = read_keys(self.options.get("keys", []))
        distribution = self.options.get("distribution", "alpine")
        if not isinstance(distribution, str) or not distribution:
            raise ConfigError(f'{self.name}: distribution = {distribution!r}; write "alpine"')
        self._distribution = distribution

    def route(self, request: Request) -> Resource:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        resource = self._places.resource(request.path)
        if self._keys and resource.key.endswith(f"/{INDEX_3}"):
            raise NotServed(f"{resource.key}: keys are configured, and signatures of apk 3 cannot be checked here")
        return resource

    def releases(self, document: Document) -> Iterator[Release]:
        folder = "/".join(map(decode_segment, document.place.split("/")[:-1]))
        root = urlsplit(document.upstream).path.rstrip("/")
        for listed in read_packages(document):
            if not is_placed(listed):
                continue
            place = place_of(folder, listed)
            file = ReleaseFile(
                name=place,
                location=Location(BASE, f"{root}/{key_of(place.split('/'))}"),
                digests=(listed.digest,) if listed.digest else (),
                size_bytes=listed.size_bytes,
                published=listed.built_at,
            )
            yield Release(package=listed.name, version=listed.version, files=(file,))

    def link(self, package: str, file: ReleaseFile) -> str:
        return key_of(file.name.split("/"))

    def examine(self, resource: Resource, document: Document) -> None:
        """An index that is not kept has no generation, and is the same to clients."""
        self.members(document)

    def members(self, root: Document) -> Iterator[Member]:
        if root.place.endswith(f"/{INDEX_3}"):
            if not root.body.read(len(_MAGIC_3)) == _MAGIC_3:
                raise UnreadableIndex(f"{root.place}: no index of apk 3")
        else:
            check_index(root, self._keys)
        return iter(())

    def check(self, resource: Resource, file: BinaryIO, published: Digest) -> Digest | None:
        """Raises BadContent where the data do not go with the control part."""
        known = published.algorithm in ALGORITHMS
        return digest_of(file, resource.key, published.algorithm) if known else None

    def package_of(self, namespace: str, name: str) -> str:
        if namespace not in ("", self._distribution):
            raise BadRequest(f"{namespace}/{name}: this repository has packages of {self._distribution}")
        return name

    def select(self, purl: Purl, extent: Extent) -> Selection:
        plain = super().select(purl, extent)
        told = tuple((name, value) for name, value in purl.qualifiers if name in ("arch", "distro"))
        return replace(plain, qualifiers=told)

    def closure(self, selection: Selection) -> Closure:
        return close(self._places, selection)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        plain = super().purl_of(resource, version)
        if plain is None:
            return None
        return replace(plain, namespace=self._distribution, qualifiers=qualifiers_of(resource.key))

    def billed_as(self, resource: Resource) -> str:
        if resource.kind is not Kind.ARTIFACT:
            return ""
        return "/".join(map(decode_segment, resource.key.split("/")))

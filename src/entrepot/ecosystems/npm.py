"""npm: packuments, tarballs and the closed list of what else its clients ask a registry for.

Source: https://github.com/npm/registry/tree/main/docs, and what npm 11, pnpm 12, yarn 1 and 4 and bun send.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import msgspec
from packageurl.contrib.purl2url import get_download_url

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, Lockfile, Pass, View
from entrepot.ecosystems.npm_audit import BULK, SEARCH, may_search, scrub_audit
from entrepot.ecosystems.npm_choice import is_wish
from entrepot.ecosystems.npm_clients import CLIENTS, LOCKFILES
from entrepot.ecosystems.npm_closure import close_package
from entrepot.ecosystems.npm_names import (
    decode_segments,
    is_tarball,
    is_version,
    split_package,
)
from entrepot.ecosystems.npm_packument import ABBREVIATED, FULL, read_releases, render_packument
from entrepot.ecosystems.npm_ranges import parse_version
from entrepot.ecosystems.npm_resources import KEYS, attestations, packument, tarball, whole_package
from entrepot.errors import BadRequest, ConfigError, EntrepotError, MethodRefused, NotServed
from entrepot.model.headers import split_list
from entrepot.model.names import ReservedNames
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Release, ReleaseFile, Rendered
from entrepot.model.resource import Kind, Reply, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import SEMVER, VersionOrder, parse_semver

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")
_QUERY = re.compile(r"[!-~]{0,4096}\Z")
_NO_ACCOUNTS = "Entrepot has no accounts; its upstreams' credentials are in its configuration"
_READ_ONLY = "Entrepot does not publish, change or log in: send this to your registry itself (npm --registry=…)"


class Npm(Ecosystem):
    name: ClassVar[str] = "npm"
    title: ClassVar[str] = "npm"
    token_hint: ClassVar[str] = "npm config set //{host}/:_authToken TOKEN"
    purl_types: ClassVar[tuple[str, ...]] = ("npm",)
    versions: ClassVar[VersionOrder] = SEMVER
    passes: ClassVar[tuple[Pass, ...]] = (
        Pass("GET", re.compile(SEARCH)),
        Pass("POST", re.compile(BULK)),
        Pass("POST", re.compile(r"-/npm/v1/security/audits(?:/quick)?")),
    )
    clients: ClassVar[tuple[Client, ...]] = CLIENTS
    lockfiles: ClassVar[tuple[Lockfile, ...]] = LOCKFILES
    absolute_links: ClassVar[bool] = True
    dates: ClassVar[Literal["registry", "author", "none"]] = "registry"

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        if self.options:
            raise ConfigError(f"npm has no options: {', '.join(sorted(self.options))}")

    @classmethod
    def default_upstream(cls) -> str | None:
        url = str(get_download_url("pkg:npm/sentinel@0"))  # type: ignore[no-untyped-call]
        base = url.removesuffix("sentinel/-/sentinel-0.tgz")
        return base if base != url else None

    def route(self, request: Request) -> Resource | Reply:
        passed = self._passed(request)
        if passed:
            return passed
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        if not request.path:
            raise NotServed("this is the root of an npm registry: ask for a package")
        segments = decode_segments(request.path)
        if segments[0] == "-":
            return _route_service(segments[1:])
        return _route_package(segments, request.accept)

    def index_of(self, package: str) -> Resource:
        return packument(whole_package(tuple(package.split("/"))))

    def package_of(self, namespace: str, name: str) -> str:
        return whole_package((namespace, name) if namespace else (name,))

    def select(self, purl: Purl, extent: Extent) -> Selection:
        wanted = purl.version
        exact = parse_version(wanted) is not None
        if not (exact or is_wish(wanted)):
            raise BadRequest(f"{purl}: {wanted!r} is neither a version nor a range nor a tag of npm's")
        package = self.package_of(purl.namespace, purl.name)
        version, within = (wanted, "") if exact else ("", wanted)
        return Selection(package=package, version=version, within=within, qualifiers=purl.qualifiers, extent=extent)

    def closure(self, selection: Selection) -> Closure:
        return close_package(selection)

    def releases(self, document: Document) -> Iterator[Release]:
        return read_releases(document)

    def link(self, package: str, file: ReleaseFile) -> str:
        return f"{package}/-/{file.name}"

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        return render_packument(documents[0], resource.about, view)

    def scrub(self, resource: Resource, body: bytes, encoding: str, may_tell: Callable[[str], bool]) -> bytes | Reply:
        if resource.key == SEARCH:
            return body if may_search(resource.query, may_tell) else _json_reply(200, {"objects": [], "total": 0})
        scrubbed = scrub_audit(resource.key, body, encoding, may_tell)
        return _json_reply(200, {}) if scrubbed is None else scrubbed

    def problem(self, error: EntrepotError) -> Reply:
        """npm, yarn and pnpm print the member `error` (npm-registry-fetch, errors.js)."""
        text = f"{error}. {_READ_ONLY}" if isinstance(error, MethodRefused) else str(error)
        return _json_reply(error.status, {"error": text, "code": error.code})

    def _passed(self, request: Request) -> Resource | None:
        method = "GET" if request.method == "HEAD" else request.method
        if not any(entry.method == method and entry.pattern.fullmatch(request.path) for entry in self.passes):
            return None
        if not _QUERY.match(request.query):
            raise BadRequest("the query holds characters that must be percent-encoded, or is too long")
        return Resource(key=request.path, path=request.path, query=request.query, kind=Kind.PASS, method=request.method)


def _route_package(segments: tuple[str, ...], accept: str) -> Resource:
    package, rest = split_package(segments)
    match rest:
        case ():
            return packument(package, form_of(accept))
        case ("-", file) if is_tarball(file):
            return tarball(package, file)
        case (version,) if is_version(version):
            number = version if parse_semver(version) else ""
            return packument(package, f"version:{version}", number)
    raise NotServed(f"{package} has no such document or file: {'/'.join(rest)[:80]}")


def _route_service(segments: tuple[str, ...]) -> Resource | Reply:
    """npm's own services, which are below `-/`."""
    match segments:
        case ("ping",):
            return _json_reply(200, {})
        case ("whoami",):
            return _json_reply(401, {"error": _NO_ACCOUNTS, "code": "no-accounts"})
        case ("npm", "v1", "keys"):
            return KEYS
        case ("npm", "v1", "attestations", _, *_):
            name, _, version = "/".join(segments[3:]).rpartition("@")
            return attestations(whole_package(tuple(name.split("/"))), version)
        case ("package", _, *_, "dist-tags"):
            return packument(whole_package(segments[1:-1]), "dist-tags")
    raise NotServed(f"Entrepot does not serve -/{'/'.join(segments)[:80]}")


def form_of(accept: str) -> str:
    """The form that an Accept header prefers (RFC 9110 §12.5.1). Only who names the abbreviated form gets it."""
    qualities = {}
    for member in split_list(accept):
        kind, *parameters = (part.strip().lower() for part in member.split(";"))
        stated = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        qualities[kind] = float(stated) if _QUALITY.match(stated) else 0.0
    abbreviated = qualities.get(ABBREVIATED, 0.0)
    full = next((qualities[kind] for kind in (FULL, "application/*", "*/*") if kind in qualities), 0.0)
    return "abbreviated" if abbreviated and abbreviated >= full else "full"


def _json_reply(status: int, content: Mapping[str, object]) -> Reply:
    return Reply(status=status, body=msgspec.json.encode(content), content_type=FULL)

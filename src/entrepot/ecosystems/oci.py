"""Images and other artifacts of container registries: the pull side of the distribution specification.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md, and what skopeo, docker and containerd
send.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Dating, Ecosystem, Limits, View
from entrepot.ecosystems.oci_clients import CLIENTS
from entrepot.ecosystems.oci_closure import close_image, select_image
from entrepot.ecosystems.oci_dates import date_image
from entrepot.ecosystems.oci_documents import (
    check_manifest,
    check_referrers,
    next_page,
    read_tags,
    render_referrers,
    render_tags,
    split_query,
)
from entrepot.ecosystems.oci_names import check_digest, check_name, is_name, is_said_of_digest, parse_digest
from entrepot.ecosystems.oci_resources import INDEX, blob, manifest, referrers, tags
from entrepot.errors import (
    BadContent,
    BadRequest,
    ConfigError,
    EntrepotError,
    MethodRefused,
    NotServed,
    UnreadableIndex,
    UpstreamBusy,
    UpstreamStatus,
)
from entrepot.model.digest import Digest
from entrepot.model.headers import Headers
from entrepot.model.names import ReservedNames
from entrepot.model.paths import decode_segment
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Release, Rendered
from entrepot.model.resource import Kind, Reply, Request, Resource
from entrepot.model.selection import Extent, Selection

API = ("docker-distribution-api-version", "registry/2.0")
_JSON = "application/json"
_QUERY = re.compile(r"[!#-;=?-~]{0,2048}\Z")
_HOST = re.compile(r"[a-z0-9.-]+(?::[0-9]{1,5})?\Z")
_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 405: "UNSUPPORTED", 429: "TOOMANYREQUESTS"}
_READ_ONLY = "Entrepot does not take images in: push this to the registry itself"


class Oci(Ecosystem):
    name: ClassVar[str] = "oci"
    title: ClassVar[str] = "Container images"
    token_hint: ClassVar[str] = "docker login {host} (or skopeo login), with the token as the password of any user"
    purl_types: ClassVar[tuple[str, ...]] = ("oci", "docker")
    dates: ClassVar[Literal["registry", "author", "none"]] = "author"
    dates_in_files: ClassVar[bool] = True
    named_by_address: ClassVar[bool] = True
    root_path: ClassVar[str] = "v2"
    clients: ClassVar[tuple[Client, ...]] = CLIENTS
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=64 << 20)
    option_names: ClassVar[Mapping[str, str]] = {
        "stands_for": "Hosts by which images of this repository are called, besides that of its upstream "
        '(["docker.io"]): for `ns=`, package URLs and `entrepot run`.',
        "short_names": 'What names without a slash stand below ("library" on the Docker Hub); empty: nothing.',
    }

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        self._short_names = _read_namespace(self.options.get("short_names", ""))
        self._hosts = _read_hosts(self.options.get("stands_for", []))

    @property
    def stands_for(self) -> tuple[str, ...]:
        return self._hosts

    # --- what is asked for ------------------------------------------------------------------------------------------

    def route(self, request: Request) -> Resource | Reply:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        if request.path in ("", "v2", "v2/"):
            return greeting()
        if not _QUERY.match(request.query):
            raise BadRequest("the query holds characters that must be percent-encoded, or is too long")
        segments = tuple(map(decode_segment, request.path.split("/")))
        if segments[0] != "v2":
            raise NotServed("everything that a registry serves is below /v2/")
        return self._route(segments[1:], request.query)

    def _route(self, segments: tuple[str, ...], query: str) -> Resource:
        """Names have any number of segments, so a path is read from its end."""
        query, artifact_type = split_query(query)
        match segments:
            case (*name, "manifests", reference) if name:
                return manifest(self._name(name), reference)
            case (*name, "blobs", digest) if name:
                return blob(self._name(name), check_digest(digest))
            case (*name, "tags", "list") if name:
                return tags(self._name(name), query)
            case (*name, "referrers", digest) if name:
                return referrers(self._name(name), check_digest(digest), query, artifact_type)
            case ("_catalog",):
                raise NotServed("Entrepot has no list of all images: it knows those that were asked for")
        raise NotServed(f"{'/'.join(segments)[:160]}: neither a manifest, a blob, a list of tags nor one of referrers")

    def _name(self, segments: Sequence[str]) -> str:
        short = self._short_names and len(segments) == 1
        return check_name("/".join([self._short_names, *segments] if short else segments))

    # --- names ------------------------------------------------------------------------------------------------------

    def index_of(self, package: str) -> Resource:
        return tags(package)

    def package_of(self, namespace: str, name: str) -> str:
        try:
            return self._name([*(part for part in namespace.split("/") if part), name.lower()])
        except NotServed as error:
            raise BadRequest(str(error)) from error

    def named_by(self, resource: Resource, digest: Digest) -> Resource:
        return manifest(resource.about, digest)

    def announced_in(self, package: str, version: str) -> Resource:
        return tags(package)

    # --- documents --------------------------------------------------------------------------------------------------

    def releases(self, document: Document) -> Iterator[Release]:
        """Tags. A manifest or a list of referrers is only checked. Raises UnreadableIndex."""
        *_, kind, last = ("", *document.place.partition("?")[0].split("/"))
        if (kind, last) == ("tags", "list"):
            name = document.place.partition("?")[0].removeprefix("v2/").removesuffix("/tags/list")
            for tag in read_tags(document):
                yield Release(package=name, version=tag, files=())
        elif kind == "referrers":
            check_referrers(document)
        elif kind == "manifests":
            check_manifest(document)

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        if resource.key.endswith("/tags/list"):
            body = render_tags(resource.about, read_tags(documents[0]), view.hidden)
            return Rendered(body=body, content_type=_JSON)
        if not resource.form:
            return None
        return Rendered(body=render_referrers(documents[0], resource.form), content_type=INDEX)

    def examine(self, resource: Resource, document: Document) -> None:
        try:
            check_manifest(document)
        except UnreadableIndex as error:
            raise BadContent(str(error)) from error

    def dating(self, resource: Resource) -> Dating | None:
        """Signatures and the like have no date of their own (cosign writes the year 1), and no age: they are about a
        digest, and whoever asks has that already."""
        aged = "/manifests/" in resource.key and not is_said_of_digest(resource.version)
        return date_image(resource) if aged else None

    # --- fields of answers ------------------------------------------------------------------------------------------

    def told_digest(self, headers: Headers) -> Digest | None:
        return parse_digest(headers.get("docker-content-digest"))

    def shown(self, resource: Resource, headers: Headers, sha256: str) -> Iterable[tuple[str, str]]:
        yield API
        if resource.kind is not Kind.INDEX:
            digest = resource.digest or (Digest("sha256", sha256) if sha256 else None)
            yield from [("docker-content-digest", str(digest))] if digest else []
            return
        link = next_page(headers.get("link"), resource.form)
        yield from [("link", link)] if link else []
        yield from [("oci-filters-applied", "artifactType")] if resource.form else []

    def problem(self, error: EntrepotError) -> Reply:
        """The specification's JSON, which clients print ("Error Codes")."""
        text = f"{error}. {_READ_ONLY}" if isinstance(error, MethodRefused) else str(error)
        told = {"code": _code_of(error), "message": text, "detail": {"code": error.code}}
        body = msgspec.json.encode({"errors": [told]})
        return Reply(status=error.status, body=body, content_type=_JSON, headers=(API,))

    # --- mirroring --------------------------------------------------------------------------------------------------

    def select(self, purl: Purl, extent: Extent) -> Selection:
        place = purl.qualifier("repository_url") if purl.type == "oci" else ""
        host = place.partition("/")[0]
        if "." in host or ":" in host:
            raise BadRequest(f"{purl}: no repository stands for {host}; stands_for of one can name it")
        namespace, _, name = place.rpartition("/") if place else (purl.namespace, "", purl.name)
        return select_image(self.package_of(namespace, name), purl, extent)

    def closure(self, selection: Selection) -> Closure:
        return close_image(selection)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        """By digest, or by tag where that was all that was asked for. `repository_url` has the whole name."""
        if "/manifests/" not in resource.key:
            return None
        qualifiers = [("repository_url", resource.about)]
        if resource.version:
            qualifiers.append(("tag", resource.version))
        digest = str(resource.digest) if resource.digest is not None else ""
        name = resource.about.rpartition("/")[2]
        return Purl(type="oci", namespace="", name=name, version=digest, qualifiers=tuple(qualifiers))

    def billed_as(self, resource: Resource) -> str:
        """Manifests; what they name comes along with them."""
        return resource.key.rpartition("/")[2] if "/manifests/" in resource.key else ""


def greeting() -> Reply:
    """What `/v2/` says: that the API is spoken here."""
    return Reply(status=200, body=b"{}", content_type=_JSON, headers=(API,))


def _code_of(error: EntrepotError) -> str:
    text = str(error)
    if isinstance(error, UpstreamBusy) or (isinstance(error, UpstreamStatus) and error.upstream_status == 429):
        return "TOOMANYREQUESTS"
    if error.status == 404:
        return "BLOB_UNKNOWN" if "/blobs/" in text else "MANIFEST_UNKNOWN" if "/manifests/" in text else "NAME_UNKNOWN"
    if isinstance(error, BadRequest):
        return "DIGEST_INVALID" if "digest" in text else "NAME_INVALID"
    return _CODES.get(error.status, "UNSUPPORTED" if error.status < 500 else "UNAVAILABLE")


def _read_namespace(value: object) -> str:
    if not isinstance(value, str) or (value and not is_name(value)):
        raise ConfigError(f'oci: short_names = {value!r} is no name; write it like "library"')
    return value


def _read_hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and _HOST.match(one) for one in value):
        raise ConfigError(f'oci: stands_for = {value!r} is not a list of hosts; write ["registry.example"]')
    return tuple(value)

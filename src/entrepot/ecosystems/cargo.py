"""Cargo's sparse registries: upstream's index, and crates under names of ours, which tell their digests.

Source: https://doc.rust-lang.org/cargo/reference/registry-index.html, and what cargo 1.95 sends.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal
from urllib.parse import unquote, urlsplit

from packageurl.contrib.purl2url import get_repo_url

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, Limits, Lockfile, View
from entrepot.ecosystems.cargo_choice import admission
from entrepot.ecosystems.cargo_clients import CLIENTS, LOCKFILES
from entrepot.ecosystems.cargo_closure import close_crate
from entrepot.ecosystems.cargo_config import locate_crate, read_template, render_config
from entrepot.ecosystems.cargo_index import read_releases, render_lines
from entrepot.ecosystems.cargo_names import (
    crate_of,
    file_name,
    indexed_at,
    is_crate,
    is_sha256,
    is_version,
    segments_of,
)
from entrepot.ecosystems.cargo_resources import CONFIG, CONFIG_FORM, crate_file, index_file
from entrepot.errors import ConfigError, EntrepotError, MethodRefused, NotServed
from entrepot.model.names import ReservedNames
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import Kind, Reply, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import SEMVER, VersionOrder

_READ_ONLY = "Entrepot does not publish, yank or log in: send this to your registry itself (cargo publish --registry …)"


class Cargo(Ecosystem):
    """The upstream's base URL is that of its sparse index, without `sparse+`."""

    name: ClassVar[str] = "cargo"
    title: ClassVar[str] = "Cargo"
    token_hint: ClassVar[str] = (
        'CARGO_REGISTRIES_ENTREPOT_TOKEN="Bearer TOKEN", with credential-provider = "cargo:token" in '
        "[registries.entrepot], and auth_required = true for the repository"
    )
    purl_types: ClassVar[tuple[str, ...]] = ("cargo",)
    versions: ClassVar[VersionOrder] = SEMVER
    revision: ClassVar[int] = 2
    clients: ClassVar[tuple[Client, ...]] = CLIENTS
    lockfiles: ClassVar[tuple[Lockfile, ...]] = LOCKFILES
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=64 << 20)
    absolute_links: ClassVar[bool] = True
    dates: ClassVar[Literal["registry", "author", "none"]] = "registry"
    option_names: ClassVar[Mapping[str, str]] = {
        "auth_required": "Whether cargo shall send its token with every request: true where this server asks for one.",
        "refused": 'What clients see of versions that policy refuses: "yanked" (no new choice falls on them, and a '
        'Cargo.lock that pins one is told why it may not be had) or "absent" (nothing).',
    }

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        self._guarded = self.options.get("auth_required", False)
        refused = self.options.get("refused", "yanked")
        if not isinstance(self._guarded, bool):
            raise ConfigError(f"cargo: auth_required = {self._guarded!r}: true or false is expected")
        if refused not in ("yanked", "absent"):
            raise ConfigError(f'cargo: refused = {refused!r}: "yanked" or "absent" is expected')
        self._yanks = refused == "yanked"

    @classmethod
    def default_upstream(cls) -> str | None:
        page: str | None = get_repo_url("pkg:cargo/sentinel@0")  # type: ignore[no-untyped-call]
        host = urlsplit(page).hostname if page else None
        return f"https://index.{host}/" if host else None

    def names_our_address(self, form: str) -> bool:
        return form == CONFIG_FORM

    def package_of(self, namespace: str, name: str) -> str:
        return crate_of(f"{namespace}/{name}" if namespace else name)

    def pattern_of(self, glob: str) -> str:
        return glob.lower()

    def index_of(self, package: str) -> Resource:
        return index_file(package)

    def spelled(self, package: str) -> str:
        # The names of files have capitals, which are not known here.
        return ""

    def route(self, request: Request) -> Resource | Reply:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        match segments_of(request.path):
            case ("config.json",):
                return CONFIG
            case ("crates", name, version, sha256) if is_crate(name) and is_version(version) and is_sha256(sha256):
                return crate_file(name, version, sha256)
            case ("api", *_):
                raise NotServed(f"Entrepot has no web API of a registry. {_READ_ONLY}")
            case segments:
                return index_file(indexed_at(segments))

    def releases(self, document: Document) -> Iterator[Release]:
        if document.place == CONFIG.key:
            read_template(document)
            return
        yield from read_releases(document)

    def link(self, package: str, file: ReleaseFile) -> str:
        name, version = file.name[: len(package)], file.name[len(package) + 1 :].removesuffix(".crate")
        return crate_file(name, version, file.digests[0].value).key

    def locate(self, resource: Resource, document: Document) -> Location:
        _, name, version, sha256 = map(unquote, resource.key.split("/"))
        return locate_crate(document, name, version, sha256)

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        if resource.form == CONFIG_FORM:
            return render_config(documents[0], view.base, guarded=self._guarded is True)
        return render_lines(documents[0], view, yank=self._yanks)

    def select(self, purl: Purl, extent: Extent) -> Selection:
        """The version may be a requirement of cargo's. Raises BadRequest."""
        selection = super().select(purl, extent)
        admission(selection.within)
        return selection

    def closure(self, selection: Selection) -> Closure:
        return close_crate(selection)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        if resource.kind is not Kind.ARTIFACT:
            return super().purl_of(resource, version)
        return Purl(type="cargo", namespace="", name=resource.key.split("/")[1], version=version)

    def billed_as(self, resource: Resource) -> str:
        if resource.kind is not Kind.ARTIFACT:
            return ""
        return file_name(resource.key.split("/")[1], resource.version)

    def problem(self, error: EntrepotError) -> Reply:
        """Cargo prints the body as it is, whatever its type, below the address that it asked."""
        text = f"{error}. {_READ_ONLY}" if isinstance(error, MethodRefused) else str(error)
        headers = (("allow", error.allowed),) if isinstance(error, MethodRefused) else ()
        return Reply(status=error.status, body=f"{text}\n".encode(), headers=headers)

"""Helm: classic chart repositories, an index.yaml and archives. Charts in registries are images (oci).

Source: https://helm.sh/docs/topics/chart_repository/ and helm's pkg/repo.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, FoundAt, Limits, Lockfile, View
from entrepot.ecosystems.helm_closure import close_chart, read_chart_lock
from entrepot.ecosystems.helm_index import read_releases, render_index
from entrepot.ecosystems.helm_names import chart_link
from entrepot.ecosystems.helm_resources import INDEX, archive, index
from entrepot.ecosystems.helm_yaml import load
from entrepot.errors import BadRequest, MethodRefused, NotServed, UnreadableIndex
from entrepot.model.listing import Listing
from entrepot.model.release import Document, Release, ReleaseFile, Rendered
from entrepot.model.resource import Kind, Request, Resource
from entrepot.model.selection import Selection
from entrepot.model.versions import SEMVER, VersionOrder


def read_repositories(text: str) -> str | None:
    """The first address of helm's `repositories.yaml`."""
    try:
        found = load(text.encode(), "repositories.yaml")
    except UnreadableIndex:
        return None
    listed = found.get("repositories") if isinstance(found, dict) else None
    urls = [one.get("url") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return next((url for url in urls if isinstance(url, str) and url.startswith(("http://", "https://"))), None)


class Helm(Ecosystem):
    name: ClassVar[str] = "helm"
    title: ClassVar[str] = "Helm charts"
    token_hint: ClassVar[str] = "helm repo add NAME URL --username me --password TOKEN --pass-credentials"
    purl_types: ClassVar[tuple[str, ...]] = ("helm",)
    versions: ClassVar[VersionOrder] = SEMVER
    dates: ClassVar[Literal["registry", "author", "none"]] = "author"
    files_have_ages: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=128 << 20)
    lockfiles: ClassVar[tuple[Lockfile, ...]] = (
        Lockfile(
            name="Chart.lock",
            remedy="Chart.lock names the repositories of Chart.yaml: leave their own addresses there.",
            read=read_chart_lock,
        ),
    )
    clients: ClassVar[tuple[Client, ...]] = (
        Client(
            name="helm",
            command="helm",
            found_at=(
                FoundAt(path="$HELM_REPOSITORY_CONFIG", read=read_repositories),
                FoundAt(path="~/.config/helm/repositories.yaml", read=read_repositories),
                FoundAt(path="~/Library/Preferences/helm/repositories.yaml", read=read_repositories),
            ),
            setup="helm repo add NAME {url} --force-update",
        ),
    )

    def listing(self, request: Request) -> Listing | None:
        """Never: below `-/` are the charts of other hosts."""
        return None

    def route(self, request: Request) -> Resource:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        if request.query:
            raise BadRequest("a chart repository has no queries")
        if request.path == INDEX:
            return index()
        if request.path in ("", "/"):
            raise NotServed("this is a chart repository: helm asks for its index.yaml")
        return archive(request.path)

    def index_of(self, package: str) -> Resource:
        return index()

    def releases(self, document: Document) -> Iterator[Release]:
        return read_releases(document)

    def link(self, package: str, file: ReleaseFile) -> str:
        return chart_link(package, file.location)

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        return Rendered(body=render_index(documents[0], view.base, view.hidden), content_type="application/yaml")

    def closure(self, selection: Selection) -> Closure:
        return close_chart(selection)

    def billed_as(self, resource: Resource) -> str:
        """As in `ReleaseFile.name`: the whole path, because versions in folders of their own may have one file name.
        What signs an archive comes along with it."""
        return resource.key if resource.kind is Kind.ARTIFACT and not resource.key.endswith(".prov") else ""

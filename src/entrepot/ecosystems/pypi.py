"""Python packages: the simple index in both forms, the files it lists, and the older JSON API."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote, urljoin

import msgspec
from packageurl.contrib.purl2url import get_repo_url
from packaging.utils import canonicalize_name

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Ecosystem, View
from entrepot.ecosystems.pypi_clients import CLIENTS, LOCKFILES
from entrepot.ecosystems.pypi_closure import close_project, named_file
from entrepot.ecosystems.pypi_forms import ASK_HTML, ASK_JSON, CONTENT_TYPES, choose_form
from entrepot.ecosystems.pypi_html import write_html
from entrepot.ecosystems.pypi_legacy import read_legacy, write_legacy
from entrepot.ecosystems.pypi_names import checked_query, host_of, path_of, project_of, segments_of, version_of
from entrepot.ecosystems.pypi_offer import read_page, releases_of, shown
from entrepot.ecosystems.pypi_pages import write_json
from entrepot.ecosystems.pypi_places import Places, link_of
from entrepot.ecosystems.pypi_resources import file_resource, page_resource
from entrepot.errors import Absent, BadRequest, EntrepotError, MethodRefused, NotServed, UnreadableIndex
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import BASE, Kind, Reply, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import PEP440

LEGACY = "legacy"
"""The form of the JSON API: the only one whose links cannot be relative."""


class Pypi(Ecosystem):
    """The upstream's base URL is that of its simple index; the JSON API is looked for beside it (`../pypi/`)."""

    name = "pypi"
    dates = "registry"
    files_have_ages = True
    title = "Python packages (PyPI)"
    token_hint = "put it into the address of the index (//me:TOKEN@{host}/), or into ~/.netrc"
    purl_types = ("pypi",)
    versions = PEP440
    clients = CLIENTS
    lockfiles = LOCKFILES

    @classmethod
    def default_upstream(cls) -> str | None:
        page: str | None = get_repo_url("pkg:pypi/entrepot@1")  # type: ignore[no-untyped-call]
        return urljoin(page, "/simple/") if page else None

    def names_our_address(self, form: str) -> bool:
        return form == LEGACY

    def pattern_of(self, glob: str) -> str:
        return canonicalize_name(glob)

    def package_of(self, namespace: str, name: str) -> str:
        return project_of(name)

    def route(self, request: Request) -> Resource | Reply:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        path, _, inner = request.path.partition("?")
        query = checked_query(request.query or inner)
        match segments_of(path):
            case ["simple"]:
                return _moved("simple/", query)
            case ["simple", ""]:
                return _list_of_names(request.accept, query)
            case ["simple", name]:
                return _moved(f"{project_of(name)}/", query)
            case ["simple", name, ""]:
                return _page(path, project_of(name), request.accept, query)
            case ["files", name, *parts] if parts and parts[-1]:
                return file_resource(project_of(name), Location(BASE, _target(parts, query)))
            case ["-", host, name, *parts] if parts and parts[-1]:
                return file_resource(project_of(name), Location(host_of(host), _target(parts, query)))
            case ["pypi", name, "json"]:
                return _legacy(project_of(name))
            case ["pypi", name, version, "json"]:
                return _legacy(project_of(name), version)
        raise NotServed(f"{request.path!r} is no path of a Python index; the index is at simple/")

    def index_of(self, package: str) -> Resource:
        return page_resource(project_of(package))

    def releases(self, document: Document) -> Iterator[Release]:
        parts = document.place.strip("/").split("/")
        legacy = parts[0] == "pypi" and parts[-1] == "json" and len(parts) > 2
        try:
            project = project_of(parts[1] if legacy else parts[-1])
        except BadRequest as error:
            raise UnreadableIndex(f"{document.url}: this cannot be told to be the index of a project") from error
        page = read_legacy(document.body.read(), document.url) if legacy else read_page(document)
        return releases_of(page, project, Places(document.url, document.upstream))

    def billed_as(self, resource: Resource) -> str:
        name = super().billed_as(resource).partition("?")[0]
        return "" if name.endswith(".metadata") else name

    def link(self, package: str, file: ReleaseFile) -> str:
        return link_of(package, file.location)

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        document = documents[0]
        places = Places(document.url, document.upstream)
        if resource.form == LEGACY:
            return _render_legacy(resource, document, places, view)
        page = shown(read_page(document), resource.about, places, view.hidden, view.base)
        body = write_json(page) if resource.form == "json" else write_html(page)
        return Rendered(body=body, content_type=CONTENT_TYPES[resource.form])

    def select(self, purl: Purl, extent: Extent) -> Selection:
        """The qualifier `file_name` selects one file."""
        return named_file(super().select(purl, extent))

    def closure(self, selection: Selection) -> Closure:
        return close_project(selection)

    def problem(self, error: EntrepotError) -> Reply:
        """Problem details (RFC 9457), whose title and detail uv shows. pip shows the status line only."""
        text = str(error)
        if isinstance(error, MethodRefused):
            text += ". Entrepot takes no uploads: publish to the registry itself"
        details = {"title": error.code, "status": error.status, "detail": text}
        headers = (("allow", error.allowed),) if isinstance(error, MethodRefused) else ()
        return Reply(
            status=error.status,
            body=msgspec.json.encode(details) + b"\n",
            content_type="application/problem+json",
            headers=headers,
        )


def _moved(location: str, query: str) -> Reply:
    """To the normalised URL (PEP 503). Relative: where we are mounted is not known here."""
    target = f"{location}?{query}" if query else location
    return Reply(status=301, body=f"see {target}\n".encode(), headers=(("location", target),))


def _unacceptable(accept: str) -> Reply:
    offers = ", ".join(CONTENT_TYPES.values())
    return Reply(status=406, body=f"None of {accept!r} can be served, but: {offers}\n".encode(errors="replace"))


def _list_of_names(accept: str, query: str) -> Resource | Reply:
    """Tens of megabytes that clients hardly ever ask for: passed on as they come, in one of two representations."""
    form = choose_form(accept, query)
    if form is None:
        return _unacceptable(accept)
    return Resource(key="simple/", path="", kind=Kind.SIGNED, accept=ASK_JSON if form == "json" else ASK_HTML)


def _page(path: str, project: str, accept: str, query: str) -> Resource | Reply:
    if path != f"simple/{project}/":
        return _moved(f"../{project}/", query)
    form = choose_form(accept, query)
    return page_resource(project, form) if form else _unacceptable(accept)


def _target(parts: list[str], query: str) -> str:
    """Path and query as one: together they name a file."""
    return path_of(parts) + (f"?{query}" if query else "")


def _legacy(project: str, version: str = "") -> Resource:
    place = f"pypi/{project}/{quote(version, safe='')}/json" if version else f"pypi/{project}/json"
    return Resource(
        key=place,
        path=f"../{place}",
        kind=Kind.INDEX,
        form=LEGACY,
        about=project,
        version=version,
        accept="application/json",
    )


def _render_legacy(resource: Resource, document: Document, places: Places, view: View) -> Rendered:
    """Raises Absent for a version without any file that may be seen."""
    project, found = resource.about, set[bool]()

    def find_link(filename: str, url: str) -> str | None:
        if view.hidden and not view.hidden.isdisjoint((filename, version_of(filename, project))):
            found.add(False)
            return None
        found.add(True)
        location = places.find(url)
        return f"{view.base}/{link_of(project, location)}" if location else None

    body = write_legacy(document.body.read(), document.url, find_link)
    if found == {False}:
        raise Absent(f"{project} {resource.version}".strip())
    return Rendered(body=body, content_type="application/json")

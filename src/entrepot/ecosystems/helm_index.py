"""A chart repository's index.yaml: what it lists, and what of it clients are shown (helm, pkg/repo/index.go)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

import msgspec

from entrepot.ecosystems.helm_names import chart_link, is_chart, place_of
from entrepot.ecosystems.helm_yaml import Value, load
from entrepot.errors import UnreadableIndex
from entrepot.model.digest import Digest, parse_hex
from entrepot.model.release import Document, Location, Release, ReleaseFile

PROVENANCE = ".prov"


@dataclass(frozen=True, slots=True)
class Chart:
    """One version of a chart, and where its archive is: of several addresses helm takes the first, relative ones from
    the repository's own address, wherever that redirects the index to (pkg/repo, `ResolveReferenceURL`)."""

    name: str
    version: str
    location: Location
    members: dict[str, Value]

    @property
    def digest(self) -> Digest | None:
        told = self.members.get("digest")
        return parse_hex("sha256", told.removeprefix("sha256:")) if isinstance(told, str) else None

    @property
    def created(self) -> datetime | None:
        """As whoever made the index says; it is often renewed with the index."""
        try:
            moment = msgspec.convert(self.members.get("created"), datetime, strict=False)
            return moment.astimezone(UTC) if moment.tzinfo is not None else None
        except (msgspec.ValidationError, OverflowError):
            return None

    @property
    def dependencies(self) -> list[dict[str, Value]]:
        told = self.members.get("dependencies")
        return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def read_charts(document: Document) -> Iterator[Chart]:
    """Those that can be fetched. Raises UnreadableIndex."""
    for name, versions in _entries(_load(document), document).items():
        for members in versions:
            chart = _chart_of(name, members, document)
            if chart is not None:
                yield chart


def read_releases(document: Document) -> Iterator[Release]:
    """Each version with its archive, and the provenance file that may lie beside it."""
    for chart in read_charts(document):
        place = chart.location
        archive = ReleaseFile(
            name=chart_link(chart.name, place),
            location=place,
            digests=(chart.digest,) if chart.digest else (),
        )
        beside = Location(place.origin, place.path + PROVENANCE)
        signed = ReleaseFile(name=chart_link(chart.name, beside), location=beside)
        yield Release(package=chart.name, version=chart.version, files=(archive, signed), published=chart.created)


def render_index(document: Document, base: str, hidden: frozenset[str]) -> bytes:
    """JSON, which is YAML that every helm reads, and the new ones fastest. Links lead to us: relative ones, unless
    `base` is told. Raises UnreadableIndex."""
    index = _load(document)
    shown: dict[str, Value] = {}
    for name, versions in _entries(index, document).items():
        kept: list[Value] = []
        for members in versions:
            chart = _chart_of(name, members, document)
            link = chart_link(name, chart.location) if chart is not None else ""
            if link and link not in hidden:
                kept.append({**members, "urls": [f"{base}/{link}" if base else link]})
        if kept:
            shown[name] = kept
    return msgspec.json.encode({**index, "entries": shown})


def _load(document: Document) -> dict[str, Value]:
    found = load(document.body.read(), document.place)
    if not isinstance(found, dict) or not isinstance(found.get("entries") or {}, dict) or "apiVersion" not in found:
        raise UnreadableIndex(f"{document.place}: no index of a chart repository")
    return found


def _entries(index: dict[str, Value], document: Document) -> dict[str, list[dict[str, Value]]]:
    """By chart; what is no version of one is left out, as helm does."""
    entries = index.get("entries") or {}
    assert isinstance(entries, dict)
    found = {}
    for name, versions in entries.items():
        if is_chart(name) and isinstance(versions, list):
            found[name] = [one for one in versions if isinstance(one, dict)]
    if entries and not found:
        raise UnreadableIndex(f"{document.place}: its entries are no charts")
    return found


def _chart_of(name: str, members: dict[str, Value], document: Document) -> Chart | None:
    version, urls = members.get("version"), members.get("urls")
    first = urls[0] if isinstance(urls, list) and urls else None
    if not isinstance(version, str) or not version or not isinstance(first, str):
        return None
    try:
        location = place_of(urljoin(document.upstream, first), document.upstream)
    except ValueError:
        return None
    return Chart(name, version, location, members) if location is not None else None

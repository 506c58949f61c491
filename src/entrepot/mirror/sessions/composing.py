"""From what a session was served to a bill of materials. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from entrepot.cache.repository import Repository
from entrepot.cache.targets import resource_of
from entrepot.contracts.sessions import Served, ServedState
from entrepot.mirror.sessions.words import ABSENT, DOCUMENT, INCOMPLETE, place_of
from entrepot.mirror.sources.cyclonedx_writer import ServedFile, ServedPackage, write_bill
from entrepot.model.digest import Digest
from entrepot.model.purl import Purl
from entrepot.model.resource import Kind

_UNKNOWN = "of {count} things that were served it is not known which bytes they had; the first is {first}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBill:
    body: bytes
    """CycloneDX, in JSON."""
    components: int
    """Versions of packages."""
    files: int
    incomplete: tuple[str, ...]
    """Why something may be missing in it; empty: nothing is."""
    untouched: tuple[str, ...]
    """Packages that were looked up, and of which no file was served."""


@dataclass(slots=True)
class _Found:
    """Sorted out so far."""

    packages: dict[tuple[str, Purl], list[ServedFile]] = field(default_factory=dict)
    properties: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Places of what is not known in every respect."""
    looked_up: set[tuple[str, str]] = field(default_factory=set)
    used: set[tuple[str, str]] = field(default_factory=set)
    """Repositories and packages."""


def compose(
    session: str,
    items: Iterable[Served],
    repositories: Mapping[str, Repository],
    *,
    created_at: datetime,
    reasons: Sequence[str] = (),
) -> SessionBill:
    """`reasons`: why something may be missing, as far as the items do not tell. The same items give the same bytes."""
    found, latest = _Found(), created_at
    for item in items:
        latest = max(latest, item.served_at)
        _sort(found, item, repositories.get(item.repository))
    unknown = [_UNKNOWN.format(count=len(found.unknown), first=found.unknown[0])] if found.unknown else []
    incomplete = (*reasons, *unknown)
    packages = [
        ServedPackage(purl=purl, repository=repository, files=tuple(files))
        for (repository, purl), files in found.packages.items()
    ]
    body = write_bill(
        packages,
        serial=_serial_of(session),
        at=latest,
        subject=f"session {session}",
        properties=[*((INCOMPLETE, reason) for reason in incomplete), *found.properties],
        aggregate="incomplete" if incomplete else "complete",
    )
    return SessionBill(
        body=body,
        components=len(packages),
        files=sum(len(package.files) for package in packages),
        incomplete=incomplete,
        untouched=tuple(f"{repository}/{package}" for repository, package in sorted(found.looked_up - found.used)),
    )


def _sort(found: _Found, item: Served, repository: Repository | None) -> None:
    place = place_of(item.repository, item.key)
    if item.state is ServedState.ABSENT:
        found.properties.append((ABSENT, place))
        return
    digests = (Digest("sha256", item.sha256),) if item.sha256 else ()
    if not digests:
        found.unknown.append(place)
    resource = resource_of(repository, item.key) if repository is not None else None
    if repository is None or resource is None:
        # What it was can only be told by a repository that is not configured any more.
        found.unknown.append(place)
        found.properties.append((DOCUMENT, _document(item, place)))
        return
    name = repository.ecosystem.billed_as(resource)
    purl = repository.ecosystem.purl_of(resource, item.version or resource.version) if name else None
    if purl is None:
        found.properties.append((DOCUMENT, _document(item, place)))
        if resource.kind is Kind.INDEX and resource.about:
            found.looked_up.add((item.repository, resource.about))
        return
    found.used.add((item.repository, resource.about))
    file = ServedFile(name=name, path=place, digests=digests)
    found.packages.setdefault((item.repository, purl), []).append(file)


def _document(item: Served, place: str) -> str:
    return f"sha256:{item.sha256} {place}"


def _serial_of(session: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"entrepot:session:{session}")

"""Everything that Python's clients will ask for of a selection: the page, files, metadata, and what they depend on.

This is no resolver: of a dependency the newest version is taken that its own requirement admits. A lock file gives an
exact set.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.parser import BytesHeaderParser

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.pypi_archives import build_requires, metadata_in_wheel, told_in_sdist
from entrepot.ecosystems.pypi_choice import Wish, by_version
from entrepot.ecosystems.pypi_markers import Environment, applies, environments_of
from entrepot.ecosystems.pypi_names import project_of
from entrepot.ecosystems.pypi_offer import offered_files, read_page
from entrepot.ecosystems.pypi_pages import ListedFile
from entrepot.ecosystems.pypi_places import Places
from entrepot.ecosystems.pypi_resources import file_resource, page_resource
from entrepot.ecosystems.pypi_wheels import is_source, targets_of
from entrepot.errors import BadContent, BadRequest
from entrepot.model.release import Location
from entrepot.model.resource import Resource
from entrepot.model.selection import Depth, Extent, Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A file that is mirrored."""

    name: str
    resource: Resource
    metadata: Resource | None
    """The document beside it (PEP 658)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a file says of its needs."""

    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    """What building it needs."""


def named_file(selection: Selection) -> Selection:
    """With the qualifier `file_name` of its purl told as the file that is wanted."""
    names = tuple(value for key, value in selection.qualifiers if key == "file_name")
    others = tuple(pair for pair in selection.qualifiers if pair[0] != "file_name")
    return replace(selection, files=names, qualifiers=others) if names else selection


def close_project(selection: Selection) -> Closure:
    """Raises Absent, DigestMismatch, BadRequest, UnreadableIndex."""
    selection = replace(selection, package=project_of(selection.package))
    reading = yield Need(resource=page_resource(selection.package), reads=True)
    if reading is None:
        return
    targets = targets_of(selection.extent.platforms)
    wish = Wish(selection=selection, targets=targets, hidden=reading.hidden)
    places = Places(reading.document.url, reading.document.upstream)
    # What cannot be fetched is left out of the page that clients see, too.
    fetchable = (file for file in offered_files(read_page(reading.document)) if places.find(file.url))
    offers = by_version(fetchable, selection.package)
    for version, files in wish.choose(offers).items():
        held = list(_resources(selection.package, files, places))
        for one in held:
            yield Need(resource=one.resource)
            if one.metadata:
                yield Need(resource=one.metadata)
        for one in _resources(selection.package, wish.beside(offers[version], files), places):
            if one.metadata:
                yield Need(resource=one.metadata, absent="maybe")
        if selection.extent.depth is not Depth.NONE:
            yield from _dependencies(selection, version, held, environments_of(targets))


def _resources(project: str, files: Iterable[ListedFile], places: Places) -> Iterator[_Held]:
    for file in files:
        location = places.find(file.url)
        if location is None:
            continue
        beside = Location(location.origin, f"{location.path}.metadata") if file.has_metadata else None
        yield _Held(
            name=file.filename,
            resource=file_resource(project, location),
            metadata=file_resource(project, beside) if beside else None,
        )


def _dependencies(
    selection: Selection, version: str, held: Sequence[_Held], environments: tuple[Environment, ...]
) -> Closure:
    """Read from one wheel of a version: its others say the same, or no resolver would work. A source distribution is
    read where it is what will be installed, and where everything is wanted."""
    wheels = [one for one in held if one.name.endswith(".whl")]
    sources = [one for one in held if is_source(one.name)]
    subject = f"{selection.package} {version}".strip()
    read = [*wheels[:1], *(sources[:1] if not wheels or selection.extent.depth is Depth.ALL else ())]
    if not read:
        yield Skipped(subject=subject, reason="what it depends on is not known: it has no wheel and no sdist")
    for one in read:
        try:
            told = yield from _told_by(one)
        except BadContent as error:
            yield Skipped(subject=subject, reason=f"what it depends on is not known: {error}")
            continue
        yield from _selections(selection, told, environments)


def _told_by(one: _Held) -> Generator[Need, Reading | None, _Told]:
    source = is_source(one.name)
    reading = yield Need(resource=one.resource if source or not one.metadata else one.metadata, reads=True)
    if reading is None:
        return _Told()
    if source:
        metadata, pyproject = told_in_sdist(reading.document.body, one.name)
        return _read_metadata(metadata, builds=build_requires(pyproject))
    beside = reading.document.body.read() if one.metadata else metadata_in_wheel(reading.document.body, one.name)
    return _read_metadata(beside)


def _read_metadata(text: bytes, builds: Sequence[str] = ()) -> _Told:
    said = BytesHeaderParser().parsebytes(text)
    requires, extras = (tuple(map(str, said.get_all(name, []))) for name in ("Requires-Dist", "Provides-Extra"))
    return _Told(requires=requires, extras=extras, builds=tuple(builds))


def _selections(
    selection: Selection, told: _Told, environments: tuple[Environment, ...]
) -> Iterator[Selection | Skipped]:
    extent = replace(selection.extent, depth=Depth.RUNTIME, latest=1)
    wanted = told.extras if selection.extent.depth is Depth.ALL else selection.parts
    requirements, unread = _parsed(told.requires)
    extras = _own_extras(selection.package, frozenset(map(canonicalize_name, wanted)), requirements, environments)
    builds, more = _parsed(told.builds)
    counting = [one for one in requirements if applies(one.marker, environments, extras)]
    counting += [one for one in builds if applies(one.marker, environments)]
    for one in counting:
        if canonicalize_name(one.name) != selection.package:
            yield _selection_of(one, extent)
    for text in (*unread, *more):
        yield Skipped(subject=f"{text[:200]} (of {selection.package})", reason="this is no requirement")


def _parsed(texts: Iterable[str]) -> tuple[list[Requirement], list[str]]:
    """And what is none."""
    found, unread = [], []
    for text in texts:
        try:
            found.append(Requirement(text))
        except (ValueError, RecursionError):
            unread.append(text)
    return found, unread


def _own_extras(
    package: str, extras: frozenset[str], requirements: Sequence[Requirement], environments: tuple[Environment, ...]
) -> frozenset[str]:
    """An extra may be made of others of the same package (`pkg[all]` needs `pkg[a,b]`)."""
    while True:
        own = (one for one in requirements if canonicalize_name(one.name) == package)
        brought = (one.extras for one in own if applies(one.marker, environments, extras))
        more = extras.union(*(map(canonicalize_name, names) for names in brought))
        if more == extras:
            return extras
        extras = more


def _selection_of(requirement: Requirement, extent: Extent) -> Selection | Skipped:
    if requirement.url:
        return Skipped(subject=requirement.name, reason="a URL is required of it, not what an index lists")
    try:
        package = project_of(requirement.name)
    except BadRequest as error:
        return Skipped(subject=requirement.name, reason=str(error))
    parts = tuple(sorted(map(canonicalize_name, requirement.extras)))
    return Selection(package=package, within=str(requirement.specifier), parts=parts, extent=extent)

"""How old a file is: by its index, by a document of its own, by its fields, or by when it was first had (policy §5)."""

from dataclasses import dataclass
from datetime import datetime

from entrepot.cache.choosing import Choosing
from entrepot.cache.dates import Dates
from entrepot.cache.documents import Documents
from entrepot.cache.facts import FileFact
from entrepot.cache.hiding import with_sighting
from entrepot.cache.lookup import Named
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.sightings import Sightings, counts_seen, name_of
from entrepot.contracts.catalog import Sighting
from entrepot.errors import Absent, EntrepotError, NotCached, UpstreamFailure
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind, Resource
from entrepot.policy.cooldown import Cooldown, Dated


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """Something whose age is judged."""

    package: str
    version: str
    dated: Dated


class FileAges:
    def __init__(self, kit: Kit, documents: Documents, sightings: Sightings, dates: Dates, choosing: Choosing) -> None:
        self._kit, self._documents, self._sightings = kit, documents, sightings
        self._dates, self._choosing = dates, choosing

    async def of(
        self,
        repository: Repository,
        resource: Resource,
        cooldown: Cooldown,
        as_of: datetime | None,
        stored_only: bool,
    ) -> Aged | None:
        """None for what has no age, and for what nobody has."""
        if resource.kind not in (Kind.ARTIFACT, Kind.SIGNED) or not resource.about:
            return None
        asks = cooldown.asks(resource.about, resource.version, self._kit.clock.now(), as_of)
        match repository.ecosystem.dates:
            case "registry" if repository.ecosystem.dated_by_field:
                return await self._modified(repository, resource, stored_only) if resource.version and asks else None
            case "registry":
                return await self._listed(repository, resource, stored_only)
            case "author" if repository.ecosystem.files_have_ages:
                return await self._listed(repository, resource, stored_only)
            case "author":
                return await self._authored(repository, resource, stored_only) if resource.version and asks else None
            case "none":
                if not asks:
                    return None
                if resource.listed_anywhere and (named := await self._documents.listed(repository, resource.key)):
                    return await self._named(repository, resource, named, as_of)
                return await self._loose(repository, resource, stored_only)

    async def _listed(self, repository: Repository, resource: Resource, stored_only: bool) -> Aged | None:
        """By the date that its index has."""
        if resource.listed_in is None:
            return None
        fact = await self._documents.stored_fact(repository, resource)
        if fact is None and not stored_only:
            fact = await self._documents.learn(repository, resource)
        if fact is None:
            # Only what is stored could go out although nobody lists it.
            if self._stored(repository, resource) is None:
                if resource.must_be_listed and not stored_only:
                    # Who reads the index once more, a moment later, may find it there, and nobody asked for its age.
                    raise Absent(f"{repository.name}/{resource.key} (not listed in its index)")
                return None
            fact = FileFact("", "", package=resource.about, version=resource.version)
        by_author = repository.ecosystem.dates == "author"
        dated = Dated(published=fact.published, source="author" if by_author else "registry", baseline=by_author)
        if by_author or (fact.published is None and counts_seen(repository)):
            # Under what the list is about, which may be all packages.
            name = name_of(repository.ecosystem, fact)
            dated = with_sighting(dated, self._sightings.of_one(repository, resource.listed_in.about, name))
        return Aged(package=resource.about, version=fact.version, dated=dated)

    async def _authored(self, repository: Repository, resource: Resource, stored_only: bool) -> Aged:
        """By the date of a document of its own, and by the list in which it appeared."""
        package, version = resource.about, resource.version
        try:
            published = await self._dates.of(repository, package, version, stored_only=stored_only)
        except Absent:
            # What is stored could still go out, although upstream has it no more.
            if self._stored(repository, resource) is None:
                raise
            published = None
        dated = Dated(published=published, source="author", baseline=True)
        if repository.gate.cooldown is not None:
            seen = self._sightings.of_one(repository, package, version)
            listed = repository.ecosystem.announced_in(package, version)
            unlisted = seen is None and listed is not None and self._sightings.was_read(repository, listed)
            if listed is not None and unlisted and published is not None:
                await self._sightings.found_unlisted(repository, listed, version)
                seen = self._sightings.of_one(repository, package, version)
            dated = with_sighting(dated, seen)
        return Aged(package=package, version=version, dated=dated)

    async def _modified(self, repository: Repository, resource: Resource, stored_only: bool) -> Aged | None:
        """By when upstream last modified what dates the version or, where it has no such thing, the file itself."""
        package, version = resource.about, resource.version
        dating = repository.ecosystem.dated_by(package, version) or resource
        published = await self._modified_at(repository, dating, resource, stored_only)
        dated = Dated(published=published, source="registry")
        if published is None and counts_seen(repository):
            await self._sightings.found_unlisted(repository, dating, version)
            dated = with_sighting(dated, self._sightings.of_one(repository, package, version))
        return Aged(package=package, version=version, dated=dated)

    async def _modified_at(
        self, repository: Repository, dating: Resource, resource: Resource, stored_only: bool
    ) -> datetime | None:
        if dating.key == resource.key:
            return await self._dates.modified(repository, resource, stored_only=stored_only)
        failure: EntrepotError | None = None
        published = None
        try:
            published = await self._dates.modified(repository, dating, stored_only=stored_only)
        except Absent:
            return await self._dates.modified(repository, resource, stored_only=stored_only)
        except (NotCached, UpstreamFailure) as error:
            failure = error
        if published is None and (failure is not None or stored_only):
            # Whether there is anything else to date it cannot be asked: a file that is here is as old as it was then.
            published = await self._dates.modified(repository, resource, stored_only=True)
        if published is None and failure is not None:
            raise failure
        return published

    async def _named(
        self, repository: Repository, resource: Resource, named: list[Named], as_of: datetime | None
    ) -> Aged | None:
        """By when something that lists it was first had. What the generation names that is served has no age: clients
        could not do without it."""
        for one in named:
            listed = one.listed
            if listed.root and await self._choosing.names(repository.plain, listed.root, listed.sha256, as_of):
                return None
        dated = Dated(published=None, source="none", first_seen=min(one.listed.had_at for one in named))
        return Aged(package=resource.about, version=resource.version, dated=dated)

    async def _loose(self, repository: Repository, resource: Resource, stored_only: bool) -> Aged | None:
        """By when upstream first said that it has it. A list of other files has no age."""
        if resource.key.endswith("/") or not resource.key:
            return None
        seen = self._sightings.of_file(repository, resource)
        if seen is None:
            at = await self._first_had(repository, resource, stored_only)
            if at is None:
                return None
            await self._sightings.found_file(repository, resource, at)
            seen = Sighting(first_seen=at, baseline=False)
        dated = Dated(published=None, source="none", first_seen=seen.first_seen)
        return Aged(package=resource.about, version=resource.version, dated=dated)

    async def _first_had(self, repository: Repository, resource: Resource, stored_only: bool) -> datetime | None:
        """None: it is not stored, and upstream may not be asked."""
        remembered = self._kit.catalog.find_remembered(repository.name, resource.stored_key)
        if remembered is not None:
            return remembered.first_seen
        entry = self._stored(repository, resource)
        if entry is not None:
            return entry.stored_at
        if stored_only:
            return None
        await self._documents.probe(repository, resource)
        now: datetime = self._kit.clock.now()
        return now

    def _stored(self, repository: Repository, resource: Resource) -> Entry | None:
        entry = self._documents.find_entry(repository, resource)
        return entry if entry is not None and entry.gone_at is None else None

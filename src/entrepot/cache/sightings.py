"""When versions were first seen, noted for every list that upstream sends: switching a cooldown on later must not make
newcomers of what was there."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from entrepot.cache.facts import FileFact
from entrepot.cache.noting import note_down
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.contracts.catalog import Sighting
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.model.resource import Kind, Resource


class Sightings:
    """All raise StoreFailure."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def note(self, repository: Repository, index: Resource, facts: Mapping[str, FileFact]) -> None:
        """Upstream said what is in this list now. What it said before is not written again."""
        if index.kind is not Kind.INDEX or not _are_noted(repository):
            return
        names = {name_of(repository.ecosystem, fact) for fact in facts.values() if _is_noted(repository, index, fact)}
        if not self.was_read(repository, index):
            # What was seen to appear in another list (a page of another size) is new, although this one is new to us.
            names -= {name for name, seen in self.of(repository, index.about).items() if not seen.baseline}
        await self._put(repository, index, sorted(names), reading=True)

    async def found_unlisted(self, repository: Repository, index: Resource, version: str) -> None:
        """Upstream has a version that this list lacked when it was read."""
        await self._put(repository, index, [version], reading=False)

    async def _put(self, repository: Repository, index: Resource, names: Iterable[str], *, reading: bool) -> None:
        now: datetime = self._kit.clock.now()
        put = self._kit.catalog.put_sightings(
            repository.name, index.stored_key, index.about, names, now, reading=reading
        )
        await note_down(put, f"{repository.name}/{index.key}")

    async def found_file(self, repository: Repository, resource: Resource, at: datetime) -> None:
        """Upstream has a file that no list names."""
        put = self._kit.catalog.put_sightings(
            repository.name, resource.stored_key, resource.stored_key, [""], at, reading=False
        )
        await note_down(put, f"{repository.name}/{resource.key}")

    async def told(self, repository: Repository, resource: Resource, date: datetime) -> None:
        """Upstream said when it last modified this. The earliest that it ever said is kept."""
        subject = _told_of(resource)
        put = self._kit.catalog.put_sightings(repository.name, subject, subject, [""], date, reading=False)
        await note_down(put, f"{repository.name}/{resource.key}")

    def told_of(self, repository: Repository, resource: Resource) -> datetime | None:
        seen = self._kit.catalog.find_sighting(repository.name, _told_of(resource), "")
        return seen.first_seen if seen is not None else None

    def of_file(self, repository: Repository, resource: Resource) -> Sighting | None:
        return self._kit.catalog.find_sighting(repository.name, resource.stored_key, "")

    def of(self, repository: Repository, package: str) -> Mapping[str, Sighting]:
        return self._kit.catalog.find_sightings(repository.name, package)

    def of_one(self, repository: Repository, package: str, name: str) -> Sighting | None:
        return self._kit.catalog.find_sighting(repository.name, package, name)

    def was_read(self, repository: Repository, index: Resource) -> bool:
        return self._kit.catalog.find_reading(repository.name, index.stored_key) is not None


def _told_of(resource: Resource) -> str:
    """Under what the date of a file is noted. No package is called so, and no file."""
    return f"{resource.stored_key} modified"


def name_of(ecosystem: Ecosystem, fact: FileFact) -> str:
    """What has an age: the version, or the file where files come to old versions."""
    return fact.name if ecosystem.files_have_ages else fact.version


def counts_seen(repository: Repository) -> bool:
    """Whether a date that the registry does not tell is when we first saw the version."""
    cooldown = repository.gate.cooldown
    return cooldown is not None and cooldown.unknown_date == "first-seen"


def _are_noted(repository: Repository) -> bool:
    return repository.ecosystem.dates != "registry" or counts_seen(repository)


def _is_noted(repository: Repository, index: Resource, fact: FileFact) -> bool:
    if repository.ecosystem.dates == "registry":
        return fact.published is None
    place = repository.ecosystem.announced_in(fact.package, fact.version)
    return place is None or place.key == index.key

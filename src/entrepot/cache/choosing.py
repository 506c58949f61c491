"""Chooses among the generations of a group that are held, where not the latest may be served (see `snapshots`)."""

from dataclasses import replace
from datetime import datetime

from entrepot.cache.annals import Annals
from entrepot.cache.documents import Documents
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.rosters import Roster
from entrepot.cache.snapshots import Choice, Held, candidates
from entrepot.errors import StoreFailure, UnreadableIndex
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource, edition_of
from entrepot.policy.cooldown import Cooldown


class Choosing:
    def __init__(self, kit: Kit, documents: Documents, annals: Annals) -> None:
        self._kit, self._documents, self.annals = kit, documents, annals

    async def choice(self, repository: Repository, root: str, as_of: datetime | None = None) -> Choice | None:
        """None: the current one, at any age, or there is none."""
        cooldown, now = cooldown_of(repository, as_of), self._kit.clock.now()
        resource = self.annals.resource_at(repository, root)
        if cooldown is None or resource is None or not cooldown.asks("", "", now, as_of):
            return None
        held = self._held(repository, root)
        wanted = candidates(held, cooldown, now, as_of) if held else []
        # Who wants the world as of a day wants what was valid then: nothing newer exists.
        moment = min((day for day in (as_of, cooldown.as_of) if day is not None), default=now)
        for choice in wanted:
            entry = await self.root_of(repository, resource, choice)
            if entry is None:
                continue
            try:
                expires = await self.annals.rosters.expires(repository, resource, entry)
            except UnreadableIndex:
                continue  # Configuration may have changed since it came: no key of today signed it.
            if expires is None or moment < expires:
                ends = expires.timestamp() if expires is not None and moment is now else choice.until
                return replace(choice, until=min(choice.until, ends))
        # Clients refuse them all: better the one that upstream has than one that nobody should have.
        return next((choice for choice in wanted if choice.held.number == held[0].number), None)

    async def root_of(self, repository: Repository, root: Resource, choice: Choice) -> Entry | None:
        """The root of the chosen generation, if its bytes are there."""
        current = self.annals.number(repository, root.key)
        edition = choice.held.number if choice.held.number != current else 0
        return await self._documents.find_sound(repository, replace(root, edition=edition))

    def _held(self, repository: Repository, root: str) -> list[Held]:
        """The latest first."""
        current = self.annals.current(repository, root)
        if current is None:
            return []
        try:
            former = self._kit.catalog.former_roots(repository.name, root)
        except StoreFailure:
            former = []
        return [
            Held(number=current.number, published_at=current.published_at),
            *(Held(number=edition_of(one.key), published_at=one.stored_at) for one in former),
        ]

    async def names(self, repository: Repository, root: str, sha256: str, as_of: datetime | None = None) -> bool:
        """Whether the generation that is served has such bytes. Raises UnreadableIndex."""
        resource, choice = self.annals.resource_at(repository, root), await self.choice(repository, root, as_of)
        entry = None
        if resource is not None and choice is not None:
            entry = await self.root_of(repository, resource, choice)
        elif resource is not None:
            entry = self._documents.find_entry(repository, resource)
        if entry is not None and entry.sha256 == sha256:
            return True
        roster = await self.roster(repository, root, as_of)
        return roster is not None and sha256 in roster.digests

    async def roster(self, repository: Repository, root: str, as_of: datetime | None = None) -> Roster | None:
        """What the generation names that is served. Raises UnreadableIndex."""
        choice = await self.choice(repository, root, as_of)
        number = choice.held.number if choice is not None else self.annals.number(repository, root)
        return await self.annals.roster(repository, root, number)


def cooldown_of(repository: Repository, as_of: datetime | None) -> Cooldown | None:
    """What ages are judged by; a dated view needs no configured one."""
    return repository.gate.cooldown or (Cooldown() if as_of is not None else None)

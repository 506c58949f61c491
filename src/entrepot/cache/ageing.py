"""Which versions are too young, or not yet there, for this repository and this request (policy §5)."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from math import inf

from entrepot.cache.annals import Annals
from entrepot.cache.choosing import Choosing, cooldown_of
from entrepot.cache.dates import Dates
from entrepot.cache.documents import Documents
from entrepot.cache.facts import FileFact
from entrepot.cache.file_ages import FileAges
from entrepot.cache.hiding import NOTHING, Hidden, Judge, as_old_as, filters, hidden_of, left_out
from entrepot.cache.meanings import Meanings
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.sightings import Sightings, counts_seen, name_of
from entrepot.cache.views import Source
from entrepot.contracts.catalog import Sighting
from entrepot.model.resource import Resource
from entrepot.policy.verdict import Refusal

MOST_REMEMBERED = 1024
IN_THREAD_FACTS = 1000
RETRY_SECONDS = 60.0
"""After which a date is asked for again that could not be learned."""


class Ages:
    def __init__(self, kit: Kit, documents: Documents) -> None:
        self._kit, self._documents = kit, documents
        self._sightings = Sightings(kit)
        self._dates = Dates(documents, self._sightings)
        self.choosing = Choosing(kit, documents, Annals(kit, documents))
        self._files = FileAges(kit, documents, self._sightings, self._dates, self.choosing)
        self._meanings = Meanings(kit, documents)
        self._known: OrderedDict[object, Hidden] = OrderedDict()
        self._reckoning: dict[object, asyncio.Task[Hidden]] = {}

    def valid_until(self, repository: Repository) -> float:
        """Until when (seconds since the epoch) a file that is not refused stays so."""
        cooldown = repository.gate.cooldown
        change = cooldown.next_change(self._kit.clock.now()) if cooldown is not None else None
        return change.timestamp() if change is not None else inf

    # --- indexes ----------------------------------------------------------------------------------------------------

    async def hidden(
        self,
        repository: Repository,
        resource: Resource,
        source: Source,
        as_of: datetime | None = None,
        *,
        stored_only: bool = False,
    ) -> Hidden:
        """What this document may not show. Raises what keeps a date from being learned: an outage is never a list
        without what it kept us from judging."""
        frozen = repository.frozen
        if not (repository.gate.cooldown or as_of or filters(repository.gate) or frozen):
            return NOTHING
        session = frozen.session if frozen is not None else ""
        key = repository.name, source.key, repository.gate.revision, as_of, stored_only, session
        known = self._known.get(key)
        if known is not None and self._kit.clock.timestamp() < known.until:
            self._known.move_to_end(key)
            return known
        task = self._reckoning.get(key)
        if task is None:
            task = asyncio.create_task(self._reckon(repository, resource, source, as_of, stored_only))
            self._reckoning[key] = task
            task.add_done_callback(lambda _: self._reckoning.pop(key, None))
        hidden = self._known[key] = await asyncio.shield(task)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return hidden

    async def _reckon(
        self, repository: Repository, resource: Resource, source: Source, as_of: datetime | None, stored_only: bool
    ) -> Hidden:
        named = await self._documents.facts_in(repository, resource, source)
        facts = list(named.values())
        cooldown, now = cooldown_of(repository, as_of), self._kit.clock.now()
        unlearned = False
        if cooldown is not None:
            facts = as_old_as(source, repository, cooldown, facts, now, as_of)
            asked = [fact for fact in facts if cooldown.asks(fact.package, fact.version, now, as_of)]
            learned = await self._dates.learn(repository, asked, stored_only=stored_only)
            unlearned = any(fact.published is None for fact in learned.values())
            facts = [learned.get(name_of(repository.ecosystem, fact), fact) for fact in facts]
        sightings = await self._seen(repository, resource, facts)
        judge = Judge(repository, cooldown, sightings, now, as_of)
        refusals = await asyncio.to_thread(judge, facts) if len(facts) > IN_THREAD_FACTS else judge(facts)
        if repository.frozen is not None:
            refusals |= await asyncio.to_thread(left_out, repository, repository.frozen, named)
        again = now.timestamp() + RETRY_SECONDS if unlearned else inf
        return hidden_of(refusals, min(again, self.valid_until(repository)), repository, facts)

    async def _seen(self, repository: Repository, resource: Resource, facts: list[FileFact]) -> Mapping[str, Sighting]:
        if repository.gate.cooldown is None:
            return {}
        if repository.ecosystem.dates == "registry" and not counts_seen(repository):
            return {}
        # It may have been stored before sightings were noted, or while the catalog took nothing.
        await self._sightings.note(repository, resource, {fact.name or fact.version: fact for fact in facts})
        return self._sightings.of(repository, resource.about)

    # --- files ------------------------------------------------------------------------------------------------------

    async def refusal(
        self, repository: Repository, resource: Resource, as_of: datetime | None = None, *, stored_only: bool = False
    ) -> Refusal | None:
        """Why this file may not be had for its age. Raises what keeps its date from being learned."""
        cooldown = cooldown_of(repository, as_of)
        if cooldown is None:
            return None
        if repository.ecosystem.dates_in_files:
            return await self._meanings.refusal(repository, resource, cooldown, as_of, stored_only=stored_only)
        aged = await self._files.of(repository, resource, cooldown, as_of, stored_only)
        if aged is None:
            return None
        return cooldown.judge(aged.package, aged.version, aged.dated, self._kit.clock.now(), as_of)

    def barred(self, repository: Repository, resource: Resource) -> Refusal | None:
        """Why rules about versions refuse a file that does not tell its own; None where they do not."""
        told = repository.ecosystem.dates_in_files and filters(repository.gate)
        return self._meanings.barred(repository, resource) if told else None

    async def former(
        self, repository: Repository, resource: Resource, as_of: datetime | None = None, *, stored_only: bool = False
    ) -> tuple[Resource, Refusal] | None:
        """What a name meant before that may be had though what it means now may not, with why that may not; None where
        it may, or there is no such thing. Raises what keeps it from being told."""
        cooldown = cooldown_of(repository, as_of)
        if cooldown is None or not resource.probed:
            return None
        refusal = await self.refusal(repository, resource, as_of, stored_only=stored_only)
        if refusal is None:
            return None
        found = await self._meanings.former(repository, resource, cooldown, as_of, stored_only=stored_only)
        return (found, refusal) if found is not None else None

    async def account(self, repository: Repository, resource: Resource, as_of: datetime | None = None) -> str:
        """The reckoning of a file's age in words."""
        cooldown = cooldown_of(repository, as_of)
        if cooldown is None:
            return "its age does not matter"
        if repository.ecosystem.dates_in_files:
            return await self._meanings.account(repository, resource, cooldown, as_of)
        aged = await self._files.of(repository, resource, cooldown, as_of, False)
        if aged is None:
            return "its age does not matter"
        return cooldown.account(aged.package, aged.version, aged.dated, self._kit.clock.now(), as_of)

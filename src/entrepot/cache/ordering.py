"""Orders for downloads: with what is known here of the file, and of what is stored under its name."""

from collections.abc import Awaitable, Callable

from entrepot.cache.counters import Counters
from entrepot.cache.documents import Documents
from entrepot.cache.facts import FileFact
from entrepot.cache.flights import Flights
from entrepot.cache.order import Order
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import Soundness
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource

Renew = Callable[[Repository, Resource | None], Awaitable[None]]
"""Brings the roots of a repository up to date, and with them what lists its files; only one, where that is told."""


class Orders:
    renew: Renew | None = None
    """Set by whoever knows of roots."""

    def __init__(self, documents: Documents, flights: Flights, soundness: Soundness, counters: Counters) -> None:
        self._documents, self._flights = documents, flights
        self._soundness, self._counters = soundness, counters

    async def make(self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None) -> Order:
        """`entry`: to be validated, if its bytes are there; `seen`: what the order was decided on."""
        listed = resource.listed_in is not None or resource.listed_anywhere
        fact = await self._documents.stored_fact(repository, resource) if listed else None

        return Order(
            repository=repository,
            resource=resource,
            counts=self._counters.of(repository.name),
            entry=await self._soundness.sound(entry),
            fact=fact,
            learn=(lambda: self._learn(repository, resource)) if listed else None,
            locate=(lambda upstream: self._documents.locate(repository, resource, upstream))
            if resource.located_by
            else None,
            seen=seen.validated_at if seen is not None else None,
            conditional=repository.rules.conditional,
            store_first=self._flights.is_suspect(f"{repository.name}/{resource.key}"),
        )

    async def _learn(self, repository: Repository, resource: Resource) -> FileFact | None:
        """Of a file that nothing stored lists. Raises what makes its index unreadable."""
        if not resource.listed_anywhere:
            return await self._documents.learn(repository, resource)
        if self.renew is not None:
            await self.renew(repository.plain, resource.listed_in)
        return await self._documents.stored_fact(repository, resource)

"""Orders for downloads: with what is known here of the file, and of what is stored under its name."""

from entrepot.cache.counters import Counters
from entrepot.cache.documents import Documents
from entrepot.cache.flights import Flights
from entrepot.cache.order import Order
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import Soundness
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource


class Orders:
    def __init__(self, documents: Documents, flights: Flights, soundness: Soundness, counters: Counters) -> None:
        self._documents, self._flights = documents, flights
        self._soundness, self._counters = soundness, counters

    async def make(self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None) -> Order:
        """`entry`: to be validated, if its bytes are there; `seen`: what the order was decided on."""
        fact = await self._documents.stored_fact(repository, resource) if resource.listed_in else None

        return Order(
            repository=repository,
            resource=resource,
            counts=self._counters.of(repository.name),
            entry=entry if entry is not None and self._soundness.is_there(entry) else None,
            fact=fact,
            learn=(lambda: self._documents.learn(repository, resource)) if resource.listed_in else None,
            seen=seen.validated_at if seen is not None else None,
            conditional=repository.rules.conditional,
            store_first=self._flights.is_suspect(f"{repository.name}/{resource.key}"),
        )

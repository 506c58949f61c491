"""Files that are published together (policy §4): only the root has freshness, and a member is as good as its root."""

import asyncio
from dataclasses import replace

from entrepot.cache.answer import Answer
from entrepot.cache.ask import ClientAsk
from entrepot.cache.documents import Documents
from entrepot.cache.flight import Flight
from entrepot.cache.flights import Flights
from entrepot.cache.freshness import stale_for
from entrepot.cache.generations import Generations
from entrepot.cache.judging import Case, opened
from entrepot.cache.order import Kit, Order
from entrepot.cache.ordering import Orders
from entrepot.cache.plan import Gone, Keep, Membership, Miss, Serve, next_step
from entrepot.cache.repository import Repository
from entrepot.cache.standing import Standing
from entrepot.errors import Absent, PolicyError, StoreFailure, UpstreamTimeout
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource

READER_SECONDS = 60.0
"""For how long a client that read a root gets the members that go with it."""


class Groups:
    def __init__(self, kit: Kit, flights: Flights, documents: Documents, standing: Standing, orders: Orders) -> None:
        self._kit, self._flights, self._documents, self._standing = kit, flights, documents, standing
        self._orders = orders
        self._generations = Generations(kit, flights, documents, orders)
        self._readings = kit.readings

    async def order(self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None) -> Order:
        return await self._generations.order(await self._orders.make(repository, resource, entry, seen))

    # --- members ----------------------------------------------------------------------------------------------------

    async def enter(self, case: Case, ask: ClientAsk) -> tuple[Resource, Membership | None]:
        """The member of the generation that this client reads, and what that is worth; upstream may be asked about the
        root for it. What is in no group, and a member whose root is not stored, stays what it is."""
        repository, resource = case.repository, case.resource
        root = self._root_of(case) if case.stored_counts and repository.rules.keep else None
        entry = self._documents.find_entry(root.repository, root.resource) if root is not None else None
        if root is None or entry is None or entry.gone_at is not None:
            return resource, None
        reading = self._reading_of(repository, resource.snapshot, ask.client)
        if reading is None:
            return resource, await self._as_good_as(root, entry, ask)
        number, until = reading
        if number != self._generations.number(repository, resource.snapshot):
            former = replace(resource, edition=number)
            kept = self._documents.find_entry(repository, former)
            if kept is not None and kept.gone_at is None and not kept.expired and self._standing.is_there(kept):
                return former, Membership(validated_at=kept.validated_at, fresh_until=until)
        return resource, self._membership(root, entry, "")

    def _root_of(self, case: Case) -> Case | None:
        resource, plain = case.resource, case.repository.plain
        if not resource.snapshot or resource.is_root:
            return None
        root = self._generations.resource_at(plain, resource.snapshot)
        try:
            return opened(self._kit.fetcher, plain, root) if root is not None and root.is_root else None
        except PolicyError:
            return None

    async def _as_good_as(self, root: Case, entry: Entry, ask: ClientAsk) -> Membership | None:
        """After bringing the root up to date where that is due. Raises what makes the generation too old to be used."""
        step = next_step(entry, root.resource, ask.wish, root.repository.rules, self._kit.clock.now())
        if isinstance(step, Miss | Gone):
            return None
        if isinstance(step, Serve) and not step.refresh:
            return self._membership(root, entry, step.detail)
        order = await self.order(root.repository, root.resource, entry, entry)
        if isinstance(step, Serve):
            if not self._flights.stopping:
                self._flights.launch(order)
            return self._membership(root, entry, step.detail)
        stand_in = await self._standing.stand_in(root.repository, root.resource, entry)
        flight, _ = self._flights.launch(order)
        try:
            landed = await self.landed(order, flight, stand_in)
        except Absent:
            return None
        return self._membership(root, landed.entry, landed.detail)

    def _membership(self, root: Case, entry: Entry, detail: str) -> Membership:
        until = self._standing.fresh_until(root.repository, root.resource, entry)
        return Membership(validated_at=entry.validated_at, fresh_until=until, detail=detail)

    # --- roots ------------------------------------------------------------------------------------------------------

    async def landed(self, order: Order, flight: Flight, stand_in: Entry | None) -> Keep:
        """The root that is current when its flight has ended, or took longer than a client waits for what can be told
        it meanwhile. Raises what made it fail where nothing else can be told."""
        done, _ = await asyncio.wait([flight.stored], timeout=order.repository.rules.patience if stand_in else None)
        if not done:
            if stand_in is None or stand_in.gone_at is not None:
                raise UpstreamTimeout(f"{order.subject}: upstream says nothing")
            return Keep(stand_in, "upstream-silent")
        error = flight.stored.exception()
        if error is None:
            return Keep(flight.stored.result(), "")
        if isinstance(flight.fallback, Keep):
            return flight.fallback
        if isinstance(error, StoreFailure) and flight.error is None and self._may_stay(order):
            assert order.entry is not None
            return Keep(order.entry, error.code)
        raise error

    def _may_stay(self, order: Order) -> bool:
        """Whether the root that is here may be told though upstream has a newer one, which could not be stored."""
        if order.entry is None:
            return False
        rules = order.repository.rules
        return stale_for(order.entry, order.resource, rules, self._kit.clock.now()) <= rules.if_error

    # --- clients in the middle of an update -------------------------------------------------------------------------

    def note_reading(self, case: Case, answer: Answer, ask: ClientAsk) -> None:
        """Remember which generation a client begins to read with this answer."""
        resource, entry = case.resource, answer.entry
        if not resource.is_root or entry is None or not ask.client or ask.method != "GET":
            return
        current = self._generations.current(case.repository, resource.key)
        if current is None:
            return
        number = current.number if current.sha256 == entry.sha256 else current.number - 1
        until = self._kit.clock.timestamp() + READER_SECONDS
        self._readings.note(_reader(case.repository, resource.key, ask.client), number, until)

    def _reading_of(self, repository: Repository, root: str, client: str) -> tuple[int, float] | None:
        """The number of the generation, and until when (seconds since the epoch) the client gets it."""
        now = self._kit.clock.timestamp()
        reading = self._readings.find(_reader(repository, root, client), now)
        # A clock that was set back must not make a reading last.
        return reading if reading is not None and reading[1] <= now + READER_SECONDS else None


def _reader(repository: Repository, root: str, client: str) -> str:
    return f"{repository.name}\0{root}\0{client}"


def vouch(answer: Answer, membership: Membership) -> None:
    """Say of a member's answer how good it is: as its root."""
    if answer.entry is not None:
        validated_at = max(answer.entry.validated_at, membership.validated_at)
        answer.entry = replace(answer.entry, validated_at=validated_at)
    answer.fresh_until = membership.fresh_until

"""Files that are published together (policy §4): only the root has freshness, and a member is as good as its root."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from entrepot.cache.answer import Answer, release
from entrepot.cache.ask import ClientAsk
from entrepot.cache.choosing import Choosing
from entrepot.cache.documents import Documents
from entrepot.cache.flight import Flight
from entrepot.cache.flights import Flights
from entrepot.cache.freshness import stale_for
from entrepot.cache.generations import Generations
from entrepot.cache.judging import Case, opened
from entrepot.cache.order import Kit, Order
from entrepot.cache.ordering import Orders
from entrepot.cache.plan import Gone, Keep, Membership, Miss, Serve, next_step
from entrepot.cache.registrar import Registrar
from entrepot.cache.repository import Repository
from entrepot.cache.standing import Standing
from entrepot.errors import Absent, EntrepotError, PolicyError, StoreFailure, UnreadableIndex, UpstreamTimeout
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind, Resource, edition_of

READER_SECONDS = 60.0
"""For how long a client that read a root gets the members that go with it."""


class Groups:
    def __init__(
        self, kit: Kit, flights: Flights, documents: Documents, standing: Standing, orders: Orders, choosing: Choosing
    ) -> None:
        self._kit, self._flights, self._documents, self._standing = kit, flights, documents, standing
        self._orders = orders
        self._choosing, self._annals = choosing, choosing.annals
        registrar = Registrar(kit, flights, documents, choosing)
        self._generations = Generations(kit, flights, documents, orders, registrar, choosing.annals)
        orders.renew = self.renew
        self._readings = kit.readings

    async def order(self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None) -> Order:
        return await self._generations.order(await self._orders.make(repository, resource, entry, seen))

    async def renew(self, repository: Repository, root: Resource | None = None) -> None:
        """Bring all roots that are held up to date, but for those that are: a file was published that none lists. An
        outage leaves them as they are. Of one that is told, held or not, what keeps it from that is raised; not that
        upstream has none."""
        if root is not None:
            with suppress(Absent):
                await self._renew(repository, root.key, named=True)
            return
        due = (self._renew(repository, group.root) for group in self._annals.groups(repository))
        for error in await asyncio.gather(*due, return_exceptions=True):
            if isinstance(error, BaseException) and not isinstance(error, EntrepotError):
                raise error

    async def overtaken(self, repository: Repository, resource: Resource) -> bool:
        """Upstream does not have what is named here by its digest, so it has a newer root: that is brought now. Whether
        this one names the file, too, and it is worth to ask for it once more."""
        plain = repository.plain
        if resource.kind is not Kind.ARTIFACT or repository.rules.network == "offline":
            return False
        if resource.listed_anywhere and await self._documents.stored_fact(plain, resource) is not None:
            await self.renew(plain)
            return False
        naming = await self._naming(plain, resource) if resource.digest is not None else []
        for root in naming:
            with suppress(EntrepotError):
                await self._renew(plain, root, anew=True)
        return bool(naming) and bool(await self._naming(plain, resource))

    async def _naming(self, repository: Repository, resource: Resource) -> list[str]:
        """The keys of the current roots that name a file."""
        found = []
        for group in self._annals.groups(repository):
            roster = await self._annals.roster(repository, group.root, group.number)
            if roster is not None and resource.key in roster.by_key:
                found.append(group.root)
        return found

    async def _renew(self, repository: Repository, key: str, *, named: bool = False, anew: bool = False) -> None:
        """`named`: also one that is not held; `anew`: also one that was asked about a moment ago."""
        root = self._annals.resource_at(repository, key)
        entry = self._documents.find_entry(repository, root) if root is not None else None
        held = entry if entry is not None and entry.gone_at is None else None
        recent = entry is not None and self._documents.is_recent(entry) and not anew
        if root is None or (held is None and not named) or recent:
            return
        case = opened(self._kit.fetcher, repository, root)
        if case.repository.rules.network == "offline":
            return
        order = await self.order(case.repository, case.resource, held, entry)
        flight, _ = self._flights.launch(order)
        await self.landed(order, flight, None)

    # --- members ----------------------------------------------------------------------------------------------------

    async def enter(self, case: Case, ask: ClientAsk) -> tuple[Resource, Membership | None]:
        """The member of the generation that this client reads, and what that is worth; upstream may be asked about the
        root for it. What is in no group, and a member whose root is not stored, stays what it is."""
        repository, resource = case.repository, self._placed(case)
        root = self._root_of(replace(case, resource=resource)) if case.stored_counts and repository.rules.keep else None
        entry = self._documents.find_entry(root.repository, root.resource) if root is not None else None
        if root is None or entry is None or entry.gone_at is not None:
            return resource, None
        reading = self._reading_of(repository, resource.snapshot, ask)
        if reading is None:
            membership = await self._as_good_as(root, entry, ask)
            choice = await self._choosing.choice(repository.plain, resource.snapshot, ask.as_of)
            if membership is None or choice is None or not choice.detail:
                return resource, membership
            reading = choice.held.number, min(membership.fresh_until, choice.until)
        return await self._member_of(case, resource, root, entry, reading)

    async def _member_of(
        self, case: Case, resource: Resource, root: Case, entry: Entry, reading: tuple[int, float]
    ) -> tuple[Resource, Membership | None]:
        number, until = reading
        if number != self._annals.number(case.repository, resource.snapshot):
            former = replace(resource, edition=number)
            kept = self._documents.find_entry(case.repository, former)
            if kept is not None and kept.gone_at is None and not kept.expired and await self._standing.is_sound(kept):
                return former, Membership(validated_at=kept.validated_at, fresh_until=until)
            roster = await self._annals.roster(case.repository.plain, resource.snapshot, number)
            if roster is not None and resource.key in roster.by_key:
                # It is had by its digest, or not at all: the current one would not go with what this client has.
                return former, None
        return resource, self._membership(root, entry, "")

    def _placed(self, case: Case) -> Resource:
        """In the group of the root that upstream has."""
        resource = case.resource
        if not resource.snapshot_else or self._has_root(case, resource.snapshot):
            return resource
        if not self._has_root(case, resource.snapshot_else):
            return resource
        return replace(resource, snapshot=resource.snapshot_else)

    def _has_root(self, case: Case, key: str) -> bool:
        root = self._annals.resource_at(case.repository.plain, key)
        entry = self._documents.find_entry(case.repository, root) if root is not None else None
        return entry is not None and entry.gone_at is None

    def _root_of(self, case: Case) -> Case | None:
        resource, plain = case.resource, case.repository.plain
        if not resource.snapshot or resource.is_root:
            return None
        root = self._annals.resource_at(plain, resource.snapshot)
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

    async def chosen(self, case: Case, answer: Answer, ask: ClientAsk) -> Answer:
        """The answer for a root, from the generation that is old enough; others get what they had. Raises
        UnreadableIndex for a root that was stored when configuration asked less of it."""
        if not case.resource.is_root or answer.entry is None:
            return answer
        answer = await self._chosen(case, answer, answer.entry, ask)
        try:
            if answer.entry is not None:
                await self._annals.rosters.expires(case.repository, case.resource, answer.entry)
        except UnreadableIndex:
            release(answer)
            raise
        return answer

    async def _chosen(self, case: Case, answer: Answer, stored: Entry, ask: ClientAsk) -> Answer:
        choice = await self._choosing.choice(case.repository.plain, case.resource.key, ask.as_of)
        if choice is None or not choice.detail:
            return answer
        entry = await self._choosing.root_of(case.repository, case.resource, choice)
        if entry is None and choice.held.number == self._annals.number(case.repository, case.resource.key):
            return answer
        if entry is None:
            release(answer)
            raise StoreFailure(f"{case.repository.name}/{case.resource.key}: the stored bytes disappeared")
        if entry.sha256 != stored.sha256:
            release(answer)
            former = await self._standing.from_entry(case.repository, case.resource, entry, ask, "")
            if former is None:
                raise StoreFailure(f"{case.repository.name}/{case.resource.key}: the stored bytes disappeared")
            former.trace, former.fresh_until = answer.trace, answer.fresh_until
            answer = former
        answer.fresh_until = min(answer.fresh_until, choice.until)
        answer.trace = replace(answer.trace, detail=answer.trace.detail or choice.detail)
        return answer

    async def chosen_entry(self, case: Case, entry: Entry) -> Entry:
        """The root that clients get where this one is the current."""
        choice = None
        if case.resource.is_root:
            choice = await self._choosing.choice(case.repository.plain, case.resource.key)
        if choice is None:
            return entry
        return await self._choosing.root_of(case.repository, case.resource, choice) or entry

    # --- clients in the middle of an update -------------------------------------------------------------------------

    def note_reading(self, case: Case, answer: Answer, ask: ClientAsk) -> None:
        """Remember which generation a client begins to read with this answer."""
        resource, entry = case.resource, answer.entry
        if not resource.is_root or entry is None or not ask.client or ask.method != "GET":
            return
        current = self._annals.current(case.repository, resource.key)
        if current is None:
            return
        number = current.number if current.sha256 == entry.sha256 else edition_of(entry.key) or current.number - 1
        until = self._kit.clock.timestamp() + READER_SECONDS
        for reader in _readers(case.repository, resource.key, ask):
            self._readings.note(reader, number, until)

    def _reading_of(self, repository: Repository, root: str, ask: ClientAsk) -> tuple[int, float] | None:
        """The number of the generation, and until when (seconds since the epoch) the client gets it."""
        now = self._kit.clock.timestamp()
        found = (self._readings.find(reader, now) for reader in _readers(repository, root, ask))
        reading = next((one for one in found if one is not None), None)
        # A clock that was set back must not make a reading last.
        return reading if reading is not None and reading[1] <= now + READER_SECONDS else None


def _readers(repository: Repository, root: str, ask: ClientAsk) -> list[str]:
    """What a reading is remembered under: the connection, and the address for who opens another one."""
    view = f"\0{ask.as_of.isoformat()}" if ask.as_of is not None else ""
    names = (ask.connection, ask.client) if ask.connection else (ask.client,)
    return [f"{repository.name}\0{root}\0{name}{view}" for name in names]


def vouch(answer: Answer, membership: Membership) -> None:
    """Say of a member's answer how good it is: as its root."""
    if answer.entry is not None:
        validated_at = max(answer.entry.validated_at, membership.validated_at)
        answer.entry = replace(answer.entry, validated_at=validated_at)
    answer.fresh_until = membership.fresh_until

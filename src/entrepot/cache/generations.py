"""New generations of groups: the members are brought before their root is published, in one transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from entrepot.cache.flights import Flights
from entrepot.cache.judging import opened
from entrepot.cache.order import Kit, Order
from entrepot.cache.ordering import Orders
from entrepot.cache.repository import Repository
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.catalog import Published
from entrepot.errors import Absent, EntrepotError, PolicyError, StoreFailure, UpstreamBusy, UpstreamFailure
from entrepot.model.entry import Blob, Entry
from entrepot.model.release import Document
from entrepot.model.resource import Request, Resource, edition_key

MEMBERS_AT_ONCE = 4


class Generations:
    def __init__(self, kit: Kit, flights: Flights, orders: Orders) -> None:
        self._kit, self._flights, self._orders = kit, flights, orders

    def current(self, repository: Repository, root: str) -> Published | None:
        """None also while the catalog is out of order."""
        try:
            return self._kit.catalog.generation_of(repository.name, root)
        except StoreFailure:
            return None

    def number(self, repository: Repository, root: str) -> int:
        current = self.current(repository, root)
        return current.number if current is not None else 0

    def resource_at(self, repository: Repository, key: str) -> Resource | None:
        """What has this key; None where the configuration has changed, and nothing has any more."""
        try:
            found = repository.ecosystem.route(Request(method="GET", path=key))
        except EntrepotError:
            return None
        return found if isinstance(found, Resource) else None

    def order(self, order: Order) -> Order:
        """The order for a root or a member, so that what comes goes where it belongs."""
        resource = order.resource
        if not resource.snapshot or resource.edition or not order.repository.rules.keep:
            return order
        if resource.is_root:
            renewal = _Renewal(self, order)
            return replace(order, examine=renewal.bring, put=renewal.publish)
        number = self.number(order.repository, resource.snapshot)

        async def put(entry: Entry, blob: Blob) -> None:
            await self._put_member(order.repository, number, entry, blob)

        # A 304 could speak of another generation's bytes than those that it would vouch for.
        return replace(order, conditional=False, put=put)

    async def _put_member(self, repository: Repository, number: int, entry: Entry, blob: Blob) -> None:
        """Into the generation that was current when it was asked for."""
        if self.number(repository, entry.snapshot) != number:
            entry = replace(entry, key=edition_key(entry.key, number), aside_at=self._kit.clock.now())
        await self._kit.catalog.put_stored(entry, blob, remember=False)

    async def bring(self, repository: Repository, root: str, number: int) -> list[Entry]:
        """The members that the next generation will have, set aside under its number. Raises what one of them lacks."""
        members = self._kit.catalog.members_of(repository.name, root)
        turns = asyncio.Semaphore(MEMBERS_AT_ONCE)

        async def bring(member: Entry) -> Entry | None:
            async with turns:
                return await self._bring_member(repository.plain, member, number)

        found: Sequence[Entry | BaseException | None] = await asyncio.gather(
            *(bring(member) for member in members if member.gone_at is None), return_exceptions=True
        )
        for one in found:
            if isinstance(one, EntrepotError) and not isinstance(one, StoreFailure):
                # Not as it is: what is wrong with a member says nothing of the root.
                subject, reason = f"{repository.name}/{root}", f"not published without its members: {one}"
                wait = one.retry_after
                busy = UpstreamBusy(subject, wait, reason) if wait is not None else None
                raise (busy or UpstreamFailure(f"{subject}: {reason}")) from one
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if isinstance(one, Entry)]

    async def _bring_member(self, repository: Repository, member: Entry, number: int) -> Entry | None:
        """None: the next generation has no such member."""
        resource = self.resource_at(repository, member.key)
        if resource is None or resource.snapshot != member.snapshot:
            return None
        aside = replace(resource, edition=number)
        now: datetime = self._kit.clock.now()
        # What an attempt that failed has brought need not be brought again.
        known = self._kit.catalog.find_entry(repository.name, aside.stored_key)
        if known is None or known.gone_at is not None:
            known = replace(member, key=aside.stored_key)
        try:
            case = opened(self._kit.fetcher, repository, resource)
            order = await self._orders.make(case.repository, aside, replace(known, aside_at=now, failures=0), None)
            # Only what this attempt brings, or asks about, counts.
            flight, _ = self._flights.launch(replace(order, seen=now))
            return await asyncio.shield(flight.stored)
        except (Absent, PolicyError):
            return None

    async def publish(self, order: Order, entry: Entry, blob: Blob, members: Sequence[Entry]) -> None:
        current = self.current(order.repository, entry.key)
        generation = Published(
            repository=entry.repository,
            root=entry.key,
            number=(current.number if current is not None else 0) + 1,
            sha256=entry.sha256,
            published_at=self._kit.clock.now(),
        )
        await self._kit.catalog.publish(generation, entry, blob, members)

    async def put_root(self, entry: Entry, blob: Blob) -> None:
        """The root once more, as it was."""
        await self._kit.catalog.put_stored(entry, blob, remember=False)


class _Renewal:
    """One download of a root."""

    def __init__(self, generations: Generations, order: Order) -> None:
        self._generations, self._order = generations, order
        self._members: list[Entry] = []

    async def bring(self, blob: OpenBlob, document: Document) -> None:
        """Before the new root leaves. Raises what makes it impossible to publish it."""
        repository, root = self._order.repository, self._order.resource.key
        if not self._is_current(blob.sha256):
            number = self._generations.number(repository, root) + 1
            self._members = await self._generations.bring(repository, root, number)

    async def publish(self, entry: Entry, blob: Blob) -> None:
        if self._is_current(entry.sha256):
            await self._generations.put_root(entry, blob)
        else:
            await self._generations.publish(self._order, entry, blob, self._members)

    def _is_current(self, sha256: str) -> bool:
        """Whether upstream has no other root than the one that its members here go with."""
        known = self._order.entry
        if known is not None and known.sha256 == sha256:
            return True
        current = self._generations.current(self._order.repository, self._order.resource.key)
        return current is not None and current.sha256 == sha256

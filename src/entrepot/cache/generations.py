"""New generations of groups: the members are here before their root is published, in one transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from entrepot.cache.annals import Annals
from entrepot.cache.bringing import LOOKED_UP_AT_ONCE, Bringing
from entrepot.cache.documents import Documents
from entrepot.cache.flights import Flights
from entrepot.cache.order import OVERTAKINGS, Kit, Order, Superseded
from entrepot.cache.ordering import Orders
from entrepot.cache.registrar import Registrar
from entrepot.cache.repository import Repository
from entrepot.cache.rosters import Roster
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.catalog import Published
from entrepot.model.entry import Blob, Entry
from entrepot.model.release import Document
from entrepot.model.resource import Kind, edition_key

MISSING_FAILURES = 6
"""After how many failed renewals in a row (some ten minutes) upstream will not have what its root names any more."""


class Generations:
    def __init__(
        self, kit: Kit, flights: Flights, documents: Documents, orders: Orders, registrar: Registrar, annals: Annals
    ) -> None:
        self._kit, self._documents = kit, documents
        self.registrar, self.annals = registrar, annals
        self.bringing = Bringing(kit, flights, documents, orders, registrar, annals)

    async def order(self, order: Order) -> Order:
        """The order for a root or a member, so that what comes goes where it belongs."""
        order, resource = self.registrar.told(order), order.resource
        if not resource.snapshot or not order.repository.rules.keep or (resource.is_root and resource.edition):
            return order
        if resource.is_root:
            renewal = _Renewal(self, order)
            return replace(order, examine=renewal.bring, put=renewal.publish)
        number = resource.edition or self.annals.number(order.repository, resource.snapshot)
        roster = await self.annals.roster(order.repository.plain, resource.snapshot, number)

        async def put(entry: Entry, blob: Blob) -> None:
            await self._put_member(order.repository, number, entry, blob)

        # A 304 could speak of another generation's bytes than those that it would vouch for.
        fact = roster.fact_of(resource.key) if roster is not None else None
        return replace(order, conditional=False, put=put, fact=fact)

    async def _put_member(self, repository: Repository, number: int, entry: Entry, blob: Blob) -> None:
        """Into the generation that was current when it was asked for."""
        if entry.aside_at is None and self.annals.number(repository, entry.snapshot) != number:
            entry = replace(entry, key=edition_key(entry.key, number), aside_at=self._kit.clock.now())
        await self._kit.catalog.put_stored(entry, blob, remember=False)

    # --- publishing ---------------------------------------------------------------------------------------------------

    async def publish(
        self, order: Order, entry: Entry, blob: Blob, members: Sequence[Entry], roster: Roster | None
    ) -> None:
        current = self.annals.current(order.repository, entry.key)
        generation = Published(
            repository=entry.repository,
            root=entry.key,
            number=(current.number if current is not None else 0) + 1,
            sha256=entry.sha256,
            published_at=self._kit.clock.now(),
        )
        before = await self.annals.roster(order.repository.plain, entry.key, generation.number - 1) if current else None
        await self._kit.catalog.publish(generation, entry, blob, members)
        if roster is not None:
            await self.registrar.name(order.repository.plain, entry, roster)
        if roster is not None and before is not None:
            await self._set_aside(order.repository.plain, before, roster)

    async def _set_aside(self, repository: Repository, before: Roster, roster: Roster) -> None:
        """What has a name of its own in each generation goes with the one that it was named by."""
        now: datetime = self._kit.clock.now()
        for count, member in enumerate(before.by_role.values()):
            if count % LOOKED_UP_AT_ONCE == 0:
                await asyncio.sleep(0)
            if member.resource.kind is Kind.ARTIFACT and member.resource.key not in roster.by_key:
                entry = self._documents.find_entry(repository, member.resource)
                if entry is not None and entry.gone_at is None and entry.aside_at is None:
                    await self._kit.catalog.put_entry(replace(entry, aside_at=now))

    async def put_root(self, entry: Entry, blob: Blob) -> None:
        """The root once more, as it was."""
        await self._kit.catalog.put_stored(entry, blob, remember=False)


class _Renewal:
    """One download of a root."""

    def __init__(self, generations: Generations, order: Order) -> None:
        self._generations, self._order = generations, order
        self._members: list[Entry] = []
        self._roster: Roster | None = None
        self._awaited = ""
        """The digest of a root that is right if it comes once more."""
        self._attempts = 0

    async def bring(self, blob: OpenBlob, document: Document) -> None:
        """Before the new root leaves. Raises what makes it impossible to publish it."""
        repository, root = self._order.repository, self._order.resource.key
        if not self._is_current(blob.sha256) and blob.sha256 != self._awaited:
            plain, number = repository.plain, self._generations.annals.number(repository, root) + 1
            self._roster = await self._generations.annals.rosters.read(plain, root, blob.sha256, document)
            self._attempts += 1
            held = self._order.entry
            # A mirror may have the root long before its members: then clients go on with the generation before.
            patient = held is not None and held.failures < MISSING_FAILURES
            settled = self._attempts > OVERTAKINGS and not patient
            brought = await self._generations.bringing.bring(plain, root, number, self._roster, settled=settled)
            self._members = brought.members
            if brought.unproven:
                self._awaited = blob.sha256
                raise Superseded("whether it still is, now that its members are here")

    async def publish(self, entry: Entry, blob: Blob) -> None:
        if self._is_current(entry.sha256):
            await self._generations.put_root(entry, blob)
        else:
            await self._generations.publish(self._order, entry, blob, self._members, self._roster)

    def _is_current(self, sha256: str) -> bool:
        """Whether upstream has no other root than the one that its members here go with."""
        known = self._order.entry
        if known is not None and known.sha256 == sha256:
            return True
        current = self._generations.annals.current(self._order.repository, self._order.resource.key)
        return current is not None and current.sha256 == sha256

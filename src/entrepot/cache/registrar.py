"""Notes which stored documents list the files of a repository, and has them read behind everybody who waits."""

import logging
from dataclasses import replace
from datetime import datetime

from entrepot.cache.choosing import Choosing
from entrepot.cache.documents import Documents
from entrepot.cache.flights import Flights
from entrepot.cache.order import Kit, Order
from entrepot.cache.repository import Repository
from entrepot.cache.rosters import Roster
from entrepot.contracts.listings import Listed
from entrepot.errors import EntrepotError, StoreFailure
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource

_log = logging.getLogger("entrepot")


class Registrar:
    def __init__(self, kit: Kit, flights: Flights, documents: Documents, choosing: Choosing) -> None:
        self._kit, self._flights, self._documents, self._choosing = kit, flights, documents, choosing

    def told(self, order: Order, root: str = "") -> Order:
        """The order, so that what comes is noted if it lists files. `root`: of the group that it is brought for."""
        if not order.resource.lists or not order.repository.rules.keep:
            return order

        async def landed(entry: Entry) -> None:
            await self.note(order.repository.plain, order.resource, entry, root)

        return replace(order, landed=landed)

    async def note(self, repository: Repository, resource: Resource, entry: Entry, root: str = "") -> None:
        """A document is stored that lists files."""
        named, had_at = root or resource.snapshot, self._kit.clock.now()
        try:
            if not named:
                named, had_at = await self._root_of(repository, entry.sha256)
            listed = Listed(
                repository=repository.name,
                sha256=entry.sha256,
                key=resource.key,
                root=named,
                url=entry.url,
                base=self._documents.base_of(repository, entry),
                content_type=entry.headers.get("content-type"),
                had_at=had_at,
            )
            await self._kit.listings.put(listed)
        except EntrepotError as error:
            _log.warning("what %s/%s lists could not be noted: %s", repository.name, resource.key, error)
            return
        if not self._flights.stopping:
            reading = self._documents.lookup.prepare(repository, listed)
            self._flights.behind(reading, f"reading {repository.name}/{resource.key}")

    async def _root_of(self, repository: Repository, sha256: str) -> tuple[str, datetime]:
        """The root that names a document with this digest (empty: none does), and since when we know of it."""
        annals = self._choosing.annals
        for group in annals.groups(repository):
            roster = await annals.roster(repository, group.root, group.number)
            if roster is not None and sha256 in roster.digests:
                return group.root, group.published_at
            choice = await self._choosing.choice(repository, group.root)
            if choice is not None and await self._choosing.names(repository, group.root, sha256):
                return group.root, choice.held.published_at
        return "", self._kit.clock.now()

    async def name(self, repository: Repository, root: Entry, roster: Roster) -> None:
        """A new root was published: what it names no more is set aside."""
        try:
            digests = roster.digests | {root.sha256}
            await self._kit.listings.name(repository.name, root.key, digests, self._kit.clock.now())
        except StoreFailure as failure:
            _log.warning("what %s/%s names no more could not be noted: %s", repository.name, root.key, failure)

"""All flights of this process: joined, led, or followed where another process leads."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any

from entrepot.cache.absences import absence_of
from entrepot.cache.background import Background
from entrepot.cache.download import Download
from entrepot.cache.flight import Flight
from entrepot.cache.follow import Followed, Follower
from entrepot.cache.naming import owners_of
from entrepot.cache.notes import failure_note
from entrepot.cache.order import Kit, Order
from entrepot.cache.plan import Forbid, after_failure
from entrepot.cache.solo import SoloClaim
from entrepot.contracts.board import Board, Claim, Generation, Watch
from entrepot.errors import Absent, BadContent, EntrepotError, InternalError, StoreFailure, UpstreamFailure
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind

SUSPECTS_KEPT = 10_000

_log = logging.getLogger("entrepot")


class Flights:
    def __init__(self, kit: Kit, board: Board, generation: Generation, background: Background) -> None:
        self._kit, self._board, self._generation, self._background = kit, board, generation, background
        self._flying: dict[str, Flight] = {}
        self._suspects: dict[str, None] = {}
        self._listings: dict[str, dict[Flight, asyncio.Future[None]]] = {}
        """Flights of what lists files, by repository, and what ends when it is noted that they do."""
        self.stopping = False

    def find(self, order: Order) -> Flight | None:
        flight = self._flying.get(_name(order))
        return flight if flight is not None and flight.joinable(0) else None

    def is_suspect(self, subject: str) -> bool:
        """Whether the last attempt brought bytes that were not what they should be."""
        return subject in self._suspects

    def launch(self, order: Order) -> tuple[Flight, bool]:
        """The flight for this order, and whether it was under way already."""
        flight = self.find(order)
        if flight is not None:
            return flight, True
        if self.stopping:
            raise UpstreamFailure(f"{order.subject}: the server is stopping")
        document = order.resource.kind is Kind.INDEX
        limits = self._kit.limits
        window = limits.document_window_bytes if document else limits.window_bytes
        flight = Flight(order.subject, window_limit=window, streamed=not document)
        self._flying[_name(order)] = flight
        if order.resource.lists:
            noted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._listings.setdefault(order.repository.name, {})[flight] = noted
        self._background.spawn(self._fly(order, flight), f"flight {order.subject}")
        return flight, False

    async def settle_listings(self, repository: str) -> bool:
        """Wait for what lists files of a repository and has been sent as a whole: who read it will ask for what it
        lists. Whether there was any."""
        under_way = self._listings.get(repository, {})
        noted = [future for flight, future in under_way.items() if flight.whole]
        if noted:
            await asyncio.wait(noted)
        return bool(noted)

    def behind(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Have something done that nobody waits for, and that ends with the server."""
        self._background.spawn(work, name)

    def stop(self) -> None:
        self.stopping = True

    async def _fly(self, order: Order, flight: Flight) -> None:
        claim: Claim | None = None
        try:
            try:
                claim = await self._claim(order, flight)
                if claim is not None:
                    await self._lead(order, flight, claim)
            except EntrepotError as error:
                await self._failed(order, flight, claim, error)
        except BaseException as error:
            # The edge of a job: whatever happens, nobody may be left waiting.
            self._forget(order, flight)
            if claim is not None:
                claim.end(failure_note(UpstreamFailure(f"{order.subject}: the download was broken off")))
            flight.fail(InternalError(f"{order.subject}: the download was broken off"))
            if isinstance(error, Exception):
                _log.exception("defect in the flight of %s", order.subject)
                return
            raise
        finally:
            self._forget(order, flight)
            noted = self._listings.get(order.repository.name, {}).pop(flight, None)
            if noted is not None and not noted.done():
                noted.set_result(None)

    async def _claim(self, order: Order, flight: Flight) -> Claim | None:
        """The lead; None when another process led and the flight has its end."""
        while True:
            try:
                held = self._board.claim(_name(order))
            except StoreFailure as failure:
                # Better fetched twice than not at all.
                _log.warning("%s is fetched without telling the other processes: %s", order.subject, failure)
                return SoloClaim()
            if not isinstance(held, Watch):
                return held
            try:
                follower = Follower(self._kit.blobs, held, flight, lambda: self._newer(order))
                followed = await follower.run()
                if followed is Followed.HALF:
                    await Download(self._kit, replace(order, entry=None), flight, SoloClaim()).take_over()
                if followed is not Followed.AGAIN:
                    return None
            finally:
                held.close()

    async def _lead(self, order: Order, flight: Flight, claim: Claim) -> None:
        newer = self._newer(order)
        if newer is not None:
            flight.settle(newer)
        elif await Download(self._kit, order, flight, claim).run():
            self._generation.advance()
        self._suspects.pop(order.subject, None)
        self._forget(order, flight)
        claim.end()

    def _newer(self, order: Order) -> Entry | None:
        """What another process, or a flight that just ended, brought since this order was decided."""
        try:
            entry = self._kit.catalog.find_entry(order.repository.name, order.resource.stored_key)
        except StoreFailure:
            return None
        if entry is None or entry.gone_at is not None or entry.failures or entry.expired:
            return None
        owners = owners_of(self._kit.fetcher, order.repository, order.resource.about)
        if entry.upstream not in map(self._kit.fetcher.identity, owners or order.repository.upstreams):
            # What it was decided on was no entry at all: it came through an upstream that is configured no more, or
            # not for this name.
            return None
        return entry if order.seen is None or entry.validated_at > order.seen else None

    async def _failed(self, order: Order, flight: Flight, claim: Claim | None, error: EntrepotError) -> None:
        if isinstance(error, BadContent):
            self._suspects[order.subject] = None
            if len(self._suspects) > SUSPECTS_KEPT:
                self._suspects.pop(next(iter(self._suspects)))
            _log.error("wrong bytes: %s", error)
        if order.entry is not None:
            await self._note_failure(order, order.entry, flight, error)
        elif isinstance(error, Absent):
            self._background.spawn(self._note_absence(order), f"absence of {order.subject}")
        # Forgotten before anybody is told: who comes next starts anew.
        self._forget(order, flight)
        if claim is not None:
            claim.end(failure_note(error))
        flight.fail(error)

    async def _note_failure(self, order: Order, entry: Entry, flight: Flight, error: EntrepotError) -> None:
        now: datetime = self._kit.clock.now()
        flight.fallback = after_failure(entry, error, order.resource, order.repository.rules, now)
        try:
            if isinstance(flight.fallback, Forbid):
                await self._kit.catalog.delete_entries(entry.repository, [entry.key])
            else:
                await self._kit.catalog.put_entry(flight.fallback.entry)
        except StoreFailure as failure:
            _log.warning("the failed validation of %s could not be noted: %s", order.subject, failure)

    async def _note_absence(self, order: Order) -> None:
        """For the day when upstream cannot be asked: clients need a 404 again where they got one before."""
        try:
            known = self._kit.catalog.find_entry(order.repository.name, order.resource.stored_key)
            await self._kit.catalog.put_entry(self._absence(order, known))
        except StoreFailure as failure:
            _log.warning("the absence of %s could not be noted: %s", order.subject, failure)

    def _absence(self, order: Order, known: Entry | None) -> Entry:
        now: datetime = self._kit.clock.now()
        if known is not None and not known.is_absence:
            return replace(known, gone_at=now, next_check_at=None, failures=0, expired=False)
        return absence_of(self._kit.fetcher, order.repository, order.resource, now)

    def _forget(self, order: Order, flight: Flight) -> None:
        if self._flying.get(_name(order)) is flight:
            del self._flying[_name(order)]


def _name(order: Order) -> str:
    return f"{order.repository.name}/{order.resource.stored_key}"

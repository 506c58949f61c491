"""The members of a generation that is to come, brought from the store or from upstream."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from entrepot.cache.annals import Annals
from entrepot.cache.documents import Documents
from entrepot.cache.facts import FileFact
from entrepot.cache.flights import Flights
from entrepot.cache.judging import opened
from entrepot.cache.order import Kit, Superseded
from entrepot.cache.ordering import Orders
from entrepot.cache.registrar import Registrar
from entrepot.cache.repository import Repository
from entrepot.cache.rosters import Roster, fact_of
from entrepot.contracts.ecosystem import Member
from entrepot.errors import (
    Absent,
    BadContent,
    EntrepotError,
    PolicyError,
    StoreFailure,
    UpstreamBusy,
    UpstreamFailure,
)
from entrepot.model.entry import Entry
from entrepot.model.headers import Headers
from entrepot.model.resource import Kind, Resource

MEMBERS_AT_ONCE = 4
LOOKED_UP_AT_ONCE = 200
"""Of what a root names: so many are looked up before others get their turn."""
_OF_BYTES = ("last-modified", "etag", "content-length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    members: list[Entry]
    unproven: bool = False
    """Whether there are some (a signature beside its root) of which only time tells that they go with a root whose
    other members are named: it must still be what upstream has when they are here."""


class Bringing:
    def __init__(
        self, kit: Kit, flights: Flights, documents: Documents, orders: Orders, registrar: Registrar, annals: Annals
    ) -> None:
        self._kit, self._flights, self._documents, self._orders = kit, flights, documents, orders
        self._registrar, self._annals = registrar, annals

    async def bring(
        self, repository: Repository, root: str, number: int, roster: Roster, *, settled: bool
    ) -> "Brought":
        """The members that the next generation will have, set aside under its number. Raises what one of them lacks,
        and Superseded where upstream has other bytes than the root names, or none although that is not `settled`."""
        before = await self._annals.roster(repository, root, number - 1) if number > 1 else None
        named = await self._held(repository, before, roster) if before is not None else []
        loose = [
            self._bring_loose(repository, one, number, may_lack=settled or not roster.by_role)
            for one in self._kit.catalog.members_of(repository.name, root)
            if one.gone_at is None and not _is_named(one.key, before, roster)
        ]
        turns = asyncio.Semaphore(MEMBERS_AT_ONCE)

        async def taking_turns(work: Coroutine[Any, Any, Entry | None]) -> Entry | None:
            async with turns:
                return await work

        work = [*loose, *(self._bring_named(repository, root, one, held, number, settled) for one, held in named)]
        found = await asyncio.gather(*map(taking_turns, work), return_exceptions=True)
        members = [one for one in _sound(found, f"{repository.name}/{root}") if one.aside_at is not None]
        return Brought(members=members, unproven=bool(loose and roster.by_role))

    async def _held(self, repository: Repository, before: Roster, roster: Roster) -> list[tuple[Member, Entry]]:
        """What the new root names, of those roles whose file was held; each with that file."""
        found = []
        for count, (role, member) in enumerate(before.by_role.items()):
            if count % LOOKED_UP_AT_ONCE == 0:
                await asyncio.sleep(0)
            entry = self._documents.find_entry(repository, member.resource)
            if entry is not None and entry.gone_at is None and role in roster.by_role:
                found.append((roster.by_role[role], entry))
        return found

    async def _bring_named(
        self, repository: Repository, root: str, member: Member, held: Entry, number: int, settled: bool
    ) -> Entry | None:
        """None: configuration refuses it, or upstream does not have what it names. Raises Superseded."""
        resource = member.resource
        if resource.kind is not Kind.ARTIFACT:
            resource = replace(resource, edition=number)
        elif known := await self._known(repository, resource):
            return known
        stored = await self._adopt(repository, member, resource, held)
        if stored is not None:
            if resource.lists:
                await self._registrar.note(repository, resource, stored, root)
            return stored
        absent = Superseded(member.role)
        for plainly in (False, True) if member.also is not None else (False,):
            try:
                return await self._fetch(repository, root, resource, fact_of(member, plainly=plainly))
            except Absent as error:
                absent = Superseded(str(error))
            except PolicyError:
                return None
            except BadContent as error:
                raise Superseded(str(error)) from error
        if not settled:
            raise absent
        return None

    async def _known(self, repository: Repository, resource: Resource) -> Entry | None:
        """What has a name of its own and is here; it counts again."""
        known = await self._documents.find_sound(repository, resource)
        if known is not None and known.aside_at is not None:
            known = replace(known, aside_at=None)
            await self._kit.catalog.put_entry(known)
        return known

    async def _adopt(self, repository: Repository, member: Member, resource: Resource, held: Entry) -> Entry | None:
        """The member made of bytes that are here already; None where they are not."""
        sha256 = member.digest.value if member.digest.algorithm == "sha256" else ""
        blob = self._kit.catalog.find_blob(sha256) if sha256 else None
        now: datetime = self._kit.clock.now()
        entry = replace(
            held,
            key=resource.stored_key,
            sha256=sha256,
            validated_at=now,
            failures=0,
            next_check_at=None,
            expired=False,
        )
        if blob is None or not await self._documents.is_sound(entry):
            return None
        if held.sha256 != sha256:
            headers = Headers(field for field in held.headers if field[0] not in _OF_BYTES)
            entry = replace(entry, size_bytes=blob.size_bytes, headers=headers, stored_at=now, published=True)
        entry = replace(entry, snapshot=resource.snapshot, aside_at=now if resource.edition else None)
        await self._kit.catalog.put_stored(entry, blob, remember=False)
        return entry

    async def _fetch(self, repository: Repository, root: str, resource: Resource, fact: FileFact) -> Entry:
        case = opened(self._kit.fetcher, repository, resource)
        order = self._registrar.told(await self._orders.make(case.repository, case.resource, None, None), root)
        # What is named is nothing without its root: not to be found here by another flight that began before.
        flight, _ = self._flights.launch(replace(order, fact=fact, learn=None, seen=self._kit.clock.now()))
        return await asyncio.shield(flight.stored)

    async def _bring_loose(self, repository: Repository, member: Entry, number: int, *, may_lack: bool) -> Entry | None:
        """One that no root names, as upstream has it now. None: the next generation has no such member. Raises
        Superseded where it has to have one: a signature may come after its root."""
        resource = self._annals.resource_at(repository, member.key)
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
            flight, _ = self._flights.launch(replace(self._registrar.told(order), seen=now))
            return await asyncio.shield(flight.stored)
        except Absent as error:
            if not may_lack:
                raise Superseded(str(error)) from error
            return None
        except PolicyError:
            return None


def _is_named(key: str, before: Roster | None, roster: Roster) -> bool:
    return key in roster.by_key or (before is not None and key in before.by_key)


def _sound(found: Sequence[Entry | BaseException | None], subject: str) -> list[Entry]:
    """Those that came. Raises what is wrong with the others."""
    superseded = next((one for one in found if isinstance(one, Superseded)), None)
    if superseded is not None:
        raise superseded
    for one in found:
        if isinstance(one, EntrepotError) and not isinstance(one, StoreFailure):
            # Not as it is: what is wrong with a member says nothing of the root.
            reason = f"not published without its members: {one}"
            wait = one.retry_after
            busy = UpstreamBusy(subject, wait, reason) if wait is not None else None
            raise (busy or UpstreamFailure(f"{subject}: {reason}")) from one
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if isinstance(one, Entry)]

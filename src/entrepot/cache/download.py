"""The leader's work: ask upstream, pass the growing body on, verify it, make it durable."""

import asyncio
import logging
from dataclasses import replace

from entrepot.cache.arrival import Arrival
from entrepot.cache.asking import Asking
from entrepot.cache.editions import Editions
from entrepot.cache.fields import freshened, kept_fields
from entrepot.cache.flight import Flight, Head
from entrepot.cache.freshness import storable
from entrepot.cache.noting import note_down
from entrepot.cache.order import OVERTAKINGS, Kit, Order, Superseded
from entrepot.cache.soundness import hash_of
from entrepot.contracts.board import Claim
from entrepot.contracts.fetcher import UpstreamReply
from entrepot.errors import (
    BadContent,
    BodyCut,
    DigestMismatch,
    EntrepotError,
    NotStorable,
    StoreFailure,
    Unreachable,
    UpstreamFailure,
    UpstreamStatus,
    UpstreamTimeout,
    VersionChanged,
)
from entrepot.model.entry import Blob, Entry, Remembered
from entrepot.model.headers import Headers
from entrepot.model.resource import Kind

_NO_HEADS = frozenset({400, 403, 405, 501})
"""What says nothing of a GET: storage that a redirect leads to may have signed that only."""
OVERTAKING_SECONDS = 0.2
"""Before upstream is asked again for what it was just replacing; after each time a bit longer."""

_log = logging.getLogger("entrepot")


class Download:
    """One leader's flight. `run` raises what made it fail; telling the readers is its caller's part."""

    def __init__(self, kit: Kit, order: Order, flight: Flight, claim: Claim) -> None:
        self._kit, self._order, self._flight, self._claim = kit, order, flight, claim
        self._commands = kit.commands.value()
        self._asking = Asking(kit, order, flight)

    async def run(self) -> bool:
        """True when a stored body was replaced by another one."""
        try:
            return await self._run()
        except BadContent as error:
            if not isinstance(error, DigestMismatch | VersionChanged):
                await self._asking.disown()
            raise

    async def _run(self) -> bool:
        if await self._adopt() or await self._is_unchanged():
            return False
        reply = await self._asking.open(no_cache=self._order.store_first)
        if reply.status == 304 and self._order.entry is not None:
            await reply.close()
            await self._freshen(self._order.entry, reply.headers)
            return False
        try:
            return await self._receive(reply, store_first=self._order.store_first)
        except Superseded as reason:
            return await self._overtake(reason)
        except BadContent:
            if self._flight.released or self._flight.spilling or self._order.store_first:
                raise
        # Nothing left the house yet: a cache on the way may have been at fault, so it is asked around, once.
        reply = await self._asking.open(no_cache=True)
        return await self._receive(reply, store_first=True)

    async def _overtake(self, reason: Superseded) -> bool:
        """Once more, until what came is not yet replaced when all that goes with it is here."""
        for attempt in range(1, OVERTAKINGS + 1):
            await asyncio.sleep(OVERTAKING_SECONDS * attempt)
            try:
                return await self._receive(await self._asking.open(no_cache=True), store_first=True)
            except Superseded as error:
                reason = error
        raise UpstreamFailure(f"{self._order.subject}: upstream published something else each time: {reason}")

    async def take_over(self) -> None:
        """Bring the rest of what another process began and cannot go on with, for the readers that are here."""
        head = self._flight.head.result()
        assert isinstance(head, Head)
        failure = StoreFailure(f"{self._order.subject}: the process that fetched it cannot go on")
        await self._asking.prepare()
        arrival = self._arrival(self._remembered(), store_first=False)
        try:
            await arrival.take_up(head, failure)
            await arrival.verify(await self._bring_rest(arrival, head.headers, failure))
        finally:
            await arrival.discard()
        self._flight.store_failed(failure)

    async def _bring_rest(self, arrival: Arrival, first: Headers, cut: EntrepotError) -> UpstreamReply:
        """The answer that ended the body. Raises what cut it short too often."""
        for _ in range(self._kit.limits.resumes + 1):
            reply = await self._resume(arrival, arrival.resume_fields(first) or [], cut)
            ended = await self._drain(arrival, reply)
            if ended is None:
                return reply
            cut = ended
        raise cut

    async def probe(self) -> UpstreamReply:
        """The fields of the answer only (for a HEAD of what is not stored); closed."""
        reply = await self._asking.open(no_cache=False)
        await reply.close()
        return reply

    @property
    def sha256(self) -> str:
        """Of the body, where an index or the past tells it; else empty."""
        return self._known_sha256()

    # --- bytes that are here already --------------------------------------------------------------------------------

    async def _adopt(self) -> bool:
        """Whether the wanted bytes were in the store already (architecture §6.2)."""
        sha256 = self._known_sha256()
        order = self._order
        if not sha256 or order.entry is not None or order.resource.kind is not Kind.ARTIFACT:
            return False
        remembered = self._remembered()
        if remembered is not None and remembered.sha256 != sha256:
            return False
        try:
            blob = await self._verified_blob(sha256)
        except StoreFailure:
            return False
        if blob is None:
            return False
        entry = await self._confirmed(blob)
        if entry is None:
            return False
        try:
            await note_down(self._kit.catalog.put_stored(entry, blob, remember=True), order.subject)
        except StoreFailure as failure:
            _log.warning("%s was found in the store, which could not be noted: %s", order.subject, failure)
        self._flight.settle(entry)
        if order.landed is not None:
            await order.landed(entry)
        return True

    async def _confirmed(self, blob: Blob) -> Entry | None:
        """The entry of bytes that were here already. Where upstream must say that it has them under this name, None if
        it says nothing of the kind. Raises Absent if it says that it has not."""
        order, upstream = self._order, self._order.repository.upstreams[0]
        if not order.resource.must_be_confirmed:
            url = self._asking.url_at(self._asking.location(), upstream)
            return self._entry_of(blob, Headers(), url, upstream)
        reply = await self._head()
        if reply is None or not self._speaks_of(reply, blob):
            return None
        return self._entry_of(blob, reply.headers, reply.url, self._asking.upstream)

    def _speaks_of(self, reply: UpstreamReply, blob: Blob) -> bool:
        """Whether the answer to a HEAD can be about these bytes: a login page answers everything, and what it says that
        they are would be kept."""
        resource, fields = self._order.resource, reply.headers
        told = self._order.repository.ecosystem.told_digest(fields)
        if told not in (None, resource.digest) or fields.get("content-length") not in ("", str(blob.size_bytes)):
            return False
        kind = fields.get("content-type").partition(";")[0].strip().lower()
        return kind in resource.accepts.split(", ") if resource.accepts else kind != "text/html"

    async def _is_unchanged(self) -> bool:
        """Whether a HEAD, which upstream does not count, tells that what is stored is what upstream has."""
        order, entry = self._order, self._order.entry
        if not order.resource.probed or entry is None or not order.conditional:
            return False
        reply = await self._head()
        if reply is None or not self._is_of(reply, entry):
            return False
        await self._freshen(entry, reply.headers)
        return True

    def _is_of(self, reply: UpstreamReply, entry: Entry) -> bool:
        told = self._order.repository.ecosystem.told_digest(reply.headers)
        if reply.status == 304 or (told is not None and told.algorithm == "sha256"):
            return reply.status == 304 or (told is not None and told.value == entry.sha256)
        validator = reply.headers.get("etag")
        return bool(validator) and not validator.startswith("W/") and validator == entry.headers.get("etag")

    async def _head(self) -> UpstreamReply | None:
        """What upstream says of the bytes without sending them; None where it says nothing to HEAD. Raises Absent."""
        asking = Asking(self._kit, replace(self._order, method="HEAD"), self._flight)
        try:
            reply = await asking.open(no_cache=False)
        except UpstreamStatus as error:
            if error.upstream_status in _NO_HEADS:
                return None
            raise
        await reply.close()
        self._asking.upstream = asking.upstream
        return reply

    async def _verified_blob(self, sha256: str) -> Blob | None:
        opened = self._kit.blobs.open(sha256)
        if opened is None:
            return None
        try:
            known = self._kit.catalog.find_blob(sha256)
            fingerprint = opened.fingerprint()
            if fingerprint is None:
                return None
            if known is not None and known.fingerprint == fingerprint:
                return known
            if await asyncio.to_thread(hash_of, opened) != sha256:
                self._kit.blobs.quarantine(sha256)
                return None
            return Blob(sha256=sha256, size_bytes=opened.size_bytes, fingerprint=fingerprint)
        finally:
            opened.close()

    def _known_sha256(self) -> str:
        digest = self._order.resource.digest
        if digest is not None and digest.algorithm == "sha256":
            return digest.value
        if self._asking.fact is not None and self._asking.fact.sha256:
            return self._asking.fact.sha256
        if self._asking.fact is not None and self._asking.fact.digests:
            remembered = self._remembered()
            return remembered.sha256 if remembered else ""
        return ""

    def _remembered(self) -> Remembered | None:
        """What this name was before. With the catalog gone nothing but a published digest can judge the bytes."""
        if self._order.resource.kind is not Kind.ARTIFACT or self._is_vouched_for():
            return None
        try:
            return self._kit.catalog.find_remembered(self._order.repository.name, self._order.resource.stored_key)
        except StoreFailure:
            if self._order.resource.digest or (self._asking.fact and self._asking.fact.digests):
                return None
            raise

    def _is_vouched_for(self) -> bool:
        """Whether what lists the file (and is checked along a chain of digests) outweighs what its name was before."""
        fact = self._asking.fact
        return self._order.resource.listed_anywhere and fact is not None and bool(fact.digests)

    # --- receiving --------------------------------------------------------------------------------------------------

    async def _freshen(self, entry: Entry, headers: Headers) -> None:
        """After a 304."""
        entry = replace(
            entry,
            headers=freshened(entry.headers, headers),
            validated_at=self._kit.clock.now(),
            next_check_at=None,
            failures=0,
            expired=self._is_commanded(),
            gone_at=None,
        )
        try:
            await note_down(self._kit.catalog.put_entry(entry), self._order.subject)
            entry = await self._commanded(entry)
        except StoreFailure as failure:
            _log.warning("the validation of %s could not be noted: %s", self._order.subject, failure)
        self._flight.settle(entry)

    async def _receive(self, reply: UpstreamReply, *, store_first: bool) -> bool:
        arrival = self._arrival(await self._remembered_for(reply), store_first=store_first)
        try:
            first, last = await self._pump(arrival, reply)
            await arrival.verify(last)
            # What the body is, its first answer tells: one that only continues it need not say (RFC 9110 §15.3.7).
            return await self._commit(arrival, first)
        finally:
            await arrival.discard()

    def _arrival(self, remembered: Remembered | None, *, store_first: bool) -> Arrival:
        return Arrival(
            self._kit,
            self._order,
            self._flight,
            self._claim,
            fact=self._asking.fact,
            remembered=remembered,
            store_first=store_first,
        )

    async def _remembered_for(self, reply: UpstreamReply) -> Remembered | None:
        try:
            return self._remembered()
        except StoreFailure:
            await reply.close()
            raise

    async def _pump(self, arrival: Arrival, reply: UpstreamReply) -> tuple[UpstreamReply, UpstreamReply]:
        """Take the body in, resuming where it breaks; the answer that began it and the one that ended it, closed."""
        first, resumes = reply, 0
        await self._begin(arrival, reply)
        while (cut := await self._drain(arrival, reply)) is not None:
            resumes += 1
            if resumes > self._kit.limits.resumes:
                raise cut
            fields = arrival.resume_fields(first.headers)
            if fields is None:
                reply = first = await self._restart(arrival, cut)
            else:
                reply = await self._resume(arrival, fields, cut)
        return first, reply

    async def _begin(self, arrival: Arrival, reply: UpstreamReply) -> None:
        try:
            await arrival.begin(reply)
        except BaseException:
            await reply.close()
            raise

    async def _drain(self, arrival: Arrival, reply: UpstreamReply) -> EntrepotError | None:
        """Everything this reply brings; what cut it short, or None at its end."""
        try:
            async for chunk in reply.chunks():
                self._order.counts.upstream_bytes += len(chunk)
                self._flight.trace.bytes += len(chunk)
                await arrival.take(chunk)
        except (BodyCut, UpstreamTimeout, Unreachable) as cut:
            return cut
        finally:
            await reply.close()
        return None

    async def _restart(self, arrival: Arrival, cut: EntrepotError) -> UpstreamReply:
        """A document comes again from its start; what was kept in memory for want of a disk could not be taken back."""
        if self._flight.spilling:
            raise cut
        await arrival.discard()
        reply = await self._asking.again()
        if reply.status != 200:
            await reply.close()
            raise cut
        await self._begin(arrival, reply)
        return reply

    async def _resume(self, arrival: Arrival, fields: list[tuple[str, str]], cut: EntrepotError) -> UpstreamReply:
        reply = await self._asking.rest(fields)
        if not arrival.continues_with(reply):
            await reply.close()
            raise cut
        return reply

    # --- keeping ----------------------------------------------------------------------------------------------------

    async def _commit(self, arrival: Arrival, reply: UpstreamReply) -> bool:
        """Durable first, then known: blob, then entry. Failing here costs the store, not the readers."""
        order = self._order
        if not storable(200, reply.headers, order.resource, order.repository.rules):
            self._flight.store_failed(NotStorable(f"{order.subject}: upstream or configuration forbids storing it"))
            return False
        try:
            blob = await arrival.commit()
            entry = self._entry_of(blob, reply.headers, reply.url, self._asking.upstream)
            if order.put is not None:
                put = order.put(entry, blob)
            else:
                put = self._kit.catalog.put_stored(entry, blob, remember=order.resource.kind is Kind.ARTIFACT)
            # Readers of an index wait for it to be stored; those of anything else are being served.
            await (note_down(put, order.subject) if order.resource.kind is Kind.INDEX else put)
            if order.resource.probed:
                await Editions(self._kit).keep(order, entry, blob)
            entry = await self._commanded(entry)
        except StoreFailure as failure:
            _log.warning("%s was served and not stored: %s", order.subject, failure)
            self._flight.store_failed(failure)
            return False
        await self._accept(entry)
        self._flight.stored.set_result(entry)
        if order.landed is not None:
            await order.landed(entry)
        return order.entry is not None and order.entry.sha256 != entry.sha256

    def _is_commanded(self) -> bool:
        """Whether an operator had something marked or deleted since upstream was asked. This may have been meant, and
        was not there to be found: upstream is asked again before its next use. A member of a group is as its root has
        it, and whoever reads that generation needs it as it is."""
        resource = self._order.resource
        is_member = bool(resource.snapshot) and not resource.is_root
        return not is_member and self._kit.commands.value() != self._commands

    async def _commanded(self, entry: Entry) -> Entry:
        """The same for a command that came while the entry was being noted."""
        stored = self._kit.catalog.find_entry(entry.repository, entry.key) if self._is_commanded() else None
        if stored is None or stored.expired:
            return entry
        marked = replace(stored, expired=True)
        await note_down(self._kit.catalog.put_entry(marked), self._order.subject)
        return marked

    async def _accept(self, entry: Entry) -> None:
        """Remember what came where something else is remembered, and what lists it says that this is right."""
        repository, key = entry.repository, entry.key
        if not self._is_vouched_for():
            return
        try:
            known = self._kit.catalog.find_remembered(repository, key)
            if known is None or known.sha256 == entry.sha256:
                return
            _log.warning("%s/%s: upstream replaced %s by %s", repository, key, known.sha256, entry.sha256)
            fresh = Remembered(sha256=entry.sha256, size_bytes=entry.size_bytes, first_seen=entry.stored_at)
            await note_down(self._kit.catalog.accept(repository, key, fresh), self._order.subject)
        except StoreFailure as failure:
            _log.warning("that %s was replaced could not be noted: %s", self._order.subject, failure)

    def _entry_of(self, blob: Blob, headers: Headers, url: str, upstream: str) -> Entry:
        order, now = self._order, self._kit.clock.now()
        digests = bool(order.resource.digest or (self._asking.fact and self._asking.fact.digests))
        version = self._version_of_file()
        return Entry(
            repository=order.repository.name,
            key=order.resource.stored_key,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            headers=kept_fields(headers, decoded=order.resource.kind is Kind.INDEX),
            url=url,
            upstream=self._kit.fetcher.identity(upstream),
            stored_at=now,
            validated_at=now,
            expired=self._is_commanded(),
            published=digests,
            package=order.resource.about if version else "",
            version=version,
            snapshot=order.resource.snapshot,
            aside_at=now if order.resource.edition else None,
        )

    def _version_of_file(self) -> str:
        """The version that the catalog lists the file under; empty for what belongs to none."""
        resource, fact = self._order.resource, self._asking.fact
        if resource.kind is not Kind.ARTIFACT:
            return ""
        return resource.version or (fact.version if fact else "")

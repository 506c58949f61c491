"""A body on its way in: written and hashed as it grows, released as far as it is allowed, verified at its end."""

import asyncio
import logging
from contextlib import ExitStack

from entrepot.cache.blobio import Readable, Spilled, open_as_file
from entrepot.cache.decoding import Decoder, decoder_of
from entrepot.cache.facts import FileFact, guarded
from entrepot.cache.fields import is_stray_page, kept_fields
from entrepot.cache.flight import Flight, Head
from entrepot.cache.notes import failure_note, head_note
from entrepot.cache.order import Kit, Order
from entrepot.contracts.blobs import GrowingBlob, OpenBlob
from entrepot.contracts.board import Claim
from entrepot.contracts.fetcher import UpstreamReply
from entrepot.errors import BadContent, BodyCut, DigestMismatch, NotStorable, StoreFailure, TooBig, VersionChanged
from entrepot.model.digest import Digest, RunningHash
from entrepot.model.entry import Blob, Remembered
from entrepot.model.headers import Headers
from entrepot.model.release import Document
from entrepot.model.resource import Kind

_log = logging.getLogger("entrepot")


class Arrival:
    """One attempt to take a body in. Everything that arrives goes through `take`."""

    def __init__(
        self,
        kit: Kit,
        order: Order,
        flight: Flight,
        claim: Claim,
        *,
        fact: FileFact | None,
        remembered: Remembered | None,
        store_first: bool,
    ) -> None:
        self._kit, self._order, self._flight, self._claim = kit, order, flight, claim
        self._fact, self._remembered = fact, remembered
        self._wanted = _published(order, fact)
        self._is_document = order.resource.kind is Kind.INDEX
        self._store_first = store_first or self._is_document or order.resource.examined or order.examine is not None
        self._blob: GrowingBlob | None = None
        self._file: OpenBlob | None = None
        self._shown: OpenBlob | None = None
        """What the flight gets, and closes."""
        self._failure: StoreFailure | None = None
        self._spilled: Spilled | None = None
        """What is examined, where the disk took only some of it; the window bounds how much else there is."""
        self._hash = RunningHash()
        self._decoder: Decoder | None = None
        self._total: int | None = None
        self._size = 0
        self._repeated = 0
        """How many bytes of a repeated body are still to be compared with what is here already."""

    # --- begin ------------------------------------------------------------------------------------------------------

    async def begin(self, reply: UpstreamReply) -> None:
        """The answer's fields are there. Called again when a document has to come again from its start."""
        self._size = self._repeated = 0
        self._take_word(reply)
        self._check_claims(reply)
        await self._open_blob(reply)
        head = Head(
            headers=kept_fields(reply.headers, decoded=False),
            url=reply.url,
            total=self._total,
            sha256=self._sha256_wanted(),
            held=self._holds_all(),
        )
        if self._blob is None or self._failure is not None:
            self._flight.begin(head, None)
            return
        self._flight.begin(head, self._shown)
        self._announce(head, self._blob.path)

    def _take_word(self, reply: UpstreamReply) -> None:
        """Of a file, upstream's own fields may tell the digest."""
        told = None if self._is_document else self._order.repository.ecosystem.told_digest(reply.headers)
        if told is not None:
            self._wanted = tuple(dict.fromkeys((*_published(self._order, self._fact), told)))

    async def take_up(self, head: Head, failure: StoreFailure) -> None:
        """Go on where another process, whose growing file was read along, cannot; in memory."""
        self._total, self._size = head.total, self._flight.released
        self._hash = RunningHash([digest.algorithm for digest in self._wanted])
        await asyncio.to_thread(self._hash_first_part)
        self._give_up_storing(failure)

    def _hash_first_part(self) -> None:
        done = 0
        while done < self._size:
            piece = self._flight.read_wait(done, min(1 << 20, self._size - done))
            if not piece:
                raise StoreFailure(f"{self._order.subject}: its first part is gone")
            self._hash.update(piece)
            done += len(piece)

    def _announce(self, head: Head, path: str) -> None:
        try:
            self._claim.announce(head_note(head, path))
        except StoreFailure as failure:
            # Other processes cannot read along then: they wait for what will be stored.
            _log.warning("%s: %s", self._order.subject, failure)

    def _check_claims(self, reply: UpstreamReply) -> None:
        """What the answer's fields alone prove wrong."""
        coding = reply.headers.get("content-encoding")
        length = reply.headers.get("content-length")
        resource, subject = self._order.resource, self._order.subject
        tells = length.isascii() and length.isdigit() and not (self._is_document and coding)
        self._total = int(length) if tells else None
        if self._fact and self._fact.size_bytes is not None and self._total not in (None, self._fact.size_bytes):
            raise DigestMismatch(subject, f"{self._fact.size_bytes} bytes", f"{self._total} bytes")
        limits = self._order.repository.limits
        cap = limits.parsed_index_bytes if self._is_document else limits.artifact_bytes
        if cap is not None and (self._total or 0) > cap:
            raise TooBig(f"{subject}: {self._total} bytes are more than the {cap} that are allowed")
        if is_stray_page(resource, reply.headers):
            raise BadContent(f"{subject}: upstream sent a web page where a file belongs")

    async def _open_blob(self, reply: UpstreamReply) -> None:
        algorithms = [digest.algorithm for digest in self._wanted]
        self._hash = RunningHash(algorithms)
        limits = self._order.repository.limits
        cap = limits.parsed_index_bytes if self._is_document else limits.artifact_bytes
        coding = reply.headers.get("content-encoding") if self._is_document else ""
        self._decoder = decoder_of(coding, self._order.subject, cap) if cap is not None else None
        try:
            self._blob, self._file, self._shown = await asyncio.to_thread(self._create)
        except StoreFailure as failure:
            self._give_up_storing(failure)

    def _create(self) -> tuple[GrowingBlob, OpenBlob, OpenBlob]:
        """A temporary file, a reader for what is checked here, and one for all who read along."""
        with ExitStack() as undoing:
            blob = self._kit.blobs.create()
            undoing.callback(blob.discard)
            own = blob.reader()
            undoing.callback(own.close)
            shown = blob.reader()
            undoing.pop_all()
        return blob, own, shown

    def _sha256_wanted(self) -> str:
        named = next((digest.value for digest in self._wanted if digest.algorithm == "sha256"), "")
        return named or (self._remembered.sha256 if self._remembered else "")

    # --- take -------------------------------------------------------------------------------------------------------

    async def take(self, chunk: bytes) -> None:
        if self._repeated:
            chunk = await self._compare(chunk)
        if not chunk:
            return
        if self._decoder is None:
            await self._append(chunk)
        else:
            for piece in self._decoder.decode(chunk):
                if piece:
                    await self._append(piece)

    async def _append(self, data: bytes) -> None:
        if self._failure is None:
            try:
                await asyncio.to_thread(self._write, data)
            except StoreFailure as failure:
                self._give_up_storing(failure)
        if self._failure is not None:
            self._hash.update(data)
            await self._flight.spill(data)
            if self._spilled is not None:
                self._spilled.rest += data
        self._size += len(data)
        released = self._releasable()
        self._flight.advance(self._size, released)
        self._claim.advance(released)

    def _write(self, data: bytes) -> None:
        assert self._blob is not None
        self._blob.append(data)
        self._hash.update(data)

    def _give_up_storing(self, failure: StoreFailure) -> None:
        """The disk failed: from here the body lives in memory, as long as somebody reads it. Other processes cannot
        read that memory: they are told, and fetch for themselves."""
        _log.warning("%s is served from memory: %s", self._order.subject, failure)
        self._failure = failure
        self._spilled = Spilled(self._file, self._size) if self._order.resource.examined else None
        self._flight.spill_from(self._size)
        self._claim.end(failure_note(failure))

    def _holds_all(self) -> bool:
        """Whether nothing leaves yet: small things that can still turn out wrong, where that can then be told, or a
        stored edition served instead."""
        judged = bool(self._wanted or self._remembered or self._order.entry)
        size = self._size if self._total is None else self._total
        return self._store_first or (judged and size <= self._kit.limits.whole_bytes)

    def _releasable(self) -> int:
        """How far readers may go before the digest is known to agree."""
        limits = self._kit.limits
        if self._holds_all():
            return 0
        if not (self._wanted or self._remembered):
            return self._size
        if self._total is not None:
            return min(self._size, max(0, self._total - limits.held_bytes))
        return max(0, self._size - limits.held_bytes)

    # --- resume -----------------------------------------------------------------------------------------------------

    def resume_fields(self, first: Headers) -> list[tuple[str, str]] | None:
        """Fields that ask for the rest only; empty: the whole has to come again; None: begin again from nothing."""
        if self._is_document:
            return None
        validator = first.get("etag")
        if not validator or validator.startswith("W/"):
            validator = first.get("last-modified")
        if not validator and not self._wanted and not self._remembered:
            # Nothing would tell that the rest belongs to the same bytes, except having all of them again.
            return []
        fields = [("range", f"bytes={self._size}-")]
        return [*fields, ("if-range", validator)] if validator else fields

    def continues_with(self, reply: UpstreamReply) -> bool:
        """Whether this answer brings the rest; a repeated whole body is compared with what is here."""
        if reply.status == 200 and self._flight.in_file:
            self._repeated = self._size
            return True
        if reply.status != 206:
            return False
        unit, _, rest = reply.headers.get("content-range").partition(" ")
        span, _, total = rest.partition("/")
        starts = span.partition("-")[0] == str(self._size)
        return unit == "bytes" and starts and (self._total is None or total in ("*", str(self._total)))

    async def _compare(self, chunk: bytes) -> bytes:
        read = self._file.read if self._file is not None else self._flight.read_wait
        known, rest = chunk[: self._repeated], chunk[self._repeated :]
        at = self._size - self._repeated
        if await asyncio.to_thread(read, at, len(known)) != known:
            raise BadContent(f"{self._order.subject}: upstream changed the bytes while they were being sent")
        self._repeated -= len(known)
        return rest

    # --- the end ----------------------------------------------------------------------------------------------------

    async def verify(self, reply: UpstreamReply) -> None:
        """Release the held piece, if the bytes are what they should be; raises what is wrong with them."""
        if self._decoder is not None:
            self._decoder.finish()
        if self._repeated or (self._total is not None and self._size != self._total):
            raise BodyCut(f"{self._order.subject}: {self._size} bytes of {self._total} arrived")
        await self._check_digests()
        await self._examine(reply)
        if not reply.delimited and not self._wanted:
            self._failure = self._failure or NotStorable(
                f"{self._order.subject}: its end cannot be told for sure, so it is not kept"
            )
        self._flight.finish(self._size)
        self._claim.whole(self._size)

    async def _check_digests(self) -> None:
        subject = self._order.subject
        for wanted in self._wanted:
            got = self._hash.value(wanted.algorithm) if wanted.of_bytes else await self._check_contents(wanted)
            if got is not None and got != wanted:
                self._order.counts.mismatches += 1
                raise DigestMismatch(subject, str(wanted), str(got))
        if self._remembered is not None and self._remembered.sha256 != self._hash.sha256:
            self._order.counts.mismatches += 1
            raise VersionChanged(subject, f"sha256:{self._remembered.sha256}", f"sha256:{self._hash.sha256}")

    async def _check_contents(self, wanted: Digest) -> Digest | None:
        if self._file is None or self._failure is not None:
            raise StoreFailure(f"{self._order.subject}: its contents cannot be checked without the disk")
        file = open_as_file(self._file, self._size)
        check = self._order.repository.ecosystem.check
        return await asyncio.to_thread(guarded, check, self._order.subject, self._order.resource, file, wanted)

    async def _examine(self, reply: UpstreamReply) -> None:
        order, file = self._order, self._file if self._failure is None else None
        looked_at = order.examine is not None or order.resource.examined
        body: Readable | None = file if looked_at and file is not None else self._spilled
        if body is None:
            return
        if order.entry is not None and order.entry.sha256 == self._hash.sha256:
            return
        document = Document(
            body=open_as_file(body, self._size),
            content_type=reply.headers.get("content-type"),
            url=reply.url,
            key=order.resource.key,
            upstream=self._kit.fetcher.base_url(self._flight.trace.upstream),
        )
        if order.examine is None or file is None:
            # Where the disk failed nothing is published, but what leaves is looked at all the same.
            examine = order.repository.ecosystem.examine
            await asyncio.to_thread(guarded, examine, order.subject, order.resource, document)
        else:
            await order.examine(_Sized(file, self._size, self._hash.sha256), document)

    async def commit(self) -> Blob:
        """Raises StoreFailure, also where the disk failed on the way."""
        if self._failure is not None or self._blob is None:
            raise self._failure or StoreFailure(f"{self._order.subject}: nothing was written")
        blob = await asyncio.to_thread(self._blob.commit, self._hash.sha256)
        # Nothing is left that would have to be discarded.
        self._blob = None
        return blob

    async def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._blob is None:
            return
        try:
            await asyncio.shield(asyncio.to_thread(self._blob.discard))
        except StoreFailure as failure:
            # The next start tidies up; who read the bytes has them.
            _log.warning("%s: a temporary file stays behind: %s", self._order.subject, failure)
        self._blob = None


class _Sized:
    """A growing blob's reader with the size and digest it has now."""

    def __init__(self, blob: OpenBlob, size_bytes: int, sha256: str) -> None:
        self._blob, self.size_bytes, self.sha256, self.path = blob, size_bytes, sha256, blob.path
        self.read_now, self.read, self.fingerprint, self.close = blob.read_now, blob.read, blob.fingerprint, blob.close


def _published(order: Order, fact: FileFact | None) -> tuple[Digest, ...]:
    """The digests to check: what the name itself says, and the strongest that the index says."""
    named = (order.resource.digest,) if order.resource.digest else ()
    listed = (fact.strongest,) if fact is not None and fact.strongest else ()
    return tuple(dict.fromkeys((*named, *listed)))

"""What goes through us without being kept: pass-throughs, and ranges far ahead of a download."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from entrepot.cache.answer import Answer, Streamed, Trace
from entrepot.cache.contact import check_contact
from entrepot.cache.counters import Counts
from entrepot.cache.flight import Flight, Head
from entrepot.cache.naming import candidates, may_tell
from entrepot.cache.order import Kit, Order, url_of
from entrepot.cache.ranges import Span
from entrepot.cache.repository import Repository
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.errors import EntrepotError
from entrepot.model.headers import Headers
from entrepot.model.resource import BASE, Reply, Resource

_SENT_ON = ("accept", "content-type", "content-encoding", "user-agent", "npm-in-ci", "npm-command")
_SENT_BACK = ("content-type", "content-encoding", "content-length", "cache-control", "retry-after", "vary")


class Passing:
    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def forward(
        self, repository: Repository, resource: Resource, method: str, headers: Headers, body: bytes, counts: Counts
    ) -> Answer:
        """One request, one answer, whatever its status. Of the client's fields only harmless ones go on."""
        check_contact(repository, resource)
        upstream = candidates(self._kit, repository, resource)[0]
        if repository.reserved.reservations:
            scrubbed = await self._scrub(repository, resource, upstream, body, headers.get("content-encoding"))
            if isinstance(scrubbed, Reply):
                return _answered(scrubbed, resource)
            body = scrubbed
        fields = [(name, headers.get(name)) for name in _SENT_ON if name in headers]
        ask = Ask(
            upstream=upstream,
            url=url_of(resource, None, self._kit.fetcher.base_url(upstream)),
            method=method,
            headers=Headers(fields),
            body=body or None,
            learned=resource.origin != BASE,
            patient=False,
        )
        counts.upstream_requests += 1
        try:
            reply = await self._kit.fetcher.send(ask)
        except EntrepotError:
            counts.upstream_errors += 1
            raise
        answer = _streamed(reply, counts)
        answer.trace = Trace(outcome="pass", key=resource.key, upstream=upstream, upstream_status=reply.status)
        return answer

    async def _scrub(
        self, repository: Repository, resource: Resource, upstream: str, body: bytes, encoding: str
    ) -> bytes | Reply:
        """The body without names that this upstream may not be told. Raises BadRequest for one that cannot be read."""
        scrub, tells = repository.ecosystem.scrub, may_tell(self._kit.fetcher, repository, upstream)
        return await asyncio.to_thread(scrub, resource, body, encoding, tells)

    async def span(self, order: Order, flight: Flight, head: Head, span: Span) -> Streamed | None:
        """A range that lies far ahead of its download, as an upstream range of its own; None where upstream, or our
        part in it, does not allow that: then it is to be waited for."""
        if flight.asked is None or order.repository.rules.network == "offline":
            return None
        asked = [item for item in flight.asked.headers if not item[0].startswith("if-") and item[0] != "range"]
        fields = [*asked, ("range", f"bytes={span.start}-{span.end - 1}")]
        if head.headers.get("etag").startswith('"'):
            # Of the same bytes that are arriving, or none.
            fields.append(("if-range", head.headers.get("etag")))
        order.counts.upstream_requests += 1
        try:
            reply = await self._kit.fetcher.send(replace(flight.asked, headers=Headers(fields)))
        except EntrepotError:
            order.counts.upstream_errors += 1
            return None
        told = f"bytes {span.start}-{span.end - 1}/{head.total}"
        if reply.status != 206 or reply.headers.get("content-range") != told:
            await reply.close()
            return None
        return Streamed(_chunks(reply, order.counts), reply.close)


def _answered(reply: Reply, resource: Resource) -> Answer:
    headers = [*reply.headers, ("content-type", reply.content_type)]
    answer = Answer(status=reply.status, headers=headers, body=reply.body, length=len(reply.body))
    answer.trace = Trace(outcome="pass", key=resource.key, detail="answered here")
    return answer


def _streamed(reply: UpstreamReply, counts: Counts) -> Answer:
    length = reply.headers.get("content-length")
    headers = [(name, reply.headers.get(name)) for name in _SENT_BACK if name in reply.headers]
    return Answer(
        status=reply.status,
        headers=[item for item in headers if item[0] != "content-length"],
        body=Streamed(_chunks(reply, counts), reply.close),
        length=int(length) if length.isascii() and length.isdigit() else None,
    )


async def _chunks(reply: UpstreamReply, counts: Counts) -> AsyncIterator[bytes]:
    async for chunk in reply.chunks():
        counts.upstream_bytes += len(chunk)
        yield chunk

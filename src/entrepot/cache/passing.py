"""What goes through us without being kept: pass-throughs, and ranges far ahead of a download."""

from collections.abc import AsyncIterator
from dataclasses import replace

from entrepot.cache.answer import Answer, Streamed, Trace
from entrepot.cache.counters import Counts
from entrepot.cache.flight import Flight
from entrepot.cache.order import Kit, Order, url_of
from entrepot.cache.repository import Repository
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.errors import EntrepotError
from entrepot.model.headers import Headers
from entrepot.model.resource import BASE, Resource

_SENT_ON = ("accept", "content-type", "content-encoding", "user-agent", "npm-in-ci", "npm-command")
_SENT_BACK = ("content-type", "content-encoding", "content-length", "cache-control", "retry-after", "vary")


class Passing:
    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def forward(
        self, repository: Repository, resource: Resource, method: str, headers: Headers, body: bytes, counts: Counts
    ) -> Answer:
        """One request, one answer, whatever its status. Of the client's fields only harmless ones go on."""
        upstream = resource.upstream or repository.upstreams[0]
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

    async def span(self, order: Order, flight: Flight, field: str) -> Answer | None:
        """A range that lies far ahead of its download, as an upstream range of its own; None where upstream, or our
        part in it, does not allow that."""
        if flight.asked is None:
            return None
        fields = [(name, value) for name, value in flight.asked.headers if not name.startswith("if-")]
        order.counts.upstream_requests += 1
        reply = await self._kit.fetcher.send(replace(flight.asked, headers=Headers([*fields, ("range", field)])))
        if reply.status != 206:
            await reply.close()
            return None
        answer = _streamed(reply, order.counts)
        answer.headers.append(("content-range", reply.headers.get("content-range")))
        answer.trace = Trace(outcome="pass", detail="range", key=order.resource.stored_key, upstream_status=206)
        return answer


def _streamed(reply: UpstreamReply, counts: Counts) -> Answer:
    length = reply.headers.get("content-length")
    headers = [(name, reply.headers.get(name)) for name in _SENT_BACK if name in reply.headers]

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in reply.chunks():
            counts.upstream_bytes += len(chunk)
            yield chunk

    return Answer(
        status=reply.status,
        headers=[item for item in headers if item[0] != "content-length"],
        body=Streamed(chunks(), reply.close),
        length=int(length) if length.isascii() and length.isdigit() else None,
    )

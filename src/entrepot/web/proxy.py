"""From a raw request to a resource, from the engine's answer to the wire, and one line and one count for each."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from entrepot.cache.answer import Answer, Growing, Stored, Streamed, Trace
from entrepot.cache.ask import ClientAsk
from entrepot.cache.counters import Counters, Counts
from entrepot.cache.engine import Engine
from entrepot.cache.plan import Wish
from entrepot.cache.ranges import Conditions
from entrepot.cache.repository import Repository
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.board import Generation
from entrepot.contracts.catalog import Catalog
from entrepot.contracts.clock import Clock
from entrepot.errors import (
    Absent,
    BadRequest,
    EntrepotError,
    InternalError,
    LoopDetected,
    NotServed,
    StoreFailure,
    TooLarge,
)
from entrepot.model.headers import Headers, parse_directives
from entrepot.model.resource import Reply, Request, Resource
from entrepot.web.access import AccessLog, quoted
from entrepot.web.door import SAFE, SHIELD, Door
from entrepot.web.hot import LARGEST_IN_MEMORY, Hot, HotAnswers, Key, Lent
from entrepot.web.mounts import Mounted, find_mount
from entrepot.web.sending import Send, Sender

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_log = logging.getLogger("entrepot")

_NOTHING_FOLLOWS = frozenset((204, 304))


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request on its way through."""

    scope: Mapping[str, Any]
    key: Key
    began: float
    headers: Headers
    mounted: Mounted | None = None
    started: bool = False
    status: int = 0
    sent: int = 0
    trace: Trace

    @property
    def method(self) -> str:
        return str(self.scope["method"])


class Proxy:
    def __init__(
        self,
        *,
        repositories: Mapping[str, Repository],
        engine: Engine,
        catalog: Catalog,
        door: Door,
        hot: HotAnswers,
        sender: Sender,
        log: AccessLog,
        counters: Counters,
        generation: Generation,
        clock: Clock,
        knows_session: Callable[[str], bool],
        is_own_via: Callable[[str], bool],
        request_body_limit: int,
        warning_header: bool,
    ) -> None:
        self._repositories, self._engine, self._catalog = repositories, engine, catalog
        self._door, self._hot, self._sender, self._log = door, hot, sender, log
        self._counters, self._generation, self._clock = counters, generation, clock
        self._knows_session, self._is_own_via = knows_session, is_own_via
        self._request_body_limit, self._warning_header = request_body_limit, warning_header

    def used(self, sha256: str, now: float) -> None:
        self._catalog.note_use(sha256, now)

    def still_current(self, hot: Hot) -> bool:
        """After something stored was replaced or removed: whether this was not it."""
        generation = self._generation.value()
        try:
            entry = self._catalog.find_entry(hot.repository, hot.entry_key)
        except StoreFailure:
            return False
        if entry is None or entry.expired or entry.gone_at is not None or entry.sha256 != hot.entry_sha256:
            return False
        hot.generation = generation
        return True

    async def serve(self, scope: Mapping[str, Any], receive: Receive, send: Send, key: Key, began: float) -> None:
        """Answer one request. What goes wrong before the answer's start becomes an answer; what goes wrong behind it
        breaks the transfer."""
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        visit = Visit(scope=scope, key=key, began=began, headers=headers, trace=Trace(outcome="error"))
        try:
            try:
                await self._answer(visit, receive, send)
            except EntrepotError as error:
                await self._refuse(visit, send, error)
            except Exception as error:
                # The edge of a request: a defect of ours costs this request and nothing else.
                _log.exception("defect while serving %s", scope["raw_path"])
                await self._refuse(visit, send, InternalError(f"a defect of Entrepot: {type(error).__name__}"))
        finally:
            self._book(visit)

    # --- the answer -------------------------------------------------------------------------------------------------

    async def _answer(self, visit: Visit, receive: Receive, send: Send) -> None:
        base = self._base(visit)
        self._door.check_site(visit.method, base, visit.headers.get("origin"), visit.headers.get("sec-fetch-site"))
        if "via" in visit.headers and self._is_own_via(visit.headers.get("via")):
            raise LoopDetected(
                "this request came from this server: one of its upstreams leads back to it; "
                "`entrepot config show` tells the upstreams"
            )
        mounted = visit.mounted = self._mount(visit)
        resource = self._route(visit, mounted)
        if isinstance(resource, Reply):
            visit.trace = Trace(outcome="pass", detail="answered here")
            await self._send_reply(visit, send, resource)
            return
        body = await _read_body(receive, self._request_body_limit) if visit.method not in SAFE else b""
        ask = self._ask(visit, f"{base}{mounted.prefix}", body)
        answer = await self._engine.fetch(mounted.repository, resource, ask)
        visit.trace = answer.trace
        self._keep_hot(visit, mounted, resource, answer)
        await self._send(visit, send, answer)

    def _base(self, visit: Visit) -> str:
        if self._door.trusts_proxies:
            client = visit.scope["client"]
            return self._door.forwarded_base(visit.key[2], client[0] if client else "", visit.scope["headers"])
        return self._door.base(visit.key[2])

    def _mount(self, visit: Visit) -> Mounted:
        try:
            raw_path = visit.scope["raw_path"].decode("ascii")
        except UnicodeDecodeError as error:
            raise BadRequest("the path has bytes that must be percent-encoded") from error
        mounted = find_mount(raw_path, self._repositories)
        if mounted.session and not self._knows_session(mounted.session):
            raise NotServed("there is no session of that name")
        return mounted

    def _route(self, visit: Visit, mounted: Mounted) -> Resource | Reply:
        request = Request(
            method=visit.method,
            path=mounted.path,
            query=visit.scope["query_string"].decode("latin-1"),
            accept=visit.headers.get("accept"),
            headers=visit.headers,
        )
        return mounted.repository.ecosystem.route(request)

    def _ask(self, visit: Visit, base: str, body: bytes) -> ClientAsk:
        headers = visit.headers
        directives = parse_directives(headers.get("cache-control"))
        return ClientAsk(
            method=visit.method,
            conditions=conditions_of(headers),
            wish=Wish(
                stored_only="only-if-cached" in directives,
                no_cache="no-cache" in directives or directives.get("max-age") == "0",
            ),
            base=base,
            gzip=_takes_gzip(headers.get("accept-encoding")),
            headers=headers,
            body=body,
        )

    # --- the wire ---------------------------------------------------------------------------------------------------

    async def _send(self, visit: Visit, send: Send, answer: Answer) -> None:
        try:
            await self._start(visit, send, answer)
            if visit.method == "HEAD" or answer.status in _NOTHING_FOLLOWS:
                await send({"type": "http.response.body", "body": b""})
            else:
                visit.sent = await self._sender.send_body(send, answer.body, answer.span, answer.length)
        finally:
            if isinstance(answer.body, Stored):
                answer.body.blob.close()
            elif isinstance(answer.body, Streamed):
                await answer.body.close()

    async def _start(self, visit: Visit, send: Send, answer: Answer) -> None:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        headers += SHIELD
        if answer.length is not None:
            headers.append((b"content-length", b"%d" % answer.length))
        headers += self._cache_fields(answer)
        visit.started, visit.status = True, answer.status
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})

    def _cache_fields(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """Age (RFC 9111 §5.1) and Cache-Status (RFC 9211)."""
        fields = [(b"cache-status", cache_status(answer.trace).encode())]
        if answer.entry is not None:
            age = max(0.0, self._clock.timestamp() - validated_at(answer))
            fields.append((b"age", b"%d" % int(age)))
            if self._warning_header and answer.trace.outcome == "stale":
                fields.append((b"warning", b'110 - "Response is Stale"'))
        return fields

    async def _send_reply(self, visit: Visit, send: Send, reply: Reply) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers]
        headers += [(b"content-type", reply.content_type.encode()), (b"content-length", b"%d" % len(reply.body))]
        headers += SHIELD
        visit.started, visit.status = True, reply.status
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        body = b"" if visit.method == "HEAD" else reply.body
        visit.sent = len(body)
        await send({"type": "http.response.body", "body": body})

    async def _refuse(self, visit: Visit, send: Send, error: EntrepotError) -> None:
        visit.trace.error, visit.trace.detail = str(error), error.code
        if visit.started:
            # Too late for a status: raising breaks the transfer, so nobody takes half a file for a whole one.
            raise BrokenTransfer(str(error)) from error
        visit.trace.outcome = "absent" if isinstance(error, Absent) else "refused" if error.status < 500 else "error"
        ecosystem = visit.mounted.repository.ecosystem if visit.mounted is not None else None
        reply = ecosystem.problem(error) if ecosystem else Reply(status=error.status, body=f"{error}\n".encode())
        extra = [("cache-control", "no-store"), ("cache-status", f"entrepot; detail={error.code}")]
        if error.retry_after is not None:
            extra.append(("retry-after", str(error.retry_after)))
        if error.status == 405:
            extra.append(("allow", getattr(error, "allowed", "GET, HEAD")))
        present = {name.lower() for name, _ in reply.headers}
        headers = (*reply.headers, *(item for item in extra if item[0] not in present))
        await self._send_reply(
            visit, send, Reply(status=reply.status, body=reply.body, content_type=reply.content_type, headers=headers)
        )

    # --- what is remembered of it -----------------------------------------------------------------------------------

    def _keep_hot(self, visit: Visit, mounted: Mounted, resource: Resource, answer: Answer) -> None:
        """A whole, fresh answer from the store can be given again without any of this."""
        representation = answer.representation
        plain = visit.method == "GET" and answer.status == 200 and answer.entry is not None
        if not plain or representation is None or answer.fresh_until <= self._clock.timestamp():
            return
        if isinstance(answer.body, Growing | Streamed) or visit.key[1] or answer.length is None:
            return
        if self._door.trusts_proxies or mounted.repository.rules.honour_client_no_cache:
            return
        body, blob = self._hot_body(answer)
        entry = answer.entry
        assert entry is not None
        sessions = self._counters.of_session(mounted.session, mounted.repository.name) if mounted.session else None
        head = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        line = self._line(visit, mounted, 200, answer.length, Trace(outcome="hit", key=resource.stored_key))
        hot = Hot(
            representation=representation,
            headers=[*head, *SHIELD, (b"content-length", b"%d" % answer.length)],
            size_bytes=answer.length,
            sha256=blob.sha256 if blob is not None else entry.sha256,
            body=body,
            blob=blob,
            fingerprint=blob.fingerprint() if blob is not None else None,
            fresh_until=answer.fresh_until,
            generation=self._generation.value(),
            validated_at=validated_at(answer),
            repository=mounted.repository.name,
            entry_key=entry.key,
            entry_sha256=entry.sha256,
            counts=self._counters.of(mounted.repository.name),
            session_counts=sessions,
            log_head=line,
        )
        if blob is not None:
            answer.body = Stored(Lent(hot, blob))
        self._hot.add(visit.key, hot)

    def _hot_body(self, answer: Answer) -> tuple[dict[str, Any] | None, OpenBlob | None]:
        """The body's message where it is small enough for memory, else its open file."""
        if isinstance(answer.body, bytes):
            return {"type": "http.response.body", "body": answer.body}, None
        assert isinstance(answer.body, Stored)
        blob = answer.body.blob
        if blob.size_bytes <= LARGEST_IN_MEMORY:
            data = blob.read_now(0, blob.size_bytes)
            if data is not None and len(data) == blob.size_bytes:
                answer.body = data
                blob.close()
                return {"type": "http.response.body", "body": data}, None
        return None, blob

    def _book(self, visit: Visit) -> None:
        trace, mounted = visit.trace, visit.mounted
        if mounted is not None:
            self._count(self._counters.of(mounted.repository.name), visit)
            if mounted.session:
                self._count(self._counters.of_session(mounted.session, mounted.repository.name), visit)
        if self._log.enabled:
            client = visit.scope["client"]
            line = self._line(visit, mounted, visit.status, visit.sent, trace)
            self._log.add(
                f'{{"time":"{self._log.stamp()}","client":"{client[0] if client else ""}",{line},'
                f'"ms":{(perf_counter() - visit.began) * 1000:.2f}}}'
            )

    def _count(self, counts: Counts, visit: Visit) -> None:
        counts.requests += 1
        counts.bytes_sent += visit.sent
        name = _COUNTED[visit.trace.outcome]
        setattr(counts, name, getattr(counts, name) + 1)
        if visit.trace.outcome in ("hit", "stale", "joined", "revalidated"):
            counts.bytes_saved += visit.sent

    def _line(self, visit: Visit, mounted: Mounted | None, status: int, sent: int, trace: Trace) -> str:
        """The access log's fields, without time and duration."""
        path = visit.scope["raw_path"].decode("latin-1")
        fields = [f'"method":{quoted(visit.method)}', f'"path":{quoted(path)}', f'"status":{status}', f'"bytes":{sent}']
        if mounted is not None:
            fields.append(f'"repository":"{mounted.repository.name}"')
            if mounted.session:
                fields.append(f'"session":"{mounted.session}"')
        fields.append(f'"cache":"{trace.outcome}"')
        for name, value in (("detail", trace.detail), ("key", trace.key), ("error", trace.error)):
            if value:
                fields.append(f'"{name}":{quoted(value)}')
        fields += _upstream_fields(trace)
        return ",".join(fields)


_COUNTED = {
    "hit": "hits",
    "stale": "stale",
    "miss": "misses",
    "joined": "joined",
    "revalidated": "revalidated",
    "pass": "passed",
    "refused": "refused",
    "absent": "absent",
    "error": "errors",
}


class BrokenTransfer(Exception):
    """Ends a response without its end. Raised to the server, which closes the connection."""


def conditions_of(headers: Headers) -> Conditions:
    return Conditions(
        if_match=headers.get("if-match"),
        if_none_match=headers.get("if-none-match"),
        if_modified_since=headers.get("if-modified-since"),
        if_unmodified_since=headers.get("if-unmodified-since"),
        if_range=headers.get("if-range"),
        range=headers.get("range"),
    )


def validated_at(answer: Answer) -> float:
    """Seconds since the epoch from which the answer's Age counts."""
    assert answer.entry is not None
    age = answer.entry.headers.get("age")
    return answer.entry.validated_at.timestamp() - (float(age) if age.isascii() and age.isdigit() else 0.0)


def cache_status(trace: Trace) -> str:
    detail = f"; detail={trace.detail}" if trace.detail else ""
    match trace.outcome:
        case "hit":
            return f"entrepot; hit{detail}"
        case "stale":
            return f"entrepot; hit; fwd=stale{detail}" if trace.flight else f"entrepot; hit; ttl=-1{detail}"
        case "joined":
            return f"entrepot; fwd=miss; collapsed{detail}"
        case "revalidated":
            return f"entrepot; fwd=stale; fwd-status=304{detail}"
        case "pass":
            return f"entrepot; fwd=bypass{detail}"
    return f"entrepot; fwd=miss; stored{detail}"


def _upstream_fields(trace: Trace) -> list[str]:
    status, cost, name = trace.upstream_status, 0, trace.upstream
    requests = 1 if status else 0
    if trace.flight is not None and trace.outcome != "joined":
        flight = trace.flight.trace
        status, cost, name, requests = flight.status, flight.bytes, flight.upstream, flight.requests
    if not requests:
        return []
    return [
        f'"upstream":{quoted(name)}',
        f'"upstream_status":{status}',
        f'"upstream_bytes":{cost}',
        f'"upstream_requests":{requests}',
    ]


async def _read_body(receive: Receive, limit: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the request's body ended early")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge(f"the request's body is larger than {limit} bytes")
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _takes_gzip(field: str) -> bool:
    for part in field.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "x-gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False

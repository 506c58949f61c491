"""From a raw request to a resource, and from the engine's answer, or an error, to the wire."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from entrepot.cache.answer import Answer, Stored, Streamed, Trace
from entrepot.cache.ask import ClientAsk
from entrepot.cache.engine import Engine
from entrepot.cache.recording import Recorder
from entrepot.cache.repository import Repository
from entrepot.contracts.clock import Clock
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.contracts.triggers import NoTriggers, Trigger, Triggers
from entrepot.errors import (
    Absent,
    BadRequest,
    EntrepotError,
    LoopDetected,
    NotServed,
    NotYet,
    PolicyHidden,
    TokenNeeded,
    Withheld,
)
from entrepot.model.resource import Reply, Request, Resource
from entrepot.web.door import SAFE, SHIELD, Door
from entrepot.web.edge import attend, own_address, told_fields
from entrepot.web.forward import Forward, proxy_user_of
from entrepot.web.hot import Key
from entrepot.web.keeping import Keeper
from entrepot.web.ledger import Ledger, cache_status, validated_at
from entrepot.web.mounts import Greeting, Mounted, Way, find_mount
from entrepot.web.mute import telling_address, without_words
from entrepot.web.roots import Root, linked
from entrepot.web.sending import Send, Sender
from entrepot.web.session_views import SessionViews
from entrepot.web.tokens import HINT, Guard, Principal, kept_private
from entrepot.web.visit import Receive, Visit, ask_of, headers_of, is_cached_only, read_body

_NOTHING_FOLLOWS = frozenset((204, 304))
_READ = frozenset((200, 206, 304))


class Proxy:
    def __init__(
        self,
        *,
        repositories: Mapping[str, Repository],
        engine: Engine,
        door: Door,
        sender: Sender,
        keeper: Keeper,
        ledger: Ledger,
        clock: Clock,
        knows_session: Callable[[str], bool],
        is_own_via: Callable[[str], bool],
        own_via: str,
        request_body_limit: int,
        warning_header: bool,
        guard: Guard | None = None,
        accesses: Triggers | None = None,
        views: SessionViews | None = None,
        recorder: Recorder | None = None,
        ways: Sequence[Way] = (),
    ) -> None:
        """`own_via`: our Via field; `request_body_limit` in bytes; `accesses`: told of what is read; `views`: of frozen
        sessions; `recorder`: told what sessions are served."""
        self._views, self._recorder, self._ways = views, recorder, ways
        self._proxied = frozenset(host for way in ways if isinstance(way, Forward) for host in way.hosts)
        self._accesses: Triggers = accesses or NoTriggers()
        self._repositories, self._engine, self._door = repositories, engine, door
        self._sender, self._keeper, self._ledger, self._clock = sender, keeper, ledger, clock
        self._knows_session, self._is_own_via, self._own_via = knows_session, is_own_via, own_via
        self._request_body_limit, self._warning_header = request_body_limit, warning_header
        self._guard = guard

    async def serve(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        key: Key,
        began: float,
        principal: Principal | None = None,
    ) -> None:
        """Answer one request. What goes wrong before the answer's start becomes an answer; what goes wrong behind it
        breaks the transfer."""
        headers = headers_of(scope)
        trace = Trace(outcome="error")
        visit = Visit(scope=scope, key=key, began=began, headers=headers, principal=principal, trace=trace)
        await attend(visit, self._ledger, self._answer(visit, receive, send), partial(self._refuse, visit, send))

    # --- the answer -------------------------------------------------------------------------------------------------

    async def _answer(self, visit: Visit, receive: Receive, send: Send) -> None:
        base = self._base(visit)
        self._door.check_site(visit.method, base, visit.headers.get("origin"), visit.headers.get("sec-fetch-site"))
        if "via" in visit.headers and self._is_own_via(visit.headers.get("via")):
            raise LoopDetected(
                "this request came from this server: one of its upstreams leads back to it; "
                "`entrepot config show` tells the upstreams"
            )
        found = await self._find(visit)
        if isinstance(found, Reply):
            visit.trace = Trace(outcome="pass", detail="answered here")
            await self._send_reply(visit, send, found)
            return
        mounted, resource = found
        visit.resource = resource
        body = await read_body(receive, self._request_body_limit) if visit.method not in SAFE else b""
        ask = ask_of(visit, f"{base}{mounted.prefix}", body, mounted.as_of)
        if self._door.trusts_proxies:
            # Whoever stands before us sends the requests of many clients over one connection.
            ask = replace(ask, connection="")
        answer = await self._engine.fetch(mounted.repository, resource, ask)
        visit.trace = answer.trace
        answer.headers = linked(answer.headers, visit.key[0])
        if self._guard is not None and not self._guard.is_open(mounted.repository.name):
            answer.headers = kept_private(answer.headers)
        is_read = visit.method == "GET" and answer.status in _READ
        if is_read and not mounted.view:
            self._offer(mounted, resource, ask)
        try:
            told = self._door.trusts_proxies or "proxy-authorization" in visit.headers
            if not (told or ask.wish.stored_only or is_cached_only(visit, resource)):
                # The key of what is hot knows nothing of forwarded fields, nor of those that forbid contact.
                self._keeper.keep(visit, mounted, resource, answer)
            await self._send(visit, send, answer)
            if is_read and mounted.session and self._recorder is not None:
                self._recorder.note(mounted.session, mounted.repository.name, resource, answer)
        finally:
            if isinstance(answer.body, Stored):
                answer.body.blob.close()
            elif isinstance(answer.body, Streamed):
                await answer.body.close()

    async def _find(self, visit: Visit) -> tuple[Mounted, Resource] | Reply:
        """Whose it is and what it is, or what is answered here."""
        mounted = self._mount(visit)
        if isinstance(mounted, Greeting):
            return mounted.reply
        if mounted.session and self._views is not None:
            mounted = await self._views.under(mounted)
        visit.mounted = mounted
        resource = await self._route(visit, mounted)
        return resource if isinstance(resource, Reply) else (mounted, resource)

    def _offer(self, mounted: Mounted, resource: Resource, ask: ClientAsk) -> None:
        """Probes and refusals are no reading: whoever scans for names starts nothing."""
        self._accesses.offer(
            Trigger(
                repository=mounted.repository.name,
                resource=resource,
                reason="access",
                client=ask.client,
                authenticated=ask.authenticated,
            )
        )

    def _base(self, visit: Visit) -> str:
        host = _host_of(visit)
        if host in self._proxied:
            # Asked of us as a proxy: who reads it knows no other name of ours.
            return f"http://{host}"
        return own_address(self._door, visit)

    def _mount(self, visit: Visit) -> Mounted | Greeting:
        try:
            raw_path = visit.scope["raw_path"].decode("ascii")
        except UnicodeDecodeError as error:
            raise BadRequest("the path has bytes that must be percent-encoded") from error
        try:
            query = visit.scope["query_string"].decode("latin-1")
            user = proxy_user_of(visit.headers.get("proxy-authorization"))
            mounted = find_mount(raw_path, self._repositories, self._ways, query, _host_of(visit), user)
        except NotServed as error:
            if visit.principal is not None and visit.principal.problem:
                # Which repositories there are is told to those who have a token.
                raise TokenNeeded(f"{visit.principal.problem}; {HINT}") from error
            raise
        if isinstance(mounted, Greeting):
            if self._guard is not None and visit.principal is not None:
                self._guard.greet(visit.principal, mounted.repositories)
            return mounted
        if not self._knows_session(mounted.session):
            raise NotServed("there is no session of that name")
        if self._guard is not None and visit.principal is not None:
            # A refusal is told in this ecosystem's words, and booked to no session: anybody can make names up.
            visit.mounted = replace(mounted, session="")
            visit.principal = self._guard.admit(visit.principal, mounted, visit.key[2].decode("latin-1"))
        return mounted

    async def _route(self, visit: Visit, mounted: Mounted) -> Resource | Reply:
        request = Request(
            method=visit.method,
            path=mounted.path,
            query=without_words(visit.scope["query_string"].decode("latin-1")),
            accept=visit.headers.get("accept"),
            headers=visit.headers,
        )
        ecosystem = mounted.repository.ecosystem
        listing = ecosystem.listing(request)
        if listing is not None and mounted.view:
            raise NotServed(f"what is stored is not part of session {mounted.view}")
        if listing is not None:
            return await self._engine.listings.answer(mounted.repository, listing)
        return ecosystem.route(request)

    # --- the wire ---------------------------------------------------------------------------------------------------

    async def _send(self, visit: Visit, send: Send, answer: Answer) -> None:
        await self._start(visit, send, answer)
        if visit.method == "HEAD" or answer.status in _NOTHING_FOLLOWS:
            await send({"type": "http.response.body", "body": b""})
        else:
            visit.sent = await self._sender.send_body(send, answer.body, answer.span, answer.length)

    async def _start(self, visit: Visit, send: Send, answer: Answer) -> None:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        headers += SHIELD
        if answer.length is not None:
            headers.append((b"content-length", b"%d" % answer.length))
        headers += self._cache_fields(answer)
        visit.started, visit.status = perf_counter(), answer.status
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})

    def _cache_fields(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """Age (RFC 9111 §5.1) and Cache-Status (RFC 9211)."""
        fields = [(b"cache-status", cache_status(answer, self._clock.timestamp()).encode())]
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
        visit.started, visit.status = perf_counter(), reply.status
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        body = b"" if visit.method == "HEAD" else reply.body
        visit.sent = len(body)
        await send({"type": "http.response.body", "body": body})

    async def _refuse(self, visit: Visit, send: Send, error: EntrepotError) -> None:
        visit.trace.error, visit.trace.detail = str(error), error.code
        if visit.started:
            # Too late for a status: raising breaks the transfer, so nobody takes half a file for a whole one.
            raise BrokenTransfer(str(error)) from error
        visit.trace.outcome = _outcome_of(error)
        self._note_absence(visit, error)
        ecosystem = self._spoken_at(visit)
        reply = ecosystem.problem(error) if ecosystem else Reply(status=error.status, body=f"{error}\n".encode())
        query, agent = visit.scope["query_string"].decode("latin-1"), visit.headers.get("user-agent")
        if ecosystem is not None and (address := telling_address(error, ecosystem, query, agent)):
            reply = replace(reply, status=302, headers=(*reply.headers, ("location", address)))
        extra = [("cache-control", "no-store"), ("cache-status", f"entrepot; detail={error.code}")]
        if isinstance(error, LoopDetected):
            # Who asked us (ourselves, at the far end of the loop) recognises it by this.
            extra.append(("via", self._own_via))
        extra += told_fields(error)
        present = {name.lower() for name, _ in reply.headers}
        headers = (*reply.headers, *(item for item in extra if item[0] not in present))
        await self._send_reply(
            visit, send, Reply(status=reply.status, body=reply.body, content_type=reply.content_type, headers=headers)
        )

    def _spoken_at(self, visit: Visit) -> Ecosystem | None:
        """In whose words a refusal is told; None: nobody knows whose path it is."""
        if visit.mounted is not None:
            return visit.mounted.repository.ecosystem
        roots = (way for way in self._ways if isinstance(way, Root))
        return next((root.ecosystem for root in roots if root.has(visit.key[0])), None)

    def _note_absence(self, visit: Visit, error: EntrepotError) -> None:
        mounted, resource = visit.mounted, visit.resource
        if self._recorder is None or mounted is None or resource is None or not mounted.session:
            return
        if visit.method == "GET" and isinstance(error, Absent | PolicyHidden):
            self._recorder.note_absence(mounted.session, mounted.repository.name, resource)


def _host_of(visit: Visit) -> str:
    return visit.key[2].decode("latin-1").strip().lower().removesuffix(":80")


def _outcome_of(error: EntrepotError) -> str:
    if isinstance(error, Absent | NotYet | Withheld):
        return "absent"
    return "refused" if error.status < 500 else "error"


class BrokenTransfer(Exception):
    """Ends a response without its end. Raised to the server, which closes the connection."""

"""One request on its way through, and what of it the cache wants to know."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from entrepot.cache.answer import Trace
from entrepot.cache.ask import ClientAsk
from entrepot.cache.plan import Wish
from entrepot.cache.ranges import Conditions
from entrepot.errors import BadRequest, TooLarge
from entrepot.model.headers import Headers, parse_directives
from entrepot.model.resource import Resource
from entrepot.web.hot import Key
from entrepot.web.mounts import Mounted
from entrepot.web.tokens import Principal

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request on its way through."""

    scope: Mapping[str, Any]
    key: Key
    began: float
    headers: Headers
    principal: Principal | None = None
    """Who asks; None: no token is configured, and nobody has to be anybody."""
    mounted: Mounted | None = None
    counted_as: str = ""
    """Under which name it is counted, where that is no repository's."""
    resource: Resource | None = None
    """What is asked for, once that is known."""
    started: float = 0.0
    """When the answer's head was sent, on the clock of `began`; 0: not yet."""
    status: int = 0
    sent: int = 0
    trace: Trace

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def client(self) -> str:
        """Who asks: the name of a token, else an address."""
        if self.principal is not None and self.principal.name:
            return self.principal.name
        peer = self.scope["client"]
        return str(peer[0]) if peer else ""

    @property
    def connection(self) -> str:
        peer = self.scope["client"]
        return f"{peer[0]} {peer[1]}" if peer else ""

    @property
    def trusted(self) -> bool:
        """Whether who asks has the right to have background work start here."""
        who, mounted = self.principal, self.mounted
        return who is not None and mounted is not None and mounted.repository.name in who.triggers


def ask_of(visit: Visit, base: str, body: bytes, as_of: datetime | None = None) -> ClientAsk:
    """`base`: our absolute URL of the repository."""
    headers = visit.headers
    directives = parse_directives(headers.get("cache-control"))
    conditions = conditions_of(headers)
    if visit.method != "GET":
        # Ranges are defined for GET only (RFC 9110 §14.2).
        conditions = replace(conditions, range="", if_range="")
    return ClientAsk(
        method=visit.method,
        conditions=conditions,
        wish=Wish(
            stored_only="only-if-cached" in directives,
            no_cache="no-cache" in directives or directives.get("max-age") == "0",
        ),
        base=base,
        gzip=takes_gzip(headers.get("accept-encoding")),
        headers=headers,
        body=body,
        as_of=as_of,
        client=visit.client,
        connection=visit.connection,
        authenticated=visit.trusted,
    )


def is_cached_only(visit: Visit, resource: Resource) -> bool:
    """Whether a field, and not the path, asks for what is stored only."""
    return resource.cached_only and "disable-module-fetch" in visit.headers


def conditions_of(headers: Headers) -> Conditions:
    return Conditions(
        if_match=headers.get("if-match"),
        if_none_match=headers.get("if-none-match"),
        if_modified_since=headers.get("if-modified-since"),
        if_unmodified_since=headers.get("if-unmodified-since"),
        if_range=headers.get("if-range"),
        range=headers.get("range"),
    )


def takes_gzip(field: str) -> bool:
    for part in field.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "x-gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def headers_of(scope: Mapping[str, Any]) -> Headers:
    """The request's fields. Credentials are spent at the door: nothing behind it can see them, log them or send them
    on."""
    return Headers(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name != b"authorization"
    )


async def read_body(receive: Receive, limit: int) -> bytes:
    """All of a request's body. Raises TooLarge beyond `limit` bytes."""
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

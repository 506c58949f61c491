"""The interface for programs: JSON over HTTP, for tokens with the right that a route asks for (architecture §9)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec

from entrepot.cache.answer import Trace
from entrepot.errors import BadRequest, EntrepotError, MethodRefused, NotServed
from entrepot.web.door import SHIELD, Door
from entrepot.web.edge import attend, own_address, told_fields
from entrepot.web.hot import Key
from entrepot.web.ledger import Ledger
from entrepot.web.sending import Send
from entrepot.web.tokens import Principal, Right, check_right, known
from entrepot.web.visit import Receive, Visit, headers_of, read_body

LARGEST_BODY: Final = 1 << 20
_NO_BODY: Final = frozenset(("GET", "HEAD", "DELETE"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One use of a route. Whoever answers it judges for which repositories `principal` has the right."""

    principal: Principal
    arguments: Mapping[str, str]
    """From the path and the query."""
    body: Mapping[str, object]
    """The JSON object that was sent; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An argument in the query or, where the route's path has its name in braces, in the path."""

    name: str
    text: str
    """What it says, for `/openapi.json`."""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`path` may have names in it: `/api/mirror/{id}`. `answer` gives what is sent as JSON, or raises."""

    method: str
    path: str
    right: Right
    answer: Callable[[Call], Awaitable[object]]
    status: int = 200
    largest_body: int = LARGEST_BODY
    or_admin: bool = False
    """Whether the right `admin` does as well."""
    summary: str = ""
    """One sentence, for `/openapi.json`."""
    parameters: tuple[Parameter, ...] = ()
    takes: object = None
    """The type of the body that is sent; None: there is none."""
    gives: object = None
    """The type of what `answer` gives; None: any JSON."""


class Api:
    """Where no token is configured all of it is refused: the control socket does the same."""

    def __init__(self, routes: Iterable[Route], door: Door, ledger: Ledger) -> None:
        self._routes, self._door, self._ledger = tuple(routes), door, ledger

    async def serve(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        key: Key,
        began: float,
        principal: Principal | None,
    ) -> None:
        trace = Trace(outcome="pass", detail="answered here")
        headers = headers_of(scope)
        visit = Visit(scope=scope, key=key, began=began, headers=headers, principal=principal, trace=trace)
        await attend(visit, self._ledger, self._answer(visit, receive, send), partial(self._refuse, visit, send))

    async def _answer(self, visit: Visit, receive: Receive, send: Send) -> None:
        base = own_address(self._door, visit)
        # Also for what only reads: no page of another site has any business here.
        self._door.check_site("POST", base, visit.headers.get("origin"), visit.headers.get("sec-fetch-site"))
        principal = known(visit.principal)
        route, named = self._find(visit)
        if not (route.or_admin and principal.admin):
            check_right(principal, route.right)
        body = await _read_object(visit, receive, route.largest_body) if route.method not in _NO_BODY else {}
        query = visit.scope["query_string"].decode("latin-1")
        arguments = {**dict(parse_qsl(query, keep_blank_values=True)), **named}
        answer = await route.answer(Call(principal=principal, arguments=arguments, body=body))
        await _send_json(visit, send, route.status, answer)

    def _find(self, visit: Visit) -> tuple[Route, Mapping[str, str]]:
        """The route, and what its path names. Raises NotServed, MethodRefused."""
        path = visit.scope["raw_path"].decode("latin-1")
        method = "GET" if visit.method == "HEAD" else visit.method
        matching = [(route, named) for route in self._routes if (named := match_path(route.path, path)) is not None]
        for route, named in matching:
            if route.method == method:
                return route, named
        if matching:
            raise MethodRefused(visit.method, ", ".join(sorted({route.method for route, _ in matching})))
        raise NotServed(f"there is no {path}; there are: {', '.join(sorted({one.path for one in self._routes}))}")

    async def _refuse(self, visit: Visit, send: Send, error: EntrepotError) -> None:
        outcome = "refused" if error.status < 500 else "error"
        visit.trace = Trace(outcome=outcome, detail=error.code, error=str(error))
        if visit.started:
            raise error
        said = {"error": str(error), "code": error.code}
        await _send_json(visit, send, error.status, said, told_fields(error))


def match_path(pattern: str, path: str) -> dict[str, str] | None:
    """What stands for the names in `pattern`, decoded once; None: it is another path."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    named: dict[str, str] = {}
    for want, have in zip(wanted, given, strict=True):
        if want.startswith("{") and have:
            named[want.strip("{}")] = unquote(have)
        elif want != have:
            return None
    return named


async def _read_object(visit: Visit, receive: Receive, limit: int) -> Mapping[str, object]:
    """Raises BadRequest, TooLarge (beyond `limit` bytes)."""
    if visit.headers.get("content-type").partition(";")[0].strip().lower() != "application/json":
        # What a form of another site can send is never JSON.
        raise BadRequest("send a JSON object, with Content-Type: application/json")
    try:
        return msgspec.json.decode(await read_body(receive, limit), type=dict[str, object])
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is no JSON object: {error}") from error


async def _send_json(
    visit: Visit, send: Send, status: int, answer: object, extra: tuple[tuple[str, str], ...] = ()
) -> None:
    body = msgspec.json.encode(answer) + b"\n"
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *((name.encode(), value.encode()) for name, value in extra),
        *SHIELD,
    ]
    visit.started, visit.status = perf_counter(), status
    await send({"type": "http.response.start", "status": status, "headers": headers})
    visit.sent = 0 if visit.method == "HEAD" else len(body)
    await send({"type": "http.response.body", "body": b"" if visit.method == "HEAD" else body})

"""The front door in this process: requests as a server would hand them in, answers as a client would see them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from entrepot.cache.recording import Recorder
from entrepot.cache.tally import Tally
from entrepot.contracts.trees import Touch
from entrepot.contracts.triggers import Triggers
from entrepot.web.access import AccessLog
from entrepot.web.api import Api, Route
from entrepot.web.app import App, Lifetime
from entrepot.web.door import Door, Identity
from entrepot.web.hot import HotAnswers
from entrepot.web.keeping import Keeper
from entrepot.web.ledger import Ledger
from entrepot.web.openapi import document_of
from entrepot.web.proxy import BrokenTransfer, Proxy
from entrepot.web.sending import Sender
from entrepot.web.session_views import SessionViews
from entrepot.web.status import Status
from entrepot.web.tokens import Guard
from tests.cache.works import Works

HOST = "127.0.0.1:8080"


@dataclass(slots=True, kw_only=True)
class Got:
    """An answer; `broken`: it ended without its end."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    """Names of fields that came more than once."""
    body: bytes = b""
    complete: bool = False
    broken: bool = False


class Front:
    """An App over some Works; `hot` may be looked at."""

    def __init__(
        self,
        works: Works,
        directory: Path,
        *,
        identity: Identity | None = None,
        memory: int = 32 << 20,
        metrics_open: bool = True,
        warning_header: bool = False,
        body_limit: int = 1000,
        own_via: str = "1.1 us",
        guard: Guard | None = None,
        routes: Sequence[Route] = (),
        touch: Touch | None = None,
        accesses: Triggers | None = None,
        views: SessionViews | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """`touch`: what every answer that is kept for memory marks."""
        self.works = works
        directory.mkdir(exist_ok=True)
        self.log_path = directory / "access.log"
        self.hot = HotAnswers(memory, 10)
        self.sender = Sender()
        self.log = AccessLog(str(self.log_path), works.clock.timestamp)
        self.sessions = {""}
        self._closed = False
        door = Door(identity or Identity(listen=("127.0.0.1", 8080)))
        ledger = Ledger(works.counters, self.log)
        keeper = Keeper(
            hot=self.hot,
            catalog=works.catalog,
            generation=works.generation,
            clock=works.clock,
            counters=works.counters,
            ledger=ledger,
            touch_of=lambda repository, key: touch,
            view_of=views.id_of if views is not None else lambda session: "",
        )
        repositories = {"shelf": works.shelf}
        proxy = Proxy(
            repositories=repositories,
            engine=works.engine,
            door=door,
            sender=self.sender,
            keeper=keeper,
            ledger=ledger,
            clock=works.clock,
            knows_session=lambda name: name in self.sessions,
            is_own_via=lambda value: own_via in value,
            own_via=own_via,
            request_body_limit=body_limit,
            warning_header=warning_header,
            guard=guard,
            accesses=accesses,
            views=views,
            recorder=recorder,
        )
        status = Status(
            door=door,
            catalog=works.catalog,
            blobs=works.blobs,
            totals=Tally(directory / "counts", works.counters).totals,
            repositories=repositories,
            metrics_open=metrics_open,
            openapi=lambda: document_of(routes),
        )
        self.events: list[str] = []
        self.app = App(
            proxy=proxy,
            keeper=keeper,
            status=status,
            api=Api(routes, door, ledger),
            hot=self.hot,
            sender=self.sender,
            log=self.log,
            generation=works.generation,
            clock=works.clock,
            lifetime=Lifetime(start=self._start, stop=self._stop),
            guard=guard,
        )

    async def _start(self) -> None:
        self.events.append("start")

    async def _stop(self) -> None:
        self.events.append("stop")

    async def get(self, path: str, method: str = "GET", body: bytes = b"", **fields: Any) -> Got:
        """`fields` with `_` for `-`; Host is ours unless given (empty: none). `path` is sent as it is."""
        told = {"host": HOST} | {name.replace("_", "-"): value for name, value in fields.items()}
        return await self.ask(path, [item for item in told.items() if item[1]], method=method, body=body)

    async def ask(self, path: str, fields: Sequence[tuple[str, str]], *, method: str = "GET", body: bytes = b"") -> Got:
        raw, _, query = path.partition("?")
        got, messages = Got(), [{"type": "http.request", "body": body, "more_body": False}]
        scope = {
            "type": "http",
            "method": method,
            "raw_path": raw.encode("latin-1"),
            "path": quote(raw),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in fields],
            "client": ("127.0.0.1", 50000),
        }

        async def receive() -> Mapping[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Mapping[str, Any]) -> None:
            _take(got, message)

        try:
            await self.app(scope, receive, send)
        except BrokenTransfer:
            got.broken = True
        return got

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.log.close()

    def lines(self) -> list[dict[str, Any]]:
        """What the access log says; ends it."""
        self.close()
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]


def _take(got: Got, message: Mapping[str, Any]) -> None:
    assert not got.complete, "something was sent behind the end"
    if message["type"] == "http.response.start":
        assert got.status == 0, "two answers to one request"
        got.status = message["status"]
        for name, value in message["headers"]:
            assert name == name.lower()
            if name.decode() in got.fields:
                got.repeated.append(name.decode())
            got.fields[name.decode()] = value.decode("latin-1")
        return
    assert got.status, "a body before its start"
    got.body += message.get("body", b"")
    got.complete = not message.get("more_body", False)

"""The rogue origin itself: a thread with its own event loop."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from tests.rogue.connection import Choose, Connection
from tests.rogue.faults import Fault, When
from tests.rogue.page import Answer, Page, Seen, Stock

EVERYWHERE = "*"
_GOOD = Fault()
_MISSING = Page(status=404, body=b"no such page\n", content_type="text/plain", etag="", last_modified="")
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Disturbance:
    fault: Fault
    left: int | None
    when: When | None
    since: float
    instead: Stock | None
    asked: int = 0

    def strikes(self) -> bool:
        asked, self.asked = self.asked, self.asked + 1
        if self.left == 0 or (self.when and not self.when(asked, time.monotonic() - self.since)):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Rogue:
    """A context manager. All methods may be called from any thread, before and while it runs."""

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self.seen: list[Seen] = []
        self.connections = 0
        """How many were accepted."""
        self._tls = tls
        self._pages: dict[str, Stock] = {}
        self._faults: dict[str, _Disturbance] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rogue", daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- what tests say

    def serve(self, path: str, page: Page | bytes, rate: float | None = None) -> str:
        """Publish, or publish anew, under a path (with its query, if it has one); the URL."""
        page = page if isinstance(page, Page) else Page(body=page)
        self._pages[path] = Stock(replace(page, rate=rate) if rate is not None else page)
        return self.url(path)

    def withdraw(self, path: str) -> None:
        del self._pages[path]

    def disturb(self, path: str, fault: Fault, times: int | None = None, when: When | None = None) -> None:
        """Misbehave at a path (`*`: everywhere), for so many requests (None: until `calm`)."""
        stock = Stock(fault.page) if fault.page else None
        self._faults[path] = _Disturbance(fault, times, when, time.monotonic(), stock)

    def calm(self, path: str = EVERYWHERE) -> None:
        if path == EVERYWHERE:
            self._faults.clear()
        else:
            self._faults.pop(path, None)

    def goes_dark(self) -> None:
        """Refuse connections, and end those that there are."""
        self._call(self._shut())

    def hangs_up(self) -> None:
        """End the connections that there are."""
        self._call(self._end_all())

    def comes_back(self) -> None:
        """On the same port."""
        self._call(self._listen())

    # ---- what tests ask

    @property
    def base(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    def url(self, path: str = "/") -> str:
        return self.base + path

    @property
    def paths(self) -> list[str]:
        """What is published."""
        return list(self._pages)

    def requests(self, path: str | None = None, method: str | None = None) -> list[Seen]:
        return [
            seen
            for seen in list(self.seen)
            if (path is None or path in (seen.path, seen.target)) and method in (None, seen.method)
        ]

    def count(self, path: str | None = None, method: str | None = None) -> int:
        return len(self.requests(path, method))

    def sent(self, path: str | None = None) -> int:
        """Bytes of bodies."""
        return sum(seen.sent for seen in self.requests(path))

    def forget(self) -> None:
        """Begin counting anew."""
        self.seen.clear()
        self.connections = 0

    # ---- running

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, self.host, self.port, limit=1 << 20, backlog=1024, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server is None:
            return
        self._server.close()
        await self._end_all()
        self._server = None

    async def _end_all(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(Connection(reader, writer, self._chooser()).run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _chooser(self) -> Choose:
        def choose(seen: Seen) -> tuple[Page, Answer, Fault]:
            if seen.target == "/-/stats":
                report = Stock(Page(body=json.dumps(self.report()).encode(), content_type="application/json"))
                return report.page, report.answer(seen), _GOOD
            self.seen.append(seen)
            stock = self._pages.get(seen.target) or self._pages.get(seen.path) or Stock(_MISSING)
            disturbance = self._faults.get(seen.path) or self._faults.get(EVERYWHERE)
            if disturbance is None or not disturbance.strikes():
                return stock.page, stock.answer(seen), _GOOD
            stock = disturbance.instead or stock
            answer = stock.answer(seen)
            if disturbance.fault.unchanged:
                answer = replace(answer, status=304, body=memoryview(b""))
            return stock.page, answer, disturbance.fault

        return choose

    def report(self) -> dict[str, dict[str, int]]:
        """Requests, ranges and bytes by path."""
        return {
            path: {
                "requests": self.count(path),
                "ranges": sum(1 for seen in self.requests(path) if seen.range),
                "sent": self.sent(path),
            }
            for path in sorted({seen.path for seen in list(self.seen)})
        }

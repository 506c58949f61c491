"""Where a request is on its way to an answer, and how long it may stay there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from types import SimpleNamespace

from aiohttp import ClientSession, TraceConfig

from entrepot.upstream.settings import ClientSettings


class Stage(Enum):
    QUEUE = "no connection became free"
    CONNECT = "no connection"
    ANSWER = "no answer"


class Stages:
    """The limits of one `send`. aiohttp's own connect timeouts count per address: this one counts all of it."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._limit = asyncio.timeout(None)
        self._connect_left = settings.connect_timeout
        self._since = 0.0
        self.stage = Stage.CONNECT

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """Raises TimeoutError when a stage takes too long; `stage` says which one."""
        self._limit = asyncio.timeout(None)
        async with self._limit:
            self.enter(Stage.CONNECT)
            try:
                yield
            finally:
                self._leave()

    def enter(self, stage: Stage) -> None:
        self._leave()
        self.stage = stage
        self._since = asyncio.get_running_loop().time()
        left = self._connect_left if stage is Stage.CONNECT else self.limit_seconds
        self._limit.reschedule(self._since + left)

    @property
    def limit_seconds(self) -> float:
        """What the settings allow for the present stage."""
        match self.stage:
            case Stage.QUEUE:
                return self._settings.queue_timeout
            case Stage.CONNECT:
                return self._settings.connect_timeout
            case Stage.ANSWER:
                return self._settings.first_byte_timeout

    @property
    def may_connect(self) -> bool:
        """Whether there is time left for another connection."""
        return self._connect_left > 0

    def _leave(self) -> None:
        if self.stage is Stage.CONNECT and self._since:
            self._connect_left -= asyncio.get_running_loop().time() - self._since
        self._since = 0.0


def trace_stages() -> TraceConfig:
    """Makes aiohttp report to the Stages that a request carries as its `trace_request_ctx`."""

    async def queued(session: ClientSession, context: SimpleNamespace, params: object) -> None:
        _stages_of(context).enter(Stage.QUEUE)

    async def connecting(session: ClientSession, context: SimpleNamespace, params: object) -> None:
        _stages_of(context).enter(Stage.CONNECT)

    async def connected(session: ClientSession, context: SimpleNamespace, params: object) -> None:
        _stages_of(context).enter(Stage.ANSWER)

    trace = TraceConfig()
    trace.on_connection_queued_start.append(queued)
    trace.on_connection_create_start.append(connecting)
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


def _stages_of(context: SimpleNamespace) -> Stages:
    stages = context.trace_request_ctx
    assert isinstance(stages, Stages)
    return stages

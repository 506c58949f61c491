"""What the control socket understands: each verb with its arguments and its JSON-ready result."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from entrepot.cache.explanation import Explainer
from entrepot.cache.inspection import Inspection
from entrepot.cache.operations import Operations
from entrepot.errors import BadRequest
from entrepot.mirror.fills import Fills
from entrepot.web.answers import Explanation, Stats
from entrepot.web.api import Call, Parameter, Route
from entrepot.web.control import Verb, text_argument
from entrepot.web.mirror_routes import MirrorRoutes
from entrepot.web.session_routes import SessionRoutes

Arguments = Mapping[str, object]


class Verbs:
    def __init__(
        self,
        *,
        operations: Operations,
        inspection: Inspection,
        fills: Fills,
        explainer: Explainer,
        mirroring: MirrorRoutes,
        recorded: SessionRoutes,
        metrics: Callable[[], bytes],
        about: Mapping[str, object],
        settling: float,
    ) -> None:
        """`about` is what `ping` tells; `settling`: seconds until every worker's counts are seen."""
        self._operations, self._inspection, self._recorded = operations, inspection, recorded
        self._fills, self._explainer, self._mirroring = fills, explainer, mirroring
        self._metrics, self._about, self._settling = metrics, about, settling

    def table(self) -> dict[str, Verb]:
        return {
            "ping": self._ping,
            "stats": self._stats,
            "metrics": self._show_metrics,
            "purge": self._purge,
            "invalidate": self._invalidate,
            "forget": self._forget,
            "accept": self._accept,
            "offered": self._offered,
            "session": self._session,
            "inspect": self._inspect,
            "reach": self._reach,
            "sweep": self._sweep,
            "explain": self._explain,
            "fills": self._list_fills,
            "clear-fill": self._clear_fill,
            "clear-failed-fills": self._clear_failed_fills,
            **self._mirroring.table(),
            **self._recorded.table(),
            "release-pins": self._release_pins,
        }

    def routes(self) -> tuple[Route, ...]:
        """What can be had by token over HTTP, too."""
        return (
            Route(
                method="GET",
                path="/api/stats",
                right="admin",
                answer=self._told_stats,
                gives=Stats,
                summary="Tell what was served from where, and what is stored.",
            ),
            Route(
                method="GET",
                path="/api/explain",
                right="admin",
                answer=self._told_explanation,
                gives=list[Explanation],
                parameters=(Parameter(name="target", text="REPOSITORY/PATH, an address of ours, or a package URL."),),
                summary="Say why a package or path is answered as it is.",
            ),
            *self._mirroring.routes(),
            *self._recorded.routes(),
        )

    async def _release_pins(self, arguments: Arguments, connection: ExitStack) -> object:
        """How many things are not kept any more, by a mirror job or a session."""
        released = await self._recorded.release(text_argument(arguments, "job"))
        return await self._mirroring.release_pins(arguments) if released is None else released

    async def _told_explanation(self, call: Call) -> object:
        """`?target=` as `entrepot explain` takes it."""
        return await self._explain(call.arguments, None)

    async def _explain(self, arguments: Arguments, connection: ExitStack | None) -> object:
        found = await self._explainer.explain(text_argument(arguments, "target"))
        return [{"resource": one.resource, "facts": one.facts} for one in found]

    async def _told_stats(self, call: Call) -> object:
        return await asyncio.to_thread(self._operations.stats)

    async def _ping(self, arguments: Arguments, connection: ExitStack) -> object:
        return self._about

    async def _stats(self, arguments: Arguments, connection: ExitStack) -> object:
        return await asyncio.to_thread(self._operations.stats)

    async def _show_metrics(self, arguments: Arguments, connection: ExitStack) -> object:
        return (await asyncio.to_thread(self._metrics)).decode()

    async def _purge(self, arguments: Arguments, connection: ExitStack) -> object:
        return await self._operations.purge(text_argument(arguments, "target"))

    async def _invalidate(self, arguments: Arguments, connection: ExitStack) -> object:
        return await self._operations.invalidate(text_argument(arguments, "target"))

    async def _forget(self, arguments: Arguments, connection: ExitStack) -> object:
        return await self._operations.forget(text_argument(arguments, "target"))

    async def _accept(self, arguments: Arguments, connection: ExitStack) -> object:
        done = await self._operations.accept(text_argument(arguments, "target"), str(arguments.get("sha256", "")))
        return {"key": done.key, "remembered": done.remembered, "stored": done.stored}

    async def _offered(self, arguments: Arguments, connection: ExitStack) -> object:
        """The digest of the bytes that upstream has under the name now."""
        return await self._inspection.offered(*self._operations.find_file(text_argument(arguments, "target")))

    async def _session(self, arguments: Arguments, connection: ExitStack) -> object:
        """What was booked to a session so far, by repository."""
        await asyncio.sleep(self._settling)
        return await asyncio.to_thread(self._operations.session, text_argument(arguments, "name"))

    async def _inspect(self, arguments: Arguments, connection: ExitStack) -> object:
        """Whether store and catalog work, and a few stored files read again."""
        samples = arguments.get("samples", 0)
        if not isinstance(samples, int):
            raise BadRequest("samples is a number")
        return await self._inspection.inspect(samples)

    async def _reach(self, arguments: Arguments, connection: ExitStack) -> object:
        """Each upstream's answer to one small request."""
        return await self._inspection.reach()

    async def _sweep(self, arguments: Arguments, connection: ExitStack) -> object:
        return await self._operations.sweep()

    async def _list_fills(self, arguments: Arguments, connection: ExitStack) -> object:
        return await self._fills.told()

    async def _clear_fill(self, arguments: Arguments, connection: ExitStack) -> object:
        return await self._fills.clear(text_argument(arguments, "key"))

    async def _clear_failed_fills(self, arguments: Arguments, connection: ExitStack) -> object:
        return await self._fills.clear_failed()

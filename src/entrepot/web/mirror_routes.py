"""Mirror jobs and pins, for programs with a token and for our own commands over the control socket (policy §7)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import ExitStack
from typing import Final

import msgspec

from entrepot.contracts.mirrors import Job, Pins
from entrepot.errors import NotServed, Refused
from entrepot.mirror.dry_run import PlannedItem
from entrepot.mirror.jobs import Mirror
from entrepot.model.order import MirrorOrder
from entrepot.web.answers import (
    Cancelled,
    ItemError,
    MirrorJob,
    MirrorJobDetails,
    Nothing,
    error_answers,
    job_answer,
    job_details,
)
from entrepot.web.api import Call, Parameter, Route
from entrepot.web.control import Verb, text_argument
from entrepot.web.orders import LARGEST_ORDER, OrderBody, order_of, title_of

COMMAND_LINE: Final = "command line"
"""Who asks over the control socket. It has a blank, which no token's name has."""
MOST_PLANNED: Final = 100
"""Lines of a rehearsal in one answer: hits wait while they are made and written as JSON."""

_ID: Final = (Parameter(name="id", text="The id of a mirror job."),)

Arguments = Mapping[str, object]


class MirrorRoutes:
    def __init__(self, mirror: Mirror, pins: Pins, repositories: Collection[str]) -> None:
        """`repositories`: the names that there are."""
        self._mirror, self._pins, self._repositories = mirror, pins, repositories
        self._rehearsals: dict[ExitStack, AsyncIterator[PlannedItem]] = {}

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/api/mirror",
                right="trigger",
                answer=self._begin,
                status=202,
                largest_body=LARGEST_ORDER,
                takes=OrderBody,
                gives=MirrorJob,
                summary="Mirror packages: the job is written down and goes on behind the answer.",
            ),
            _route("GET", "", self._list, list[MirrorJob], "List mirror jobs, the newest first."),
            _route("GET", "/{id}", self._show, MirrorJobDetails, "Show a mirror job with its counts and errors."),
            _route("GET", "/{id}/errors", self._errors, list[ItemError], "List what of a job could not be mirrored."),
            _route("DELETE", "/{id}", self._cancel, Cancelled, "Cancel a mirror job that has not ended."),
            _route("POST", "/{id}/resume", self._resume, MirrorJob, "Have a cancelled or failed job go on."),
            _route("POST", "/{id}/retry", self._retry, MirrorJob, "Try again what failed of a job."),
        )

    def table(self) -> dict[str, Verb]:
        return {
            "mirror": self._order,
            "rehearse-mirror": self._rehearse,
            "mirror-jobs": self._tell_jobs,
            "mirror-job": self._tell_job,
            "cancel-mirror": self._tell_cancelled,
            "resume-mirror": self._tell_resumed,
            "retry-mirror": self._tell_retried,
            "pins": self._tell_pins,
        }

    # --- for tokens -------------------------------------------------------------------------------------------------

    async def _begin(self, call: Call) -> MirrorJob:
        order, allowed = await self._read(call.body), call.principal.triggers
        named = {*order.repositories, *(tree.split("/")[1] for tree in order.trees)}
        _check_repositories(call, named)
        job = await self._mirror.submit(
            order, client=call.principal.name, repositories=sorted(allowed), name=title_of(order), limited=True
        )
        return job_answer(job)

    async def _list(self, call: Call) -> list[MirrorJob]:
        jobs = await asyncio.to_thread(self._mirror.jobs)
        return [job_answer(job) for job in jobs if _may_see(call, job)]

    async def _show(self, call: Call) -> MirrorJobDetails:
        job = await self._find(call)
        return job_details(job, await asyncio.to_thread(self._mirror.errors, job.id))

    async def _errors(self, call: Call) -> list[ItemError]:
        job = await self._find(call)
        return error_answers(await asyncio.to_thread(self._mirror.errors, job.id))

    async def _cancel(self, call: Call) -> Cancelled:
        job = await self._find(call)
        if job.state.ended:
            raise NotServed(f"the mirror job {job.id} has ended: {job.state.value}")
        await self._mirror.cancel(job.id)
        return Cancelled()

    async def _resume(self, call: Call) -> MirrorJob:
        return job_answer(await self._mirror.resume((await self._find_own(call)).id))

    async def _retry(self, call: Call) -> MirrorJob:
        return job_answer(await self._mirror.retry((await self._find_own(call)).id))

    async def _find(self, call: Call) -> Job:
        """Raises NotServed, also for a job of somebody else: nobody is told what others do."""
        job = await asyncio.to_thread(self._mirror.find_job, call.arguments["id"])
        if job is None or not _may_see(call, job):
            raise _no_job(call.arguments["id"])
        return job

    async def _find_own(self, call: Call) -> Job:
        """One that is to go on: whoever asks may have fewer rights than when it was begun. Raises NotServed,
        Refused."""
        job = await self._find(call)
        _check_repositories(call, set(self._repositories if job.repositories is None else job.repositories))
        return job

    # --- for our own commands ---------------------------------------------------------------------------------------

    async def _order(self, arguments: Arguments, connection: ExitStack) -> object:
        order = await self._read(arguments)
        return _plain(job_answer(await self._mirror.submit(order, client=COMMAND_LINE, name=title_of(order))))

    async def _rehearse(self, arguments: Arguments, connection: ExitStack) -> object:
        """What a job would do, some lines at a time: an order begins, no arguments go on, an empty list ends it."""
        if arguments:
            self._rehearsals[connection] = self._mirror.rehearse(await self._read(arguments))
            # What is left of it ends with the connection, however that ends.
            connection.callback(self._rehearsals.pop, connection, None)
        running = self._rehearsals.get(connection)
        planned: list[PlannedItem] = []
        while running is not None and len(planned) < MOST_PLANNED:
            item = await anext(running, None)
            if item is None:
                break
            planned.append(item)
        return msgspec.to_builtins(planned)

    async def _read(self, arguments: Arguments) -> MirrorOrder:
        """There may be 64 MiB to decode."""
        return await asyncio.to_thread(order_of, arguments, self._repositories)

    async def _tell_jobs(self, arguments: Arguments, connection: ExitStack) -> object:
        return [_plain(job_answer(job)) for job in await asyncio.to_thread(self._mirror.jobs)]

    async def _tell_job(self, arguments: Arguments, connection: ExitStack) -> object:
        """With `errors` set to true: with the errors."""
        job = await self._find_any(arguments)
        if arguments.get("errors") is not True:
            return _plain(job_answer(job))
        return _plain(job_details(job, await asyncio.to_thread(self._mirror.errors, job.id)))

    async def _tell_cancelled(self, arguments: Arguments, connection: ExitStack) -> object:
        return _plain(job_answer(await self._mirror.cancel((await self._find_any(arguments)).id)))

    async def _tell_resumed(self, arguments: Arguments, connection: ExitStack) -> object:
        return _plain(job_answer(await self._mirror.resume((await self._find_any(arguments)).id)))

    async def _tell_retried(self, arguments: Arguments, connection: ExitStack) -> object:
        return _plain(job_answer(await self._mirror.retry((await self._find_any(arguments)).id)))

    async def _find_any(self, arguments: Arguments) -> Job:
        """Raises NotServed."""
        wanted = text_argument(arguments, "id")
        job = await asyncio.to_thread(self._mirror.find_job, wanted)
        if job is None:
            raise _no_job(wanted)
        return job

    async def _tell_pins(self, arguments: Arguments, connection: ExitStack) -> object:
        return msgspec.to_builtins(await asyncio.to_thread(self._pins.summaries))

    async def release_pins(self, arguments: Arguments) -> object:
        """How many things are not kept any more."""
        wanted = text_argument(arguments, "job")
        if wanted not in {one.job for one in await asyncio.to_thread(self._pins.summaries)}:
            raise NotServed(f"nothing is pinned by {wanted!r}; `entrepot pins` lists what there is")
        return await self._pins.release(wanted)


def _route(method: str, below: str, answer: Callable[[Call], Awaitable[object]], gives: object, summary: str) -> Route:
    """One about jobs that there are, which an admin may use as well."""
    posted = method == "POST"
    return Route(
        method=method,
        path=f"/api/mirror{below}",
        right="trigger",
        or_admin=True,
        answer=answer,
        status=202 if posted else 200,
        parameters=_ID if below else (),
        takes=Nothing if posted else None,
        gives=gives,
        summary=summary,
    )


def _may_see(call: Call, job: Job) -> bool:
    return call.principal.admin or job.client == call.principal.name


def _check_repositories(call: Call, named: Collection[str]) -> None:
    """Raises Refused. An admin who has begun nothing has others' jobs go on as they were allowed."""
    missing = sorted(set(named) - call.principal.triggers)
    if missing and not call.principal.admin:
        raise Refused(
            f"the token {call.principal.name!r} has no right to fill the repository {missing[0]!r}; "
            "whoever runs this server can add it to the token's repositories and rights"
        )


def _no_job(wanted: str) -> NotServed:
    return NotServed(
        f"there is no mirror job {wanted!r}; `entrepot mirror list` and GET /api/mirror list what there is"
    )


def _plain(answer: MirrorJob) -> object:
    return msgspec.to_builtins(answer)

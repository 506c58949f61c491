"""Sessions that are recorded and served again, for programs with a token and for our own commands (architecture §9)."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Final

import msgspec

from entrepot.contracts.sessions import Session, SessionState
from entrepot.errors import BadRequest, NotServed, Refused, StoreFailure
from entrepot.mirror.sessions.archive import Archive, Frost
from entrepot.mirror.sessions.freezing import JOB
from entrepot.web.answers import Nothing
from entrepot.web.api import Call, Parameter, Route
from entrepot.web.control import Verb, text_argument
from entrepot.web.mirror_routes import COMMAND_LINE
from entrepot.web.sessions import Sessions
from entrepot.web.tokens import Right

ID_BYTES: Final = 16
LONGEST_NAME: Final = 200

_ID: Final = (Parameter(name="id", text="The id of a session."),)

Arguments = Mapping[str, object]

_log = logging.getLogger("entrepot")


class SessionBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A session to be opened. `name` is for people."""

    name: str = ""


class RecordedSession(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A session. Clients use it by putting `prefix` in front of our paths: `/~ID/pypi/simple/`. `items` is how many
    things were served in it, `lost` how many answers are missing in that. `client` is who opened it."""

    id: str
    name: str
    client: str
    prefix: str
    url: str
    state: SessionState
    created_at: datetime
    items: int
    lost: int


class FrozenSession(RecordedSession, kw_only=True, forbid_unknown_fields=True):
    """A session that serves what it was served, and nothing else. `missing` are the paths of what is not stored any
    more."""

    missing: list[str]


class CycloneDx(msgspec.Struct, kw_only=True, rename="camel"):
    """A bill of materials in CycloneDX: its own schema says all that is in it."""

    bom_format: str
    spec_version: str


class Dropped(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The session is forgotten, and what it kept may be evicted."""

    id: str


class SessionRoutes:
    def __init__(self, archive: Archive, sessions: Sessions, about: Mapping[str, object]) -> None:
        """`about`: what whoever opens a session is told of this server."""
        self._archive, self._sessions, self._about = archive, sessions, about

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/api/sessions",
                right="trigger",
                answer=self._open,
                takes=SessionBody,
                gives=RecordedSession,
                summary="Open a session: what is served in it is written down.",
            ),
            _route("GET", "", "read", self._show, RecordedSession, "Show a session and how much was served in it."),
            _route("GET", "/sbom", "read", self._bill, CycloneDx, "Tell what a session was served, as CycloneDX."),
            _route(
                "POST", "/freeze", "trigger", self._freeze, FrozenSession, "Have a session serve what it was served."
            ),
            _route("DELETE", "", "trigger", self._drop, Dropped, "Forget a session, and let go of what it keeps."),
        )

    def table(self) -> dict[str, Verb]:
        return {
            "open-session": self._enter,
            "session-sbom": self._tell_bill,
            "freeze-session": self._tell_frozen,
            "replay-bill": self._adopt,
        }

    # --- for tokens -------------------------------------------------------------------------------------------------

    async def _open(self, call: Call) -> RecordedSession:
        try:
            name = msgspec.convert(call.body, SessionBody).name[:LONGEST_NAME]
        except msgspec.ValidationError as error:
            raise BadRequest(f"the session cannot be understood: {error}") from error
        ident = secrets.token_hex(ID_BYTES)
        return self._told(await self._archive.open(ident, client=call.principal.name, name=name))

    async def _show(self, call: Call) -> RecordedSession:
        return self._told(self._find(call))

    async def _bill(self, call: Call) -> msgspec.Raw:
        found = self._find(call)
        await self._check_repositories(call, found, call.principal.reads)
        return msgspec.Raw((await self._archive.bill(found.id)).body)

    async def _freeze(self, call: Call) -> FrozenSession:
        found = self._find(call)
        await self._check_repositories(call, found, call.principal.triggers)
        return self._frozen(await self._archive.freeze(found.id))

    async def _drop(self, call: Call) -> Dropped:
        found = self._find(call)
        await self._archive.drop(found.id)
        return Dropped(id=found.id)

    def _find(self, call: Call) -> Session:
        """Raises NotServed, also for a session of somebody else: nobody is told what others do."""
        found = self._archive.load(call.arguments["id"])
        if not (call.principal.admin or found.client == call.principal.name):
            raise NotServed(f"there is no session {found.id!r} of the token {call.principal.name!r}")
        return found

    async def _check_repositories(self, call: Call, session: Session, allowed: frozenset[str]) -> None:
        """Others may have used the session as well. Raises Refused."""
        others = sorted(await self._archive.repositories_of(session.id) - allowed)
        if others and not call.principal.admin:
            raise Refused(
                f"session {session.id} was served from the repository {others[0]!r}, which the token "
                f"{call.principal.name!r} has no right for; whoever runs this server can add it to the token"
            )

    # --- for our own commands ---------------------------------------------------------------------------------------

    async def _enter(self, arguments: Arguments, connection: ExitStack) -> object:
        """The session lasts as long as the connection, so it ends with its user however that ends; what was served in
        it stays on record. With `replays`: it is served what that session got."""
        name, replays = text_argument(arguments, "name"), str(arguments.get("replays", ""))
        if replays and self._archive.load(replays).state is not SessionState.FROZEN:
            await self._archive.freeze(replays)
        connection.enter_context(self._sessions.open(name, replays))
        try:
            await self._archive.open(name, client=COMMAND_LINE, name=str(arguments.get("what", ""))[:LONGEST_NAME])
        except StoreFailure as failure:
            # It is served all the same, and whoever asks for its record is told that there is none.
            _log.warning("session %s is not recorded: %s", name, failure)
        return self._about

    async def _tell_bill(self, arguments: Arguments, connection: ExitStack) -> object:
        bill = await self._archive.bill(text_argument(arguments, "name"))
        return {
            "sbom": bill.body.decode(),
            "components": bill.components,
            "files": bill.files,
            "incomplete": bill.incomplete,
            "untouched": bill.untouched,
        }

    async def _tell_frozen(self, arguments: Arguments, connection: ExitStack) -> object:
        return _plain(await self._archive.freeze(text_argument(arguments, "name")))

    async def _adopt(self, arguments: Arguments, connection: ExitStack) -> object:
        """A session that serves what a bill of ours tells."""
        body = text_argument(arguments, "sbom").encode()
        return _plain(await self._archive.adopt(text_argument(arguments, "name"), body))

    async def release(self, job: str) -> int | None:
        """Let go of what a session keeps, which has no other use then; None: this is the job of none."""
        session = job.removeprefix(JOB)
        if session == job or self._archive.find(session) is None:
            return None
        return await self._archive.drop(session)

    # --- what is told -----------------------------------------------------------------------------------------------

    def _told(self, session: Session) -> RecordedSession:
        prefix = f"/~{session.id}"
        return RecordedSession(
            id=session.id,
            name=session.name,
            client=session.client,
            prefix=prefix,
            url=f"{self._about['url']}{prefix}",
            state=session.state,
            created_at=session.created_at,
            items=session.items,
            lost=session.lost,
        )

    def _frozen(self, frost: Frost) -> FrozenSession:
        told = self._told(self._archive.load(frost.session))
        return FrozenSession(**msgspec.structs.asdict(told), missing=list(frost.missing))


def _route(
    method: str, below: str, right: Right, answer: Callable[[Call], Awaitable[object]], gives: object, summary: str
) -> Route:
    return Route(
        method=method,
        path=f"/api/sessions/{{id}}{below}",
        right=right,
        or_admin=True,
        answer=answer,
        parameters=_ID,
        takes=Nothing if method == "POST" else None,
        gives=gives,
        summary=summary,
    )


def _plain(frost: Frost) -> object:
    return {"id": frost.session, "missing": list(frost.missing)}

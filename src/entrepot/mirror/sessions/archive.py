"""Sessions, for whoever opens them, asks what was served in them, or wants the same served again."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot.cache.order import Kit
from entrepot.cache.recording import FLUSH_SECONDS, Recorder
from entrepot.cache.repository import Repository
from entrepot.contracts.sessions import Served, ServedState, Session, SessionBook, SessionState
from entrepot.errors import NotCached, NotServed, StoreFailure
from entrepot.mirror.sessions.composing import SessionBill, compose
from entrepot.mirror.sessions.freezing import PAGE, Freezer, pages_of
from entrepot.mirror.sessions.reading import Told, ToldFile, read_session_bill

SETTLE_SECONDS: Final = 10.0
"""For how long what was just served may be on its way into the store."""
TIDY_SECONDS: Final = 3600.0
BILL: Final = "a bill"
"""Who opened a session that is made of one. It has a blank, which no token's name has."""
MOST_TOLD: Final = 5
"""Files that a message names."""

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """`keep`: sessions, for `keep_for` seconds, with `items` things in each."""

    keep: int = 1000
    keep_for: float = 30 * 86400.0
    items: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Frost:
    """What became of a session that was frozen."""

    session: str
    missing: tuple[str, ...]
    """Places of what was served and is not stored any more."""


class Archive:
    def __init__(
        self,
        kit: Kit,
        book: SessionBook,
        recorder: Recorder,
        freezer: Freezer,
        repositories: Mapping[str, Repository],
        rules: SessionRules,
        *,
        shared: bool,
        is_living: Callable[[str], bool],
    ) -> None:
        """`shared`: whether other processes write down what they served, too; `is_living`: whether a writer still
        can."""
        self._kit, self._book, self._recorder, self._freezer = kit, book, recorder, freezer
        self._repositories, self._rules = repositories, rules
        self._shared, self._is_living = shared, is_living

    # --- opening and looking ----------------------------------------------------------------------------------------

    async def open(self, session: str, *, client: str, name: str = "") -> Session:
        """From now on what is served in it is written down. Raises StoreFailure."""
        opened = Session(id=session, name=name, client=client, created_at=self._kit.clock.now())
        await self._book.open(opened)
        return opened

    def find(self, session: str) -> Session | None:
        return self._book.find(session)

    def load(self, session: str) -> Session:
        """Raises NotServed."""
        found = self._book.find(session)
        if found is None:
            raise NotServed(
                f"there is no record of a session {session!r}; there is one of each `entrepot run` and of what "
                "POST /api/sessions opened, until it is forgotten"
            )
        return found

    async def repositories_of(self, session: str) -> set[str]:
        """Those that it was served from."""
        return await asyncio.to_thread(
            lambda: {item.repository for page in pages_of(self._book, session) for item in page}
        )

    # --- what it was served -----------------------------------------------------------------------------------------

    async def bill(self, session: str) -> SessionBill:
        """Raises NotServed, StoreFailure."""
        self.load(session)
        reasons = await self._settle(session)
        found = self.load(session)
        if found.lost:
            most = f" (it holds {self._rules.items:,} things at most)" if found.items >= self._rules.items else ""
            reasons = [*reasons, f"of {found.lost:,} answers nothing could be written down{most}"]
        return await asyncio.to_thread(self._compose, found, reasons)

    def _compose(self, session: Session, reasons: Sequence[str]) -> SessionBill:
        items = (item for page in pages_of(self._book, session.id) for item in page)
        return compose(session.id, items, self._repositories, created_at=session.created_at, reasons=reasons)

    async def _settle(self, session: str) -> list[str]:
        """Until all that was served so far is written down; why it may be less."""
        reasons = []
        try:
            await self._recorder.flush()
            if self._shared:
                await asyncio.sleep(2 * FLUSH_SECONDS)
        except StoreFailure as failure:
            reasons.append(f"what was served last could not be written down: {failure}")
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while not self._book.is_settled(session) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._recorder.flush()
        if not all(map(self._is_living, self._book.writers(session))):
            reasons.append("a server process ended before it had written everything down")
        return reasons

    # --- the same again ---------------------------------------------------------------------------------------------

    async def freeze(self, session: str) -> Frost:
        """From now on it serves what it was served, and nothing else. Raises NotServed, StoreFailure."""
        self.load(session)
        await self._settle(session)
        return Frost(session=session, missing=tuple(await self._freezer.freeze(session, kept=True)))

    async def adopt(self, name: str, body: bytes) -> Frost:
        """A frozen session that serves what a bill of ours tells. Raises UnreadableBill, and NotCached where a file of
        it is not stored."""
        told = await asyncio.to_thread(read_session_bill, name, body)
        lost = [file for file in told.files if not self._is_held(file)]
        if lost:
            raise NotCached(_told_missing(name, lost, len(told.files)))
        session = hashlib.sha256(body).hexdigest()[:32]
        found = self._book.find(session)
        if found is None or found.state is not SessionState.FROZEN:
            await self.open(session, client=BILL, name=name)
            await self._fill(session, told)
            await self._freezer.freeze(session, kept=False)
        gone = [f"/{repository}/{key}" for repository, key in told.documents if not self._sha256_at(repository, key)]
        return Frost(session=session, missing=tuple(gone))

    async def _fill(self, session: str, told: Told) -> None:
        now = self._kit.clock.now()

        def served(repository: str, key: str, state: ServedState) -> Served:
            resource = self._kit.catalog.find_entry(repository, key)
            return Served(
                session=session,
                repository=repository,
                key=key,
                state=state,
                sha256=self._sha256_at(repository, key) if state is ServedState.SERVED else "",
                size_bytes=resource.size_bytes if resource is not None else 0,
                package=resource.package if resource is not None else "",
                version=resource.version if resource is not None else "",
                served_at=now,
            )

        places = [*((file.repository, file.key) for file in told.files), *told.documents]
        items = [served(*place, ServedState.SERVED) for place in places if self._sha256_at(*place)]
        items += [served(*place, ServedState.ABSENT) for place in told.absent]
        for at in range(0, len(items), PAGE):
            await self._book.record(items[at : at + PAGE], {}, "", len(items))

    def _is_held(self, file: ToldFile) -> bool:
        return self._sha256_at(file.repository, file.key) == file.sha256

    def _sha256_at(self, repository: str, key: str) -> str:
        """Of what is stored there; empty: nothing is."""
        entry = self._kit.catalog.find_entry(repository, key)
        if entry is None or entry.is_absence or self._kit.catalog.find_blob(entry.sha256) is None:
            return ""
        return entry.sha256

    # --- keeping house ----------------------------------------------------------------------------------------------

    async def drop(self, session: str) -> int:
        """How many things it kept from eviction. Raises NotServed, StoreFailure."""
        self.load(session)
        return await self._freezer.thaw(session)

    async def work(self) -> None:
        """Forget what is old, as long as the server runs: in one of its processes."""
        while True:
            try:
                await self.tidy()
            except StoreFailure as failure:
                _log.warning("old sessions are forgotten later: %s", failure)
            await asyncio.sleep(TIDY_SECONDS)

    async def tidy(self) -> None:
        """Raises StoreFailure."""
        before = self._kit.clock.now() - timedelta(seconds=self._rules.keep_for)
        for session in await asyncio.to_thread(self._book.surplus, before, self._rules.keep):
            await self._freezer.thaw(session)


def _told_missing(name: str, lost: Sequence[ToldFile], total: int) -> str:
    some = ", ".join(f"/{file.repository}/{file.key}" for file in lost[:MOST_TOLD])
    more = f" and {len(lost) - MOST_TOLD} more" if len(lost) > MOST_TOLD else ""
    return (
        f"{name}: {len(lost)} of its {total} files are not stored with these bytes: {some}{more}; "
        f"`entrepot mirror --sbom {name}` fetches what is missing"
    )

"""Which set a session is served: all there is, or what a frozen one got."""

from dataclasses import replace

from entrepot.cache.replays import Replays
from entrepot.contracts.sessions import Session
from entrepot.errors import NotServed, StoreFailure
from entrepot.web.mounts import Mounted
from entrepot.web.sessions import Sessions


class SessionViews:
    def __init__(self, sessions: Sessions, replays: Replays) -> None:
        self._sessions, self._replays = sessions, replays

    async def under(self, mounted: Mounted) -> Mounted:
        """The repository as the session sees it. Raises NotServed, StoreFailure."""
        frozen = self._find(mounted.session)
        if frozen is None:
            return mounted
        repository = await self._replays.repository(frozen, mounted.repository.name)
        return replace(mounted, repository=repository, view=frozen.id)

    def id_of(self, session: str) -> str:
        """Of the frozen session whose set it is served; empty: all there is. Raises NotServed, StoreFailure."""
        frozen = self._find(session)
        return frozen.id if frozen is not None else ""

    def _find(self, session: str) -> Session | None:
        replayed = self._sessions.replayed(session)
        try:
            frozen = self._replays.find(replayed or session)
        except StoreFailure:
            if self._sessions.is_open(session) and not replayed:
                # One that a command was given for itself: it was never frozen.
                return None
            raise
        if replayed and frozen is None:
            raise NotServed(f"there is no frozen session {replayed!r} any more")
        return frozen

"""Repositories as frozen sessions got them, made when they are first asked for."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from entrepot.cache.frozen import Frozen
from entrepot.cache.repository import Repository
from entrepot.contracts.sessions import Served, Session, SessionBook, SessionState

KEPT: Final = 8
"""Sessions whose sets stay in memory."""
PAGE: Final = 5000

_Name = tuple[str, datetime]
"""A session's id, and when it was opened: one that was dropped and made again has another set."""
_Set = Mapping[str, Frozen]
"""By repository."""


class Replays:
    def __init__(self, book: SessionBook, repositories: Mapping[str, Repository]) -> None:
        self._book, self._repositories = book, repositories
        self._sets: OrderedDict[_Name, _Set] = OrderedDict()
        self._loading: dict[_Name, asyncio.Task[_Set]] = {}
        self._made: dict[tuple[_Name, str], Repository] = {}

    def find(self, session: str) -> Session | None:
        """None: it is not frozen. Raises StoreFailure."""
        found = self._book.find(session)
        return found if found is not None and found.state is SessionState.FROZEN else None

    async def repository(self, session: Session, name: str) -> Repository:
        """Raises StoreFailure."""
        known = (session.id, session.created_at)
        sets = self._sets.get(known) or await self._load(known)
        made = self._made.get((known, name))
        if made is None:
            frozen = sets.get(name) or Frozen(session=session.id, served={})
            made = self._made[known, name] = self._repositories[name].as_of_session(frozen)
        return made

    async def _load(self, known: _Name) -> _Set:
        task = self._loading.get(known)
        if task is None:
            task = self._loading[known] = asyncio.create_task(asyncio.to_thread(_read, self._book, known[0]))
            task.add_done_callback(lambda _: self._loading.pop(known, None))
        sets = self._sets[known] = await asyncio.shield(task)
        while len(self._sets) > KEPT:
            dropped, _ = self._sets.popitem(last=False)
            self._made = {place: one for place, one in self._made.items() if place[0] != dropped}
        return sets


def _read(book: SessionBook, session: str) -> _Set:
    items: list[Served] = []
    after = ("", "")
    while page := book.items(session, after, PAGE):
        items += page
        after = (page[-1].repository, page[-1].key)
    return {name: Frozen.of(session, served) for name, served in groupby(items, attrgetter("repository"))}

"""What is read in a tree has it walked, when it is time: requests only leave a mark, and somebody looks for marks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from entrepot.cache.repository import Repository
from entrepot.contracts.clock import Clock
from entrepot.contracts.leases import CLOCKS_APART, Leases
from entrepot.contracts.trees import Touch, TreeBook
from entrepot.contracts.triggers import Trigger
from entrepot.errors import EntrepotError, StoreFailure
from entrepot.mirror.trees.walker import lease_key
from entrepot.model.trees import Tree, tree_of

POLL_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 10.0
"""After a walk was begun, or could not be."""
BURST: Final = 10
"""Walks that may begin at once when many trees are read for the first time."""
REFILL_SECONDS: Final = 30.0
"""Until one more may."""

Begin = Callable[[str, Tree], Awaitable[None]]
"""Has a tree of a repository walked, now or when there is room; returns at once."""

_log = logging.getLogger("entrepot")


@dataclass(slots=True, kw_only=True)
class _Watched:
    repository: Repository
    tree: Tree
    touch: Touch = field(default_factory=Touch)
    quiet_until: float = 0.0
    """Seconds since the epoch; before, it is not looked at."""


class Accesses:
    """Triggers: of `access` alone."""

    def __init__(
        self,
        repositories: Mapping[str, Repository],
        book: TreeBook,
        leases: Leases,
        clock: Clock,
        begin: Begin,
        *,
        allowed: Literal["any", "authenticated", "none"] = "any",
    ) -> None:
        """`allowed`: whose reading counts."""
        self._book, self._leases, self._clock, self._begin = book, leases, clock, begin
        self._allowed = allowed
        self._watched = {
            (name, tree.path): _Watched(repository=one, tree=tree)
            for name, one in repositories.items()
            for tree in one.trees
        }
        # What makes no contact by itself is walked by hand alone, or not at all.
        self._trees = {
            name: one.trees for name, one in repositories.items() if one.trees and one.rules.network == "online"
        }
        self._tokens, self._filled_at = float(BURST), clock.timestamp()

    # --- requests ---------------------------------------------------------------------------------------------------

    def offer(self, trigger: Trigger) -> None:
        """Of the event loop's thread."""
        if self._allowed == "none" or (self._allowed == "authenticated" and not trigger.authenticated):
            return
        touch = self._touch_at(trigger.repository, trigger.resource.key)
        if touch is not None:
            touch.touched = True

    def touch_of(self, repository: str, key: str) -> Touch | None:
        """What an answer that is given again and again is to mark; None where that begins nothing."""
        return self._touch_at(repository, key) if self._allowed == "any" else None

    def _touch_at(self, repository: str, key: str) -> Touch | None:
        tree = tree_of(self._trees.get(repository, ()), key)
        return self._watched[repository, tree.path].touch if tree is not None else None

    # --- walks ------------------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Until it is cancelled."""
        await self._forget_removed()
        if not self._trees:
            return
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.begin_due()
            except StoreFailure as failure:
                _log.warning("trees are not walked, because the catalog cannot be used: %s", failure)

    async def _forget_removed(self) -> None:
        try:
            await self._book.keep_only(list(self._watched))
        except StoreFailure as failure:
            _log.warning("trees that are configured no more could not be forgotten: %s", failure)

    async def begin_due(self) -> None:
        """Have walked what was read since the last call and whose time has come. Raises StoreFailure."""
        now = self._clock.timestamp()
        for watched in self._watched.values():
            if not watched.touch.touched or now < watched.quiet_until <= now + watched.tree.min_interval * 2:
                continue
            if not self._is_due(watched, now):
                watched.touch.touched = False
            elif self._may_begin(now):
                watched.touch.touched = False
                watched.quiet_until = now + AGAIN_SECONDS
                await self._start(watched)

    def _is_due(self, watched: _Watched, now: float) -> bool:
        lease = self._leases.find(lease_key(watched.repository.name, watched.tree.path))
        if lease is None or lease.written_at.timestamp() > now + CLOCKS_APART.total_seconds():
            return True
        waits_until = max(lease.not_before.timestamp(), lease.expires_at.timestamp())
        watched.quiet_until = min(waits_until, now + watched.tree.min_interval) if waits_until > now else 0.0
        return waits_until <= now

    def _may_begin(self, now: float) -> bool:
        """Whoever reads one file in each of many trees shall not have them all walked at the same time."""
        self._tokens = min(BURST, self._tokens + max(0.0, now - self._filled_at) / REFILL_SECONDS)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _start(self, watched: _Watched) -> None:
        try:
            await self._begin(watched.repository.name, watched.tree)
        except StoreFailure:
            raise
        except EntrepotError as error:
            _log.warning("/%s/%s is not walked: %s", watched.repository.name, watched.tree.path, error)

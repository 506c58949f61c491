"""What upstream removed from a tree goes here, too: when walks agree on it, and not much at once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from entrepot.cache.repository import Repository
from entrepot.contracts.trees import Listed
from entrepot.mirror.trees.grove import Grove
from entrepot.model.entry import Entry
from entrepot.model.trees import Tree

GRACE: Final = timedelta(days=7)
"""How long bytes are kept, unserved, of what was purged (policy §2, `on_gone`)."""
WALKS: Final = {"confirmed": 2, "always": 1}


class Purger:
    """Of one tree. Nothing outside of it, nor in a tree within it, is ever touched."""

    def __init__(self, grove: Grove, repository: Repository, tree: Tree) -> None:
        self._grove, self._book, self._name, self._tree = grove, grove.book, repository.name, tree
        self._nested = [one.path for one in repository.trees if one.path != tree.path and tree.holds(one.path)]
        self._walks = WALKS.get(tree.purge)

    async def after(self, number: int, began_at: datetime, *, rehearsed: bool = False) -> tuple[list[str], int]:
        """After a complete walk: the keys that are gone now, and how many stay because they are more than the budget
        allows. What came while the walk was under way stays in any case. `rehearsed`: they would be gone."""
        now = self._grove.clock.now()
        await self._book.note_absent(self._name, self._tree.path, number, now, self._nested)
        if self._walks is None:
            return [], 0
        absent = await self.absent(self._walks)
        if not self._tree.budget.allows(len(absent), await self._known()):
            return [], len(absent)
        if rehearsed:
            return [row.key for row in absent], 0
        gone = [row for row in absent if await self._mark(row, began_at, now)]
        await self._delete_marked(now - GRACE)
        if gone:
            self._grove.generation.advance()
        return [row.key for row in gone], 0

    async def absent(self, walks: int) -> list[Listed]:
        """What so many complete walks in a row did not find."""
        return await asyncio.to_thread(self._book.absent, self._name, self._tree.path, walks, self._nested)

    async def _known(self) -> int:
        return await asyncio.to_thread(self._book.count, self._name, self._tree.path, self._nested)

    async def _mark(self, row: Listed, began_at: datetime, now: datetime) -> bool:
        """Whether it is not served any more."""
        entries = await asyncio.to_thread(self._entries_of, row.key)
        held = [entry for entry in entries if entry.gone_at is None]
        if any(max(entry.stored_at, entry.validated_at) >= began_at for entry in held):
            return False  # It came back after its listing was read.
        for entry in held:
            gone = replace(entry, gone_at=now, next_check_at=None, failures=0, expired=False)
            await self._grove.catalog.put_entry(gone)
        if held:
            await self._book.note_purged(self._name, [row], now)
        else:
            await self._book.forget(self._name, [row])
        return bool(held)

    async def _delete_marked(self, before: datetime) -> None:
        """What was marked long ago, and did not come back."""
        for row in await asyncio.to_thread(self._book.purged, self._name, self._tree.path, before):
            entries = await asyncio.to_thread(self._entries_of, row.key)
            gone = [entry for entry in entries if entry.gone_at is not None and entry.gone_at < before]
            await self._grove.catalog.delete_entries(self._name, [entry.key for entry in gone])
            for sha256 in {entry.sha256 for entry in gone if not entry.is_absence}:
                if not await asyncio.to_thread(self._grove.catalog.is_used, sha256):
                    await self._grove.janitor.remove(sha256)
            await self._book.forget(self._name, [row])

    def _entries_of(self, key: str) -> list[Entry]:
        """In every representation. Call it in a thread."""
        found = []
        for entry in self._grove.catalog.entries(self._name, key):
            following = entry.key[len(key) : len(key) + 1]
            if following > "?":
                break  # Keys come in order, and what belongs to this one stands before nearly everything else.
            if following in ("", " ", "?"):
                found.append(entry)
        return found

"""Takes what requests trigger, keeps it within its caps, and makes rows of it (policy §3, §4 step 6)."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, Literal

from entrepot.cache.counters import Counters
from entrepot.contracts.clock import Clock
from entrepot.contracts.fills import Fill, FillBook, FillRecord, FillState
from entrepot.contracts.leases import Leases
from entrepot.contracts.triggers import Trigger
from entrepot.errors import BadRequest, StoreFailure
from entrepot.mirror.rules import FillRules

MOST_UNWRITTEN: Final = 1000
MOST_TOLD: Final = 1000

Result = Literal["accepted", "duplicate", "full", "not-allowed", "lost"]

_log = logging.getLogger("entrepot")


class Fills:
    """Triggers. What is offered waits in memory until `write_down`; from then on the row is the truth."""

    def __init__(self, book: FillBook, leases: Leases, clock: Clock, counters: Counters, rules: FillRules) -> None:
        self.book, self.leases, self.clock, self.rules = book, leases, clock, rules
        self._counters = counters
        self._unwritten: dict[str, Fill] = {}
        self.offered = asyncio.Event()
        """Set when there is something to write down."""
        self.added = asyncio.Event()
        """Set when there is something new to do."""

    # --- taking -----------------------------------------------------------------------------------------------------

    def offer(self, trigger: Trigger) -> None:
        """Of the event loop's thread."""
        result = self._refusal(trigger)
        if result:
            self._count(result)
            return
        fill = self._fill_of(trigger)
        self._unwritten[fill.key] = fill
        self.offered.set()

    def _refusal(self, trigger: Trigger) -> Result | None:
        allowed = self.rules.allow_trigger
        if allowed == "none" or (allowed == "authenticated" and not trigger.authenticated):
            return "not-allowed"
        if _key_of(trigger) in self._unwritten:
            return "duplicate"
        return "full" if len(self._unwritten) >= MOST_UNWRITTEN else None

    def _fill_of(self, trigger: Trigger) -> Fill:
        return Fill(
            key=_key_of(trigger),
            repository=trigger.repository,
            path=trigger.resource.key,
            query=trigger.resource.query,
            accept=trigger.resource.accept,
            reason=trigger.reason,
            client=trigger.client,
            created_at=self.clock.now(),
        )

    async def write_down(self) -> None:
        """Make rows of what was offered. What cannot be written is lost, and told; the next miss brings it again."""
        unwritten = dict(self._unwritten)
        self.offered.clear()
        if not unwritten:
            return
        try:
            taken = self._within_caps(unwritten, await asyncio.to_thread(self.book.open_counts))
            added: Collection[str] = await self.book.add(taken, self.clock.now())
        except StoreFailure as failure:
            _log.warning("%d fills could not be written down: %s", len(unwritten), failure)
            taken, added = [], ()
            for _ in unwritten:
                self._count("lost")
        # Not before: whoever is cancelled here leaves them to be written by the next call.
        for key in unwritten:
            self._unwritten.pop(key, None)
        for fill in taken:
            self._count("accepted" if fill.key in added else "duplicate")
        if added:
            self.added.set()

    def _within_caps(self, offered: Mapping[str, Fill], open_counts: Mapping[tuple[str, str], int]) -> list[Fill]:
        """Several workers count the same rows, so together they may go over a cap by what they took in one moment."""
        rules, taken = self.rules, []
        clients, repositories = Counter[str](), Counter[str]()
        for (client, repository), count in open_counts.items():
            clients[client] += count
            repositories[repository] += count
        for fill in offered.values():
            if (
                clients[fill.client] >= rules.per_client
                or repositories[fill.repository] >= rules.per_repository
                or repositories.total() >= rules.total
            ):
                self._count("full")
                continue
            clients[fill.client] += 1
            repositories[fill.repository] += 1
            taken.append(fill)
        return taken

    def _count(self, result: Result) -> None:
        self._counters.count_trigger(result)

    # --- telling and clearing ---------------------------------------------------------------------------------------

    async def told(self) -> list[dict[str, object]]:
        """What there is, as far as it can be told at once: what is to be done, what failed, what was done."""
        records = await asyncio.to_thread(self.book.records, MOST_TOLD)
        return [self._told(record) for record in records]

    def _told(self, record: FillRecord) -> dict[str, object]:
        now, fill, lease = self.clock.now(), record.fill, record.lease
        running = lease is not None and lease.expires_at > now
        waits = fill.state is not FillState.DONE and lease is not None and lease.not_before > now and not running
        state = ("running" if running else "queued") if fill.state is FillState.OPEN else fill.state.value
        return {
            "key": fill.key,
            "state": state,
            "reason": fill.reason,
            "client": fill.client,
            "created_at": fill.created_at.isoformat(timespec="seconds"),
            "failures": lease.failures if lease else 0,
            "next_try_at": lease.not_before.isoformat(timespec="seconds") if lease and waits else None,
            "error": lease.result if lease else "",
        }

    async def clear(self, key: str) -> list[str]:
        """Forget a fill and why it waits: the next miss makes it anew. Raises BadRequest where there is none."""
        keys = await self.book.remove(key)
        if not keys:
            raise BadRequest(f"there is no fill {key!r}; `entrepot fills` lists what there is")
        return await self._forget(keys)

    async def clear_failed(self) -> list[str]:
        """The same for all that failed for good."""
        return await self._forget(await self.book.remove_failed())

    async def _forget(self, keys: list[str]) -> list[str]:
        await asyncio.gather(*map(self.leases.clear, keys))
        return keys


def _key_of(trigger: Trigger) -> str:
    return f"{trigger.repository}/{trigger.resource.stored_key}"

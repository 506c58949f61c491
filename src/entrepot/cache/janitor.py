"""Keeps the house: eviction by size, orphaned files, and the sweep that reads every stored byte again."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf

from entrepot.cache.counters import Counters
from entrepot.cache.lookup import name_of
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.snapshots import kept_seconds
from entrepot.cache.soundness import hash_of
from entrepot.contracts.board import Generation
from entrepot.contracts.listings import Listed
from entrepot.errors import StoreFailure

EVICT_BATCH = 200
ORPHAN_AGE = timedelta(minutes=10)
ORPHAN_SHARE = 0.05
"""More orphans than this are rather a lost catalog than rubbish: nothing is removed then, and the log says so."""
ORPHANS_ALWAYS = 20
ABSENCE_AGE = timedelta(days=7)
ABSENCES_KEPT = 100_000
ASIDE_AGE = timedelta(hours=1)
"""For how long a generation of a group stays readable when another one took its place."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ABSENCES_EVERY = 300.0
"""Seconds. Between two times as many can be added as upstream answers; afterwards there are ABSENCES_KEPT at most."""

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep found."""

    read: int = 0
    quarantined: int = 0
    orphans: int = 0


class Janitor:
    def __init__(
        self,
        kit: Kit,
        generation: Generation,
        counters: Counters,
        max_bytes: int | None,
        repositories: Mapping[str, Repository] | None = None,
    ) -> None:
        """`repositories`: how long their generations are kept depends on what ages they ask for."""
        self._repositories = repositories or {}
        self._kit, self._generation, self._counters, self._max_bytes = kit, generation, counters, max_bytes
        self._tidied_at = 0.0

    async def evict(self) -> int:
        """Remove the least recently used blobs until the store fits; the bytes freed. Pinned ones stay, and so do
        remembered digests. Whoever reads a file at that moment reads it to its end."""
        freed = 0
        while self._max_bytes is not None and self._kit.catalog.totals()[2] > self._max_bytes:
            victims = self._kit.catalog.usage(EVICT_BATCH)
            if not victims:
                _log.warning("the store is over its size, and everything in it is pinned")
                break
            surplus = self._kit.catalog.totals()[2] - self._max_bytes
            for victim in victims:
                if surplus <= 0:
                    break
                await self.remove(victim.sha256)
                surplus -= victim.size_bytes
                freed += victim.size_bytes
        self._counters.evicted_bytes += freed
        return freed

    async def forget_absences(self) -> None:
        """Stored 404s that are too old, or too many, to be of use."""
        await self._kit.catalog.delete_absences(self._kit.clock.now() - ABSENCE_AGE, ABSENCES_KEPT)

    async def forget_generations(self) -> None:
        """Members of groups that no client can be in the middle of reading any more, and the bytes that were theirs
        alone; also those of generations that were never published."""
        now = self._kit.clock.now()
        before, kept = now - ASIDE_AGE, {}
        for name, repository in self._repositories.items():
            if (seconds := kept_seconds(repository.gate.cooldown)) > 0:
                kept[name] = before - timedelta(seconds=seconds) if seconds < inf else EPOCH
        for listed in await self._kit.listings.delete_aside(before, kept):
            await self._forget_facts(listed)
        for sha256 in set(await self._kit.catalog.delete_aside(before, kept)):
            if not await asyncio.to_thread(self._kit.catalog.is_used, sha256):
                await self.remove(sha256)

    async def _forget_facts(self, listed: Listed) -> None:
        repository = self._repositories.get(listed.repository)
        derived = self._kit.catalog.find_derived(name_of(repository, listed)) if repository is not None else None
        if derived is not None:
            await self.remove(derived.sha256)

    async def remove(self, sha256: str) -> None:
        """First unknown, then unlinked: no new reader is sent to a file that is about to go."""
        await self._kit.catalog.delete_blob(sha256)
        self._generation.advance()
        await asyncio.to_thread(self._kit.blobs.remove, sha256)

    async def sweep(self, pause: float = 0.0) -> Swept:
        """Read every stored file; wrong ones go into quarantine, files that the catalog does not know are removed.
        `pause` in seconds between files, so that it is not felt."""
        read = quarantined = 0
        unknown = []
        digests = await asyncio.to_thread(self._kit.blobs.digests)
        for sha256 in digests:
            if self._kit.catalog.find_blob(sha256) is None:
                unknown.append(sha256)
            elif await self.check(sha256):
                read += 1
            else:
                quarantined += 1
            await asyncio.sleep(pause)
        orphans = await self._remove_orphans(unknown, len(digests))
        return Swept(read=read, quarantined=quarantined, orphans=orphans)

    async def check(self, sha256: str) -> bool:
        """Whether the stored file is what it should be, or gone; a wrong one goes into quarantine."""
        blob = self._kit.blobs.open(sha256)
        if blob is None:
            return True
        try:
            right = await asyncio.to_thread(hash_of, blob) == sha256
        except StoreFailure as failure:
            _log.error("the sweep cannot read %s", failure)
            right = False
        finally:
            blob.close()
        if not right:
            _log.error("the sweep found changed bytes: %s; moved into quarantine", sha256)
            self._kit.blobs.quarantine(sha256)
            self._counters.quarantined += 1
            await self._kit.catalog.delete_blob(sha256)
            self._generation.advance()
        return right

    async def _remove_orphans(self, unknown: list[str], total: int) -> int:
        if len(unknown) > max(ORPHANS_ALWAYS, total * ORPHAN_SHARE):
            _log.error(
                "%d of %d stored files are not in the catalog: a catalog was lost; "
                "they are kept and used again on demand",
                len(unknown),
                total,
            )
            return 0
        removed = 0
        for sha256 in unknown:
            # A commit makes the file first and its row a moment later.
            if self._kit.catalog.find_blob(sha256) is None and self._is_old(sha256):
                await asyncio.to_thread(self._kit.blobs.remove, sha256)
                removed += 1
        return removed

    def _is_old(self, sha256: str) -> bool:
        blob = self._kit.blobs.open(sha256)
        if blob is None:
            return False
        try:
            fingerprint = blob.fingerprint()
        finally:
            blob.close()
        made = fingerprint.ctime_ns / 1e9 if fingerprint is not None else 0.0
        return self._kit.clock.timestamp() - made > ORPHAN_AGE.total_seconds()

    async def work(self, evict_every: float, sweep_every: float) -> None:
        """All of it, for as long as the server runs. Seconds."""
        while True:
            await asyncio.sleep(evict_every)
            try:
                await self.keep_order(sweep_every)
            except StoreFailure as failure:
                _log.warning("the janitor will try again: %s", failure)

    async def keep_order(self, sweep_every: float) -> None:
        """What is due now. When the last sweep was outlives the server: one that is restarted each day sweeps, too."""
        await self.evict()
        now = self._kit.clock.timestamp()
        if now - self._tidied_at >= ABSENCES_EVERY:
            self._tidied_at = now
            await self.forget_absences()
            await self.forget_generations()
        swept_at = self._kit.blobs.swept_at()
        if not swept_at:
            self._kit.blobs.note_swept(now)
        elif now - swept_at >= sweep_every:
            await self.sweep(pause=0.05)
            self._kit.blobs.note_swept(now)

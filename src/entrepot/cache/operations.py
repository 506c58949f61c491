"""What an operator can do to a cache while it runs: look, mark, delete, accept, forget."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from entrepot.cache.absences import Absences
from entrepot.cache.counters import Counters
from entrepot.cache.janitor import Janitor
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.tally import Tally
from entrepot.cache.targets import PackageTarget, Target, find_targets
from entrepot.contracts.board import Generation
from entrepot.errors import BadRequest, NotServed
from entrepot.model.digest import parse_hex
from entrepot.model.entry import Entry, Remembered

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A change of what a name stands for, to be shown before and after."""

    key: str
    remembered: str
    stored: str


class Operations:
    def __init__(
        self,
        kit: Kit,
        repositories: Mapping[str, Repository],
        generation: Generation,
        absences: Absences,
        janitor: Janitor,
        tally: Tally,
    ) -> None:
        self._kit, self._repositories, self._generation = kit, repositories, generation
        self._absences, self._janitor, self._tally = absences, janitor, tally

    def stats(self) -> dict[str, object]:
        entries, blobs, size = self._kit.catalog.totals()
        totals = self._tally.totals()
        return {
            "repositories": {name: counts.as_dict() for name, counts in totals.repositories.items()},
            "stored": {"entries": entries, "blobs": blobs, "bytes": size},
            "evicted_bytes": totals.evicted_bytes,
            "quarantined": totals.quarantined,
        }

    def session(self, name: str) -> dict[str, dict[str, int]]:
        """What was booked to a session, by repository."""
        totals: Counters = self._tally.totals()
        return {repository: counts.as_dict() for repository, counts in totals.sessions.get(name, {}).items()}

    async def invalidate(self, target: str) -> list[str]:
        """Mark entries expired: upstream is asked before their next use. The keys that were marked."""
        self._kit.commands.advance()
        entries = await self._matching(target)
        for entry in entries:
            await self._kit.catalog.put_entry(replace(entry, expired=True))
        self._changed(target)
        return _names(entries)

    async def purge(self, target: str) -> list[str]:
        """Delete entries, and the bytes that no other entry needs. Remembered digests stay."""
        self._kit.commands.advance()
        entries = await self._matching(target)
        for repository in {entry.repository for entry in entries}:
            keys = [entry.key for entry in entries if entry.repository == repository]
            await self._kit.catalog.delete_entries(repository, keys)
        self._changed(target)
        for sha256 in {entry.sha256 for entry in entries if not entry.is_absence}:
            if not self._kit.catalog.is_used(sha256):
                await self._janitor.remove(sha256)
        return _names(entries)

    async def forget(self, target: str) -> list[str]:
        """Drop which upstream owns a package, and the digests remembered of its files: those of one version where
        the target names one, and then the owner stays. Whoever owns the package next is asked at once."""
        self._kit.commands.advance()
        forgotten = []
        for one in find_targets(target, self._repositories):
            package = one if isinstance(one, PackageTarget) else PackageTarget(one.repository, one.path.strip("/"), "")
            if not package.package:
                raise BadRequest("name a package: REPOSITORY/PACKAGE, or a package URL")
            keys = await asyncio.to_thread(self._remembered_of, one, package)
            await self._kit.catalog.forget(one.repository.name, "" if package.version else package.package, keys)
            forgotten += [f"{one.repository.name}/{key}" for key in keys]
            if not package.version:
                await self._expire_indexes(package)
        self._changed(target)
        return forgotten

    async def _expire_indexes(self, target: PackageTarget) -> None:
        """What the former owner said of a package, and what it said that it has not."""
        await self._kit.catalog.flush()
        for entry in await asyncio.to_thread(self._entries_of, [target]):
            if entry.gone_at is not None or not target.covers_file(entry.key):
                await self._kit.catalog.put_entry(replace(entry, expired=True))

    def _remembered_of(self, target: Target, package: PackageTarget) -> list[str]:
        """The files of the package and, where a path is what was named, those at it and below it."""
        keys = self._files_of(package)
        if isinstance(target, PackageTarget):
            return keys
        place = f"{package.package}/"
        known = self._kit.catalog.remembered_keys(target.repository.name, package.package)
        return list(dict.fromkeys([*keys, *(key for key in known if f"{key}/".startswith(place))]))

    async def accept(self, target: str, sha256: str) -> Acceptance:
        """From now on the name stands for other bytes; what is stored under it is fetched again. Without a digest
        nothing is changed, and the answer tells what there is."""
        repository, key = await asyncio.to_thread(self.find_file, target)
        remembered = self._kit.catalog.find_remembered(repository.name, key)
        if remembered is None:
            raise NotServed(f"nothing is remembered of {target}: whatever upstream has under this name is taken")
        entry = self._kit.catalog.find_entry(repository.name, key)
        if not sha256:
            return Acceptance(key=key, remembered=remembered.sha256, stored=entry.sha256 if entry else "")
        if parse_hex("sha256", sha256) is None:
            raise BadRequest(f"{sha256!r} is no SHA-256; it has 64 hexadecimal digits")
        self._kit.commands.advance()
        accepted = Remembered(sha256=sha256.lower(), size_bytes=0, first_seen=self._kit.clock.now())
        await self._kit.catalog.accept(repository.name, key, accepted)
        if entry is not None and entry.sha256 != accepted.sha256:
            await self._kit.catalog.delete_entries(repository.name, [key])
        self._changed(target)
        _log.warning("%s/%s: accepted %s in place of %s", repository.name, key, accepted.sha256, remembered.sha256)
        return Acceptance(key=key, remembered=accepted.sha256, stored=remembered.sha256)

    async def sweep(self) -> dict[str, int]:
        swept = await self._janitor.sweep()
        return asdict(swept)

    # --- names ------------------------------------------------------------------------------------------------------

    def find_file(self, target: str) -> tuple[Repository, str]:
        """The repository and key of the one file that is meant. Reads the catalog: call it in a thread. Raises
        NotServed, BadRequest."""
        keys = [
            (one.repository, key) for one in find_targets(target, self._repositories) for key in self._files_of(one)
        ]
        if not keys:
            raise NotServed(f"nothing is remembered of {target}")
        if len(keys) > 1:
            listed = "\n".join(f"  {repository.name}/{key}" for repository, key in keys[:20])
            raise BadRequest(f"{target} means {len(keys)} files; name one of them:\n{listed}")
        return keys[0]

    def _files_of(self, target: Target) -> list[str]:
        if isinstance(target, PackageTarget):
            spelled = target.repository.ecosystem.spelled(target.package)
            known = self._kit.catalog.remembered_keys(target.repository.name, spelled)
            return [key for key in known if target.covers_file(key)]
        if not target.is_one:
            raise BadRequest("name one file: REPOSITORY/PATH")
        return [target.stored_key()]

    async def _matching(self, target: str) -> list[Entry]:
        targets = find_targets(target, self._repositories)
        await self._kit.catalog.flush()
        return await asyncio.to_thread(self._entries_of, targets)

    def _entries_of(self, targets: Iterable[Target]) -> list[Entry]:
        entries = self._kit.catalog.entries
        return [
            entry
            for target in targets
            for entry in entries(target.repository.name, target.prefix())
            if target.covers(entry.key)
        ]

    def _changed(self, target: str) -> None:
        for one in find_targets(target, self._repositories):
            self._absences.forget(f"{one.repository.name}/")
        self._generation.advance()


def _names(entries: Iterable[Entry]) -> list[str]:
    return [f"{entry.repository}/{entry.key}" for entry in entries]

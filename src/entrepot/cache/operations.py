"""What an operator can do to a cache while it runs: look, mark, delete, accept, forget."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from entrepot.cache.counters import Counters
from entrepot.cache.engine import Absences
from entrepot.cache.janitor import Janitor
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.tally import Tally
from entrepot.contracts.board import Generation
from entrepot.errors import BadRequest, NotServed
from entrepot.model.entry import Entry, Remembered
from entrepot.model.resource import Reply, Request


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
        entries = self._matching(target)
        for entry in entries:
            await self._kit.catalog.put_entry(replace(entry, expired=True))
        self._changed(target)
        return _names(entries)

    async def purge(self, target: str) -> list[str]:
        """Delete entries, and the bytes that no other entry needs. Remembered digests stay."""
        entries = self._matching(target)
        for repository in {entry.repository for entry in entries}:
            keys = [entry.key for entry in entries if entry.repository == repository]
            await self._kit.catalog.delete_entries(repository, keys)
        self._changed(target)
        for sha256 in {entry.sha256 for entry in entries}:
            if not self._kit.catalog.is_used(sha256):
                await self._janitor.remove(sha256)
        return _names(entries)

    async def forget(self, target: str) -> list[str]:
        """Drop which upstream owns a package, and the digests remembered of its files."""
        repository, rest = self._split(target)
        keys = self._kit.catalog.remembered_keys(repository.name, rest)
        await self._kit.catalog.forget(repository.name, rest, keys)
        self._changed(target)
        return [f"{repository.name}/{key}" for key in keys]

    async def accept(self, target: str, sha256: str) -> Acceptance:
        """From now on the name stands for other bytes; what is stored under it is fetched again."""
        repository, _ = self._split(target)
        key = self._key_of(target)
        remembered = self._kit.catalog.find_remembered(repository.name, key)
        if remembered is None:
            raise NotServed(f"nothing is remembered of {target}; `entrepot stats` and the access log show keys")
        entry = self._kit.catalog.find_entry(repository.name, key)
        if not sha256:
            return Acceptance(key=key, remembered=remembered.sha256, stored=entry.sha256 if entry else "")
        accepted = Remembered(sha256=sha256, size_bytes=0, first_seen=self._kit.clock.now())
        await self._kit.catalog.accept(repository.name, key, accepted)
        if entry is not None and entry.sha256 != sha256:
            await self._kit.catalog.delete_entries(repository.name, [key])
        self._changed(target)
        return Acceptance(key=key, remembered=sha256, stored=remembered.sha256)

    async def sweep(self) -> dict[str, int]:
        swept = await self._janitor.sweep()
        return asdict(swept)

    # --- names ------------------------------------------------------------------------------------------------------

    def _split(self, target: str) -> tuple[Repository, str]:
        name, _, rest = target.strip("/").partition("/")
        repository = self._repositories.get(name)
        if repository is None:
            raise NotServed(f"there is no repository {name!r}; there are: {', '.join(self._repositories)}")
        return repository, rest

    def _key_of(self, target: str) -> str:
        """The stored key of a path, by way of the ecosystem, so that every spelling will do."""
        repository, rest = self._split(target)
        if not rest:
            raise BadRequest("name one file: REPOSITORY/PATH")
        resource = repository.ecosystem.route(Request(method="GET", path=rest))
        if isinstance(resource, Reply):
            raise BadRequest(f"{target} names nothing that is stored")
        return resource.stored_key

    def _matching(self, target: str) -> list[Entry]:
        """REPOSITORY, REPOSITORY/PATH, or REPOSITORY/PREFIX*."""
        repository, rest = self._split(target)
        if not rest or rest.endswith("*"):
            return list(self._kit.catalog.entries(repository.name, rest.removesuffix("*")))
        key = self._key_of(target)
        entry = self._kit.catalog.find_entry(repository.name, key)
        return [entry] if entry is not None else []

    def _changed(self, target: str) -> None:
        self._absences.forget(target.strip("/").partition("/")[0])
        self._generation.advance()


def _names(entries: Iterable[Entry]) -> list[str]:
    return [f"{entry.repository}/{entry.key}" for entry in entries]

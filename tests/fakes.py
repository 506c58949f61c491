"""Stand-ins that keep the contracts: a catalog in memory, a scripted upstream, a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from entrepot.contracts.catalog import Derived, OriginState, Published, Sighting, StoredVersion, Usage
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.errors import BodyCut, EntrepotError, StoreFailure
from entrepot.model.entry import Blob, Entry, Remembered
from entrepot.model.headers import Headers
from entrepot.model.resource import edition_key, edition_of

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def timestamp(self) -> float:
        return self.moment.timestamp()

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


# --- the catalog ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Rows:
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    remembered: dict[tuple[str, str], Remembered] = field(default_factory=dict)
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    origins: dict[str, OriginState] = field(default_factory=dict)
    generations: dict[tuple[str, str], Published] = field(default_factory=dict)
    listed: dict[tuple[str, str], datetime] = field(default_factory=dict)
    readings: dict[tuple[str, str], datetime] = field(default_factory=dict)
    sightings: dict[tuple[str, str, str, str], datetime] = field(default_factory=dict)
    """By repository, package, version and place."""


class MemoryCatalog:
    """A Catalog without a file. `broken = True`: every call fails, as with a lost disk; `read_only`: every put."""

    def __init__(self, clock: FakeClock, rows: _Rows | None = None) -> None:
        self._clock, self._rows = clock, rows or _Rows()
        self.broken = self.read_only = self._closed = False

    def _read(self) -> _Rows:
        if self.broken or self._closed:
            raise StoreFailure("the catalog is out of order")
        return self._rows

    async def _write(self) -> _Rows:
        rows = self._read()
        if self.read_only:
            raise StoreFailure("the catalog takes nothing")
        await asyncio.sleep(0)
        return rows

    def find_entry(self, repository: str, key: str) -> Entry | None:
        return self._read().entries.get((repository, key))

    def find_blob(self, sha256: str) -> Blob | None:
        return self._read().blobs.get(sha256)

    def find_remembered(self, repository: str, key: str) -> Remembered | None:
        return self._read().remembered.get((repository, key))

    def find_owner(self, repository: str, package: str) -> str | None:
        return self._read().owners.get((repository, package))

    def find_derived(self, key: str) -> Derived | None:
        return self._read().derived.get(key)

    def find_origin(self, origin: str) -> OriginState | None:
        return self._read().origins.get(origin)

    def find_sighting(self, repository: str, package: str, version: str) -> Sighting | None:
        return self.find_sightings(repository, package).get(version)

    def find_sightings(self, repository: str, package: str) -> Mapping[str, Sighting]:
        found: dict[str, list[tuple[datetime, bool]]] = {}
        for (name, about, version, place), seen in self._read().sightings.items():
            if (name, about) == (repository, package):
                read_at = self.find_reading(repository, place)
                found.setdefault(version, []).append((seen, read_at is not None and seen <= read_at))
        return {
            version: Sighting(first_seen=min(seen)[0], baseline=any(baseline for _, baseline in seen))
            for version, seen in found.items()
        }

    def find_reading(self, repository: str, place: str) -> datetime | None:
        return self._read().readings.get((repository, place))

    def generation_of(self, repository: str, root: str) -> Published | None:
        return self._read().generations.get((repository, root))

    def members_of(self, repository: str, root: str) -> list[Entry]:
        found = (self._read().entries[name] for name in sorted(self._read().entries))
        current = [one for one in found if one.repository == repository and one.snapshot == root and not one.aside_at]
        return [one for one in current if one.key != root]

    def groups_of(self, repository: str) -> list[Published]:
        found = self._read().generations
        return [found[name] for name in sorted(found) if name[0] == repository]

    def former_roots(self, repository: str, root: str) -> list[Entry]:
        found = [one for (name, _), one in self._read().entries.items() if name == repository and one.snapshot == root]
        kept = [one for one in found if one.key.startswith(f"{root} @")]
        return sorted(kept, key=lambda one: edition_of(one.key), reverse=True)

    async def publish(self, generation: Published, root: Entry, blob: Blob, members: Iterable[Entry]) -> None:
        rows, news = await self._write(), list(members)
        last = rows.generations.get((generation.repository, generation.root))
        old = rows.entries.get((generation.repository, generation.root))
        if last is not None and old is not None and old.sha256 == last.sha256 and last.number == generation.number - 1:
            aside = edition_key(old.key, last.number)
            rows.entries[old.repository, aside] = replace(
                old, key=aside, stored_at=last.published_at, aside_at=generation.published_at
            )
        for one in self.members_of(generation.repository, generation.root):
            del rows.entries[one.repository, one.key]
            aside = edition_key(one.key, generation.number - 1)
            rows.entries[one.repository, aside] = replace(one, key=aside, aside_at=generation.published_at)
        for one in news:
            rows.entries.pop((one.repository, one.key), None)
            key = one.key.removesuffix(edition_key("", generation.number))
            rows.entries[one.repository, key] = replace(one, key=key, aside_at=None)
        self._put_blob(rows, blob)
        rows.entries[root.repository, root.key] = root
        rows.generations[generation.repository, generation.root] = generation

    async def delete_aside(self, before: datetime, kept: Mapping[str, datetime] | None = None) -> list[str]:
        rows = await self._write()
        ends = {name: (kept or {}).get(name[0], before) for name in rows.entries}
        gone = {name: one for name, one in rows.entries.items() if one.aside_at and one.aside_at < ends[name]}
        for name in gone:
            del rows.entries[name]
        return [one.sha256 for one in gone.values() if one.sha256]

    async def put_sightings(
        self, repository: str, place: str, package: str, versions: Iterable[str], at: datetime, *, reading: bool = True
    ) -> None:
        rows = await self._write()
        if reading:
            rows.readings[repository, place] = min(at, rows.readings.get((repository, place), at))
        for version in versions:
            name = repository, package, version, place
            rows.sightings[name] = min(at, rows.sightings.get(name, at))

    async def put_stored(self, entry: Entry, blob: Blob, remember: bool) -> None:
        rows = await self._write()
        self._put_blob(rows, blob)
        self._put_entry(rows, entry)
        if remember:
            seen = Remembered(sha256=entry.sha256, size_bytes=entry.size_bytes, first_seen=entry.stored_at)
            rows.remembered.setdefault((entry.repository, entry.key), seen)

    def _put_blob(self, rows: _Rows, blob: Blob) -> None:
        rows.blobs[blob.sha256] = blob
        self.note_use(blob.sha256, self._clock.timestamp())

    async def put_entry(self, entry: Entry) -> None:
        self._put_entry(await self._write(), entry)

    def _put_entry(self, rows: _Rows, entry: Entry) -> None:
        name = entry.repository, entry.key
        if not entry.version:
            rows.listed.pop(name, None)
        elif name not in rows.listed or name not in rows.entries:
            others = (at for (one, key), at in rows.listed.items() if one == entry.repository and key != entry.key)
            rows.listed[name] = max([entry.stored_at, *(at + timedelta(microseconds=1) for at in others)])
        rows.entries[name] = entry

    async def put_blob(self, blob: Blob) -> None:
        rows = await self._write()
        rows.blobs[blob.sha256] = blob
        rows.used.setdefault(blob.sha256, self._clock.timestamp())

    async def put_owner(self, repository: str, package: str, upstream: str) -> None:
        (await self._write()).owners.setdefault((repository, package), upstream)

    async def put_derived(self, derived: Derived, blob: Blob) -> None:
        rows = await self._write()
        self._put_blob(rows, blob)
        rows.derived[derived.key] = derived

    async def put_origin(self, state: OriginState) -> None:
        (await self._write()).origins[state.origin] = state

    async def accept(self, repository: str, key: str, remembered: Remembered) -> None:
        (await self._write()).remembered[repository, key] = remembered

    async def forget(self, repository: str, package: str, keys: Iterable[str]) -> None:
        rows = await self._write()
        rows.owners.pop((repository, package), None)
        for key in keys:
            rows.remembered.pop((repository, key), None)

    async def delete_entries(self, repository: str, keys: Iterable[str]) -> None:
        rows = await self._write()
        for key in keys:
            rows.entries.pop((repository, key), None)

    async def delete_absences(self, before: datetime, most: int) -> None:
        rows = await self._write()
        said = {name: entry.gone_at for name, entry in rows.entries.items() if entry.is_absence and entry.gone_at}
        newest = sorted(said.values(), reverse=True)[:most]
        for name, moment in said.items():
            if moment < max([before, *newest[most - 1 :]]):
                del rows.entries[name]

    async def delete_blob(self, sha256: str) -> None:
        rows = await self._write()
        rows.blobs.pop(sha256, None)
        rows.used.pop(sha256, None)
        rows.entries = {name: entry for name, entry in rows.entries.items() if entry.sha256 != sha256}
        rows.derived = {key: derived for key, derived in rows.derived.items() if derived.sha256 != sha256}

    def note_use(self, sha256: str, at: float) -> None:
        rows = self._read()
        if sha256 in rows.blobs:
            rows.used[sha256] = max(at, rows.used.get(sha256, 0.0))

    def entries(self, repository: str | None = None, prefix: str = "") -> Iterator[Entry]:
        rows = self._read()
        for name, key in sorted(rows.entries):
            if repository in (None, name) and key.startswith(prefix):
                yield rows.entries[name, key]

    def versions_since(self, repository: str, since: datetime, limit: int) -> list[StoredVersion]:
        found = [one for one in self._versions(repository) if one.listed_at >= since]
        return sorted(found, key=lambda one: one.listed_at)[:limit]

    def versions_after(self, repository: str, package: str, version: str, limit: int) -> list[StoredVersion]:
        found = [one for one in self._versions(repository) if (one.package, one.version) > (package, version)]
        return sorted(found, key=lambda one: (one.package, one.version))[:limit]

    def _versions(self, repository: str) -> list[StoredVersion]:
        rows, first = self._read(), dict[tuple[str, str], datetime]()
        for name, entry in rows.entries.items():
            if entry.repository == repository and entry.version and entry.gone_at is None:
                version = entry.package, entry.version
                first[version] = min(rows.listed[name], first.get(version, rows.listed[name]))
        return [StoredVersion(package=one, version=two, listed_at=at) for (one, two), at in first.items()]

    def usage(self, limit: int) -> list[Usage]:
        rows = self._read()
        found = [
            Usage(sha256=sha256, size_bytes=blob.size_bytes, last_used_at=_moment(rows.used[sha256]))
            for sha256, blob in rows.blobs.items()
        ]
        return sorted(found, key=lambda usage: usage.last_used_at)[:limit]

    def is_used(self, sha256: str) -> bool:
        rows = self._read()
        made = [entry.sha256 for entry in rows.entries.values()] + [made.sha256 for made in rows.derived.values()]
        return sha256 in made

    def remembered_keys(self, repository: str, package: str) -> list[str]:
        wanted = f"/{package}/"
        return sorted(key for name, key in self._read().remembered if name == repository and wanted in f"/{key}/")

    def totals(self) -> tuple[int, int, int]:
        rows = self._read()
        return len(rows.entries), len(rows.blobs), sum(blob.size_bytes for blob in rows.blobs.values())

    def probe(self) -> None:
        self._read()

    async def flush(self) -> None:
        await self._write()

    async def backup(self, path: str) -> None:
        rows = await self._write()
        copy = replace(rows, entries=dict(rows.entries), blobs=dict(rows.blobs), derived=dict(rows.derived))
        _backups[path] = copy
        await asyncio.to_thread(Path(path).write_bytes, msgspec.json.encode(len(copy.entries)))

    async def close(self) -> None:
        self._closed = True

    @classmethod
    def of_backup(cls, path: Path, clock: FakeClock) -> "MemoryCatalog":
        return cls(clock, _backups[str(path)])


_backups: dict[str, _Rows] = {}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# --- the upstream -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Reply:
    """A scripted answer. `cut_at`: where the body ends early, with `cut`."""

    body: bytes = b""
    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()
    url: str = ""
    piece: int = 64 << 10
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    """By offset: the body goes no further until the event is set."""
    cut_at: int | None = None
    cut: EntrepotError = field(default_factory=lambda: BodyCut("the body ended early"))
    length: bool = True
    """Whether Content-Length is told."""
    delimited: bool = True
    closed: int = 0
    """How often the answer was closed."""
    headers: Headers = field(init=False)

    def __post_init__(self) -> None:
        told = [("content-length", str(len(self.body)))] if self.length and self.status in (200, 206) else []
        self.headers = Headers([*told, *self.fields])

    async def chunks(self) -> AsyncIterator[bytes]:
        end = len(self.body) if self.cut_at is None else self.cut_at
        position = 0
        while position < end:
            if position in self.gates:
                await self.gates[position].wait()
            following = [offset for offset in (*self.gates, end) if offset > position]
            stop = min(position + self.piece, *following)
            yield self.body[position:stop]
            position = stop
        if end in self.gates:
            await self.gates[end].wait()
        if self.cut_at is not None:
            raise self.cut

    async def close(self) -> None:
        self.closed += 1


Script = Reply | EntrepotError | Callable[[Ask], Reply | EntrepotError]


class ScriptedFetcher:
    """A Fetcher that answers from a script: for each URL its answers in order, the last one for ever."""

    def __init__(self, **bases: str) -> None:
        self.bases = bases or {"main": "https://registry.example/"}
        self.asks: list[Ask] = []
        self.replies: list[Reply] = []
        """Every answer that was given: all of them have to be closed."""
        self.reserved: dict[str, str] = {}
        """Package to the upstream that it is reserved for."""
        self._scripts: dict[str, list[Script]] = {}

    def on(self, url: str, *answers: Script) -> None:
        """`url` may be given as a path below the first upstream's base."""
        self._scripts[self._full(url)] = list(answers)

    def scripted(self, url: str) -> list[Script]:
        """What is answered there from now on."""
        return self._scripts.get(self._full(url), [])

    def asked(self, url: str = "") -> list[Ask]:
        return [ask for ask in self.asks if not url or ask.url == self._full(url)]

    def _full(self, url: str) -> str:
        return url if "://" in url else next(iter(self.bases.values())) + url

    async def send(self, ask: Ask) -> UpstreamReply:
        self.asks.append(ask)
        await asyncio.sleep(0)
        script = self._scripts.get(ask.url, [Reply(status=404)])
        answer = script.pop(0) if len(script) > 1 else script[0]
        answer = answer(ask) if callable(answer) else answer
        if isinstance(answer, EntrepotError):
            raise answer
        answer = replace(answer, url=answer.url or ask.url, closed=0)
        self.replies.append(answer)
        return answer

    def base_url(self, upstream: str) -> str:
        return self.bases[upstream]

    def identity(self, upstream: str) -> str:
        return f"{self.bases[upstream]} anonymous"

    def owns(self, upstream: str, package: str) -> bool:
        return self.reserved.get(package) == upstream

    async def close(self) -> None:
        return

"""One walk through a tree: listings first, then what they name, with what did not change left alone."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

from entrepot.cache.directories import listing_of
from entrepot.cache.repository import Repository
from entrepot.contracts.mirrors import ItemState
from entrepot.contracts.trees import Listed, WalkCounts
from entrepot.errors import (
    Absent,
    EntrepotError,
    NotServed,
    NotStorable,
    PolicyError,
    StoreFailure,
    UnreadableIndex,
    UpstreamBusy,
    UpstreamStatus,
)
from entrepot.mirror.outcomes import Outcome, outcome_of
from entrepot.mirror.trees.grove import Grove, Report, Walked
from entrepot.mirror.trees.work import Stack
from entrepot.model.folders import Folder, Member, is_settled
from entrepot.model.resource import Kind, Request, Resource
from entrepot.model.trees import Tree

BATCH: Final = 200
"""Rows that are written down together."""
TRIES: Final = 4
"""Of one thing, while upstream asks to be left alone."""
LONGEST_PAUSE: Final = 300.0
"""Seconds that a walk waits for an upstream; one that wants longer is walked another time."""
ALIKE: Final = 3
"""So many folders in one another that look the same are one that contains itself."""

_T = TypeVar("_T")


class RefusedByUpstream(Exception):
    """The credentials of the configuration do not count there: whatever else is asked would be refused, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A folder to be read."""

    key: str
    row: Listed | None
    """As its parent lists it; None for the root of the tree."""
    above: tuple[int, ...] = ()
    """What the listings of the folders that it lies in look like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    row: Listed
    listed_at: datetime
    """When its listing was asked for."""
    was_folder: Listed | None = None
    """As the listing had it before; None: it was no folder."""


@dataclass(slots=True)
class Walk:
    """`number` marks what it finds; `complete` afterwards: every listing was read."""

    grove: Grove
    repository: Repository
    tree: Tree
    number: int
    report: Report
    rehearsed: bool = False
    """Whether listings are read and files are left alone."""
    counts: WalkCounts = field(default_factory=WalkCounts)
    complete: bool = True
    problems: list[str] = field(default_factory=list)
    _stack: "Stack[_Place | _File]" = field(init=False)
    _asked: Repository = field(init=False)
    _nested: frozenset[str] = field(init=False)
    _proven: list[Listed] = field(default_factory=list)
    _seen_at: set[str] = field(default_factory=set)
    _names: int = 0

    def __post_init__(self) -> None:
        self._stack = Stack(self._step, self.tree.concurrency)
        # What a walk learns of what is gone must not take effect before the walk knows how much that is.
        rules = replace(self.repository.rules, gone="serve", forbidden="stale")
        self._asked = replace(self.repository, rules=rules, _variants={})
        self._nested = frozenset(
            one.path for one in self.repository.trees if one.path != self.tree.path and self.tree.holds(one.path)
        )

    async def run(self) -> None:
        """Raises StoreFailure, RefusedByUpstream."""
        self._stack.push(_Place(key=self.tree.path, row=None))
        try:
            await self._stack.work_off()
        except BaseExceptionGroup as group:
            raise _first_of(group) from group
        finally:
            await self._write_proofs()

    async def _step(self, step: _Place | _File) -> None:
        if isinstance(step, _Place):
            await self._read(step)
        else:
            await self._bring(step)

    # --- folders ----------------------------------------------------------------------------------------------------

    async def _read(self, place: _Place) -> None:
        listed_at = self.grove.clock.now()
        try:
            brought = await self._patiently(lambda: self.grove.directories.bring(self._asked, place.key))
            # Whoever is served meanwhile must not wait for the looks of thousands of names.
            looks = await asyncio.to_thread(hash, brought.folder.members)
            self._check_place(place, brought.folder, brought.url, looks)
            await self._take(place, brought.folder, looks, listed_at)
            state = ItemState.DONE if brought.fetched else ItemState.HELD
            self.report(Walked(key=listing_of(place.key).stored_key, state=state, size_bytes=brought.size_bytes))
        except EntrepotError as error:
            if isinstance(error, StoreFailure) and not isinstance(error, NotStorable):
                raise
            await self._without_listing(place, error)

    def _check_place(self, place: _Place, folder: Folder, url: str, looks: int) -> None:
        """Raises UnreadableIndex where following it would lead round in circles, or on for ever."""
        subject = f"{self.repository.name}/{place.key}"
        if url in self._seen_at:
            raise UnreadableIndex(f"{subject}: leads to a folder that was read already: {url}")
        self._seen_at.add(url)
        if any(member.is_folder for member in folder.members) and place.above.count(looks) >= ALIKE - 1:
            raise UnreadableIndex(
                f"{subject}: looks as {ALIKE - 1} folders that it lies in; it seems to contain itself"
            )
        self._names += len(folder.members)
        if self._names > self.tree.max_entries:
            self._stack.clear()
            raise UnreadableIndex(f"{subject}: the walk found more than {self.tree.max_entries} names (max_entries)")

    async def _take(self, place: _Place, folder: Folder, looks: int, listed_at: datetime) -> None:
        book, name = self.grove.book, self.repository.name
        known = await asyncio.to_thread(book.listed_in, name, place.key)
        if not folder.members and self.tree.purge != "always" and any(not one.purged_at for one in known.values()):
            # Far more often a mistake of the server than the truth.
            if place.row is None:
                raise UnreadableIndex(f"{name}/{place.key}: is listed as empty, and {len(known)} names were known")
            await book.protect(name, self.number, place.key)
        self.counts.folders += 1
        self._note_hostile(place, folder)
        told = await asyncio.to_thread(_told, place.key, folder, known, listed_at)
        await book.put(name, self.number, told.rows)
        for row in told.folders:
            self._follow(place, looks, row)
        for file in told.files:
            self._stack.push(file)
        for segment in folder.unseen:
            for row in filter(None, (known.get(segment), known.get(f"{segment}/"))):
                unseen = UnreadableIndex(f"{name}/{row.key}: upstream lists it and cannot look at it now")
                self._tell(row.key, ItemState.SKIPPED, unseen)
                await self._protect(row)

    def _note_hostile(self, place: _Place, folder: Folder) -> None:
        self.counts.hostile += len(folder.hostile)
        if folder.hostile:
            told = ", ".join(folder.hostile[:3])
            self._problem(f"{self.repository.name}/{place.key}: names that could lead elsewhere were ignored: {told}")

    def _follow(self, place: _Place, looks: int, row: Listed) -> None:
        if row.key in self._nested:
            return  # It is walked under its own settings.
        if row.key.count("/") - self.tree.path.count("/") > self.tree.max_depth:
            self._fail(row.key, UnreadableIndex(f"{self.repository.name}/{row.key}: lies deeper than max_depth"))
            return
        self._stack.push(_Place(key=row.key, row=row, above=(*place.above, looks)))

    async def _without_listing(self, place: _Place, error: EntrepotError) -> None:
        book, name, rules = self.grove.book, self.repository.name, self.repository.rules
        status = error.upstream_status if isinstance(error, UpstreamStatus) else 0
        if status == 401:
            raise RefusedByUpstream(str(error)) from error
        if place.row is None:
            self._fail(place.key, error)
        elif (rules.gone == "follow" and isinstance(error, Absent)) or (rules.forbidden == "drop" and status == 403):
            self.counts.absent += 1
            await book.miss(name, place.row)
        elif isinstance(error, Absent | PolicyError) or status == 403:
            # Not to be seen now, which says nothing about what lies below.
            self.counts.refused += 1
            await book.protect(name, self.number, place.key)
            self._tell(place.key, ItemState.REFUSED, error)
        else:
            self._fail(place.key, error)

    # --- files ------------------------------------------------------------------------------------------------------

    async def _bring(self, file: _File) -> None:
        row = file.row
        self.counts.files += 1
        try:
            resource = self._resource_at(row.key)
            if self._is_unchanged(row, resource):
                self.counts.skipped += 1
                self.report(Walked(key=row.key, state=ItemState.HELD, size_bytes=row.size_bytes or 0))
                return
            if self.rehearsed:
                self.report(Walked(key=row.key, state=ItemState.OPEN, size_bytes=row.size_bytes or 0))
                return
            supplied = await self._patiently(lambda: self.grove.supply.renew(self._asked, resource))
        except EntrepotError as error:
            if isinstance(error, StoreFailure) and not isinstance(error, NotStorable):
                raise
            await self._without_file(file, error)
            return
        size = supplied.entry.size_bytes
        if supplied.fetched:
            self.counts.fetched += 1
            self.counts.fetched_bytes += size
        else:
            self.counts.unchanged += 1
        self.report(Walked(key=row.key, state=ItemState.DONE if supplied.fetched else ItemState.HELD, size_bytes=size))
        certain = bool(row.digest) or is_settled(row.modified, file.listed_at)
        if certain and row.size_bytes in (None, size) and row.sha256 != supplied.entry.sha256:
            self._proven.append(replace(row, sha256=supplied.entry.sha256))
            if len(self._proven) >= BATCH:
                await self._write_proofs()

    def _resource_at(self, key: str) -> Resource:
        """Raises NotServed and other refusals of the ecosystem."""
        resource = self.repository.ecosystem.route(Request(method="GET", path=key))
        if not isinstance(resource, Resource) or resource.kind is Kind.PASS:
            raise NotServed(f"{self.repository.name}/{key}: nothing is stored of this kind")
        return resource

    def _is_unchanged(self, row: Listed, resource: Resource) -> bool:
        """Whether what is held is what the listing describes; then upstream need not be asked."""
        if not row.sha256 or (row.size_bytes is None and not row.digest):
            return False
        entry = self.grove.documents.find_entry(self._asked, resource)
        return entry is not None and entry.sha256 == row.sha256 and entry.gone_at is None and not entry.expired

    async def _without_file(self, file: _File, error: EntrepotError) -> None:
        row, rules = file.row, self.repository.rules
        if file.was_folder is not None:
            # A link into a file system that is gone for a while looks like that, too.
            await self._protect(file.was_folder)
        status = error.upstream_status if isinstance(error, UpstreamStatus) else 0
        if status == 401:
            raise RefusedByUpstream(str(error)) from error
        if isinstance(error, Absent) or status == 403:
            self.counts.absent += 1
            if (rules.gone == "follow") if isinstance(error, Absent) else (rules.forbidden == "drop"):
                await self.grove.book.miss(self.repository.name, row)
            self._tell(row.key, ItemState.REFUSED if status == 403 else ItemState.ABSENT, error)
        elif isinstance(error, NotStorable) or outcome_of(error, 1) is not Outcome.AGAIN:
            self.counts.refused += 1
            self._tell(row.key, ItemState.REFUSED, error)
        else:
            self.counts.failed += 1
            self._tell(row.key, ItemState.FAILED, error)

    async def _write_proofs(self) -> None:
        proven, self._proven = self._proven, []
        if proven:
            await self.grove.book.prove(self.repository.name, proven)

    # --- both -------------------------------------------------------------------------------------------------------

    async def _patiently(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """What upstream answers when it is asked as late as it wishes. Raises what it answers in the end."""
        for _ in range(TRIES - 1):
            try:
                async with self.grove.slots:
                    return await work()
            except UpstreamBusy as busy:
                if busy.seconds > LONGEST_PAUSE:
                    break
                await self.grove.pause(max(1.0, busy.seconds))
            except UpstreamStatus as status:
                if status.upstream_status not in (429, 503):
                    raise
                # How long it wants to be left alone, the next attempt is told.
                await self.grove.pause(1.0)
        try:
            async with self.grove.slots:
                return await work()
        except UpstreamBusy:
            # Whatever else would be asked now would be told the same.
            self._stack.clear()
            self.complete = False
            raise

    def _fail(self, key: str, error: EntrepotError) -> None:
        """A listing that is missing: what lies below is not known."""
        self.complete = False
        self.counts.failed += 1
        self._tell(key, ItemState.FAILED, error)

    async def _protect(self, row: Listed) -> None:
        """What was listed before counts as found, with everything below."""
        if row.purged_at is not None:
            return
        await self.grove.book.put(self.repository.name, self.number, [row])
        if row.name.endswith("/"):
            await self.grove.book.protect(self.repository.name, self.number, row.key)

    def _tell(self, key: str, state: ItemState, error: EntrepotError) -> None:
        self.report(Walked(key=key, state=state, error=error))
        self._problem(str(error))

    def _problem(self, text: str) -> None:
        if len(self.problems) < BATCH:
            self.problems.append(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a listing says: of all, and of folders and files with what was known of them before."""

    rows: list[Listed]
    folders: list[Listed]
    files: list[_File]


def _told(key: str, folder: Folder, known: Mapping[str, Listed], listed_at: datetime) -> _Told:
    told = _Told(rows=[], folders=[], files=[])
    for member in folder.members:
        row = _row_of(key, member)
        told.rows.append(row)
        if member.is_folder:
            told.folders.append(_with_past(row, known))
        else:
            former = known.get(f"{member.segment}/")
            told.files.append(_File(row=_with_past(row, known), listed_at=listed_at, was_folder=former))
    return told


def _row_of(folder: str, member: Member) -> Listed:
    return Listed(
        folder=folder,
        name=member.segment,
        size_bytes=member.size_bytes,
        modified=member.modified,
        digest=member.digest,
    )


def _with_past(row: Listed, known: Mapping[str, Listed]) -> Listed:
    """With how long it was absent before, and what it was proven to be if its listing still says the same of it."""
    past = known.get(row.name)
    if past is None:
        return row
    sha256 = past.sha256 if past.says_what(row) else ""
    return replace(row, sha256=sha256, absent_walks=past.absent_walks, absent_since=past.absent_since)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first

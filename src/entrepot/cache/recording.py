"""Writes down what sessions were served: noted in memory with the answer, stored in batches behind it."""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Final

from entrepot.cache.answer import Answer
from entrepot.cache.flight import Flight
from entrepot.cache.frozen import plain_key
from entrepot.cache.order import Kit
from entrepot.contracts.sessions import Served, ServedState, SessionBook, SessionState
from entrepot.errors import StoreFailure
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind, Resource

FLUSH_SECONDS: Final = 0.2
"""What was served waits so long for company."""
BROKEN_SECONDS: Final = 2.0
"""After the catalog took nothing."""
MOST_WAITING: Final = 100_000
"""Answers beyond this are lost to their sessions while the catalog takes nothing."""
MOST_LOSERS: Final = 1000
"""Sessions whose losses are counted."""
HOPE: Final = timedelta(minutes=10)
"""For how long a download may go on of which a part was passed through beside it."""
BATCH: Final = 500

_Name = tuple[str, str, str]
"""Session, repository, stored key."""

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    served: Served
    flight: Flight | None = None
    """What brings the bytes, where they are not stored yet."""

    def settled(self, entry: Entry | None) -> Served:
        """With what the entry tells that was stored meanwhile."""
        return _settled(self.served, entry) if entry is not None and entry.sha256 else self.served


class Recorder:
    """Of one process. `most`: things that are written down of one session."""

    def __init__(self, book: SessionBook, kit: Kit, *, writer: str, most: int) -> None:
        self._book, self._kit, self._writer, self._most = book, kit, writer, most
        self._waiting: dict[_Name, _Note] = {}
        """Not written down yet."""
        self._unsettled: dict[_Name, _Note] = {}
        """Written down, but for which bytes it was."""
        self._lost: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()

    # --- what was served --------------------------------------------------------------------------------------------

    def note(self, session: str, repository: str, resource: Resource, answer: Answer) -> None:
        """A client has this answer as a whole, or had it before. O(1), no I/O but one read of the catalog."""
        if resource.kind is Kind.PASS or not self._is_open(session):
            return
        entry = answer.entry
        key = plain_key(entry.key) if entry is not None else resource.stored_key
        if answer.trace.detail == "part":
            # Cut off a longer file, which is the one that is stored.
            key, entry = answer.trace.key, self._find(repository, answer.trace.key)
        served = Served(
            session=session,
            repository=repository,
            key=key,
            state=ServedState.UNSETTLED,
            package=resource.about if resource.version else "",
            version=resource.version if resource.kind is not Kind.INDEX else "",
            served_at=self._kit.clock.now(),
        )
        note = _Note(served=served, flight=answer.trace.flight if entry is None else None)
        self._keep(replace(note, served=note.settled(entry)))

    def note_absence(self, session: str, repository: str, resource: Resource) -> None:
        """A client was told that there is no such thing."""
        if resource.kind is Kind.PASS or not self._is_open(session):
            return
        self._keep(
            _Note(
                served=Served(
                    session=session,
                    repository=repository,
                    key=resource.stored_key,
                    state=ServedState.ABSENT,
                    served_at=self._kit.clock.now(),
                )
            )
        )

    def _is_open(self, session: str) -> bool:
        try:
            found = self._book.find(session)
        except StoreFailure:
            # Should it be one that is recorded, this is missing in it.
            self._lose(session)
            return False
        return found is not None and found.state is SessionState.OPEN

    def _find(self, repository: str, key: str) -> Entry | None:
        try:
            return self._kit.catalog.find_entry(repository, key)
        except StoreFailure:
            return None

    def _keep(self, note: _Note) -> None:
        name = (note.served.session, note.served.repository, note.served.key)
        if name not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self._lose(note.served.session)
        else:
            self._waiting[name] = note
            self._news.set()

    def _lose(self, session: str) -> None:
        if session in self._lost or len(self._lost) < MOST_LOSERS:
            self._lost[session] += 1
            self._news.set()

    # --- writing it down --------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Until it is cancelled: in every process that serves."""
        while True:
            await self._news.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except StoreFailure as failure:
                _log.warning("what sessions were served cannot be written down: %s", failure)
                await asyncio.sleep(BROKEN_SECONDS)

    async def flush(self) -> None:
        """Write down what there is. Raises StoreFailure: then it waits for the next time."""
        async with self._turn:
            self._news.clear()
            self._unsettled = {name: note for name, note in self._unsettled.items() if name not in self._waiting}
            self._waiting |= {name: note for name, note in self._unsettled.items() if self._is_settled(note)}
            while self._waiting or self._lost:
                await self._write(list(islice(self._waiting.values(), BATCH)))
            if self._unsettled:
                self._news.set()

    async def _write(self, notes: list[_Note]) -> None:
        told = [(note, self._told(note)) for note in notes]
        lost = dict(self._lost)
        try:
            await self._book.record([served for _, served in told], lost, self._writer, self._most)
        except StoreFailure:
            self._news.set()
            raise
        self._lost -= Counter(lost)
        for note, served in told:
            name = (served.session, served.repository, served.key)
            if self._waiting.get(name) is note:
                del self._waiting[name]
            self._unsettled.pop(name, None)
            if served.state is ServedState.UNSETTLED and not self._is_hopeless(note):
                self._unsettled[name] = note

    def _is_settled(self, note: _Note) -> bool:
        return self._told(note).state is not ServedState.UNSETTLED or self._is_hopeless(note)

    def _told(self, note: _Note) -> Served:
        if note.served.state is not ServedState.UNSETTLED:
            return note.served
        if note.flight is None:
            # A part of it passed through beside the download that stores all of it.
            return note.settled(self._find(note.served.repository, note.served.key))
        return note.settled(_stored_by(note.flight))

    def _is_hopeless(self, note: _Note) -> bool:
        """Whether it was served without being stored, so that nobody will ever know more."""
        if note.flight is None:
            return self._kit.clock.now() - note.served.served_at > HOPE
        stored = note.flight.stored
        return stored.done() and (stored.cancelled() or stored.exception() is not None)

    async def close(self) -> None:
        """Write down what is left, at the end."""
        try:
            await self.flush()
            if not self._unsettled:
                await self._book.leave(self._writer)
        except StoreFailure as failure:
            _log.warning("what sessions were served at last is not written down: %s", failure)


def _settled(served: Served, entry: Entry) -> Served:
    return replace(
        served,
        state=ServedState.SERVED,
        sha256=entry.sha256,
        size_bytes=entry.size_bytes,
        package=entry.package or served.package,
        version=entry.version or served.version,
    )


def _stored_by(flight: Flight) -> Entry | None:
    stored = flight.stored
    return stored.result() if stored.done() and not stored.cancelled() and stored.exception() is None else None

"""Keeps what a session was served as it was: files are pinned, and of what changes there is a copy."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from entrepot.cache.frozen import copy_key
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.targets import resource_of
from entrepot.contracts.board import Generation
from entrepot.contracts.mirrors import Pins
from entrepot.contracts.sessions import Served, ServedState, SessionBook, SessionState
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind

PAGE: Final = 500


JOB: Final = "session:"


def job_of(session: str) -> str:
    """The name under which what it was served is pinned."""
    return f"{JOB}{session}"


def pages_of(book: SessionBook, session: str) -> Iterator[list[Served]]:
    """Everything in it. Reads the catalog: to be advanced in a thread."""
    after = ("", "")
    while page := book.items(session, after, PAGE):
        yield page
        after = (page[-1].repository, page[-1].key)


class Freezer:
    def __init__(
        self,
        kit: Kit,
        book: SessionBook,
        pins: Pins,
        generation: Generation,
        repositories: Mapping[str, Repository],
    ) -> None:
        self._kit, self._book, self._pins = kit, book, pins
        self._generation, self._repositories = generation, repositories

    async def freeze(self, session: str, *, kept: bool) -> list[str]:
        """From now on it serves what is in it. The places of what is not stored any more. Raises StoreFailure."""
        await self._book.change(session, SessionState.FROZEN, kept=kept)
        missing: list[str] = []
        pages = pages_of(self._book, session)
        while page := await asyncio.to_thread(next, pages, None):
            missing += await self._freeze(session, [item for item in page if item.state is not ServedState.ABSENT])
        # What was given before is looked at again.
        self._generation.advance()
        return missing

    async def _freeze(self, session: str, page: list[Served]) -> list[str]:
        found = [(item, self._kept(item)) for item in page]
        stored = [(item, entry) for item, entry in found if entry is not None]
        now = self._kit.clock.now()
        await self._pins.pin(
            job_of(session), [(item.repository, _name(session, item, kept)) for item, kept in stored], now
        )
        for item, (entry, changes) in stored:
            if changes:
                copy = replace(entry, key=copy_key(item.key, session), snapshot="", aside_at=None)
                await self._kit.catalog.put_entry(copy)
        return [f"/{item.repository}/{item.key}" for item, entry in found if entry is None]

    def _kept(self, item: Served) -> tuple[Entry, bool] | None:
        """The entry that has it, and whether that may change; None: it is not stored any more."""
        repository = self._repositories.get(item.repository)
        resource = resource_of(repository, item.key) if repository is not None else None
        entry = self._kit.catalog.find_entry(item.repository, item.key)
        if resource is None or entry is None or entry.is_absence or self._kit.catalog.find_blob(entry.sha256) is None:
            return None
        changes = resource.kind is not Kind.ARTIFACT
        return (entry, changes) if changes or entry.sha256 == item.sha256 else None

    async def thaw(self, session: str) -> int:
        """Drop it, with its copies and pins; how many pins these were. Raises StoreFailure."""
        pages = pages_of(self._book, session)
        while page := await asyncio.to_thread(next, pages, None):
            for repository in {item.repository for item in page}:
                keys = [copy_key(item.key, session) for item in page if item.repository == repository]
                await self._kit.catalog.delete_entries(repository, keys)
        released = await self._pins.release(job_of(session))
        await self._book.drop(session)
        self._generation.advance()
        return released


def _name(session: str, item: Served, kept: tuple[Entry, bool]) -> str:
    return copy_key(item.key, session) if kept[1] else item.key

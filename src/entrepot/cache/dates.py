"""The dates that versions have in documents of their own, or that upstream tells of such documents."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from entrepot.cache.documents import Documents
from entrepot.cache.facts import FileFact, guarded
from entrepot.cache.repository import Repository
from entrepot.cache.sightings import Sightings, name_of
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import (
    Absent,
    BadContent,
    EntrepotError,
    NotCached,
    UnreadableIndex,
    UpstreamFailure,
    UpstreamStatus,
)
from entrepot.model.headers import Headers, parse_http_date
from entrepot.model.release import Document, Release
from entrepot.model.resource import Kind, Resource

MOST_AT_ONCE = 16
MOST_REMEMBERED = 50_000
_MAY_PASS = frozenset({408, 425, 429})
"""Refusals that say nothing of this document."""


class Dates:
    def __init__(self, documents: Documents, sightings: Sightings) -> None:
        self._documents, self._sightings = documents, sightings
        self._known: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    async def learn(
        self, repository: Repository, facts: Iterable[FileFact], *, stored_only: bool
    ) -> dict[str, FileFact]:
        """Those that a document of its own may date, with the date or None. Raises UpstreamFailure where upstream is
        to blame that one cannot be learned."""
        ecosystem = repository.ecosystem
        wanted = [fact for fact in facts if fact.published is None and ecosystem.dated_by(fact.package, fact.version)]
        turns, failures, found = asyncio.Semaphore(MOST_AT_ONCE), list[EntrepotError](), dict[str, FileFact]()

        async def learn(fact: FileFact) -> None:
            async with turns:
                if failures:
                    return
                date = None
                try:
                    with suppress(Absent):
                        date = await self.of(repository, fact.package, fact.version, stored_only=stored_only)
                except EntrepotError as error:
                    failures.append(error)
                    return
            found[name_of(ecosystem, fact)] = dated(fact, date)

        async with asyncio.TaskGroup() as group:
            for fact in wanted:
                group.create_task(learn(fact))
        if failures:
            raise failures[0]
        return found

    async def of(self, repository: Repository, package: str, version: str, *, stored_only: bool) -> datetime | None:
        """The date of one version; None where nobody tells it. Raises Absent where upstream has no such version, and
        UpstreamFailure."""
        resource = repository.ecosystem.dated_by(package, version)
        if resource is None:
            return None
        if repository.ecosystem.dated_by_field:
            return await self.modified(repository, resource, stored_only=stored_only)
        key = repository.name, resource.key
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        date = await self._read(repository, resource, version, stored_only)
        if date is not None:
            self._known[key] = date
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return date

    async def modified(self, repository: Repository, resource: Resource, *, stored_only: bool) -> datetime | None:
        """When upstream last modified this; None where it does not say. Raises Absent and UpstreamFailure."""
        told = self._sightings.told_of(repository, resource)
        if told is not None:
            return told
        fields = await self._fields_of(repository, resource, stored_only)
        date = parse_http_date(fields.get("last-modified"))
        if date is not None and resource.kind is Kind.ARTIFACT:
            await self._sightings.told(repository, resource, date)
        return date

    async def _fields_of(self, repository: Repository, resource: Resource, stored_only: bool) -> Headers:
        entry = self._documents.find_entry(repository, resource)
        if entry is None or entry.gone_at is not None:
            return Headers() if stored_only else await self._ask(repository, resource)
        # What moves is asked about again: who gets today's bytes must not get them for yesterday's date.
        if stored_only or resource.kind is Kind.ARTIFACT or self._documents.is_fresh(repository, resource, entry):
            return entry.headers
        try:
            return await self._ask(repository, resource)
        except UpstreamFailure:
            return entry.headers

    async def _ask(self, repository: Repository, resource: Resource) -> Headers:
        try:
            return await self._documents.probe(repository, resource)
        except UpstreamStatus as error:
            if _is_about_this_one(error):
                return Headers()
            raise

    async def _read(
        self, repository: Repository, resource: Resource, version: str, stored_only: bool
    ) -> datetime | None:
        try:
            source = await self._documents.bring(repository, resource, stored_only=stored_only)
        except (NotCached, BadContent):
            return None
        except UpstreamStatus as error:
            if _is_about_this_one(error):
                return None
            raise
        try:
            subject = f"{repository.name}/{resource.key}"
            releases = guarded(_releases, subject, repository.ecosystem, source.document())
        except UnreadableIndex:
            return None
        finally:
            source.blob.close()
        return next((release.published for release in releases if release.version == version), None)


def _releases(ecosystem: Ecosystem, document: Document) -> list[Release]:
    return list(ecosystem.releases(document))


def _is_about_this_one(error: UpstreamStatus) -> bool:
    """Whether upstream refused this document, which tells nothing of its health."""
    return 400 <= error.upstream_status < 500 and error.upstream_status not in _MAY_PASS


def dated(fact: FileFact, date: datetime | None) -> FileFact:
    return FileFact("", "", published=date, package=fact.package, version=fact.version, name=fact.name)

"""Which versions are stored, told as Athens tells it: by time for those who follow, by name for those who look."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from entrepot.cache.repository import Repository
from entrepot.contracts.catalog import Catalog, StoredVersion
from entrepot.model.listing import Listing, token_of
from entrepot.model.resource import Reply

_NOT_KEPT = (("cache-control", "no-store"),)


class _Row(msgspec.Struct):
    Path: str
    Version: str
    Timestamp: str


class _Version(msgspec.Struct):
    module: str
    version: str


class _Page(msgspec.Struct):
    modules: list[_Version]
    next: str


class Listings:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def answer(self, repository: Repository, listing: Listing) -> Reply:
        """Raises StoreFailure."""
        await self._catalog.flush()
        make: Callable[[str, Listing], Reply] = self._index if listing.kind == "index" else self._page
        return await asyncio.to_thread(make, repository.name, listing)

    def _index(self, repository: str, listing: Listing) -> Reply:
        found = self._catalog.versions_since(repository, listing.since, listing.limit)
        body = b"".join(msgspec.json.encode(_row_of(one)) + b"\n" for one in found)
        return Reply(status=200, body=body, content_type="application/x-ndjson", headers=_NOT_KEPT)

    def _page(self, repository: str, listing: Listing) -> Reply:
        # One more than asked for tells whether this is the end.
        found = self._catalog.versions_after(repository, *listing.after, listing.limit + 1)
        shown = found[: listing.limit]
        rest = token_of(shown[-1].package, shown[-1].version) if len(found) > len(shown) else ""
        page = _Page([_Version(one.package, one.version) for one in shown], rest)
        return Reply(
            status=200, body=msgspec.json.encode(page) + b"\n", content_type="application/json", headers=_NOT_KEPT
        )


def _row_of(one: StoredVersion) -> _Row:
    return _Row(one.package, one.version, _moment(one.listed_at))


def _moment(moment: datetime) -> str:
    """All of its microseconds, so that texts sort as times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""What roots of groups say: which files they name with which digests, and until when clients take them."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from entrepot.cache.documents import Documents
from entrepot.cache.facts import FileFact, guarded
from entrepot.cache.repository import Repository
from entrepot.contracts.ecosystem import Ecosystem, Member
from entrepot.model.entry import Entry
from entrepot.model.release import Document
from entrepot.model.resource import BASE, Resource

MOST_ENDS = 1024
MOST_REMEMBERED = 8
MOST_MEMBERS = 100_000
"""A root of a big distribution names two thousand files: a megabyte of objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Empty where the ecosystem's roots name nothing."""

    by_role: Mapping[str, Member]
    by_key: Mapping[str, Member]
    """By the key under which we serve it; of several with one key the first."""
    digests: frozenset[str]
    """The values of all digests that it tells."""
    expires: datetime | None

    def fact_of(self, key: str) -> FileFact | None:
        """What is known of a file with a plain name before it is here."""
        member = self.by_key.get(key)
        return fact_of(member) if member is not None else None


def fact_of(member: Member, *, plainly: bool = False) -> FileFact:
    """Its digest and, but for `plainly`, a place where it is while its plain name may mean the next one already."""
    place = member.also.path if member.also is not None and not plainly else ""
    digest = member.digest
    return FileFact(BASE, place, digests=((digest.algorithm, digest.value),), size_bytes=member.size_bytes)


class Rosters:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._known: OrderedDict[tuple[str, str, str], Roster] = OrderedDict()
        self._ends: OrderedDict[tuple[str, str, str], datetime | None] = OrderedDict()

    async def read(self, repository: Repository, key: str, sha256: str, document: Document) -> Roster:
        """Of a root with this digest. Raises UnreadableIndex for what is none."""
        name = repository.name, key, sha256
        known = self._known.get(name)
        if known is not None:
            self._known.move_to_end(name)
            return known
        # However small it is: what is packed in it may be a thousand times as much.
        subject = f"{repository.name}/{key}"
        roster = await asyncio.to_thread(guarded, _roster_of, subject, repository.ecosystem, document)
        self._known[name], self._ends[name] = roster, roster.expires
        while len(self._ends) > MOST_ENDS:
            self._ends.popitem(last=False)
        while len(self._known) > MOST_REMEMBERED or (len(self._known) > 1 and self._held > MOST_MEMBERS):
            self._known.popitem(last=False)
        return roster

    @property
    def _held(self) -> int:
        return sum(len(roster.by_role) for roster in self._known.values())

    async def find(self, repository: Repository, root: Resource, entry: Entry | None) -> Roster | None:
        """Of a stored root; None when its bytes are not there any more. Raises UnreadableIndex."""
        if entry is None or entry.gone_at is not None:
            return None
        known = self._known.get((repository.name, root.key, entry.sha256))
        if known is not None:
            return known
        source = await self._documents.stored_source(repository, root, entry)
        if source is None:
            return None
        try:
            return await self.read(repository, root.key, entry.sha256, source.document())
        finally:
            source.blob.close()

    async def expires(self, repository: Repository, root: Resource, entry: Entry) -> datetime | None:
        """From when on clients refuse a stored root. Raises UnreadableIndex."""
        name = repository.name, root.key, entry.sha256
        if name not in self._ends:
            await self.find(repository, root, entry)
        return self._ends.get(name)


def _roster_of(ecosystem: Ecosystem, document: Document) -> Roster:
    members = list(ecosystem.members(document))
    by_key: dict[str, Member] = {}
    for member in members:
        by_key.setdefault(member.resource.key, member)
    document.body.seek(0)
    return Roster(
        by_role={member.role: member for member in members},
        by_key=by_key,
        digests=frozenset(member.digest.value for member in members),
        expires=ecosystem.expires(document),
    )

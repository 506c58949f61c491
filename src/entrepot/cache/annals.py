"""Which generations of a group there are, and what their roots name."""

from dataclasses import replace

from entrepot.cache.documents import Documents
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.rosters import Roster, Rosters
from entrepot.contracts.catalog import Published
from entrepot.errors import EntrepotError, StoreFailure
from entrepot.model.resource import Request, Resource


class Annals:
    def __init__(self, kit: Kit, documents: Documents) -> None:
        self._kit, self._documents = kit, documents
        self.rosters = Rosters(documents)

    def current(self, repository: Repository, root: str) -> Published | None:
        """None also while the catalog is out of order."""
        try:
            return self._kit.catalog.generation_of(repository.name, root)
        except StoreFailure:
            return None

    def number(self, repository: Repository, root: str) -> int:
        current = self.current(repository, root)
        return current.number if current is not None else 0

    def groups(self, repository: Repository) -> list[Published]:
        """None also while the catalog is out of order."""
        try:
            return self._kit.catalog.groups_of(repository.name)
        except StoreFailure:
            return []

    def resource_at(self, repository: Repository, key: str) -> Resource | None:
        """What has this key; None where the configuration has changed, and nothing has any more."""
        try:
            found = repository.ecosystem.route(Request(method="GET", path=key))
        except EntrepotError:
            return None
        return found if isinstance(found, Resource) else None

    async def roster(self, repository: Repository, root: str, number: int) -> Roster | None:
        """What the root of a generation names; None where that root is not held. Raises UnreadableIndex."""
        resource = self.resource_at(repository, root)
        if resource is None:
            return None
        if number != self.number(repository, root):
            resource = replace(resource, edition=number)
        return await self.rosters.find(repository, resource, self._documents.find_entry(repository, resource))

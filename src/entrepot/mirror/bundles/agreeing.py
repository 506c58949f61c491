"""Whether a file of a bundle is the one that is published under its name, as far as that is known here."""

import asyncio
from contextlib import closing

from entrepot.cache.agreement import agrees
from entrepot.cache.blobio import open_as_file
from entrepot.cache.documents import Documents
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.mirror.bundles.records import EntryRecord
from entrepot.mirror.bundles.staging import Staged
from entrepot.model.digest import Digest
from entrepot.model.resource import Kind, Resource


class Agreement:
    def __init__(self, kit: Kit, documents: Documents, staged: Staged, *, signed: bool) -> None:
        """`signed`: by a key that is trusted, which may tell of newer indexes, too."""
        self._kit, self._documents, self._staged, self._signed = kit, documents, staged, signed

    async def holds(self, repository: Repository, resource: Resource, record: EntryRecord) -> bool:
        """False where its name, or the index that is stored here, has a digest that is not its body's. Reads the body
        where that is not a SHA-256."""
        if resource.kind is not Kind.ARTIFACT or not record.sha256:
            return True
        wanted = resource.digest
        if wanted is None and not self._signed:
            fact = await self._documents.stored_fact(repository, resource)
            wanted = fact.strongest if fact is not None else None
        if wanted is None:
            return True
        if wanted.algorithm == "sha256":
            return wanted.value == record.sha256
        return await asyncio.to_thread(self._has, repository, resource, record, wanted)

    def _has(self, repository: Repository, resource: Resource, record: EntryRecord, wanted: Digest) -> bool:
        path = self._staged.blob_path(record.sha256)
        if path.exists():
            with path.open("rb") as file:
                return agrees(repository, resource, file, wanted)
        blob = self._kit.blobs.open(record.sha256)
        if blob is None:
            # It was checked only, and put nowhere: this is a rehearsal.
            return True
        with closing(blob), open_as_file(blob, blob.size_bytes) as file:
            return agrees(repository, resource, file, wanted)

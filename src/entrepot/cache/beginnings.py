"""Files that are the beginning of another, stored one: a checksum database's tile, of which a wider one is here."""

from dataclasses import replace

from entrepot.cache.answer import Answer, Representation, Trace, etag_of, respond
from entrepot.cache.documents import Documents
from entrepot.cache.fields import shown_fields
from entrepot.cache.ranges import Conditions
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import Soundness
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource


class Beginnings:
    def __init__(self, documents: Documents, soundness: Soundness) -> None:
        self._documents, self._soundness = documents, soundness

    async def find(self, repository: Repository, resource: Resource, conditions: Conditions) -> Answer | None:
        """The answer, cut off one of the stored files that begin with this one."""
        for key in resource.begins:
            entry = self._documents.find_entry(repository, replace(resource, key=key))
            if entry is not None and entry.gone_at is None:
                answer = await self._cut(resource, entry, conditions)
                if answer is not None:
                    return answer
        return None

    async def _cut(self, resource: Resource, entry: Entry, conditions: Conditions) -> Answer | None:
        blob = await self._soundness.open(entry.sha256)
        if blob is None:
            return None
        try:
            body = blob.read(0, resource.size_bytes or 0)
        finally:
            blob.close()
        if len(body) != resource.size_bytes:
            return None
        representation = Representation(
            body=body,
            size_bytes=len(body),
            headers=shown_fields(resource, entry.headers),
            etag=etag_of(entry.sha256, str(len(body))),
        )
        answer = respond(representation, conditions)
        answer.trace = Trace(outcome="hit", detail="part", key=entry.key)
        return answer

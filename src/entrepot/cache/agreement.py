"""Whether stored files have digests that are kept nowhere (all but SHA-256), as a listing tells them today."""

import asyncio
from collections import OrderedDict
from typing import BinaryIO

from entrepot.cache.blobio import open_as_file
from entrepot.cache.facts import guarded
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import Soundness
from entrepot.errors import BadContent
from entrepot.model.digest import Digest, RunningHash
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource

MOST_REMEMBERED = 4096


class Agreement:
    def __init__(self, soundness: Soundness) -> None:
        self._soundness = soundness
        self._known: OrderedDict[tuple[str, str, Digest], bool] = OrderedDict()

    async def holds(self, repository: Repository, resource: Resource, entry: Entry, wanted: Digest) -> bool:
        """Reckoned once, as long as it is remembered. Of bytes that are not there nothing is wrong."""
        name = entry.sha256, resource.key, wanted
        if name not in self._known:
            blob = await self._soundness.open(entry.sha256)
            if blob is None:
                return True
            try:
                file = open_as_file(blob, blob.size_bytes)
                self._known[name] = await asyncio.to_thread(agrees, repository, resource, file, wanted)
            finally:
                blob.close()
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return self._known[name]


def agrees(repository: Repository, resource: Resource, file: BinaryIO, wanted: Digest) -> bool:
    """Whether a file has a digest, of its bytes or of what is in them. Reads all of it: call it in a thread."""
    if wanted.of_bytes:
        running = RunningHash([wanted.algorithm])
        while piece := file.read(1 << 20):
            running.update(piece)
        return running.value(wanted.algorithm) == wanted
    try:
        return guarded(repository.ecosystem.check, resource.key, resource, file, wanted) in (None, wanted)
    except BadContent:
        return False

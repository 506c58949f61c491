"""Trust in the disk: a blob is handed out only if its file is the one that was verified (architecture §6.7)."""

import asyncio
import hashlib
import logging
from collections.abc import Callable

from entrepot.contracts.blobs import BlobStore, OpenBlob
from entrepot.contracts.catalog import Catalog
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Entry, Fingerprint

ATTEMPTS = 20
"""Documents with the same bytes, stored at the same time, replace each other's file."""

_log = logging.getLogger("entrepot")


class Soundness:
    def __init__(self, blobs: BlobStore, catalog: Catalog, on_quarantine: Callable[[], None]) -> None:
        self._blobs, self._catalog, self._on_quarantine = blobs, catalog, on_quarantine
        self._verifying: dict[str, asyncio.Task[bool]] = {}
        self._wrong: dict[str, Fingerprint | None] = {}
        """What could not be moved into quarantine: it need not be read each time to be told wrong."""

    def is_there(self, entry: Entry) -> bool:
        """Whether the entry's bytes are there and unchanged, as can be told without reading them."""
        blob = self._open(entry.sha256)
        if blob is None:
            return False
        try:
            return self._matches(blob)
        finally:
            blob.close()

    async def open(self, sha256: str) -> OpenBlob | None:
        """The blob, ready to be sent. One whose file changed is read and hashed first; if it is wrong, it goes into
        quarantine and the answer is None, as it is where the disk cannot read it."""
        blob = self._open(sha256)
        if blob is None or self._matches(blob):
            return blob
        known_wrong = sha256 in self._wrong and self._wrong[sha256] == blob.fingerprint()
        blob.close()
        if known_wrong:
            return None
        task = self._verifying.get(sha256)
        if task is None:
            task = self._verifying[sha256] = asyncio.create_task(self._verify(sha256))
            task.add_done_callback(lambda _: self._verifying.pop(sha256, None))
        return self._open(sha256) if await asyncio.shield(task) else None

    async def is_sound(self, entry: Entry) -> bool:
        """Whether its bytes are right. A file that changed is read for that, and so is one of two that brought the same
        bytes at the same time, of which the file of one and the row of the other stayed."""
        if self.is_there(entry):
            return True
        blob = await self.open(entry.sha256)
        if blob is None:
            return False
        blob.close()
        return True

    async def sound(self, entry: Entry | None) -> Entry | None:
        """The entry, if it has a body and that is right: a 304 would be of use, and it can stand in."""
        return entry if entry is not None and entry.gone_at is None and await self.is_sound(entry) else None

    def _open(self, sha256: str) -> OpenBlob | None:
        try:
            return self._blobs.open(sha256)
        except StoreFailure as failure:
            _log.warning("a stored file cannot be opened: %s", failure)
            return None

    def _matches(self, blob: OpenBlob) -> bool:
        try:
            known = self._catalog.find_blob(blob.sha256)
        except StoreFailure:
            return False
        return known is not None and known.fingerprint == blob.fingerprint()

    async def _verify(self, sha256: str) -> bool:
        for _ in range(ATTEMPTS):
            right = await self._verify_once(sha256)
            if right is not None:
                return right
        return False

    async def _verify_once(self, sha256: str) -> bool | None:
        """None: meanwhile the same bytes took its place, or something was done to them."""
        blob = self._open(sha256)
        if blob is None:
            return False
        try:
            before = blob.fingerprint()
            right = await asyncio.to_thread(hash_of, blob) == sha256
            after = blob.fingerprint()
            size = blob.size_bytes
        except StoreFailure as failure:
            _log.error("stored bytes cannot be read: %s; fetched again on demand", failure)
            return False
        finally:
            blob.close()
        self._wrong.pop(sha256, None)
        if not right:
            self._set_aside(sha256, after)
            return False
        if before is None or before != after:
            return None
        try:
            await self._catalog.put_blob(Blob(sha256=sha256, size_bytes=size, fingerprint=before))
        except StoreFailure as failure:
            _log.warning("the verification of %s could not be noted: %s", sha256, failure)
        return True

    def _set_aside(self, sha256: str, fingerprint: Fingerprint | None) -> None:
        _log.error("stored bytes were changed: %s; moved into quarantine, fetched again on demand", sha256)
        self._on_quarantine()
        try:
            self._blobs.quarantine(sha256)
        except StoreFailure as failure:
            _log.warning("they stay where they are, unused: %s", failure)
            self._wrong[sha256] = fingerprint


def hash_of(blob: OpenBlob) -> str:
    """The sha256 of an open blob; reads all of it: call it in a thread."""
    running, offset = hashlib.sha256(), 0
    while chunk := blob.read(offset, 1 << 20):
        running.update(chunk)
        offset += len(chunk)
    return running.hexdigest()

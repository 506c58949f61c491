"""Things computed from stored documents, kept as blobs of their own so that every worker computes them once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrepot.cache.noting import note_down
from entrepot.contracts.blobs import BlobStore, GrowingBlob, OpenBlob
from entrepot.contracts.catalog import Catalog, Derived
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob


class DerivedBlobs:
    def __init__(self, blobs: BlobStore, catalog: Catalog) -> None:
        self._blobs, self._catalog = blobs, catalog

    async def put(self, key: str, body: bytes, note: bytes) -> bool:
        """Store; False when the store does not take it (it can be computed again, so that is no failure)."""
        try:
            blob = await asyncio.to_thread(self._write, body)
            await self._note(key, blob, note)
        except StoreFailure:
            return False
        return True

    async def _note(self, key: str, blob: Blob, note: bytes) -> None:
        derived = Derived(key=key, sha256=blob.sha256, size_bytes=blob.size_bytes, note=note)
        await note_down(self._catalog.put_derived(derived, blob), key)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[GrowingBlob]:
        """A file to be written to by its path, for `keep`: else nothing is left of it. Raises StoreFailure."""
        growing = await asyncio.to_thread(self._blobs.create)
        try:
            yield growing
        finally:
            await asyncio.to_thread(growing.discard)

    async def keep(self, key: str, growing: GrowingBlob, sha256: str, note: bytes) -> None:
        """Store what was written there. Raises StoreFailure."""
        await self._note(key, await asyncio.to_thread(growing.commit, sha256), note)

    def _write(self, body: bytes) -> Blob:
        growing = self._blobs.create()
        try:
            growing.append(body)
            return growing.commit(hashlib.sha256(body).hexdigest())
        finally:
            growing.discard()

    def find(self, key: str) -> Derived | None:
        try:
            return self._catalog.find_derived(key)
        except StoreFailure:
            return None

    def intact(self, *digests: str) -> bool:
        """Whether these blobs are still what was stored (empty names are nothing to look at)."""
        return all(self._is_intact(sha256) for sha256 in digests if sha256)

    def _is_intact(self, sha256: str) -> bool:
        blob = self.open(sha256)
        if blob is not None:
            blob.close()
        return blob is not None

    def open(self, sha256: str) -> OpenBlob | None:
        """The blob, if it still is what was stored; else None (and it will be computed again)."""
        try:
            known = self._catalog.find_blob(sha256)
            blob = self._blobs.open(sha256)
        except StoreFailure:
            return None
        if blob is None or known is None or known.fingerprint != blob.fingerprint():
            if blob is not None:
                blob.close()
            return None
        return blob

    async def read(self, key: str) -> bytes | None:
        derived = self.find(key)
        blob = self.open(derived.sha256) if derived else None
        if blob is None:
            return None
        try:
            return await asyncio.to_thread(blob.read, 0, blob.size_bytes)
        except StoreFailure:
            return None
        finally:
            blob.close()

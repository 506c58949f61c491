"""Blobs in a directory of their own, in front of others that are only read."""

from pathlib import Path

from entrepot.contracts.blobs import BlobStore, OpenBlob
from entrepot.storage.filesystem import FilesystemBlobs


class OverlayBlobs(FilesystemBlobs):
    """A BlobStore. Nothing below is changed."""

    def __init__(self, directory: Path, below: BlobStore) -> None:
        super().__init__(directory)
        self._below = below

    def open(self, sha256: str) -> OpenBlob | None:
        return super().open(sha256) or self._below.open(sha256)

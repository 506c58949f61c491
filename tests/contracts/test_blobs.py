"""Every BlobStore passes the suite."""

from pathlib import Path

import pytest

from entrepot.contracts.blobs import BlobStore
from entrepot.storage.filesystem import FilesystemBlobs
from entrepot.storage.memory import MemoryBlobs
from tests.contracts.blobs_suite import BlobsSuite


class TestFilesystemBlobs(BlobsSuite):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return FilesystemBlobs(tmp_path / "store")


class TestMemoryBlobs(BlobsSuite):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobs()

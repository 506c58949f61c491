"""Plain files that a purl or a bill tells by its download_url."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.cache.repository import Repository
from entrepot.contracts.mirrors import JobState
from entrepot.ecosystems.generic import Generic
from tests.cache.works import page, sha256
from tests.mirror.site import Site

pytestmark = pytest.mark.anyio
TOOL, OTHER = b"tool", b"other bytes"


class FileSite(Site):
    """Its one repository has plain files."""

    def _repository(self) -> Repository:
        return replace(super()._repository(), ecosystem=Generic())

    def purl(self, path: str, body: bytes) -> str:
        return f"pkg:generic/tool@1.0?download_url={self.fetcher.base_url('main')}{path}&checksum=sha256:{sha256(body)}"


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[FileSite]:
    site = FileSite(directory=tmp_path)
    site.fetcher.on("tools/tool.tar.gz", page(TOOL))
    yield site
    await site.close()


async def test_a_file_is_mirrored_under_the_path_that_clients_ask_for(files: FileSite) -> None:
    job = await files.run(files.purl("tools/tool.tar.gz", TOOL))
    assert (job.state, files.states(job)) == (JobState.COMPLETED, {"tools/tool.tar.gz": "done"})
    assert await files.get("tools/tool.tar.gz") == (200, TOOL)


async def test_a_file_with_another_checksum_is_not_stored(files: FileSite) -> None:
    job = await files.run(files.purl("tools/tool.tar.gz", OTHER))
    assert job.state is JobState.FAILED
    assert [error.code for error in files.mirror.errors(job.id)] == ["digest-mismatch"]
    assert files.catalog.find_entry("garden", "tools/tool.tar.gz") is None


async def test_a_held_file_with_another_checksum_is_not_taken_for_the_one_that_is_meant(files: FileSite) -> None:
    await files.get("tools/tool.tar.gz")
    job = await files.run(files.purl("tools/tool.tar.gz", OTHER))
    assert [error.code for error in files.mirror.errors(job.id)] == ["digest-mismatch"]
    assert await files.get("tools/tool.tar.gz") == (200, TOOL)

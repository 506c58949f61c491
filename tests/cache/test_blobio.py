"""Blobs as ordinary files."""

from pathlib import Path

import pytest

from entrepot.cache.blobio import open_as_file
from entrepot.storage.filesystem import FilesystemBlobs

BODY = bytes(range(256)) * 4000


@pytest.mark.parametrize(("at", "size"), [(0, len(BODY)), (0, 700_000), (300_001, len(BODY)), (len(BODY), len(BODY))])
def test_a_file_reads_to_its_end_from_wherever_it_is(tmp_path: Path, at: int, size: int) -> None:
    growing = FilesystemBlobs(tmp_path).create()
    growing.append(BODY)
    file = open_as_file(growing.reader(), size)
    file.seek(at)
    assert file.read() == BODY[at:size]
    assert file.read() == b""
    growing.discard()

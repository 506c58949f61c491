"""What every BlobStore promises. A subclass brings the fixture `blobs`."""

import hashlib
from pathlib import Path

import pytest

from entrepot.contracts.blobs import BlobStore, OpenBlob
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def store(blobs: BlobStore, body: bytes) -> Blob:
    growing = blobs.create()
    growing.append(body)
    return growing.commit(digest_of(body))


def opened(blobs: BlobStore, sha256: str) -> OpenBlob:
    blob = blobs.open(sha256)
    assert blob is not None
    return blob


def content(blobs: BlobStore, sha256: str) -> bytes:
    blob = opened(blobs, sha256)
    try:
        return blob.read(0, blob.size_bytes)
    finally:
        blob.close()


class BlobsSuite:
    def test_what_was_committed_is_read_back(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"one ")
        growing.append(b"two")
        blob = growing.commit(digest_of(b"one two"))
        assert (blob.sha256, blob.size_bytes) == (digest_of(b"one two"), 7)
        assert content(blobs, blob.sha256) == b"one two"

    def test_an_empty_blob_can_be_stored(self, blobs: BlobStore) -> None:
        assert content(blobs, store(blobs, b"").sha256) == b""

    def test_a_whole_file_is_taken_over(self, blobs: BlobStore, tmp_path: Path) -> None:
        file = tmp_path / "whole"
        file.write_bytes(b"whole")
        blob = blobs.adopt(str(file), digest_of(b"whole"))
        found = opened(blobs, blob.sha256)
        assert (found.read(0, 9), found.fingerprint(), blob.size_bytes) == (b"whole", blob.fingerprint, 5)
        found.close()
        assert not file.exists()

    def test_reads_are_cut_at_the_end(self, blobs: BlobStore) -> None:
        blob = opened(blobs, store(blobs, b"0123456789").sha256)
        assert (blob.read(0, 4), blob.read(8, 4), blob.read(10, 4)) == (b"0123", b"89", b"")
        blob.close()

    def test_what_is_read_without_waiting_is_the_blob(self, blobs: BlobStore) -> None:
        blob = opened(blobs, store(blobs, b"0123456789").sha256)
        assert blob.read_now(2, 3) in (b"234", None)
        assert blob.read_now(8, 9) in (b"89", None)
        blob.close()

    def test_an_unknown_digest_is_not_there(self, blobs: BlobStore) -> None:
        assert blobs.open(digest_of(b"never stored")) is None

    def test_what_is_still_growing_is_not_there(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"half")
        assert blobs.digests() == []
        assert blobs.open(digest_of(b"half")) is None
        growing.discard()

    def test_a_reader_sees_what_is_appended_behind_it(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"ab")
        reader = growing.reader()
        growing.append(b"cd")
        assert reader.read(0, 9) == b"abcd"
        reader.close()
        growing.discard()

    def test_a_reader_goes_on_after_commit(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abcd")
        reader = growing.reader()
        growing.commit(digest_of(b"abcd"))
        assert reader.read(1, 2) == b"bc"
        reader.close()

    def test_a_reader_goes_on_after_discard(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abcd")
        reader = growing.reader()
        growing.discard()
        assert reader.read(1, 2) == b"bc"
        reader.close()

    def test_a_reader_can_be_made_after_commit(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abcd")
        growing.commit(digest_of(b"abcd"))
        reader = growing.reader()
        assert reader.read(0, 9) == b"abcd"
        reader.close()

    def test_a_growing_blob_is_found_by_its_path(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abc")
        reader = blobs.open_growing(growing.path)
        assert reader is not None
        assert reader.read(0, 9) == b"abc"
        reader.close()
        growing.discard()

    def test_a_path_whose_blob_was_committed_meanwhile_leads_to_the_blob(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abc")
        growing.commit(digest_of(b"abc"))
        assert blobs.open_growing(growing.path) is None
        reader = blobs.open_growing(growing.path, digest_of(b"abc"))
        assert reader is not None
        assert reader.read(0, 9) == b"abc"
        reader.close()

    def test_a_path_of_nothing_leads_nowhere(self, blobs: BlobStore) -> None:
        assert blobs.open_growing("/etc/hostname") is None

    def test_nothing_can_be_appended_after_commit(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abc")
        growing.commit(digest_of(b"abc"))
        with pytest.raises(StoreFailure):
            growing.append(b"d")
        assert content(blobs, digest_of(b"abc")) == b"abc"

    def test_discard_after_commit_does_nothing(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abc")
        growing.commit(digest_of(b"abc"))
        growing.discard()
        assert content(blobs, digest_of(b"abc")) == b"abc"

    def test_the_fingerprint_of_a_commit_is_that_of_the_open_blob(self, blobs: BlobStore) -> None:
        stored = store(blobs, b"abc")
        blob = opened(blobs, stored.sha256)
        assert blob.fingerprint() == stored.fingerprint
        blob.close()

    def test_storing_the_same_bytes_again_replaces_the_blob(self, blobs: BlobStore) -> None:
        first = store(blobs, b"abc")
        second = store(blobs, b"abc")
        assert first.fingerprint != second.fingerprint
        blob = opened(blobs, second.sha256)
        assert blob.fingerprint() == second.fingerprint
        blob.close()
        assert blobs.digests() == [second.sha256]

    def test_remove_tells_what_it_freed(self, blobs: BlobStore) -> None:
        sha256 = store(blobs, b"abc").sha256
        assert blobs.remove(sha256) == 3
        assert blobs.open(sha256) is None
        assert blobs.remove(sha256) == 0

    def test_an_open_blob_survives_its_removal_and_knows_of_it(self, blobs: BlobStore) -> None:
        sha256 = store(blobs, b"abc").sha256
        blob = opened(blobs, sha256)
        blobs.remove(sha256)
        assert blob.read(0, 9) == b"abc"
        assert blob.fingerprint() is None
        blob.close()

    def test_a_quarantined_blob_is_not_there(self, blobs: BlobStore) -> None:
        sha256 = store(blobs, b"abc").sha256
        blobs.quarantine(sha256)
        assert blobs.open(sha256) is None
        assert blobs.digests() == []
        blobs.quarantine(sha256)

    def test_every_stored_digest_is_named(self, blobs: BlobStore) -> None:
        stored = {store(blobs, bytes([number])).sha256 for number in range(20)}
        assert set(blobs.digests()) == stored

    def test_tidying_leaves_what_is_being_written(self, blobs: BlobStore) -> None:
        growing = blobs.create()
        growing.append(b"abc")
        assert blobs.tidy() == 0
        growing.commit(digest_of(b"abc"))
        assert content(blobs, digest_of(b"abc")) == b"abc"

    def test_the_time_of_the_last_sweep_is_kept(self, blobs: BlobStore) -> None:
        assert blobs.swept_at() == 0
        blobs.note_swept(1_600_000_000.5)
        blobs.note_swept(1_700_000_000.5)
        assert blobs.swept_at() == 1_700_000_000.5

    def test_a_probe_leaves_nothing(self, blobs: BlobStore) -> None:
        blobs.probe()
        assert blobs.digests() == []
        assert blobs.tidy() == 0

"""Files of facts in which one is found without reading the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.cache.documents import MemoryBlob
from entrepot.cache.factfile import encode_facts, find_fact
from entrepot.cache.facts import FileFact
from entrepot.errors import StoreFailure


def fact(name: str) -> FileFact:
    return FileFact("base", f"/{name}", digests=(("sha256", name.encode().hex()),), size_bytes=len(name), name=name)


@given(keys=st.lists(st.text(max_size=20), unique=True, max_size=60), missing=st.text(max_size=20))
def test_what_was_written_is_found_and_nothing_else(keys: list[str], missing: str) -> None:
    blob = MemoryBlob(encode_facts((key, fact(key)) for key in keys))
    assert [find_fact(blob, key) for key in keys] == [fact(key) for key in keys]
    assert (find_fact(blob, missing) is None) == (missing not in keys)


def test_of_several_facts_under_one_key_the_first_counts() -> None:
    blob = MemoryBlob(encode_facts([("a", fact("one")), ("a", fact("two"))]))
    assert find_fact(blob, "a") == fact("one")


class CountingBlob(MemoryBlob):
    """Counts the bytes that are read of it."""

    count = 0

    def read(self, offset: int, size: int) -> bytes:
        self.count += size
        return super().read(offset, size)


def test_few_bytes_are_read_of_a_big_file() -> None:
    blob = CountingBlob(encode_facts((str(number), fact(str(number))) for number in range(10_000)))
    assert find_fact(blob, "1234") == fact("1234")
    assert blob.count < 1000


@pytest.mark.parametrize("body", [b"", b"something else entirely"])
def test_what_is_no_such_file_is_a_failure_of_the_store(body: bytes) -> None:
    with pytest.raises(StoreFailure):
        find_fact(MemoryBlob(body), "a")

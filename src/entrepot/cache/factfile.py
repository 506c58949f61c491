"""Facts of a document with tens of thousands of files, as a file in which one is found without reading the others.

`magic`, the number of files, then for each its key's hash and where its fact is (sorted by hash), then the facts: four
bytes of length and a msgpack of key and fact.
"""

import hashlib
from collections.abc import Iterable, Iterator
from struct import Struct

import msgspec

from entrepot.cache.facts import FileFact
from entrepot.contracts.blobs import OpenBlob
from entrepot.errors import StoreFailure

_MAGIC = b"facts 1\n"
_COUNT, _PLACE, _LENGTH = Struct(">Q"), Struct(">8sQ"), Struct(">I")
_START = len(_MAGIC) + _COUNT.size

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, FileFact]).decode


def encode_facts(facts: Iterable[tuple[str, FileFact]]) -> bytes:
    """The file. Of several facts under one key the first counts."""
    records = sorted(((_hash_of(key), number, _encode((key, fact))) for number, (key, fact) in enumerate(facts)))
    places, body = bytearray(), bytearray()
    start = _START + len(records) * _PLACE.size
    for hashed, _, record in records:
        places += _PLACE.pack(hashed, start + len(body))
        body += _LENGTH.pack(len(record)) + record
    return b"".join((_MAGIC, _COUNT.pack(len(records)), places, body))


def find_fact(blob: OpenBlob, key: str) -> FileFact | None:
    """Waits for the disk: call it in a thread. Raises StoreFailure for what is no such file."""
    count, wanted = _count_in(blob), _hash_of(key)
    number = _first_at_least(blob, wanted, count)
    while number < count:
        hashed, place = _place(blob, number)
        if hashed != wanted:
            break
        name, fact = _record(blob, place)
        if name == key:
            return fact
        number += 1
    return None


def facts_in(blob: OpenBlob) -> Iterator[tuple[str, FileFact]]:
    """All of them. Waits for the disk: call it in a thread. Raises StoreFailure for what is no such file."""
    for number in range(_count_in(blob)):
        yield _record(blob, _place(blob, number)[1])


def _first_at_least(blob: OpenBlob, wanted: bytes, count: int) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if _place(blob, middle)[0] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _count_in(blob: OpenBlob) -> int:
    if blob.read(0, len(_MAGIC)) != _MAGIC:
        raise StoreFailure(f"{blob.path}: no file of facts")
    (count,) = _COUNT.unpack(blob.read(len(_MAGIC), _COUNT.size))
    return int(count)


def _record(blob: OpenBlob, place: int) -> tuple[str, FileFact]:
    (length,) = _LENGTH.unpack(blob.read(place, _LENGTH.size))
    return _decode(blob.read(place + _LENGTH.size, length))


def _place(blob: OpenBlob, number: int) -> tuple[bytes, int]:
    hashed, place = _PLACE.unpack(blob.read(_START + number * _PLACE.size, _PLACE.size))
    return hashed, place


def _hash_of(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8).digest()

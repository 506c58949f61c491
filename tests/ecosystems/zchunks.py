"""Makes zchunk files (zchunk_format.txt), with a digest of zeros where nobody reads it."""

from backports import zstd

_NO_DIGEST = bytes(32)


def make_zchunk(body: bytes, dictionary: bytes = b"", pieces: int = 3) -> bytes:
    size = -(-len(body) // pieces)
    trained = zstd.ZstdDict(_dictionary(dictionary)) if dictionary else None
    plain = [
        _dictionary(dictionary) if dictionary else b"",
        *(body[at : at + size] for at in range(0, len(body), size)),
    ]
    packed = [
        zstd.compress(one, zstd_dict=trained if number else None) if one else b"" for number, one in enumerate(plain)
    ]
    entries = b"".join(
        _NO_DIGEST + _number(len(small)) + _number(len(big)) for small, big in zip(packed, plain, strict=True)
    )
    index = _number(1) + _number(len(packed)) + entries
    header = _NO_DIGEST + _number(0) + _number(2) + _number(len(index)) + index + _number(0)
    return b"\0ZCK1" + _number(1) + _number(len(header)) + _NO_DIGEST + header + b"".join(packed)


def zchunk_that_promises(packed: int, plain: int) -> bytes:
    """One with a chunk of such sizes, and without its bytes."""
    entries = _NO_DIGEST + _number(0) + _number(0) + _NO_DIGEST + _number(packed) + _number(plain)
    index = _number(1) + _number(2) + entries
    header = _NO_DIGEST + _number(0) + _number(2) + _number(len(index)) + index + _number(0)
    return b"\0ZCK1" + _number(1) + _number(len(header)) + _NO_DIGEST + header + bytes(100)


def _dictionary(content: bytes) -> bytes:
    """A finished one: raw content would not be told from damage."""
    samples = [content[at : at + 40] for at in range(0, len(content) - 40, 8)] * 20
    return zstd.finalize_dict(zstd.ZstdDict(content, is_raw=True), samples, 2048, 3).dict_content


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F)
        value >>= 7
    return bytes([*found, value | 0x80])

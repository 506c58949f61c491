"""Content codings of indexes, undone while they arrive, and never beyond a cap."""

import zlib
from collections.abc import Iterator
from typing import Protocol

from backports import zstd

from entrepot.errors import BadContent, TooBig

ACCEPTED = "zstd, gzip"
_STEP = 128 << 10
"""Whoever undoes, hashes or writes so much keeps nobody else waiting for long."""
_LONG_BYTES = 32 << 20
_MOST_EXPANSION = 100
"""What compresses better than this, and is long, is no index: those hold digests, which do not compress."""


class Decoder(Protocol):
    def decode(self, data: bytes) -> Iterator[bytes]:
        """In pieces of at most 128 KiB. Raises BadContent for a damaged stream, TooBig beyond the cap and for what is
        made to burst."""

    def finish(self) -> None:
        """Raises BadContent when the stream is not at its end."""


def decoder_of(coding: str, subject: str, cap: int) -> Decoder:
    """For a Content-Encoding; `cap` in decoded bytes. Raises BadContent for one that was not asked for."""
    match coding.strip().lower():
        case "" | "identity":
            return _Identity(subject, cap)
        case "gzip" | "x-gzip":
            return _Gzip(subject, cap)
        case "zstd":
            return _Zstd(subject, cap)
    raise BadContent(f"{subject}: upstream used the content coding {coding!r}, which was not asked for")


class _Counted:
    def __init__(self, subject: str, cap: int) -> None:
        self._subject, self._cap, self._arrived, self._size = subject, cap, 0, 0

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._cap:
            raise TooBig(f"{self._subject}: the document is larger than {self._cap} bytes")
        if self._size > _LONG_BYTES and self._size > _MOST_EXPANSION * self._arrived:
            raise TooBig(
                f"{self._subject}: {self._arrived} bytes expand to more than {_MOST_EXPANSION} times as many: a bomb"
            )

    def _damaged(self) -> BadContent:
        return BadContent(f"{self._subject}: the compressed body is damaged or incomplete")


class _Identity(_Counted):
    def decode(self, data: bytes) -> Iterator[bytes]:
        self._arrived += len(data)
        self._count(len(data))
        for start in range(0, len(data), _STEP):
            yield data[start : start + _STEP]

    def finish(self) -> None:
        return


class _Gzip(_Counted):
    def __init__(self, subject: str, cap: int) -> None:
        super().__init__(subject, cap)
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._arrived += len(data)
        while data:
            if self._stream.eof:
                # Several members in a row are one stream (RFC 1952 §2.2).
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                part = self._stream.decompress(data, _STEP)
            except zlib.error as error:
                raise self._damaged() from error
            self._count(len(part))
            yield part
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def finish(self) -> None:
        if not self._stream.eof:
            raise self._damaged()


class _Zstd(_Counted):
    def __init__(self, subject: str, cap: int) -> None:
        super().__init__(subject, cap)
        self._stream = _zstd_stream()

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._arrived += len(data)
        more = bool(data)
        while more:
            if self._stream.eof:
                # Several frames in a row are one stream (RFC 8878 §3).
                self._stream = _zstd_stream()
            try:
                part = self._stream.decompress(data, _STEP)
            except zstd.ZstdError as error:
                raise self._damaged() from error
            self._count(len(part))
            yield part
            data = self._stream.unused_data if self._stream.eof else b""
            more = bool(data) or not (self._stream.eof or self._stream.needs_input)

    def finish(self) -> None:
        if not self._stream.eof:
            raise self._damaged()


def _zstd_stream() -> zstd.ZstdDecompressor:
    # A window beyond 128 MiB is more memory than an index may cost.
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27})

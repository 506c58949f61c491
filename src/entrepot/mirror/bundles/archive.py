"""The file of a bundle: a tar in zstd, of which every byte is decided by what is in it.

Behind the zstd frame stands a skippable one (RFC 8878 §3.1.2) with the SHA-256 of all bytes before it: decompressors
pass over it, and it shows a change of bytes that decompression would not notice.

There is one way to write a member's header, and the reader, who knows each member's name and size from the manifest,
compares it byte for byte. So there is nothing to interpret: no links, no paths, no second member of a name.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tarfile import GNU_FORMAT, TarError, TarInfo
from types import TracebackType
from typing import BinaryIO, Self

from backports.zstd import CompressionParameter, DecompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

from entrepot.errors import StoreFailure, UnreadableBundle

CHUNK = 1 << 20
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_TRAILER = b"\x50\x2a\x4d\x18" + (32).to_bytes(4, "little")
_TRAILER_BYTES = len(_TRAILER) + 32
_WINDOW_LOG = 27
"""Windows of up to 128 MiB are read; what is written here needs 2 MiB."""


def header_of(name: str, size_bytes: int) -> bytes:
    """The one header that a member has."""
    info = TarInfo(name)
    info.size, info.mode = size_bytes, 0o644
    return info.tobuf(GNU_FORMAT)


class Writer:
    """Writes beside `path` and puts the whole file there when it is complete and on the disk. A context manager; left
    early, it leaves nothing. Every method may raise StoreFailure and waits for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._sha256 = hashlib.sha256()
        options = {int(CompressionParameter.checksum_flag): 1}
        self._compressor = ZstdCompressor(options=options)

    def __enter__(self) -> Self:
        with self._failing():
            self._file = open(self._partial, "xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def add(self, name: str, body: bytes) -> None:
        self.begin(name, len(body))
        self.write(body)
        self.end(len(body))

    def add_file(self, name: str, file: Path) -> None:
        size_bytes = file.stat().st_size
        self.begin(name, size_bytes)
        with file.open("rb") as source:
            while chunk := source.read(CHUNK):
                self.write(chunk)
        self.end(size_bytes)

    def begin(self, name: str, size_bytes: int) -> None:
        self.write(header_of(name, size_bytes))

    def end(self, size_bytes: int) -> None:
        self.write(bytes(-size_bytes % _BLOCK))

    def write(self, data: bytes) -> None:
        self._put(self._compressor.compress(data))

    def finish(self) -> None:
        """From here on it is there, whatever happens."""
        self._put(self._compressor.compress(_END, mode=ZstdCompressor.FLUSH_FRAME))
        with self._failing():
            self._file.write(_TRAILER + self._sha256.digest())
            self._file.flush()
            os.fsync(self._file.fileno())
            os.replace(self._partial, self._path)
            sync_directory(self._path.parent)

    def _put(self, data: bytes) -> None:
        self._sha256.update(data)
        with self._failing():
            self._file.write(data)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreFailure(f"{self._path}: {error.strerror or error}") from error


class Reader:
    """Reads members in the order in which they are asked for. What is wrong with one raises UnreadableBundle with its
    name. Reading waits for the disk."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = max(0, os.fstat(file.fileno()).st_size - _TRAILER_BYTES)
        self._sha256 = hashlib.sha256()
        self._zstd = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})
        self._buffer, self._at = b"", 0

    def read_small(self, name: str, most: int) -> bytes:
        """The body of a member whose size only its header tells."""
        header = self._take(_BLOCK, name)
        try:
            size_bytes = TarInfo.frombuf(header, "utf-8", "strict").size
        except (TarError, UnicodeDecodeError) as error:
            raise UnreadableBundle(f"{name}: this is no bundle, or it was changed: {error}") from error
        if size_bytes > most:
            raise UnreadableBundle(f"{name}: {size_bytes} bytes are more than the {most} that it may have")
        self._check_header(name, size_bytes, header)
        body = self._take(size_bytes, name)
        self._check_padding(name, size_bytes)
        return body

    def has_next(self, name: str) -> bool:
        """Whether the next member has this name; nothing is consumed."""
        self._fill(_BLOCK, name)
        return self._buffer[self._at : self._at + _BLOCK].partition(b"\0")[0] == name.encode()

    def chunks(self, name: str, size_bytes: int) -> Iterator[bytes]:
        """The body of a member of known size. To be read to its end."""
        self._check_header(name, size_bytes, self._take(_BLOCK, name))
        left = size_bytes
        while left:
            chunk = self._take(min(left, CHUNK), name)
            left -= len(chunk)
            yield chunk
        self._check_padding(name, size_bytes)

    def finish(self) -> None:
        """Nothing comes behind the last member, and all bytes of the file are those that were written."""
        if self._take(len(_END), "its end") != _END:
            raise UnreadableBundle("there are members that its manifest does not name")
        while not self._zstd.eof:
            if self._more("its end"):
                raise UnreadableBundle("there is something behind its last member")
        if self._at < len(self._buffer) or self._zstd.unused_data or self._left:
            raise UnreadableBundle("there is something behind its last member")
        if self._file.read() != _TRAILER + self._sha256.digest():
            raise UnreadableBundle("the digest at its end is not that of its bytes: the file was changed")

    def _check_header(self, name: str, size_bytes: int, header: bytes) -> None:
        if header != header_of(name, size_bytes):
            found = header.partition(b"\0")[0][:100].decode("utf-8", "replace")
            raise UnreadableBundle(
                f"{name}: in its place, or with another size or kind, there is {found!r}"
                if found
                else f"{name}: it is missing"
            )

    def _check_padding(self, name: str, size_bytes: int) -> None:
        if self._take(-size_bytes % _BLOCK, name).strip(b"\0"):
            raise UnreadableBundle(f"{name}: there is something behind its end")

    def _take(self, size: int, name: str) -> bytes:
        self._fill(size, name)
        if len(self._buffer) - self._at < size:
            raise UnreadableBundle(f"{name}: the file ends in the middle of it")
        self._at += size
        return self._buffer[self._at - size : self._at]

    def _fill(self, size: int, name: str) -> None:
        while len(self._buffer) - self._at < size and not self._zstd.eof:
            self._buffer, self._at = self._buffer[self._at :] + self._more(name), 0

    def _more(self, name: str) -> bytes:
        data = b""
        if self._zstd.needs_input:
            data = self._file.read(min(CHUNK, self._left))
            if not data:
                raise UnreadableBundle(f"{name}: the file ends in the middle of it")
            self._left -= len(data)
            self._sha256.update(data)
        try:
            return self._zstd.decompress(data, CHUNK)
        except ZstdError as error:
            raise UnreadableBundle(f"{name}: this is no bundle, or it was changed: {error}") from error


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

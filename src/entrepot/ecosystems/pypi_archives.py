"""What wheels and source distributions say of themselves, where the index does not say it."""

import bz2
import gzip
import io
import tarfile
import zipfile
import zlib
from typing import IO, BinaryIO, cast

import msgspec

from entrepot.errors import BadContent

_TEXT_BYTES = 4 << 20
"""Longer metadata is nobody's."""
_TOLD = ("PKG-INFO", "pyproject.toml")
_PIECE_BYTES = 32 << 20
"""The largest table of contents, and the largest header."""
_SEARCHED_MEMBERS = 20_000
_SEARCHED_BYTES = 256 << 20
"""Of a source distribution unpacked: it has no table of contents."""
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, ValueError)


class _BuildSystem(msgspec.Struct):
    requires: list[str] = []


class _Pyproject(msgspec.Struct, rename="kebab"):
    build_system: _BuildSystem | None = None


def metadata_in_wheel(file: BinaryIO, name: str) -> bytes:
    """`*.dist-info/METADATA`. Raises BadContent."""
    try:
        with zipfile.ZipFile(_guarded(file, name)) as archive:
            members = (one for one in archive.namelist() if _is_at(one, "METADATA", ".dist-info"))
            if member := next(members, None):
                with archive.open(member) as content:
                    return _bounded(content, name)
    except _BROKEN as error:
        raise BadContent(f"{name}: its metadata cannot be read: {error}") from error
    raise BadContent(f"{name}: there is no METADATA in it")


def told_in_sdist(file: BinaryIO, name: str) -> tuple[bytes, bytes]:
    """`PKG-INFO` and `pyproject.toml`; each is empty where there is none. Raises BadContent."""
    try:
        found = _read_zip(file, name) if name.endswith(".zip") else _read_tar(file, name)
    except _BROKEN as error:
        raise BadContent(f"{name}: it cannot be unpacked: {error}") from error
    return found.get("PKG-INFO", b""), found.get("pyproject.toml", b"")


def build_requires(pyproject: bytes) -> list[str]:
    """What a build needs: where nothing is said, setuptools (PEP 517)."""
    try:
        said = msgspec.toml.decode(pyproject, type=_Pyproject).build_system
    except (ValueError, RecursionError):
        # A build tool will complain in its own words.
        said = None
    return ["setuptools>=40.8.0"] if said is None else said.requires


def _read_zip(file: BinaryIO, name: str) -> dict[str, bytes]:
    found = {}
    with zipfile.ZipFile(_guarded(file, name)) as archive:
        for member in archive.namelist():
            if wanted := _wanted(member):
                with archive.open(member) as content:
                    found[wanted] = _bounded(content, name)
    return found


def _read_tar(file: BinaryIO, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=_guarded(_unpacked(file, name), name, _SEARCHED_BYTES), mode="r:") as archive:
        for number, member in enumerate(archive):
            wanted = _wanted(member.name)
            content = archive.extractfile(member) if wanted and member.isfile() else None
            if content:
                found[wanted] = _bounded(content, name)
            if len(found) == len(_TOLD) or number > _SEARCHED_MEMBERS:
                break
    return found


def _unpacked(file: BinaryIO, name: str) -> BinaryIO:
    if name.endswith(("gz", "Z")):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    return cast(BinaryIO, bz2.BZ2File(file)) if name.endswith(".bz2") else file


def _wanted(path: str) -> str:
    """The file's name, if it is one of the two at the top; else empty."""
    return next((name for name in _TOLD if _is_at(path, name)), "")


def _is_at(path: str, name: str, folder: str = "") -> bool:
    """Whether it is this file in the one folder at the top, whose name may have to end in a certain way."""
    parts = path.removeprefix("./").split("/")
    return len(parts) == 2 and parts[1] == name and parts[0].endswith(folder)


def _bounded(content: IO[bytes], name: str) -> bytes:
    text = content.read(_TEXT_BYTES + 1)
    if len(text) > _TEXT_BYTES:
        raise BadContent(f"{name}: its metadata has more than {_TEXT_BYTES} bytes")
    return text


def _guarded(file: BinaryIO, name: str, limit: int = 1 << 40) -> BinaryIO:
    """A file for readers of archives, which believe the sizes and offsets that an archive states."""
    return cast(BinaryIO, _Guarded(file, name, limit))


class _Guarded(io.RawIOBase):
    def __init__(self, file: BinaryIO, name: str, limit: int) -> None:
        self._file, self._name, self._limit = file, name, limit

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 0 and not 0 <= offset <= self._limit:
            raise BadContent(f"{self._name}: the archive points outside itself, or unpacks to too much")
        return self._file.seek(offset, whence)

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(_PIECE_BYTES + 1 if size < 0 else min(size, _PIECE_BYTES + 1))
        if len(data) > _PIECE_BYTES:
            raise BadContent(f"{self._name}: a table of contents or a header in it is larger than any package's")
        return data

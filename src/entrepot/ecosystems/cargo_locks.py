"""What Cargo.lock files pin, in all of their formats.

Source: cargo, core/resolver/encode.rs. Until format 2 the checksums stand in a table of their own.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from entrepot.contracts.closure import Skipped
from entrepot.contracts.ecosystem import LockText
from entrepot.ecosystems.cargo_names import is_crate, is_version
from entrepot.errors import UnreadableLock
from entrepot.model.digest import Digest, parse_hex
from entrepot.model.selection import Depth, Selection
from entrepot.model.toml import load_toml

_PACKAGE = re.compile(rb"^[ \t]*\[\[[ \t]*package[ \t]*\]\]", re.MULTILINE)
_LINE = re.compile(r"\(at line ([0-9]+), column")
_ITEM = re.compile(r"\$\.package\[([0-9]+)\]")
_REGISTRIES = ("registry+", "sparse+")
_ELSEWHERE = {"git": "it comes from version control", "path": "it is a local path", "": "it is a local path"}
_NEWEST = 4


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str
    source: str = ""
    checksum: str = ""

    @property
    def key(self) -> str:
        """Of its checksum in the table of format 1."""
        return f"checksum {self.name} {self.version} ({self.source})"


class _Lock(msgspec.Struct, frozen=True):
    version: int = 1
    package: tuple[_Package, ...] = ()
    metadata: dict[str, str] = {}


def read_cargo_lock(lock: LockText) -> Iterator[Selection | Skipped]:
    """Crates of registries with their digests. Raises UnreadableLock."""
    content = _load(lock)
    if content.version > _NEWEST:
        raise UnreadableLock(f"{lock.name}: format {content.version} is not known here; known are 1 to {_NEWEST}")
    extent = replace(lock.extent, depth=Depth.NONE, latest=None)
    for number, one in enumerate(content.package):
        subject = f"{one.name} {one.version}"[:300]
        if not one.source.startswith(_REGISTRIES):
            yield Skipped(subject=subject, reason=_elsewhere(one.source))
            continue
        if not is_crate(one.name) or not is_version(one.version):
            raise _failure(lock, number, f"{subject!r} is no crate and version")
        yield Selection(
            package=one.name.lower(),
            version=one.version,
            digests=_digests(lock, number, one, content),
            extent=extent,
        )


def _elsewhere(source: str) -> str:
    kind = source.partition("+")[0]
    return _ELSEWHERE.get(kind, f"it comes from {source[:200]}, which is no registry")


def _digests(lock: LockText, number: int, one: _Package, content: _Lock) -> tuple[Digest, ...]:
    told = one.checksum or content.metadata.get(one.key, "")
    if told in ("", "<none>"):
        return ()
    digest = parse_hex("sha256", told)
    if digest is None:
        raise _failure(lock, number, f"{told[:100]!r} is no checksum of a crate: 64 hex digits are expected")
    return (digest,)


def _load(lock: LockText) -> _Lock:
    try:
        # The standard parser tells the line.
        content = load_toml(lock.body.decode())
        return msgspec.convert(content, _Lock)
    except UnicodeDecodeError as error:
        line = lock.body.count(b"\n", 0, error.start) + 1
        raise UnreadableLock(f"{lock.name}:{line}: not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        raise UnreadableLock(f"{lock.name}:{found[1] if found else 1}: this is no TOML: {error}") from error
    except RecursionError as error:
        raise UnreadableLock(f"{lock.name}: this is nested too deeply for a Cargo.lock") from error
    except msgspec.ValidationError as error:
        place = _ITEM.search(str(error))
        if place is None:
            raise UnreadableLock(f"{lock.name}: this is no Cargo.lock: {error}") from error
        raise _failure(lock, int(place[1]), f"this is no package of a Cargo.lock: {error}") from error


def _failure(lock: LockText, number: int, problem: str) -> UnreadableLock:
    """`number`: of the package, from 0."""
    starts = [found.start() for found in _PACKAGE.finditer(lock.body)]
    line = lock.body.count(b"\n", 0, starts[number]) + 1 if number < len(starts) else 1
    return UnreadableLock(f"{lock.name}:{line}: {problem}")

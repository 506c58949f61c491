"""Byte digests: their spellings, and hashes that run along while bytes arrive."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

# Strongest first. "h1" is Go's hash over a module's contents, "q1" (SHA-1) and "q2" (SHA-256) are apk's over the
# control part of a package, which names the SHA-256 of its data: not hashes of the file's bytes.
STRENGTH = ("sha512", "sha384", "sha256", "h1", "q2", "sha224", "q1", "sha1", "md5")
_HEX_SIZE = {"sha512": 128, "sha384": 96, "sha256": 64, "sha224": 56, "sha1": 40, "md5": 32}
_HEX = re.compile(r"[0-9a-f]+\Z")


@dataclass(frozen=True, slots=True)
class Digest:
    """An algorithm's name and its value: lower-case hex, or for `h1`, `q1` and `q2` the base64 that is published."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"

    @property
    def of_bytes(self) -> bool:
        """Whether the digest is over the file's bytes (and not over what is packed in it)."""
        return self.algorithm in _HEX_SIZE


def parse_hex(algorithm: str, value: str) -> Digest | None:
    """A digest from its hex form; None where algorithm or length is not one we know."""
    algorithm, value = algorithm.lower(), value.strip().lower()
    if len(value) != _HEX_SIZE.get(algorithm) or not _HEX.match(value):
        return None
    return Digest(algorithm, value)


def parse_sri(text: str) -> tuple[Digest, ...]:
    """The digests of a Subresource Integrity string, strongest first (W3C SRI §3.1)."""
    found = []
    for word in text.split():
        algorithm, _, rest = word.partition("-")
        try:
            raw = base64.b64decode(rest.partition("?")[0], validate=True)
        except (ValueError, binascii.Error):
            continue
        digest = parse_hex(algorithm, raw.hex())
        if digest:
            found.append(digest)
    return strongest_first(found)


def strongest_first(digests: Iterable[Digest]) -> tuple[Digest, ...]:
    return tuple(sorted(digests, key=lambda digest: STRENGTH.index(digest.algorithm)))


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class RunningHash:
    """SHA-256 and whatever else was asked for, computed together as bytes arrive."""

    def __init__(self, algorithms: Iterable[str] = ()) -> None:
        names = dict.fromkeys(["sha256", *(name for name in algorithms if name in _HEX_SIZE)])
        self._hashes: dict[str, _Hash] = {name: hashlib.new(name, usedforsecurity=False) for name in names}

    def update(self, data: bytes) -> None:
        for running in self._hashes.values():
            running.update(data)

    def value(self, algorithm: str) -> Digest | None:
        running = self._hashes.get(algorithm)
        return Digest(algorithm, running.hexdigest()) if running else None

    @property
    def sha256(self) -> str:
        return self._hashes["sha256"].hexdigest()

"""APKINDEX: the packages of one folder, in a signed archive that reaches clients as it is."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from entrepot.ecosystems.apk_signatures import PREFIX, Digests, Signature, signature_of
from entrepot.ecosystems.apk_streams import Content, Member, Packed, entries
from entrepot.errors import BadContent, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.release import Document

# The largest public index has about 30,000 packages in 12 MB of text.
MAX_INDEX_BYTES: Final = 256 << 20
MAX_PACKAGES: Final = 300_000
MAX_RECORD_BYTES: Final = 1 << 20
MAX_SIGNATURES: Final = 16
_MAX_SIGNATURE_BYTES: Final = 8 << 10
_LATEST: Final = 1 << 40
"""Seconds; a build time beyond is none."""
_DIGESTS: Final = {"Q1": ("q1", 20), "Q2": ("q2", 32)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A package as an index describes it (apk-package(5)). Texts are as they stand there."""

    name: str
    version: str
    arch: str = ""
    checksum: str = ""
    size: str = ""
    built: str = ""
    depends: str = ""
    provides: str = ""
    install_if: str = ""

    @property
    def digest(self) -> Digest | None:
        """Of the package's control part; its data follow from there."""
        kind, length = _DIGESTS.get(self.checksum[:2], ("", 0))
        try:
            raw = base64.b64decode(self.checksum[2:], validate=True)
        except (ValueError, binascii.Error):
            return None
        return Digest(kind, base64.b64encode(raw).decode()) if kind and len(raw) == length else None

    @property
    def size_bytes(self) -> int | None:
        return int(self.size) if self.size.isascii() and self.size.isdigit() and len(self.size) < 16 else None

    @property
    def built_at(self) -> datetime | None:
        """What its builder's clock said."""
        known = self.built.isascii() and self.built.isdigit() and len(self.built) < 14
        seconds = int(self.built) if known else 0
        return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST // 8 else None


def read_packages(document: Document) -> Iterator[Listed]:
    """Raises UnreadableIndex."""
    try:
        yield from _read(document, ())
    except BadContent as error:
        raise UnreadableIndex(str(error)) from error


def check_index(document: Document, keys: Sequence[RSAPublicKey]) -> None:
    """Whether it is an index that apk can read, signed by one of the keys where there are any. Raises
    UnreadableIndex."""
    try:
        for _ in _read(document, keys):
            pass
    except BadContent as error:
        raise UnreadableIndex(str(error)) from error


def _read(document: Document, keys: Sequence[RSAPublicKey]) -> Iterator[Listed]:
    packed, subject = Packed(document.body), document.place
    signatures: list[Signature] = []
    digests, signing, found, left = Digests(), True, False, MAX_INDEX_BYTES
    while packed.has_more():
        if signing:
            digests = Digests()
        member = Member(packed, subject, left, digests.update)
        for name, content in entries(member):
            signing = signing and name.startswith(PREFIX)
            if signing:
                signatures += _signatures(name, content, subject, len(signatures))
            elif name == "APKINDEX" and not found:
                found = True
                yield from _read_records(content, subject)
        member.drain()
        left = member.left
    if not found:
        raise BadContent(f"{subject}: no APKINDEX in it")
    if keys and not any(one.is_by(keys, digests.value(one.algorithm)) for one in signatures):
        names = ", ".join(sorted(one.key for one in signatures)) or "nobody"
        raise BadContent(f"{subject}: not signed by a key that is configured (signed by {names})")


def _signatures(name: str, content: Content, subject: str, known: int) -> list[Signature]:
    if known >= MAX_SIGNATURES:
        raise BadContent(f"{subject}: has more than {MAX_SIGNATURES} signatures")
    signature = signature_of(name, content.read_all(_MAX_SIGNATURE_BYTES))
    return [signature] if signature is not None else []


def _read_records(content: Content, subject: str) -> Iterator[Listed]:
    rest, count = b"", 0
    while piece := content.read():
        *records, rest = (rest + piece).split(b"\n\n")
        count += len(records)
        if count > MAX_PACKAGES:
            raise BadContent(f"{subject}: names more than {MAX_PACKAGES} packages")
        yield from filter(None, (_read_record(record, subject) for record in records))
        if len(rest) > MAX_RECORD_BYTES:
            raise BadContent(f"{subject}: a package in it is described at too great a length")
    last = _read_record(rest, subject)
    if last is not None:
        yield last


_FIELDS: Final = {
    "P": "name",
    "V": "version",
    "A": "arch",
    "C": "checksum",
    "S": "size",
    "t": "built",
    "D": "depends",
    "p": "provides",
    "i": "install_if",
}


def _read_record(record: bytes, subject: str) -> Listed | None:
    """None for no record at all."""
    lines = record.decode("utf-8", "replace").strip("\n").split("\n")
    if lines == [""]:
        return None
    known = {_FIELDS[line[0]]: line[2:] for line in lines if line[1:2] == ":" and line[0] in _FIELDS}
    if not (known.get("name") and known.get("version")):
        raise BadContent(f"{subject}: a package in it has no name or no version")
    return Listed(**known)

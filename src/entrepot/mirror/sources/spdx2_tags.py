"""Reads SPDX 2 as tags and values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from entrepot.errors import UnreadableBill
from entrepot.mirror.sources.sbom_member import Member
from entrepot.mirror.sources.spdx2 import Checksum, Package, Reference, Relationship, described_by, members_of

_LINE: Final = re.compile(r"\s*(?P<tag>[A-Za-z][A-Za-z0-9]*)\s*:\s*(?P<value>.*?)\s*\Z", re.DOTALL)
_OPEN, _CLOSE = "<text>", "</text>"


@dataclass(slots=True)
class _Document:
    packages: list[tuple[int, Package]] = field(default_factory=list)
    """Each with the number of the line that it begins at."""
    relationships: list[Relationship] = field(default_factory=list)
    package: Package | None = None
    """The one that is being described."""

    def take(self, line: int, tag: str, value: str) -> None:
        """Raises UnreadableBill."""
        if tag == "PackageName":
            self.package = Package(name=value, checksums=[], references=[])
            self.packages.append((line, self.package))
        elif tag in ("FileName", "SnippetSPDXID", "LicenseID"):
            # From here on it is not about the package any more.
            self.package = None
        elif tag == "Relationship":
            self._relate(line, value)
        elif self.package is not None:
            self._describe(self.package, line, tag, value)

    def _relate(self, line: int, value: str) -> None:
        element, kind, related = _words(line, "Relationship", value, 3)
        self.relationships.append(Relationship(element=element, type=kind, related=related))

    def _describe(self, package: Package, line: int, tag: str, value: str) -> None:
        match tag:
            case "SPDXID":
                package.id = value
            case "PackageVersion":
                package.version = value
            case "PackageDownloadLocation":
                package.location = value
            case "PackageChecksum" if package.checksums is not None:
                algorithm, digest = _words(line, tag, value.replace(":", " ", 1), 2)
                package.checksums.append(Checksum(algorithm=algorithm, value=digest))
            case "ExternalRef" if package.references is not None:
                _, kind, locator = _words(line, tag, value, 3)
                package.references.append(Reference(type=kind, locator=locator))


def read_spdx2_tags(body: bytes) -> Iterator[Member]:
    """Raises UnreadableBill."""
    document = _Document()
    for line, tag, value in _pairs(body):
        document.take(line, tag, value)
    described = described_by(document.relationships)
    for line, package in document.packages:
        yield from members_of(package, f"line {line}", described)


def _words(line: int, tag: str, value: str, count: int) -> list[str]:
    words = value.split(None, count - 1)
    if len(words) != count:
        raise UnreadableBill(f"line {line}: {tag} has {len(words)} words and not {count}: {value[:80]!r}")
    return words


def _pairs(body: bytes) -> Iterator[tuple[int, str, str]]:
    """Every tag and its value, which may go on over lines between <text> and </text>, with the number of its line."""
    try:
        lines = iter(enumerate(body.decode("utf-8-sig").splitlines(), start=1))
    except UnicodeDecodeError as error:
        number = body.count(b"\n", 0, error.start) + 1
        raise UnreadableBill(f"line {number}: is not UTF-8") from error
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line)
        if not found:
            raise UnreadableBill(f"line {number}: {line[:80]!r} is no tag with a value")
        yield number, found["tag"], _whole(number, found["value"], lines)


def _whole(number: int, value: str, lines: Iterator[tuple[int, str]]) -> str:
    if not value.startswith(_OPEN):
        return value
    parts = [value]
    while _CLOSE not in parts[-1]:
        following = next(lines, None)
        if following is None:
            raise UnreadableBill(f"line {number}: a text that begins here has no end")
        parts.append(following[1])
    return "\n".join(parts).removeprefix(_OPEN).partition(_CLOSE)[0].strip()

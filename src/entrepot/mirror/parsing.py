"""From the papers and purls of an order to selections: work for the helper process, from files to a file."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath

from entrepot.contracts.ecosystem import Ecosystem, Lockfile, LockText, Skipped, Unread
from entrepot.errors import EntrepotError, UnreadableBill, UnreadableLock
from entrepot.mirror.sources.parsed import Parsed, write_parsed
from entrepot.mirror.sources.purls import Chooser, Destination
from entrepot.mirror.sources.sbom import LARGEST_BYTES, read_bill
from entrepot.mirror.sources.sbom_member import Member
from entrepot.model.order import PaperKind
from entrepot.model.selection import Extent


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFile:
    """A document of an order, in a file of ours."""

    kind: PaperKind
    name: str
    """As it was handed in: lock files are known by it, and messages tell it."""
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """What another process must know of a repository. Picklable."""

    name: str
    kind: type[Ecosystem]
    options: Mapping[str, object]
    upstreams: tuple[str, ...]
    """The base URLs."""

    def destination(self) -> Destination:
        return Destination(name=self.name, ecosystem=self.kind(self.options), upstreams=self.upstreams)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseJob:
    """Reads an order's purls and papers, and writes what became of each member into a file, for `read_parsed`. Two
    equal selections are written once. A paper that cannot be read is one member that failed."""

    purls: tuple[str, ...]
    papers: tuple[PaperFile, ...]
    extent: Extent
    repositories: tuple[RepositoryFacts, ...]
    """In the order in which they are configured."""
    only: tuple[str, ...] = ()
    """Names of the repositories that may be used; empty: all."""
    validate: bool = False
    output: str
    """The path of the file to write."""

    def run(self) -> int:
        """How many members were written. Raises OSError."""
        count = 0
        with open(self.output, "wb") as file:
            for member in _distinct(self._members()):
                write_parsed(file, member)
                count += 1
        return count

    def _members(self) -> Iterator[Parsed]:
        destinations = [one.destination() for one in self.repositories]
        chooser = Chooser(destinations, self.extent, self.only)
        yield from _listed(self.purls, chooser)
        for paper in self.papers:
            yield from self._members_of(paper, chooser)

    def _members_of(self, paper: PaperFile, chooser: Chooser) -> Iterator[Parsed]:
        try:
            if paper.kind is PaperKind.PURLS:
                with open(paper.path, encoding="utf-8", errors="replace", newline="\n") as lines:
                    yield from _listed(lines, chooser)
                return
            body = _read(paper)
            if paper.kind is PaperKind.SBOM:
                yield from _billed(read_bill(paper.name, body, validate=self.validate), paper.name, chooser)
            else:
                yield from self._locked(LockText(name=paper.name, body=body, extent=self.extent), chooser)
        except EntrepotError as error:
            yield Parsed.failed(paper.name, error)

    def _locked(self, text: LockText, chooser: Chooser) -> Iterator[Parsed]:
        kind, lockfile = self._lockfile(text.name)
        for found in lockfile.read(text) if lockfile.read else ():
            if isinstance(found, Skipped):
                yield Parsed(place=f"{text.name}: {found.subject}", skipped=found.reason)
            elif isinstance(found, Unread):
                yield Parsed.failed(f"{text.name}: {found.subject}", found.error)
            else:
                yield chooser.of_selection(f"{text.name}: {found}", kind, found)

    def _lockfile(self, name: str) -> tuple[type[Ecosystem], Lockfile]:
        """Raises UnreadableLock."""
        base = PurePath(name).name
        kinds = dict.fromkeys(one.kind for one in self.repositories)
        known = [(kind, lockfile) for kind in kinds for lockfile in kind.lockfiles if lockfile.read]
        for kind, lockfile in known:
            if fnmatchcase(base, lockfile.name):
                return kind, lockfile
        names = ", ".join(lockfile.name for _, lockfile in known) or "none"
        raise UnreadableLock(f"{name}: is no lock file that is known by this name; known are: {names}")


def _listed(purls: Iterable[str], chooser: Chooser) -> Iterator[Parsed]:
    for purl in purls:
        text = purl.strip()
        # A list of purls may have comments in it.
        if text and not text.startswith("#"):
            yield chooser.of_purl(text)


def _billed(members: Iterable[Member], paper: str, chooser: Chooser) -> Iterator[Parsed]:
    """Some bills name a package once for each place that it is used in: what is made of it is made once."""
    made: set[int] = set()
    for member in members:
        mark = hash((member.purl, member.version, member.digests, member.repository, member.files))
        if mark not in made:
            parsed = chooser.of_member(paper, member)
            if parsed.selection is not None:
                made.add(mark)
            yield parsed


def _read(paper: PaperFile) -> bytes:
    """Raises UnreadableBill, UnreadableLock, OSError."""
    with open(paper.path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_BYTES:
            error = UnreadableBill if paper.kind is PaperKind.SBOM else UnreadableLock
            raise error(f"{paper.name}: has {size:,} bytes; up to {LARGEST_BYTES:,} are read")
        return file.read()


def _distinct(members: Iterator[Parsed]) -> Iterator[Parsed]:
    seen: set[int] = set()
    for member in members:
        # Of a selection only its hash is remembered: there may be very many.
        mark = hash((member.repository, member.selection))
        if member.selection is None or mark not in seen:
            seen.add(mark)
            yield member

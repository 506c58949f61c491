"""What goes into a bundle: entries that clients are served from today, and what is known besides about them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from entrepot.cache.documents import Documents
from entrepot.cache.frozen import plain_key
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.targets import resource_of
from entrepot.contracts.bundles import BundleBook
from entrepot.mirror.bundles.lists import Lists
from entrepot.mirror.bundles.records import EntryRecord, Part, RepositoryPart, encode
from entrepot.mirror.bundles.scratch import Scratch
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource

_ENTRIES = (
    "entries (repository TEXT, key TEXT, sha256 TEXT, size_bytes INTEGER, snapshot TEXT, line BLOB,"
    " PRIMARY KEY (repository, key))"
)
_TABLES = (
    _ENTRIES,
    "items (item BLOB PRIMARY KEY, repository TEXT, key TEXT)",
    "packages (repository TEXT, package TEXT, PRIMARY KEY (repository, package))",
    "blobs (sha256 TEXT PRIMARY KEY, size_bytes INTEGER)",
    "known (item BLOB PRIMARY KEY)",
    "groups (repository TEXT, root TEXT, line BLOB, PRIMARY KEY (repository, root))",
)
# CROSS JOIN: from each entry to its root, which is one descent; the other way round would be a scan for each entry.
_ROOTED = (
    "SELECT one.repository, one.key, one.sha256, coalesce(root.sha256, '') FROM entries AS one"
    " LEFT JOIN entries AS root ON one.snapshot <> '' AND root.repository = one.repository AND root.key = one.snapshot"
)
_ROOTS = (
    "SELECT DISTINCT root.repository, root.key, root.line FROM entries AS one CROSS JOIN entries AS root"
    " ON root.repository = one.repository AND root.key = one.snapshot"
    " WHERE one.snapshot <> '' AND root.sha256 <> ''"
)
_KNOWN = "SELECT repository, key FROM items JOIN known USING (item)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be written."""

    what: str
    """For people."""
    repositories: tuple[str, ...]
    keys: Sequence[tuple[str, str]] | None = None
    """Repository and stored key of each; None: everything in the repositories."""
    chain: tuple[int, ...] = ()
    """Numbers of bundles whose content is left out."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What lies in a directory, ready to be written: `LIST.jsonl` for each list."""

    directory: Path
    scratch: Scratch
    missing: list[str] = field(default_factory=list)
    """What was chosen and is not here."""
    repositories: list[RepositoryPart] = field(default_factory=list)
    lists: dict[str, Part] = field(default_factory=dict)
    bodies_bytes: int = 0

    def entries(self) -> Iterator[tuple[str, str]]:
        """Repository and key of each, in order."""
        for repository, key in self.scratch.rows("SELECT repository, key FROM entries ORDER BY repository, key"):
            yield str(repository), str(key)

    def blobs(self) -> Iterator[tuple[str, int]]:
        for sha256, size_bytes in self.scratch.rows("SELECT sha256, size_bytes FROM blobs ORDER BY sha256"):
            yield str(sha256), int(size_bytes)

    def items(self) -> Iterator[bytes]:
        """What `note_written` is to know of it."""
        for (item,) in self.scratch.rows("SELECT item FROM items ORDER BY item"):
            yield cast(bytes, item)


class Gatherer:
    def __init__(
        self, kit: Kit, documents: Documents, book: BundleBook, repositories: Mapping[str, Repository]
    ) -> None:
        self._kit, self._documents, self._book, self._repositories = kit, documents, book, repositories
        self._lists = Lists(book, kit.fetcher, repositories)

    @contextmanager
    def gather(self, choice: Choice, directory: Path) -> Iterator[Gathered]:
        """The directory is there and empty. Takes long: to be entered in a thread. Raises StoreFailure."""
        with Scratch.open(directory / "scratch.db", *_TABLES) as scratch:
            found = Gathered(directory=directory, scratch=scratch)
            for name in sorted(choice.repositories):
                self._add(found, self._repositories[name], choice)
            self._leave_out(found, choice)
            self._measure(found)
            found.lists = self._lists.write(found.scratch, [one.name for one in found.repositories], directory)
            yield found

    # --- which entries ----------------------------------------------------------------------------------------------

    def _add(self, found: Gathered, repository: Repository, choice: Choice) -> None:
        if choice.keys is None:
            chosen: Iterator[Entry] = self._kit.catalog.entries(repository.name)
        else:
            chosen = self._chosen(found, repository, [key for name, key in choice.keys if name == repository.name])
        for entry in chosen:
            self._add_entry(found, repository, entry)
        if choice.keys is not None:
            self._add_groups(found, repository)

    def _chosen(self, found: Gathered, repository: Repository, keys: Iterable[str]) -> Iterator[Entry]:
        for key in keys:
            entry = next(self._kit.catalog.entries(repository.name, key), None)
            if entry is None or entry.key != key or self._record_of(repository, entry) is None:
                found.missing.append(f"{repository.name}/{key}: not held")
            else:
                yield entry

    def _add_groups(self, found: Gathered, repository: Repository) -> None:
        """All of a group goes along with any of its members: clients read them together."""
        wanted = "SELECT DISTINCT snapshot FROM entries WHERE repository = ? AND snapshot <> ''"
        roots = {str(root) for (root,) in found.scratch.rows(wanted, repository.name)}
        if not roots:
            return
        for entry in self._kit.catalog.entries(repository.name):
            if entry.snapshot in roots:
                self._add_entry(found, repository, entry)

    def _add_entry(self, found: Gathered, repository: Repository, entry: Entry) -> None:
        made = self._record_of(repository, entry)
        if made is None:
            return
        resource, record = made
        if record.sha256 and not self._has_bytes(record):
            found.missing.append(f"{repository.name}/{entry.key}: its bytes are gone")
            return
        row = (repository.name, entry.key, record.sha256, record.size_bytes, entry.snapshot, encode(record))
        found.scratch.put("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)", [row])
        about = [(repository.name, name) for name in {resource.about, entry.key} if name]
        found.scratch.put("INSERT OR IGNORE INTO packages VALUES (?, ?)", about)

    def _record_of(self, repository: Repository, entry: Entry) -> tuple[Resource, EntryRecord] | None:
        """None for what nobody is served from today: what belongs to another generation or a frozen session, to an
        upstream that is configured no more, or is named as nothing is named any more."""
        resource = resource_of(repository, entry.key)
        if resource is None or entry.aside_at is not None or plain_key(entry.key) != entry.key:
            return None
        today = self._documents.of_today(repository, resource, entry)
        if today is None:
            return None
        absent = today.gone_at is not None
        record = EntryRecord(
            repository=repository.name,
            key=entry.key,
            sha256="" if absent else today.sha256,
            size_bytes=0 if absent else today.size_bytes,
            headers=() if absent else tuple(today.headers),
            # A redirect may have led to an address with somebody's signature in its query.
            url=today.url if resource.query else today.url.partition("?")[0],
            base="" if absent else self._documents.base_of(repository, today),
            stored_at=today.stored_at,
            validated_at=today.validated_at,
            published=today.published and not absent,
            gone_at=today.gone_at,
            package=today.package,
            version=today.version,
            snapshot=today.snapshot,
        )
        return resource, record

    def _has_bytes(self, record: EntryRecord) -> bool:
        blob = self._kit.blobs.open(record.sha256)
        if blob is None:
            return False
        blob.close()
        return blob.size_bytes == record.size_bytes

    # --- what the other side has already ----------------------------------------------------------------------------

    def _leave_out(self, found: Gathered, choice: Choice) -> None:
        """An item is an entry's name and what is under it; for a member of a group, with its generation. So what a
        bundle carried and what has not changed since is known by its item."""
        scratch = found.scratch
        scratch.do(f"INSERT INTO groups {_ROOTS}")
        items = ((_item_of(*map(str, row)), *row[:2]) for row in scratch.rows(_ROOTED))
        scratch.put("INSERT INTO items VALUES (?, ?, ?)", items)
        for number in choice.chain:
            scratch.put("INSERT OR IGNORE INTO known VALUES (?)", ((item,) for item in self._book.carried(number)))
        scratch.do(f"DELETE FROM entries WHERE (repository, key) IN ({_KNOWN})")
        scratch.do("DELETE FROM items WHERE item IN (SELECT item FROM known)")

    def _measure(self, found: Gathered) -> None:
        scratch = found.scratch
        scratch.do("INSERT INTO blobs SELECT DISTINCT sha256, size_bytes FROM entries WHERE sha256 <> ''")
        found.bodies_bytes = sum(size_bytes for _, size_bytes in found.blobs())
        counts = "SELECT repository, count(*) FROM entries GROUP BY repository ORDER BY repository"
        for name, count in scratch.rows(counts):
            repository = self._repositories[str(name)]
            upstreams = tuple(self._kit.fetcher.base_url(upstream) for upstream in repository.upstreams)
            part = RepositoryPart(
                name=repository.name, ecosystem=repository.ecosystem.name, upstreams=upstreams, entries=int(count)
            )
            found.repositories.append(part)


def _item_of(repository: str, key: str, sha256: str, generation: str) -> bytes:
    return hashlib.sha256("\0".join((repository, key, sha256, generation)).encode()).digest()[:16]

"""What a store holds as plain files that any web server can serve: documents as clients see them today, and files.

A path of ours is a path in the tree. What is a folder and a document as well (npm's packages) is an `index.html` in the
folder, as every web server sends one: clients follow the redirect to it, and read JSON whatever it is called.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote_to_bytes

from entrepot.cache.answer import Answer, Stored
from entrepot.cache.ask import ClientAsk
from entrepot.cache.engine import Engine
from entrepot.cache.plan import Wish
from entrepot.cache.repository import Repository
from entrepot.cache.targets import resource_of
from entrepot.errors import BadRequest, EntrepotError, StoreFailure
from entrepot.mirror.bundles.archive import CHUNK, sync_directory
from entrepot.mirror.bundles.gathering import Choice, Gathered, Gatherer
from entrepot.mirror.bundles.texts import clients_text
from entrepot.model.resource import Kind, Request, Resource

SUMS = "SHA256SUMS"
INDEX = "index.html"
_NAME_BYTES = 255
# What a web server sends as a page is asked for as one; who has no pages sends its only form.
_ACCEPT = "text/html, */*;q=0.1"


@dataclass(slots=True, kw_only=True)
class TreeExport:
    """What became of an order to write files."""

    path: str
    """Empty: nothing was written."""
    files: int = 0
    size_bytes: int = 0
    missing: tuple[str, ...] = ()
    """What was chosen and is not held."""
    left_out: list[str] = field(default_factory=list)
    """What is held and is no file: refused by policy, or under a name that no file can have."""


class TreeWriter:
    def __init__(
        self, engine: Engine, gatherer: Gatherer, repositories: Mapping[str, Repository], directory: Path
    ) -> None:
        """`directory`: where work may lie meanwhile."""
        self._engine, self._gatherer, self._directory = engine, gatherer, directory
        rules = {name: replace(one.rules, network="offline") for name, one in repositories.items()}
        self._repositories = {name: replace(one, rules=rules[name], _variants={}) for name, one in repositories.items()}

    async def write(
        self, target: Path, choice: Choice, *, base_url: str, partial: bool, missing: Sequence[str] = ()
    ) -> TreeExport:
        """Write what is chosen below a new directory; where something is not held, nothing, unless `partial`.
        `base_url`: where the tree will be served, for documents that name their own address. Raises BadRequest,
        StoreFailure."""
        partial_tree = target.with_name(f".{target.name}.{os.getpid()}.partial")
        with ExitStack() as stack:
            found = await asyncio.to_thread(self._begin, stack, target, partial_tree, choice)
            lacking = tuple(sorted({*missing, *found.missing}))
            if (lacking and not partial) or not found.lists["entries"].lines:
                return TreeExport(path="", missing=lacking)
            tree = _Tree(partial_tree)
            done = TreeExport(path=str(target), missing=lacking)
            for name, key in found.entries():
                await self._add(tree, done, self._repositories[name], key, base_url)
            chosen = [self._repositories[one.name] for one in found.repositories]
            await asyncio.to_thread(tree.finish, clients_text(chosen, base_url), target)
            done.files, done.size_bytes = len(tree.sums), tree.size_bytes
            return done

    def _begin(self, stack: ExitStack, target: Path, partial: Path, choice: Choice) -> Gathered:
        try:
            if not target.parent.is_dir():
                raise BadRequest(f"{target.parent}: there is no such directory; make it first")
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                raise BadRequest(f"{target}: it is there already; name a directory that is not, or an empty one")
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            work = stack.enter_context(TemporaryDirectory(dir=self._directory))
            partial.mkdir()
        except OSError as error:
            raise StoreFailure(f"{error.filename}: {error.strerror or error}") from error
        stack.callback(shutil.rmtree, partial, ignore_errors=True)
        return stack.enter_context(self._gatherer.gather(choice, Path(work)))

    async def _add(self, tree: "_Tree", done: TreeExport, repository: Repository, key: str, base_url: str) -> None:
        subject = f"{repository.name}/{key.partition(' ')[0]}"
        resource = _as_page(repository, key)
        if resource is None:
            return
        if resource.query:
            done.left_out.append(f"{subject}: a web server of files does not tell queries apart")
            return
        if resource.kind is Kind.INDEX and repository.ecosystem.names_our_address(resource.form) and not base_url:
            raise BadRequest(
                f"documents of {repository.ecosystem.title} name their own address: say with --base-url where the tree "
                "will be served"
            )
        ask = ClientAsk(wish=Wish(stored_only=True), base=f"{base_url.rstrip('/')}/{repository.name}")
        try:
            answer = await self._engine.fetch(repository, resource, ask)
            if answer.status == 200:
                await asyncio.to_thread(tree.put, subject, answer)
            else:
                done.left_out.append(f"{subject}: policy sends clients elsewhere")
        except StoreFailure:
            raise
        except EntrepotError as error:
            if error.code != "absent":
                done.left_out.append(str(error))


class _Tree:
    """Files that are being written below a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.sums: dict[str, str] = {}
        self.size_bytes = 0

    def put(self, subject: str, answer: Answer) -> None:
        """Raises BadRequest for a name that no file can have, StoreFailure."""
        try:
            place = self._place_of(_parts_of(subject))
            with (self._root / place).open("xb") as file:
                for chunk in _chunks_of(answer):
                    file.write(chunk)
            self._note(place)
        except OSError as error:
            raise StoreFailure(f"{error.filename}: {error.strerror or error}") from error
        finally:
            if isinstance(answer.body, Stored):
                answer.body.blob.close()

    def _place_of(self, parts: Sequence[str]) -> str:
        """Makes room: what is in the way of a folder becomes the index of that folder."""
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            path = self._root / folder
            if path.is_file():
                aside = path.with_name(f"{path.name}.aside")
                path.rename(aside)
                path.mkdir()
                aside.rename(path / INDEX)
                self.sums[f"{folder}/{INDEX}"] = self.sums.pop(folder)
            path.mkdir(exist_ok=True)
        place = "/".join(parts)
        return f"{place}/{INDEX}" if (self._root / place).is_dir() else place

    def _note(self, place: str) -> None:
        running = hashlib.sha256()
        with (self._root / place).open("rb") as file:
            while chunk := file.read(CHUNK):
                running.update(chunk)
                self.size_bytes += len(chunk)
            os.fdatasync(file.fileno())
        self.sums[place] = running.hexdigest()

    def finish(self, clients: str, target: Path) -> None:
        """All of it is there at once, under its own name."""
        try:
            (self._root / "clients.txt").write_text(clients)
            lines = "".join(f"{self.sums[place]}  ./{place}\n" for place in sorted(self.sums))
            (self._root / SUMS).write_text(lines)
            if target.exists():
                target.rmdir()
            self._root.rename(target)
            sync_directory(target.parent)
        except OSError as error:
            raise StoreFailure(f"{error.filename}: {error.strerror or error}") from error


def _as_page(repository: Repository, key: str) -> Resource | None:
    """What a web server can send of it."""
    known = resource_of(repository, key)
    if known is None or known.kind is not Kind.INDEX:
        return known
    page = repository.ecosystem.route(Request(method="GET", path=known.key, query=known.query, accept=_ACCEPT))
    return page if isinstance(page, Resource) else known


def _parts_of(subject: str) -> list[str]:
    """The names of folders and file; a web server decodes what stands in an address. Raises BadRequest."""
    parts = [unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in subject.split("/")]
    if not parts[-1]:
        parts[-1] = INDEX
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\0" in part or len(os.fsencode(part)) > _NAME_BYTES:
            raise BadRequest(f"{subject}: no file can have this name")
    return parts


def _chunks_of(answer: Answer) -> Iterator[bytes]:
    """Raises StoreFailure."""
    if isinstance(answer.body, bytes):
        yield answer.body
        return
    if not isinstance(answer.body, Stored):
        raise StoreFailure("what was to be written is not stored")
    offset = 0
    while chunk := answer.body.blob.read(offset, CHUNK):
        yield chunk
        offset += len(chunk)

"""Bundles are written: gathered, numbered, packed, and noted so that the next one can build on them."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.contracts.bundles import BundleBook, WrittenBundle
from entrepot.errors import BadRequest, StoreFailure
from entrepot.mirror.bundles import signing
from entrepot.mirror.bundles.archive import CHUNK, Writer
from entrepot.mirror.bundles.gathering import Choice, Gathered, Gatherer
from entrepot.mirror.bundles.records import FORMAT, LISTS, MANIFEST, SIGNATURE, Base, Manifest, Part, encode
from entrepot.mirror.bundles.texts import README, clients_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What became of an order to write a bundle."""

    path: str
    """Empty: nothing was written."""
    store: str
    number: int
    entries: int
    bodies: int
    bodies_bytes: int
    signer: str
    missing: tuple[str, ...]
    """What was chosen and is not held."""


class Exporter:
    def __init__(
        self,
        kit: Kit,
        gatherer: Gatherer,
        book: BundleBook,
        repositories: Mapping[str, Repository],
        directory: Path,
    ) -> None:
        """`directory`: where work may lie meanwhile."""
        self._kit, self._book, self._repositories, self._directory = kit, book, repositories, directory
        self._gatherer = gatherer

    async def export(
        self,
        path: Path,
        choice: Choice,
        *,
        since: int | None,
        key: Path | None,
        partial: bool,
        missing: Sequence[str] = (),
    ) -> Export:
        """Write what is chosen to a file; where something is not held, nothing, unless `partial`. `missing`: what is
        known already not to be. Raises StoreFailure, BadRequest, ConfigError."""
        await self._kit.catalog.flush()
        with ExitStack() as stack:
            found = await asyncio.to_thread(self._enter, stack, choice)
            lacking, store = tuple(sorted({*missing, *found.missing})), self._book.store()
            if (lacking and not partial) or not found.lists["entries"].lines:
                return Export(
                    path="", store=store, number=0, entries=0, bodies=0, bodies_bytes=0, signer="",
                    missing=lacking,
                )  # fmt: skip
            manifest, note = await asyncio.to_thread(self._describe, found, choice, since, store)
            signer = await asyncio.to_thread(self._write, path, found, manifest, key)
            await self._book.note_written(note, found.items())
            return Export(
                path=str(path),
                store=manifest.store,
                number=manifest.number,
                entries=note.entries,
                bodies=found.lists["blobs"].lines,
                bodies_bytes=note.size_bytes,
                signer=signer,
                missing=lacking,
            )

    def chain_of(self, since: int | None) -> tuple[int, ...]:
        """The bundle that another one builds on, and those that it builds on itself. Raises BadRequest."""
        known = {one.number: one for one in self._book.written()}
        chain: list[int] = []
        while since is not None:
            if since not in known:
                raise BadRequest(
                    f"bundle {since} was not written by this store; `entrepot bundles` lists those that were"
                )
            chain.append(since)
            since = known[since].since
        return tuple(chain)

    def _enter(self, stack: ExitStack, choice: Choice) -> Gathered:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            work = stack.enter_context(TemporaryDirectory(dir=self._directory))
        except OSError as error:
            raise StoreFailure(f"{self._directory.name}: {error.strerror or error}") from error
        return stack.enter_context(self._gatherer.gather(choice, Path(work)))

    # --- the manifest -----------------------------------------------------------------------------------------------

    def _describe(
        self, found: Gathered, choice: Choice, since: int | None, store: str
    ) -> tuple[Manifest, WrittenBundle]:
        """The same content is the same bundle: it keeps the number and the time that it got first."""
        written = self._book.written()
        base = next((Base(number=one.number, digest=one.digest) for one in written if one.number == since), None)
        content = self._manifest(found, choice, base, store, number=1, written_at=_EPOCH)
        digest = hashlib.sha256(encode(content)).hexdigest()
        same = next((one for one in written if one.content == digest), None)
        number = same.number if same else max((one.number for one in written), default=0) + 1
        written_at = same.written_at if same else self._kit.clock.now()
        manifest = self._manifest(found, choice, base, store, number=number, written_at=written_at)
        note = WrittenBundle(
            number=number,
            digest=hashlib.sha256(encode(manifest)).hexdigest(),
            content=digest,
            since=since,
            written_at=written_at,
            what=choice.what,
            entries=found.lists["entries"].lines,
            size_bytes=found.bodies_bytes,
        )
        return manifest, note

    def _manifest(
        self, found: Gathered, choice: Choice, base: Base | None, store: str, *, number: int, written_at: datetime
    ) -> Manifest:
        return Manifest(
            format=FORMAT,
            store=store,
            number=number,
            since=base,
            written_at=written_at,
            what=choice.what,
            repositories=tuple(found.repositories),
            lists=found.lists,
            texts={name: _part_of(text) for name, text in self._texts(found).items()},
            bodies_bytes=found.bodies_bytes,
        )

    def _texts(self, found: Gathered) -> dict[str, bytes]:
        chosen = [self._repositories[one.name] for one in found.repositories]
        return {"README.txt": README.encode(), "clients.txt": clients_text(chosen).encode()}

    # --- the file ---------------------------------------------------------------------------------------------------

    def _write(self, path: Path, found: Gathered, manifest: Manifest, key: Path | None) -> str:
        """The public key that it was signed with; empty for none."""
        body = encode(manifest)
        signature = signing.sign(body, key) if key is not None else b""
        with Writer(path) as writer:
            writer.add(MANIFEST, body)
            if signature:
                writer.add(SIGNATURE, signature)
            for name, text in self._texts(found).items():
                writer.add(name, text)
            for name in LISTS:
                writer.add_file(f"{name}.jsonl", found.directory / f"{name}.jsonl")
            for sha256, size_bytes in found.blobs():
                self._write_blob(writer, sha256, size_bytes)
            writer.finish()
        return signing.check(body, signature, ()).key if signature else ""

    def _write_blob(self, writer: Writer, sha256: str, size_bytes: int) -> None:
        blob, running, offset = self._kit.blobs.open(sha256), hashlib.sha256(), 0
        if blob is None or blob.size_bytes != size_bytes:
            raise StoreFailure(f"blob {sha256}: it went while the bundle was written; try again")
        writer.begin(f"blobs/{sha256}", size_bytes)
        try:
            while chunk := blob.read(offset, CHUNK):
                writer.write(chunk)
                running.update(chunk)
                offset += len(chunk)
        finally:
            blob.close()
        if running.hexdigest() != sha256:
            raise StoreFailure(f"blob {sha256}: its bytes were changed; `entrepot doctor --full` sets it aside")
        writer.end(size_bytes)


def _part_of(text: bytes) -> Part:
    return Part(sha256=hashlib.sha256(text).hexdigest(), size_bytes=len(text), lines=text.count(b"\n"))

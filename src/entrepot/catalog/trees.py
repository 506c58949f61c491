"""Mirrored trees in the catalog's file. SQL as in `leases`; what lies below a folder is a range of its key."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import msgspec

from entrepot.catalog.rows import (
    Row,
    Statement,
    Value,
    Values,
    digest_of,
    maybe_microseconds_of,
    maybe_moment_of,
    microseconds_of,
    moment_of,
)
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.trees import Listed, WalkCounts, WalkState

_AT_ONCE = 500
"""Rows of one write, so that others get their turn between two."""
_STATE = "repository, path, number, started_at, ended_at, succeeded_at, failures, problem, counts"
_LISTED = "folder, name, size_bytes, modified, digest, sha256, absent_walks, absent_since, purged_at"

_BEGIN = (
    f"INSERT INTO trees ({_STATE}) VALUES (:repository, :path, :at, :at, NULL, NULL, 0, '', :counts)"
    " ON CONFLICT (repository, path) DO UPDATE SET number = max(trees.number + 1, excluded.number),"
    " started_at = excluded.started_at, ended_at = NULL RETURNING number"
)
_END = (
    "UPDATE trees SET ended_at = :ended_at, succeeded_at = :succeeded_at, failures = :failures, problem = :problem,"
    " counts = :counts WHERE repository = :repository AND path = :path AND number = :number"
)
_STATES = f"SELECT {_STATE} FROM trees ORDER BY repository, path"
_FIND_STATE = f"SELECT {_STATE} FROM trees WHERE repository = :repository AND path = :path"
_LISTED_IN = f"SELECT {_LISTED} FROM listed WHERE repository = :repository AND folder = :folder"
_SAME = (
    "listed.size_bytes IS NOT DISTINCT FROM excluded.size_bytes AND listed.modified = excluded.modified"
    " AND listed.digest = excluded.digest"
)
_PUT = (
    "INSERT INTO listed (repository, folder, name, size_bytes, modified, digest, sha256, walk, absent_walks)"
    " VALUES (:repository, :folder, :name, :size_bytes, :modified, :digest, x'', :walk, 0)"
    " ON CONFLICT (repository, folder, name) DO UPDATE SET"
    f" sha256 = CASE WHEN {_SAME} THEN listed.sha256 ELSE x'' END,"
    " size_bytes = excluded.size_bytes, modified = excluded.modified, digest = excluded.digest,"
    " walk = excluded.walk, absent_walks = 0, absent_since = NULL, purged_at = NULL"
)
_ONE = "repository = :repository AND folder = :folder AND name = :name"
_PROVE = f"UPDATE listed SET sha256 = :sha256 WHERE {_ONE}"
_MISS = f"UPDATE listed SET walk = 0, absent_walks = :absent_walks, absent_since = :absent_since WHERE {_ONE}"
_PURGED = f"UPDATE listed SET purged_at = :at, sha256 = x'' WHERE {_ONE}"
_FORGET = f"DELETE FROM listed WHERE {_ONE}"
_BELOW = "repository = :repository AND folder >= :path AND folder < :end"
_PROTECT = f"UPDATE listed SET walk = :walk, absent_walks = 0, absent_since = NULL WHERE {_BELOW}"
_NOTE_ABSENT = (
    "UPDATE listed SET absent_walks = absent_walks + 1, absent_since = coalesce(absent_since, :at)"
    f" WHERE {_BELOW} AND walk <> :walk AND purged_at IS NULL"
)
_ABSENT = f"SELECT {_LISTED} FROM listed WHERE {_BELOW} AND absent_walks >= :walks AND purged_at IS NULL"
_PURGED_BEFORE = f"SELECT {_LISTED} FROM listed WHERE {_BELOW} AND purged_at < :before"
_COUNT = f"SELECT count(*) FROM listed WHERE {_BELOW} AND purged_at IS NULL"
_HELD = "gone_at IS NULL AND sha256 <> x''"
_HELD_FILES = "SELECT key FROM entries WHERE repository = ? AND key IN ({}) AND " + _HELD
_HELD_BELOW = f"SELECT 1 FROM entries WHERE repository = ? AND key >= ? AND key < ? AND {_HELD} LIMIT 1"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, int]).decode


class SqliteTrees:
    """A TreeBook."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    # --- walks ------------------------------------------------------------------------------------------------------

    async def begin(self, repository: str, path: str, at: datetime) -> int:
        values: Values = {
            "repository": repository,
            "path": path,
            "at": microseconds_of(at),
            "counts": _encode(asdict(WalkCounts())),
        }
        ((number,),) = await self._catalog.write((_BEGIN, values))
        return int(number)

    async def end(self, state: WalkState) -> None:
        values: Values = {
            "repository": state.repository,
            "path": state.path,
            "number": state.number,
            "ended_at": maybe_microseconds_of(state.ended_at),
            "succeeded_at": maybe_microseconds_of(state.succeeded_at),
            "failures": state.failures,
            "problem": state.problem,
            "counts": _encode(asdict(state.counts)),
        }
        await self._catalog.write((_END, values))

    def states(self) -> list[WalkState]:
        return [_state_of(row) for row in self._catalog.read_apart(_STATES)]

    def find_state(self, repository: str, path: str) -> WalkState | None:
        rows = self._catalog.read_apart(_FIND_STATE, {"repository": repository, "path": path})
        return _state_of(rows[0]) if rows else None

    # --- what listings said -----------------------------------------------------------------------------------------

    def listed_in(self, repository: str, folder: str) -> Mapping[str, Listed]:
        rows = self._catalog.read_apart(_LISTED_IN, {"repository": repository, "folder": folder})
        return {one.name: one for one in map(_listed_of, rows)}

    async def put(self, repository: str, walk: int, rows: Sequence[Listed]) -> None:
        await self._write((_PUT, {**_values_of(repository, row), "walk": walk}) for row in rows)

    async def prove(self, repository: str, rows: Sequence[Listed]) -> None:
        await self._write((_PROVE, {**_name_of(repository, row), "sha256": digest_of(row.sha256)}) for row in rows)

    async def miss(self, repository: str, row: Listed) -> None:
        values = _name_of(repository, row)
        values |= {"absent_walks": row.absent_walks, "absent_since": maybe_microseconds_of(row.absent_since)}
        await self._catalog.write((_MISS, values))

    async def protect(self, repository: str, walk: int, prefix: str) -> None:
        await self._catalog.write((_PROTECT, {**_range_of(repository, prefix), "walk": walk}))

    async def note_absent(self, repository: str, path: str, walk: int, at: datetime, without: Collection[str]) -> None:
        rest, values = _outside(without)
        values |= {**_range_of(repository, path), "walk": walk, "at": microseconds_of(at)}
        await self._catalog.write((_NOTE_ABSENT + rest, values))

    def absent(self, repository: str, path: str, walks: int, without: Collection[str]) -> list[Listed]:
        rest, values = _outside(without)
        values |= {**_range_of(repository, path), "walks": walks}
        return [_listed_of(row) for row in self._catalog.read_apart(_ABSENT + rest, values)]

    def purged(self, repository: str, path: str, before: datetime) -> list[Listed]:
        values = {**_range_of(repository, path), "before": microseconds_of(before)}
        return [_listed_of(row) for row in self._catalog.read_apart(_PURGED_BEFORE, values)]

    def count(self, repository: str, path: str, without: Collection[str]) -> int:
        rest, values = _outside(without)
        ((count,),) = self._catalog.read_apart(_COUNT + rest, {**values, **_range_of(repository, path)})
        return int(count)

    async def note_purged(self, repository: str, rows: Sequence[Listed], at: datetime) -> None:
        await self._write((_PURGED, {**_name_of(repository, row), "at": microseconds_of(at)}) for row in rows)

    async def forget(self, repository: str, rows: Sequence[Listed]) -> None:
        await self._write((_FORGET, _name_of(repository, row)) for row in rows)

    async def keep_only(self, trees: Collection[tuple[str, str]]) -> None:
        kept = " OR ".join("(repository = ? AND path = ?)" for _ in trees) or "0"
        below = " OR ".join("(repository = ? AND folder >= ? AND folder < ?)" for _ in trees) or "0"
        names = [part for tree in trees for part in tree]
        ranges = [part for repository, path in trees for part in (repository, path, _end_of(path))]
        await self._catalog.write(
            (f"DELETE FROM trees WHERE NOT ({kept})", names), (f"DELETE FROM listed WHERE NOT ({below})", ranges)
        )

    # --- what is held -----------------------------------------------------------------------------------------------

    def held_among(self, repository: str, keys: Sequence[str]) -> set[str]:
        held = {key for key in keys if key.endswith("/") and self._holds_below(repository, key)}
        files = [key for key in keys if not key.endswith("/")]
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            statement = _HELD_FILES.format(", ".join("?" * len(some)))
            held |= {key for (key,) in self._catalog.read_apart(statement, (repository, *some))}
        return held

    def _holds_below(self, repository: str, key: str) -> bool:
        return bool(self._catalog.read_apart(_HELD_BELOW, (repository, key, _end_of(key))))

    async def _write(self, statements: Iterable[Statement]) -> None:
        for some in _in_parts(statements):
            await self._catalog.write(*some)


def _in_parts(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    part: list[Statement] = []
    for statement in statements:
        part.append(statement)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _end_of(path: str) -> str:
    """The first key behind those below a folder: keys are visible ASCII, and `0` follows the slash."""
    return f"{path[:-1]}0" if path else "\x7f"


def _range_of(repository: str, path: str) -> dict[str, Value]:
    return {"repository": repository, "path": path, "end": _end_of(path)}


def _outside(without: Collection[str]) -> tuple[str, dict[str, Value]]:
    """A condition that leaves these folders out, and its values."""
    values: dict[str, Value] = {}
    condition = ""
    for number, path in enumerate(without):
        condition += f" AND NOT (folder >= :from{number} AND folder < :to{number})"
        values |= {f"from{number}": path, f"to{number}": _end_of(path)}
    return condition, values


def _name_of(repository: str, row: Listed) -> dict[str, Value]:
    return {"repository": repository, "folder": row.folder, "name": row.name}


def _values_of(repository: str, row: Listed) -> dict[str, Value]:
    told: dict[str, Value] = {"size_bytes": row.size_bytes, "modified": row.modified, "digest": row.digest}
    return {**_name_of(repository, row), **told}


def _listed_of(row: Row) -> Listed:
    folder, name, size_bytes, modified, digest, sha256, absent_walks, absent_since, purged_at = row
    return Listed(
        folder=folder,
        name=name,
        size_bytes=size_bytes,
        modified=modified,
        digest=digest,
        sha256=sha256.hex(),
        absent_walks=absent_walks,
        absent_since=maybe_moment_of(absent_since),
        purged_at=maybe_moment_of(purged_at),
    )


def _state_of(row: Row) -> WalkState:
    repository, path, number, started_at, ended_at, succeeded_at, failures, problem, counts = row
    return WalkState(
        repository=repository,
        path=path,
        number=number,
        started_at=moment_of(started_at),
        ended_at=maybe_moment_of(ended_at),
        succeeded_at=maybe_moment_of(succeeded_at),
        failures=failures,
        problem=problem,
        counts=WalkCounts(**_decode(counts)),
    )

"""What was served in sessions, in the catalog's file. How many things that are is counted by triggers
(`migrations`)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from entrepot.catalog.rows import Row, Statement, microseconds_of, moment_of
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.sessions import Served, ServedState, Session, SessionState

_COLUMNS: Final = "id, name, client, state, kept, created_at, items, lost"
_OPEN = (
    f"INSERT INTO sessions ({_COLUMNS}) VALUES (:id, :name, :client, :state, :kept, :created_at, 0, 0)"
    " ON CONFLICT DO NOTHING"
)
_FIND = f"SELECT {_COLUMNS} FROM sessions WHERE id = ?"
_ITEM_NAMES: Final = ("repository", "key", "state", "sha256", "size_bytes", "package", "version", "served_at")
_ITEM_COLUMNS: Final = ", ".join(_ITEM_NAMES)
_IS_THERE = "EXISTS (SELECT 1 FROM session_items WHERE session = :session AND repository = :repository AND key = :key)"
# A file that was once there is served to whoever asks first; that it was absent before says nothing any more.
_PUT = (
    f"INSERT INTO session_items (session, {_ITEM_COLUMNS})"
    f" SELECT :session, {', '.join(f':{name}' for name in _ITEM_NAMES)} FROM sessions"
    f" WHERE id = :session AND state = 'open' AND (items < :most OR {_IS_THERE})"
    " ON CONFLICT (session, repository, key) DO UPDATE SET state = excluded.state, sha256 = excluded.sha256,"
    " size_bytes = excluded.size_bytes, package = excluded.package, version = excluded.version"
    " WHERE excluded.state = 'served' AND session_items.sha256 <> excluded.sha256"
    " OR session_items.state = 'absent' AND excluded.state <> 'absent'"
)
_MISS = f"UPDATE sessions SET lost = lost + 1 WHERE id = :session AND NOT {_IS_THERE}"
_LOSE = "UPDATE sessions SET lost = lost + ? WHERE id = ?"
_WRITE = "INSERT INTO session_writers (session, writer) VALUES (?, ?) ON CONFLICT DO NOTHING"
_LEAVE = "DELETE FROM session_writers WHERE writer = ?"
_WRITERS = "SELECT writer FROM session_writers WHERE session = ?"
_ITEMS = (
    f"SELECT session, {_ITEM_COLUMNS} FROM session_items WHERE session = ?1 AND (repository, key) > (?2, ?3)"
    " ORDER BY repository, key LIMIT ?4"
)
_UNSETTLED = "SELECT 1 FROM session_items WHERE session = ? AND state = 'unsettled' LIMIT 1"
_CHANGE = "UPDATE sessions SET state = :state, kept = :kept WHERE id = :id RETURNING id"
_DROP = (
    "DELETE FROM session_items WHERE session = ?",
    "DELETE FROM session_writers WHERE session = ?",
    "DELETE FROM sessions WHERE id = ?",
)
_OLD = "SELECT id FROM sessions WHERE kept = 0 AND created_at < ?"
_BEYOND = "SELECT id FROM sessions WHERE kept = 0 ORDER BY created_at DESC, id LIMIT -1 OFFSET ?"


class SqliteSessions:
    """A SessionBook."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    async def open(self, session: Session) -> None:
        values = {
            "id": session.id,
            "name": session.name,
            "client": session.client,
            "state": session.state.value,
            "kept": int(session.kept),
            "created_at": microseconds_of(session.created_at),
        }
        await self._catalog.write((_OPEN, values))

    def find(self, session: str) -> Session | None:
        rows = self._catalog.read(_FIND, (session,))
        return _session_of(rows[0]) if rows else None

    async def record(self, served: Sequence[Served], lost: Mapping[str, int], writer: str, most: int) -> None:
        sessions = dict.fromkeys(one.session for one in served)
        statements: list[Statement] = [(_WRITE, (session, writer)) for session in sessions if writer]
        for one in served:
            values = {**_values_of(one), "most": most}
            statements += [(_PUT, values), (_MISS, values)]
        statements += [(_LOSE, (count, session)) for session, count in lost.items()]
        await self._catalog.write(*statements)

    async def leave(self, writer: str) -> None:
        await self._catalog.write((_LEAVE, (writer,)))

    def writers(self, session: str) -> list[str]:
        return [writer for (writer,) in self._catalog.read(_WRITERS, (session,))]

    def items(self, session: str, after: tuple[str, str], limit: int) -> list[Served]:
        return [_served_of(row) for row in self._catalog.read_apart(_ITEMS, (session, *after, limit))]

    def is_settled(self, session: str) -> bool:
        return not self._catalog.read(_UNSETTLED, (session,))

    async def change(self, session: str, state: SessionState, *, kept: bool) -> bool:
        return bool(await self._catalog.write((_CHANGE, {"id": session, "state": state.value, "kept": int(kept)})))

    async def drop(self, session: str) -> None:
        await self._catalog.write(*((statement, (session,)) for statement in _DROP))

    def surplus(self, before: datetime, most: int) -> set[str]:
        old = self._catalog.read_apart(_OLD, (microseconds_of(before),))
        return {session for (session,) in (*old, *self._catalog.read_apart(_BEYOND, (most,)))}


def _values_of(one: Served) -> dict[str, str | bytes | int]:
    return {
        "session": one.session,
        "repository": one.repository,
        "key": one.key,
        "state": one.state.value,
        "sha256": bytes.fromhex(one.sha256),
        "size_bytes": one.size_bytes,
        "package": one.package,
        "version": one.version,
        "served_at": microseconds_of(one.served_at),
    }


def _served_of(row: Row) -> Served:
    session, repository, key, state, sha256, size_bytes, package, version, served_at = row
    return Served(
        session=session,
        repository=repository,
        key=key,
        state=ServedState(state),
        sha256=sha256.hex(),
        size_bytes=size_bytes,
        package=package,
        version=version,
        served_at=moment_of(served_at),
    )


def _session_of(row: Row) -> Session:
    ident, name, client, state, kept, created_at, items, lost = row
    return Session(
        id=ident,
        name=name,
        client=client,
        state=SessionState(state),
        kept=bool(kept),
        created_at=moment_of(created_at),
        items=items,
        lost=lost,
    )

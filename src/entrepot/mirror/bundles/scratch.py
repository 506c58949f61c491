"""A table beside the work, for what is too much to be held in memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from entrepot.errors import StoreFailure

Value = str | bytes | int


class Scratch:
    """One SQLite file that nobody else uses and that no crash has to survive. To be used from one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path, *tables: str) -> Iterator["Scratch"]:
        """A new one; `tables` are their definitions. Raises StoreFailure."""
        path.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                for table in tables:
                    connection.execute(f"CREATE TABLE {table} WITHOUT ROWID")
                yield cls(connection)
        except sqlite3.Error as error:
            raise StoreFailure(f"{path.name}: {error}") from error
        finally:
            path.unlink(missing_ok=True)

    def put(self, statement: str, rows: Iterable[tuple[Value, ...]]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(statement, rows)
        self._connection.execute("COMMIT")

    def do(self, statement: str, *values: Value) -> None:
        self._connection.execute(statement, values)

    def rows(self, statement: str, *values: Value) -> Iterator[tuple[Value, ...]]:
        yield from self._connection.execute(statement, values)

    def has(self, statement: str, *values: Value) -> bool:
        return self._connection.execute(statement, values).fetchone() is not None

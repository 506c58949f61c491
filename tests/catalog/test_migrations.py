"""Migrations make what the schema says, all of it or nothing, and only when it is needed."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from entrepot.catalog import migrations
from entrepot.catalog.migrations import HEAD
from entrepot.catalog.migrations.upgrade import upgrade
from entrepot.catalog.schema import metadata
from entrepot.errors import StoreFailure

START = """
import sys
from pathlib import Path
from entrepot.catalog.sqlite import SqliteCatalog
from tests.contracts.catalog_suite import SetClock
SqliteCatalog.open(Path(sys.argv[1]), SetClock())
print(*sorted({"alembic", "sqlalchemy"} & set(sys.modules)))
"""


def tables_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def loaded_by_a_start(path: Path) -> list[str]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", START, str(path)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()


def test_a_migrated_catalog_is_what_the_schema_says(tmp_path: Path) -> None:
    upgrade(tmp_path / "catalog.db")
    engine = create_engine(f"sqlite:///{tmp_path}/catalog.db", poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_tables_are_without_rowid_where_the_schema_says_so(tmp_path: Path) -> None:
    upgrade(tmp_path / "catalog.db")
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        kinds = {name: bool(bare) for _, name, _, _, bare, _ in connection.execute("PRAGMA table_list")}
    wanted = {name: table.dialect_options["sqlite"]["with_rowid"] is False for name, table in metadata.tables.items()}
    assert {name: kinds[name] for name in wanted} == wanted


def test_the_newest_revision_is_the_one_that_starts_look_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    upgrade(tmp_path / "catalog.db")
    before = (tmp_path / "catalog.db").read_bytes()
    upgrade(tmp_path / "catalog.db")
    assert (tmp_path / "catalog.db").read_bytes() == before


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE origins (something)")
    with pytest.raises(StoreFailure, match="cannot be migrated"):
        upgrade(path)
    assert tables_in(path) == {"origins"}


def test_a_path_with_strange_characters_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "100% odd?#dir" / "catalog.db"
    assert loaded_by_a_start(path) == ["alembic", "sqlalchemy"]
    assert "entries" in tables_in(path)


def test_a_start_with_an_up_to_date_catalog_loads_neither_alembic_nor_sqlalchemy(tmp_path: Path) -> None:
    assert loaded_by_a_start(tmp_path / "catalog.db") == ["alembic", "sqlalchemy"]
    assert loaded_by_a_start(tmp_path / "catalog.db") == []

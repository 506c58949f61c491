"""Bring a catalog file to the newest revision. Importing this module loads SQLAlchemy and alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from entrepot.errors import StoreFailure


def upgrade(path: Path) -> None:
    """All revisions that are missing, in one transaction. Raises StoreFailure."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            # Begun by hand: left to itself the driver would commit before every CREATE.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.exec_driver_sql("COMMIT")
    except CommandError as error:
        raise StoreFailure(f"{path.name}: written by another version of Entrepot: {error}") from error
    except SQLAlchemyError as error:
        raise StoreFailure(f"{path.name}: cannot be migrated: {error}") from error

"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# AFTER INSERT does not fire for an upsert that became an update, so every row is counted once.
_COUNTERS = (
    "entry_added AFTER INSERT ON entries BEGIN UPDATE totals SET entries = entries + 1; END",
    "entry_deleted AFTER DELETE ON entries BEGIN UPDATE totals SET entries = entries - 1; END",
    (
        "blob_added AFTER INSERT ON blobs"
        " BEGIN UPDATE totals SET blobs = blobs + 1, blob_bytes = blob_bytes + new.size_bytes; END"
    ),
    (
        "blob_deleted AFTER DELETE ON blobs"
        " BEGIN UPDATE totals SET blobs = blobs - 1, blob_bytes = blob_bytes - old.size_bytes; END"
    ),
    (
        "blob_resized AFTER UPDATE OF size_bytes ON blobs WHEN new.size_bytes <> old.size_bytes"
        " BEGIN UPDATE totals SET blob_bytes = blob_bytes + new.size_bytes - old.size_bytes; END"
    ),
)


def upgrade() -> None:
    _create_entries()
    _create_blobs()
    _create_memory()
    _create_derived()
    _create_origins()
    _create_totals()


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("upstream", sa.Text, nullable=False),
        sa.Column("stored_at", sa.BigInteger, nullable=False),
        sa.Column("validated_at", sa.BigInteger, nullable=False),
        sa.Column("next_check_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("published", sa.Integer, nullable=False),
        sa.Column("expired", sa.Integer, nullable=False),
        sa.Column("gone_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("entries_by_blob", "entries", ["sha256"])


def _create_blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
        sa.Column("pinned", sa.Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_index("blobs_by_use", "blobs", ["last_used_at"])


def _create_memory() -> None:
    op.create_table(
        "remembered",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "owners",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("package", sa.Text, primary_key=True),
        sa.Column("upstream", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_derived() -> None:
    op.create_table(
        "derived",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("derived_by_blob", "derived", ["sha256"])


def _create_origins() -> None:
    op.create_table(
        "origins",
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("closed_until", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_totals() -> None:
    op.create_table(
        "totals",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 0"), primary_key=True, autoincrement=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("blobs", sa.BigInteger, nullable=False),
        sa.Column("blob_bytes", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO totals VALUES (0, 0, 0, 0)")
    for counter in _COUNTERS:
        op.execute(f"CREATE TRIGGER {counter}")

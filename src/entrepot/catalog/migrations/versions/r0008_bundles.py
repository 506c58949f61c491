"""Bundles that were written and taken over."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """The store gets its id now: bundles are numbered by store, and a copy of a catalog is the same store."""
    op.create_table(
        "store",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 0"), primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO store (id, name) VALUES (0, lower(hex(randomblob(8))))")
    op.create_table(
        "bundles_written",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("since", sa.Integer),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "bundle_items",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item", sa.LargeBinary, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bundles_taken",
        sa.Column("store", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("signer", sa.Text, nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )

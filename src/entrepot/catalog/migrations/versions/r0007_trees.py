"""Mirrored trees and what their listings said."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "trees",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("succeeded_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("counts", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "listed",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("folder", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("modified", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("walk", sa.BigInteger, nullable=False),
        sa.Column("absent_walks", sa.Integer, nullable=False),
        sa.Column("absent_since", sa.BigInteger),
        sa.Column("purged_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )

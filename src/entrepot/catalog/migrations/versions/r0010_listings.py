"""Which stored documents name the files of a repository."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "listings",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("had_at", sa.BigInteger, nullable=False),
        sa.Column("aside_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )

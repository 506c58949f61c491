"""The same bytes in two places are two listings: each may name other files."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_COLUMNS = "repository, sha256, key, root, url, base, content_type, had_at, aside_at"


def upgrade() -> None:
    op.rename_table("listings", "listings_before")
    op.create_table(
        "listings",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("had_at", sa.BigInteger, nullable=False),
        sa.Column("aside_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO listings ({_COLUMNS}) SELECT {_COLUMNS} FROM listings_before")
    op.drop_table("listings_before")

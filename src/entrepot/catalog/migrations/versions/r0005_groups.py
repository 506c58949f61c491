"""Files that are published together."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """What was stored before is in no group until it is stored again."""
    op.add_column("entries", sa.Column("snapshot", sa.Text, nullable=False, server_default=""))
    op.add_column("entries", sa.Column("aside_at", sa.BigInteger))
    op.create_index(
        "entries_by_snapshot", "entries", ["repository", "snapshot"], sqlite_where=sa.text("snapshot <> ''")
    )
    op.create_index("entries_aside", "entries", ["aside_at"], sqlite_where=sa.text("aside_at IS NOT NULL"))
    op.create_table(
        "generations",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("root", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("published_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )

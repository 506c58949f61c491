"""Which versions are stored, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """What was stored before is not listed: only an ecosystem could tell which version a file belongs to."""
    op.add_column("entries", sa.Column("package", sa.Text, nullable=False, server_default=""))
    op.add_column("entries", sa.Column("version", sa.Text, nullable=False, server_default=""))
    op.add_column("entries", sa.Column("listed_at", sa.BigInteger))
    listed = sa.text("listed_at IS NOT NULL")
    op.create_index("entries_by_listing", "entries", ["repository", "listed_at"], sqlite_where=listed)
    op.create_index(
        "entries_by_version", "entries", ["repository", "package", "version", "listed_at"], sqlite_where=listed
    )

"""What was served in a session."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COUNTED = "UPDATE sessions SET items = items {sign} 1 WHERE id = {row}.session;"
_TRIGGERS = (
    f"session_item_added AFTER INSERT ON session_items BEGIN {_COUNTED.format(sign='+', row='new')} END",
    f"session_item_deleted AFTER DELETE ON session_items BEGIN {_COUNTED.format(sign='-', row='old')} END",
)


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("kept", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("items", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_by_age", "sessions", ["created_at"], sqlite_where=sa.text("kept = 0"))
    op.create_table(
        "session_items",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("served_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "session_items_unsettled", "session_items", ["session"], sqlite_where=sa.text("state = 'unsettled'")
    )
    op.create_table(
        "session_writers",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("writer", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    for trigger in _TRIGGERS:
        op.execute(f"CREATE TRIGGER {trigger}")

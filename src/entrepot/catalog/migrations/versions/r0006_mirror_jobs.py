"""Mirror jobs, their items, and pins."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# What a job's counts are: of files all, of selections those that failed.
_STATES = ("done", "held", "absent", "refused", "skipped", "failed")


def _counts(item: str, sign: str) -> str:
    counted = f"({item}.kind = 'file' OR {item}.state IN ('refused', 'skipped', 'failed'))"
    changes = {"total": counted} | {state: f"({counted} AND {item}.state = '{state}')" for state in _STATES}
    changes["fetched_bytes"] = f"({item}.state = 'done') * {item}.size_bytes"
    changes["held_bytes"] = f"({item}.state = 'held') * {item}.size_bytes"
    sums = ", ".join(f"{name} = {name} {sign} {change}" for name, change in changes.items())
    return f"UPDATE mirror_jobs SET {sums} WHERE id = {item}.job;"


_PINNED = (
    "EXISTS (SELECT 1 FROM entries JOIN pins ON pins.repository = entries.repository AND pins.key = entries.key"
    " WHERE entries.sha256 = blobs.sha256)"
)
_OF_PIN = "(SELECT sha256 FROM entries WHERE repository = {pin}.repository AND key = {pin}.key)"
_UNPIN_OLD = f"UPDATE blobs SET pinned = {_PINNED} WHERE sha256 = old.sha256 AND pinned = 1;"
_PIN_NEW = (
    "UPDATE blobs SET pinned = 1 WHERE sha256 = new.sha256"
    " AND EXISTS (SELECT 1 FROM pins WHERE repository = new.repository AND key = new.key);"
)

_TRIGGERS = (
    f"mirror_item_added AFTER INSERT ON mirror_items BEGIN {_counts('new', '+')} END",
    (
        "mirror_item_changed AFTER UPDATE OF state, size_bytes ON mirror_items"
        f" BEGIN {_counts('old', '-')} {_counts('new', '+')} END"
    ),
    f"pin_added AFTER INSERT ON pins BEGIN UPDATE blobs SET pinned = 1 WHERE sha256 = {_OF_PIN.format(pin='new')}; END",
    (
        f"pin_deleted AFTER DELETE ON pins BEGIN UPDATE blobs SET pinned = {_PINNED}"
        f" WHERE sha256 = {_OF_PIN.format(pin='old')}; END"
    ),
    f"entry_pinned AFTER INSERT ON entries BEGIN {_PIN_NEW} END",
    (
        "entry_moved AFTER UPDATE OF repository, key, sha256 ON entries"
        " WHEN old.key <> new.key OR old.sha256 <> new.sha256 OR old.repository <> new.repository"
        f" BEGIN {_UNPIN_OLD} {_PIN_NEW} END"
    ),
    f"entry_unpinned AFTER DELETE ON entries BEGIN {_UNPIN_OLD} END",
)


def upgrade() -> None:
    _create_jobs()
    _create_items()
    op.create_table(
        "pins",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("pinned_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("pins_by_job", "pins", ["job"])
    # Whoever makes room looks only at what may go, however much may not.
    op.drop_index("blobs_by_use", "blobs")
    op.create_index("blobs_by_use", "blobs", ["last_used_at"], sqlite_where=sa.text("pinned = 0"))
    for trigger in _TRIGGERS:
        op.execute(f"CREATE TRIGGER {trigger}")


def _create_jobs() -> None:
    op.create_table(
        "mirror_jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("order_digest", sa.Text, nullable=False),
        sa.Column("order_body", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("repositories", sa.LargeBinary),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("was_read", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("problem", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("total", *_STATES)),
        sa.Column("fetched_bytes", sa.BigInteger, nullable=False),
        sa.Column("held_bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("mirror_jobs_by_age", "mirror_jobs", ["created_at"])
    op.create_index(
        "mirror_jobs_open",
        "mirror_jobs",
        ["created_at"],
        sqlite_where=sa.text("state IN ('queued', 'planning', 'running')"),
    )


def _create_items() -> None:
    op.create_table(
        "mirror_items",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("mirror_items_once", "mirror_items", ["job", "kind", "repository", "key"], unique=True)
    op.create_index(
        "mirror_items_open", "mirror_items", ["job", "kind", "number"], sqlite_where=sa.text("state = 'open'")
    )
    op.create_table(
        "mirror_errors",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )

"""The tables of the catalog.

Times are microseconds since the epoch (`_at`, `first_seen`), SHA-256 digests are their 32 bytes. Tables without rowid
are one b-tree each, so that finding a row by its key is one descent.

This module says what the newest revision in `migrations` makes; the hot queries of `rows` are written out by hand,
because a start that need not migrate shall not wait for SQLAlchemy.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("headers", LargeBinary, nullable=False),  # msgpack: a list of [name, value]
    Column("url", Text, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
    Column("validated_at", BigInteger, nullable=False),
    Column("next_check_at", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("published", Integer, nullable=False),
    Column("expired", Integer, nullable=False),
    Column("gone_at", BigInteger),
    Column("package", Text, nullable=False, server_default=""),
    Column("version", Text, nullable=False, server_default=""),
    Column("listed_at", BigInteger),  # only of files of versions; in the order in which they were stored
    Column("snapshot", Text, nullable=False, server_default=""),  # the key of its group's root
    Column("aside_at", BigInteger),  # of those that are not in their group's current generation
    Index("entries_by_snapshot", "repository", "snapshot", sqlite_where=text("snapshot <> ''")),
    Index("entries_aside", "aside_at", sqlite_where=text("aside_at IS NOT NULL")),
    Index("entries_by_blob", "sha256"),
    Index("entries_by_listing", "repository", "listed_at", sqlite_where=text("listed_at IS NOT NULL")),
    Index(
        "entries_by_version",
        "repository",
        "package",
        "version",
        "listed_at",
        sqlite_where=text("listed_at IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # inode, size, mtime and ctime: see rows.FINGERPRINT
    Column("last_used_at", BigInteger, nullable=False),
    Column("pinned", Integer, nullable=False, server_default="0"),  # kept by triggers on pins and entries
    Index("blobs_by_use", "last_used_at", sqlite_where=text("pinned = 0")),
    sqlite_with_rowid=False,
)

remembered = Table(
    "remembered",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

owners = Table(
    "owners",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("package", Text, primary_key=True),
    Column("upstream", Text, nullable=False),
    sqlite_with_rowid=False,
)

derived = Table(
    "derived",
    metadata,
    Column("key", Text, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Index("derived_by_blob", "sha256"),
    sqlite_with_rowid=False,
)

origins = Table(
    "origins",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("closed_until", Float, nullable=False),  # seconds since the epoch
    Column("reason", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    sqlite_with_rowid=False,
)

readings = Table(
    "readings",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("read_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

sightings = Table(
    "sightings",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("package", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("first_seen", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("key", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("last_success_at", BigInteger),
    Column("last_failure_at", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
    Column("written_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

fills = Table(
    "fills",
    metadata,
    Column("key", Text, primary_key=True),  # that of its lease, too
    Column("repository", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("accept", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("state", Text, nullable=False),  # the values of FillState
    Column("created_at", BigInteger, nullable=False),
    Index("fills_by_state", "state", "created_at"),
    sqlite_with_rowid=False,
)

generations = Table(
    "generations",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("root", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

listings = Table(
    "listings",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("root", Text, nullable=False),  # the key of its group's root; empty for what is in none
    Column("url", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("had_at", BigInteger, nullable=False),
    Column("aside_at", BigInteger),  # of those that are named no more
    sqlite_with_rowid=False,
)

# One row: the id that bundles of this store carry.
store = Table(
    "store",
    metadata,
    Column("id", Integer, CheckConstraint("id = 0"), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
)

bundles_written = Table(
    "bundles_written",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),  # of the manifest
    Column("content", LargeBinary, nullable=False),  # of everything but the number
    Column("since", Integer),
    Column("written_at", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

bundle_items = Table(
    "bundle_items",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("item", LargeBinary, primary_key=True),  # a digest of an entry's name and content
    sqlite_with_rowid=False,
)

bundles_taken = Table(
    "bundles_taken",
    metadata,
    Column("store", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, primary_key=True),
    Column("signer", Text, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

mirror_jobs = Table(
    "mirror_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_digest", Text, nullable=False),
    Column("order_body", LargeBinary, nullable=False),  # msgpack, without the papers: these are files
    Column("name", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("repositories", LargeBinary),  # msgpack: a list of names
    Column("state", Text, nullable=False),  # the values of JobState
    Column("was_read", Integer, nullable=False),  # whether all of the order is in the items
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("problem", Text, nullable=False),
    # Counts of its items, kept by triggers: many a hundred thousand would have to be counted to tell them live.
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("absent", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("fetched_bytes", BigInteger, nullable=False),
    Column("held_bytes", BigInteger, nullable=False),
    Index("mirror_jobs_by_age", "created_at"),
    Index("mirror_jobs_open", "created_at", sqlite_where=text("state IN ('queued', 'planning', 'running')")),
    sqlite_with_rowid=False,
)

mirror_items = Table(
    "mirror_items",
    metadata,
    Column("job", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # the values of ItemKind
    Column("repository", Text, nullable=False),
    Column("key", Text, nullable=False),  # of a file: its stored key
    Column("payload", LargeBinary, nullable=False),  # what makes the selection or the resource again
    Column("state", Text, nullable=False),  # the values of ItemState
    Column("size_bytes", BigInteger, nullable=False),
    Index("mirror_items_once", "job", "kind", "repository", "key", unique=True),
    Index("mirror_items_open", "job", "kind", "number", sqlite_where=text("state = 'open'")),
    sqlite_with_rowid=False,
)

mirror_errors = Table(
    "mirror_errors",
    metadata,
    Column("job", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # of the item
    Column("subject", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("code", Text, nullable=False),
    sqlite_with_rowid=False,
)

pins = Table(
    "pins",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("job", Text, primary_key=True),
    Column("pinned_at", BigInteger, nullable=False),
    Index("pins_by_job", "job"),
    sqlite_with_rowid=False,
)

trees = Table(
    "trees",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("succeeded_at", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("problem", Text, nullable=False),
    Column("counts", LargeBinary, nullable=False),  # msgpack: numbers by name
    sqlite_with_rowid=False,
)

listed = Table(
    "listed",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("folder", Text, primary_key=True),  # its key, with a slash at the end; empty for the root
    Column("name", Text, primary_key=True),
    Column("size_bytes", BigInteger),
    Column("modified", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),  # of what it describes; empty where that is not known
    Column("walk", BigInteger, nullable=False),  # the last that found it
    Column("absent_walks", Integer, nullable=False),
    Column("absent_since", BigInteger),
    Column("purged_at", BigInteger),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("state", Text, nullable=False),  # the values of SessionState
    Column("kept", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("items", BigInteger, nullable=False),  # counted by triggers
    Column("lost", BigInteger, nullable=False),
    Index("sessions_by_age", "created_at", sqlite_where=text("kept = 0")),
    sqlite_with_rowid=False,
)

session_items = Table(
    "session_items",
    metadata,
    Column("session", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("state", Text, nullable=False),  # the values of ServedState
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("package", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("served_at", BigInteger, nullable=False),
    Index("session_items_unsettled", "session", sqlite_where=text("state = 'unsettled'")),
    sqlite_with_rowid=False,
)

session_writers = Table(
    "session_writers",
    metadata,
    Column("session", Text, primary_key=True),
    Column("writer", Text, primary_key=True),  # a process that may have more to write
    sqlite_with_rowid=False,
)

# One row, kept by triggers: counting a million rows would take longer than anybody who asks wants to wait.
totals = Table(
    "totals",
    metadata,
    Column("id", Integer, CheckConstraint("id = 0"), primary_key=True, autoincrement=False),
    Column("entries", BigInteger, nullable=False),
    Column("blobs", BigInteger, nullable=False),
    Column("blob_bytes", BigInteger, nullable=False),
)

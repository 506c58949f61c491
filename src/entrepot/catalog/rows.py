"""Rows of the catalog and the values they are: the statements, and the conversions both ways."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any

import msgspec

from entrepot.contracts.catalog import Derived, OriginState, Published, Sighting, StoredVersion, Usage
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Entry, Fingerprint, Remembered
from entrepot.model.headers import Headers
from entrepot.model.resource import edition_key

Value = str | bytes | int | float | None
Values = Sequence[Value] | Mapping[str, Value]
Statement = tuple[str, Values]
Row = tuple[Any, ...]
"""As the driver hands it over; the functions below give it types."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Inode numbers use all 64 bits on some file systems, which is more than an SQL integer holds.
FINGERPRINT = Struct("<QQqq")

_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(list[tuple[str, str]]).decode


def _upsert(table: str, key: str, columns: str) -> str:
    names = [*key.split(), *columns.split()]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns.split())
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        f" ON CONFLICT ({', '.join(key.split())}) DO UPDATE SET {changes}"
    )


_ENTRY_REST = (
    "sha256 size_bytes headers url upstream stored_at validated_at next_check_at failures published expired gone_at"
    " package version snapshot aside_at"
)
_ENTRY_COLUMNS = ", ".join(["repository", "key", *_ENTRY_REST.split()])

FIND_ENTRY = f"SELECT {_ENTRY_COLUMNS} FROM entries WHERE repository = ? AND key = ?"
FIND_BLOB = "SELECT sha256, size_bytes, fingerprint FROM blobs WHERE sha256 = ?"
FIND_REMEMBERED = "SELECT sha256, size_bytes, first_seen FROM remembered WHERE repository = ? AND key = ?"
FIND_OWNER = "SELECT upstream FROM owners WHERE repository = ? AND package = ?"
FIND_DERIVED = "SELECT key, sha256, size_bytes, note FROM derived WHERE key = ?"
FIND_ORIGIN = "SELECT origin, closed_until, reason, failures FROM origins WHERE origin = ?"
FIND_SIGHTING = "SELECT place, version, first_seen FROM sightings WHERE repository = ? AND package = ? AND version = ?"
FIND_SIGHTINGS = "SELECT place, version, first_seen FROM sightings WHERE repository = ? AND package = ?"
FIND_GENERATION = (
    "SELECT repository, root, number, sha256, published_at FROM generations WHERE repository = ? AND root = ?"
)
FIND_GROUPS = "SELECT repository, root, number, sha256, published_at FROM generations WHERE repository = ?"
FIND_EDITIONS = f"SELECT {_ENTRY_COLUMNS} FROM entries WHERE repository = ? AND key >= ? AND key < ?"
_CURRENT_MEMBERS = "repository = ?1 AND snapshot = ?2 AND snapshot <> '' AND aside_at IS NULL AND key <> ?2"
FIND_MEMBERS = f"SELECT {_ENTRY_COLUMNS} FROM entries WHERE {_CURRENT_MEMBERS} ORDER BY key"
FIND_READING = "SELECT read_at FROM readings WHERE repository = ? AND place = ?"
FIND_TOTALS = "SELECT entries, blobs, blob_bytes FROM totals"
FIND_MAKINGS = "SELECT 1 FROM entries WHERE sha256 = ?1 UNION ALL SELECT 1 FROM derived WHERE sha256 = ?1 LIMIT 1"
FIND_REMEMBERED_KEYS = (
    "SELECT key FROM remembered WHERE repository = ? AND instr('/' || key || '/', '/' || ? || '/') > 0"
)
FIND_USAGE = "SELECT sha256, size_bytes, last_used_at FROM blobs WHERE pinned = 0 ORDER BY last_used_at LIMIT ?"
FIND_ENTRIES = f"SELECT {_ENTRY_COLUMNS} FROM entries WHERE repository = ? AND key >= ? ORDER BY key LIMIT ?"
# A version is listed once, when the first of its files is.
VERSIONS_SINCE = (
    "SELECT package, version, listed_at FROM entries AS one"
    " WHERE repository = ?1 AND listed_at >= ?2 AND gone_at IS NULL AND NOT EXISTS ("
    "SELECT 1 FROM entries AS other WHERE other.repository = ?1 AND other.package = one.package"
    " AND other.version = one.version AND other.listed_at < one.listed_at AND other.gone_at IS NULL)"
    " ORDER BY listed_at LIMIT ?3"
)
VERSIONS_AFTER = (
    "SELECT package, version, min(listed_at) FROM entries"
    " WHERE repository = ?1 AND (package, version) > (?2, ?3) AND listed_at IS NOT NULL AND gone_at IS NULL"
    " GROUP BY package, version ORDER BY package, version LIMIT ?4"
)
NEXT_REPOSITORY = "SELECT min(repository) FROM entries WHERE repository > ?"
TOUCH_TOTALS = "UPDATE totals SET entries = entries"


def _put_entry() -> str:
    """Whoever reads the list of versions from where he stopped shall miss none: `listed_at` is given in the order in
    which rows are stored, and never twice, whatever the clocks of several processes say."""
    names = ["repository", "key", *_ENTRY_REST.split()]
    at = {name: f"?{position}" for position, name in enumerate(names, 1)}
    newest = (
        f"SELECT listed_at FROM entries WHERE repository = {at['repository']} AND listed_at IS NOT NULL"
        " ORDER BY listed_at DESC LIMIT 1"
    )
    listed = f"CASE WHEN {at['version']} <> '' THEN max({at['stored_at']}, 1 + coalesce(({newest}), 0)) END"
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
    return (
        f"INSERT INTO entries ({', '.join(names)}, listed_at) VALUES ({', '.join(at.values())}, {listed})"
        f" ON CONFLICT (repository, key) DO UPDATE SET {changes}, listed_at ="
        " CASE WHEN excluded.listed_at IS NOT NULL THEN coalesce(entries.listed_at, excluded.listed_at) END"
    )


_PUT_ENTRY = _put_entry()
_PUT_BLOB = _upsert("blobs", "sha256", "size_bytes fingerprint last_used_at")
_PUT_BLOB_AGAIN = _PUT_BLOB.replace(", last_used_at = excluded.last_used_at", "")
_PUT_REMEMBERED = _upsert("remembered", "repository key", "sha256 size_bytes first_seen")
_REMEMBER = "INSERT OR IGNORE INTO remembered (repository, key, sha256, size_bytes, first_seen) VALUES (?, ?, ?, ?, ?)"
_PUT_OWNER = "INSERT OR IGNORE INTO owners (repository, package, upstream) VALUES (?, ?, ?)"
_PUT_DERIVED = _upsert("derived", "key", "sha256 size_bytes note")
_PUT_ORIGIN = _upsert("origins", "origin", "closed_until reason failures")
# The earliest of all writers wins, whoever writes last.
_PUT_READING = (
    "INSERT INTO readings (repository, place, read_at) VALUES (?, ?, ?)"
    " ON CONFLICT (repository, place) DO UPDATE SET read_at = min(read_at, excluded.read_at)"
)
_PUT_SIGHTING = (
    "INSERT INTO sightings (repository, package, version, place, first_seen) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (repository, package, version, place)"
    " DO UPDATE SET first_seen = min(first_seen, excluded.first_seen)"
)
_PUT_GENERATION = _upsert("generations", "repository root", "number sha256 published_at")
_CLEAR_FOR_MEMBERS = (
    f"DELETE FROM entries WHERE repository = ?1 AND key IN (SELECT key || ?3 FROM entries WHERE {_CURRENT_MEMBERS})"
)
_SET_MEMBERS_ASIDE = f"UPDATE entries SET key = key || ?3, aside_at = ?4 WHERE {_CURRENT_MEMBERS}"
_UNPINNED = "NOT EXISTS (SELECT 1 FROM pins WHERE pins.repository = entries.repository AND pins.key = entries.key)"
_DELETE_ASIDE = (
    "DELETE FROM entries WHERE aside_at < ?1 AND repository NOT IN (SELECT value FROM json_each(?2))"
    f" AND {_UNPINNED} RETURNING sha256"
)
_DELETE_ASIDE_IN = f"DELETE FROM entries WHERE aside_at < ? AND repository = ? AND {_UNPINNED} RETURNING sha256"
_LOOSE_ABSENCES = f"sha256 = x'' AND {_UNPINNED}"
_DELETE_ABSENCES = (
    f"DELETE FROM entries WHERE {_LOOSE_ABSENCES} AND gone_at < max(?2, coalesce("
    f"(SELECT gone_at FROM entries WHERE {_LOOSE_ABSENCES} ORDER BY gone_at DESC LIMIT 1 OFFSET ?1 - 1), 0))"
)
_PUT_USE = "UPDATE blobs SET last_used_at = max(last_used_at, ?) WHERE sha256 = ?"


def microseconds_of(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def maybe_moment_of(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment_of(microseconds)


def maybe_microseconds_of(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds_of(moment)


def bytes_of(headers: Headers) -> bytes:
    items = list(headers)
    try:
        return _encode_headers(items)
    except UnicodeEncodeError:
        # Upstream sent a field that is not UTF-8; the client library keeps such bytes as lone surrogates.
        return _encode_headers([(name, value.encode("utf-8", "replace").decode()) for name, value in items])


def headers_of(data: bytes) -> Headers:
    try:
        return Headers(_decode_headers(data))
    except msgspec.MsgspecError as error:
        raise StoreFailure(f"catalog: unreadable header fields of an entry: {error}") from error


def entry_of(row: Row) -> Entry:
    repository, key, sha256, size_bytes, headers, url, upstream, stored_at, validated_at, *rest = row
    next_check_at, failures, published, expired, gone_at, package, version, snapshot, aside_at = rest
    return Entry(
        repository=repository,
        key=key,
        sha256=sha256.hex(),
        size_bytes=size_bytes,
        headers=headers_of(headers),
        url=url,
        upstream=upstream,
        stored_at=moment_of(stored_at),
        validated_at=moment_of(validated_at),
        next_check_at=maybe_moment_of(next_check_at),
        failures=failures,
        published=bool(published),
        expired=bool(expired),
        gone_at=maybe_moment_of(gone_at),
        package=package,
        version=version,
        snapshot=snapshot,
        aside_at=maybe_moment_of(aside_at),
    )


def blob_of(row: Row) -> Blob:
    sha256, size_bytes, fingerprint = row
    return Blob(sha256=sha256.hex(), size_bytes=size_bytes, fingerprint=Fingerprint(*FINGERPRINT.unpack(fingerprint)))


def remembered_of(row: Row) -> Remembered:
    sha256, size_bytes, first_seen = row
    return Remembered(sha256=sha256.hex(), size_bytes=size_bytes, first_seen=moment_of(first_seen))


def derived_of(row: Row) -> Derived:
    key, sha256, size_bytes, note = row
    return Derived(key=key, sha256=sha256.hex(), size_bytes=size_bytes, note=note)


def origin_state_of(row: Row) -> OriginState:
    origin, closed_until, reason, failures = row
    return OriginState(origin=origin, closed_until=closed_until, reason=reason, failures=failures)


def usage_of(row: Row) -> Usage:
    sha256, size_bytes, last_used_at = row
    return Usage(sha256=sha256.hex(), size_bytes=size_bytes, last_used_at=moment_of(last_used_at))


def sightings_of(seen: Iterable[tuple[str, str, int]], readings: Mapping[str, int | None]) -> dict[str, Sighting]:
    """By version, from (place, version, microseconds) and when each place was first read."""
    found: dict[str, Sighting] = {}
    for place, version, first_seen in seen:
        read_at = readings.get(place)
        baseline = read_at is not None and first_seen <= read_at
        one = Sighting(first_seen=moment_of(first_seen), baseline=baseline)
        known = found.get(version, one)
        earliest = min(known.first_seen, one.first_seen)
        found[version] = Sighting(first_seen=earliest, baseline=known.baseline or baseline)
    return found


def stored_version_of(row: Row) -> StoredVersion:
    package, version, listed_at = row
    return StoredVersion(package=package, version=version, listed_at=moment_of(listed_at))


def generation_of(row: Row) -> Published:
    repository, root, number, sha256, published_at = row
    return Published(
        repository=repository, root=root, number=number, sha256=sha256.hex(), published_at=moment_of(published_at)
    )


def put_entry(entry: Entry) -> Statement:
    return _PUT_ENTRY, (
        entry.repository,
        entry.key,
        bytes.fromhex(entry.sha256),
        entry.size_bytes,
        bytes_of(entry.headers),
        entry.url,
        entry.upstream,
        microseconds_of(entry.stored_at),
        microseconds_of(entry.validated_at),
        maybe_microseconds_of(entry.next_check_at),
        entry.failures,
        entry.published,
        entry.expired,
        maybe_microseconds_of(entry.gone_at),
        entry.package,
        entry.version,
        entry.snapshot,
        maybe_microseconds_of(entry.aside_at),
    )


def put_blob(blob: Blob, used_at: float, *, again: bool = False) -> Statement:
    """`used_at` in seconds since the epoch; with `again` it counts only for a blob that was not known."""
    statement = _PUT_BLOB_AGAIN if again else _PUT_BLOB
    mark = blob.fingerprint
    packed = FINGERPRINT.pack(mark.inode, mark.size_bytes, mark.mtime_ns, mark.ctime_ns)
    return statement, (bytes.fromhex(blob.sha256), blob.size_bytes, packed, int(used_at * 1e6))


def put_use(sha256: str, at: float) -> Statement:
    return _PUT_USE, (int(at * 1e6), bytes.fromhex(sha256))


def put_remembered(repository: str, key: str, remembered: Remembered, *, replace: bool) -> Statement:
    return _PUT_REMEMBERED if replace else _REMEMBER, (
        repository,
        key,
        bytes.fromhex(remembered.sha256),
        remembered.size_bytes,
        microseconds_of(remembered.first_seen),
    )


def put_owner(repository: str, package: str, upstream: str) -> Statement:
    return _PUT_OWNER, (repository, package, upstream)


def put_derived(derived: Derived) -> Statement:
    return _PUT_DERIVED, (derived.key, bytes.fromhex(derived.sha256), derived.size_bytes, derived.note)


def put_origin(state: OriginState) -> Statement:
    return _PUT_ORIGIN, (state.origin, state.closed_until, state.reason, state.failures)


def put_reading(repository: str, place: str, at: int) -> Statement:
    return _PUT_READING, (repository, place, at)


def put_sighting(repository: str, package: str, version: str, place: str, at: int) -> Statement:
    return _PUT_SIGHTING, (repository, package, version, place, at)


def delete_entry(repository: str, key: str) -> Statement:
    return "DELETE FROM entries WHERE repository = ? AND key = ?", (repository, key)


def set_members_aside(generation: Published) -> list[Statement]:
    """Of what is current, under the number before this generation's."""
    place = (generation.repository, generation.root, edition_key("", generation.number - 1))
    return [
        (_CLEAR_FOR_MEMBERS, place),
        (_SET_MEMBERS_ASIDE, (*place, microseconds_of(generation.published_at))),
    ]


def put_generation(generation: Published) -> Statement:
    return _PUT_GENERATION, (
        generation.repository,
        generation.root,
        generation.number,
        bytes.fromhex(generation.sha256),
        microseconds_of(generation.published_at),
    )


def delete_aside(before: datetime, kept: Mapping[str, datetime]) -> list[Statement]:
    return [
        (_DELETE_ASIDE, (microseconds_of(before), msgspec.json.encode([*kept]).decode())),
        *((_DELETE_ASIDE_IN, (microseconds_of(moment), name)) for name, moment in kept.items()),
    ]


def delete_absences(before: datetime, most: int) -> Statement:
    return _DELETE_ABSENCES, (most, microseconds_of(before))


def delete_remembered(repository: str, key: str) -> Statement:
    return "DELETE FROM remembered WHERE repository = ? AND key = ?", (repository, key)


def delete_owner(repository: str, package: str) -> Statement:
    return "DELETE FROM owners WHERE repository = ? AND package = ?", (repository, package)


def digest_of(sha256: str) -> bytes:
    """As the tables hold it."""
    return bytes.fromhex(sha256)


def delete_blob(sha256: str) -> list[Statement]:
    """The blob and all that is made of it."""
    digest = (bytes.fromhex(sha256),)
    return [(f"DELETE FROM {table} WHERE sha256 = ?", digest) for table in ("entries", "derived", "blobs")]

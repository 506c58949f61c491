"""Index files: a line of JSON for each version. Lines go to clients as upstream sent them, or not at all; only `yanked`
may be set in one, because that is what a registry may change, too.

Source: https://doc.rust-lang.org/cargo/reference/registry-index.html
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from entrepot.contracts.ecosystem import View
from entrepot.ecosystems.cargo_names import file_name, is_crate, is_sha256, is_version
from entrepot.errors import Absent, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import BASE

TEXT = "text/plain"
NEWEST_KNOWN = 2
"""Of the formats of a line; cargo passes over lines of later ones."""
ELSEWHERE = Location(BASE, "")
"""Where crates are is told by config.json."""
_YANKED = re.compile(rb'(?<!\\)"yanked"[ \t]*:[ \t]*false')
_PUBTIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII)


class Line(msgspec.Struct, frozen=True):
    """What tells one version from the others."""

    name: str
    vers: str
    cksum: str
    pubtime: str | None = None
    yanked: bool | None = False
    v: int | None = 1
    """Of the format; None is the first one."""

    @property
    def published(self) -> datetime | None:
        """When the registry took it; None where that is not told, or cannot be read."""
        if self.pubtime is None or not _PUBTIME.match(self.pubtime):
            return None
        try:
            return datetime.fromisoformat(self.pubtime).astimezone(UTC)
        except ValueError:
            return None

    @property
    def digest(self) -> Digest:
        return Digest("sha256", self.cksum)


_read = msgspec.json.Decoder(Line).decode
_read_any = msgspec.json.Decoder(dict[str, object]).decode


def read_lines(body: bytes, crate: str, url: str) -> Iterator[tuple[bytes, Line]]:
    """The lines that describe versions of the crate (its name in small letters). What cannot be read, or is of another
    crate, is passed over, as cargo does; where that leaves nothing, it is no index: raises UnreadableIndex."""
    found = False
    for raw in body.split(b"\n"):
        line = _line_of(raw, crate)
        if line is not None:
            found = True
            yield raw, line
    if not found:
        raise UnreadableIndex(f"{url}: no line of it describes a version of the crate {crate}")


def _line_of(raw: bytes, crate: str) -> Line | None:
    try:
        line = _read(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if line is None or line.name.lower() != crate:
        return None
    return line if is_crate(line.name) and is_version(line.vers) and is_sha256(line.cksum) else None


def read_index(document: Document) -> Iterator[tuple[bytes, Line]]:
    """Raises UnreadableIndex."""
    body = document.body.read()
    document.body.seek(0)
    return read_lines(body, document.place.rpartition("/")[2].lower(), document.url)


def read_releases(document: Document) -> Iterator[Release]:
    """Raises UnreadableIndex."""
    for _, line in read_index(document):
        yield Release(
            package=line.name.lower(),
            version=line.vers,
            files=(ReleaseFile(name=file_name(line.name, line.vers), location=ELSEWHERE, digests=(line.digest,)),),
            published=line.published,
            yanked=bool(line.yanked),
        )


def render_lines(document: Document, view: View, *, yank: bool) -> Rendered | None:
    """Without the versions that are hidden; with `yank`, those of them that clients may be told of stay, but as yanked
    ones. None: nothing is hidden. Raises Absent where nothing is left to choose, and UnreadableIndex."""
    if not view.hidden:
        return None
    told = frozenset(version for version, _ in view.reasons) if yank else frozenset[str]()
    shown, left = [], False
    for raw, line in read_index(document):
        if line.vers not in view.hidden:
            left = True
            shown.append(raw)
        elif line.vers in told and (mark := yanked(raw)) is not None:
            shown.append(mark)
    if not left:
        raise Absent(document.place.rpartition("/")[2])
    return Rendered(body=b"".join(raw + b"\n" for raw in shown), content_type=TEXT)


def yanked(raw: bytes) -> bytes | None:
    """The line with `yanked` set, everything else being the same bytes; None where it does not say that it is not,
    or cannot be read."""
    marked, changes = _YANKED.subn(b'"yanked":true', raw)
    try:
        before, after = _read_any(raw), _read_any(marked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # What tells the version can be read, and something else cannot: cargo passes over such a line.
        return None
    if before.get("yanked") is True:
        return raw
    return marked if changes == 1 and {**before, "yanked": True} == after else None

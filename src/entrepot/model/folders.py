"""What a directory listing of an upstream says, whatever form it came in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

from entrepot.errors import UnreadableIndex
from entrepot.model.headers import parse_http_date
from entrepot.model.paths import encode_segment, is_segment

CLOCKS_APART = timedelta(minutes=2)
"""By how much upstream's clock may differ from ours."""
ZONES_APART = timedelta(hours=26)
"""How far apart two zones can be in which the same time is written."""

_ZONED = re.compile(r"(?:Z|GMT|UTC|[+-]\d\d:?\d\d)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One name in a folder, decoded, and what its listing says of it."""

    name: str
    is_folder: bool
    size_bytes: int | None = None
    """None where it is not known to the byte."""
    modified: str = ""
    """As the listing writes it."""
    digest: str = ""
    """Whatever the listing has that changes with the bytes."""
    is_seen: bool = True
    """False: upstream names it and cannot look at it, so it may be a file or a folder."""

    @property
    def segment(self) -> str:
        """The last part of its key; a folder's ends with a slash."""
        return encode_segment(self.name) + ("/" if self.is_folder else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A complete listing."""

    members: tuple[Member, ...]
    hostile: tuple[str, ...] = ()
    """Names that could lead elsewhere, shortened for people to read; nobody follows them."""
    unseen: tuple[str, ...] = ()
    """Segments, as files have them, of what upstream itself cannot look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What a listing may not be larger than."""

    size_bytes: int = 16 << 20
    members: int = 100_000


def gather(found: Iterable[tuple[str, Member]], caps: Caps, subject: str) -> Folder:
    """A folder of the names that are names; each member comes with its name as it was sent. Raises UnreadableIndex for
    too many: what is that long is rather broken, and what was cut off of it would seem to be gone."""
    members: dict[str, Member] = {}
    hostile: list[str] = []
    unseen: list[str] = []
    for sent, member in found:
        if len(members) + len(hostile) + len(unseen) >= caps.members:
            raise UnreadableIndex(f"{subject}: more than {caps.members} names; raise max_entries if that is true")
        if not is_segment(member.name):
            hostile.append(ascii(sent[:80]))
        elif member.is_seen:
            members.setdefault(member.name, member)
        else:
            unseen.append(member.segment)
    return Folder(members=tuple(members.values()), hostile=tuple(hostile), unseen=tuple(unseen))


def decoded(raw: str) -> str:
    """A percent-encoded name, decoded once; empty, and so no name, where it is not UTF-8."""
    try:
        return unquote_to_bytes(raw).decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        return ""


def is_settled(modified: str, listed_at: datetime) -> bool:
    """Whether a file's time lies so far before its listing was made that a change since then would show another time.
    Where no zone is told, that needs more than a day."""
    moment = moment_of(modified)
    if moment is None:
        return False
    apart = CLOCKS_APART if _ZONED.search(modified) else ZONES_APART
    return moment < listed_at - apart


def moment_of(modified: str) -> datetime | None:
    """The time in a listing, taken for UTC where it tells no zone; None for what is no time."""
    text = modified.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return parse_http_date(text) or _moment_of_words(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment_of_words(text: str) -> datetime | None:
    for form in ("%d-%b-%Y %H:%M", "%d-%b-%Y %H:%M:%S", "%Y-%b-%d %H:%M:%S", "%Y-%b-%d %H:%M"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None

"""Which repository a raw path belongs to. The path is matched as it was sent, before anything is decoded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import unquote

from entrepot.cache.repository import Repository
from entrepot.errors import BadRequest, NotServed
from entrepot.model.dates import end_of
from entrepot.model.resource import Reply

LONGEST_PATH = 8192
LONGEST_SESSION = 64


@dataclass(frozen=True, slots=True)
class Mounted:
    """A request's repository, the rest of its path, and the session it is booked to (empty: none)."""

    repository: Repository
    path: str
    prefix: str
    """The path of the undated mount, with a leading and without a trailing slash."""
    session: str = ""
    as_of: datetime | None = None
    """The moment whose view was asked for."""
    view: str = ""
    """The frozen session whose set is served; empty: all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a request tells whose it is."""

    raw: str
    """The whole raw path; of a request to a proxy, an absolute URL."""
    path: str
    """The rest of it behind the session and the date, without leading slash."""
    query: str = ""
    host: str = ""
    """In lower case, with its port if it has one."""
    proxy_user: str = ""
    """As whom a client uses us as its proxy."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a way in leads."""

    repository: Repository
    path: str
    """Below the repository."""
    prefix: str
    """As in `Mounted`, without the session of the path."""
    session: str = ""
    """Where it is not told as a path's first segment."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What everybody is answered there who may read any of these repositories."""

    reply: Reply
    repositories: frozenset[str]


Way = Callable[[Wanted], Placed | Greeting | None]
"""A way in besides `/REPOSITORY/…`: None where it is not taken. Raises NotServed, BadRequest."""


def find_mount(
    raw_path: str,
    repositories: Mapping[str, Repository],
    ways: Sequence[Way] = (),
    query: str = "",
    host: str = "",
    proxy_user: str = "",
) -> Mounted | Greeting:
    """The first of `ways` that is taken, else the repository whose name the path begins with. Raises BadRequest, or
    NotServed when no repository has the name."""
    if len(raw_path) > LONGEST_PATH:
        raise BadRequest(f"the path is longer than {LONGEST_PATH} characters")
    session = prefix = ""
    as_of = None
    wanted = Wanted(raw=raw_path, path=raw_path[1:], query=query, host=host, proxy_user=proxy_user)
    # First as it was sent: what a proxy is asked of another host may be below a folder of that host's `~user`.
    placed = _by_way(wanted, ways)
    if placed is None:
        path = wanted.path
        if path.startswith("~"):
            session, _, path = path[1:].partition("/")
            prefix = f"/~{check_session(session)}"
        if path.startswith("@"):
            day, _, path = path[1:].partition("/")
            as_of = day_of(day)
        wanted = replace(wanted, path=path)
        placed = _by_way(wanted, ways) or _by_name(wanted, repositories)
    if isinstance(placed, Greeting):
        return placed
    repository = placed.repository
    dated = repository.ecosystem.dates != "none" or repository.ecosystem.views_by_generation
    if as_of is not None and not dated:
        title, name = repository.ecosystem.title, repository.name
        raise NotServed(f"{title} have no dates: there is no view of /{name}/ as of a day")
    return Mounted(repository, placed.path, f"{prefix}{placed.prefix}", placed.session or session, as_of)


def _by_way(wanted: Wanted, ways: Sequence[Way]) -> Placed | Greeting | None:
    return next((found for way in ways if (found := way(wanted)) is not None), None)


def _by_name(wanted: Wanted, repositories: Mapping[str, Repository]) -> Placed:
    name, _, rest = wanted.path.partition("/")
    repository = repositories.get(name)
    if repository is None:
        known = ", ".join(f"/{known}/" for known in repositories) or "none"
        raise NotServed(f"there is no repository of that name here; there are: {known}")
    return Placed(repository, rest, f"/{name}")


def check_session(name: str) -> str:
    """Raises BadRequest."""
    if not (0 < len(name) <= LONGEST_SESSION and name.isascii() and name.isalnum()):
        raise BadRequest("a session's name is 1 to 64 letters and digits")
    return name


def day_of(text: str) -> datetime:
    """The moment whose view a path asks for: the end of a day, or the moment itself. Raises BadRequest."""
    try:
        return end_of(unquote(text))
    except ValueError as error:
        raise BadRequest(f"a dated view is asked for as /@YYYY-MM-DD/REPOSITORY/…: {error}") from error

"""Which repository a raw path belongs to. The path is matched as it was sent, before anything is decoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from entrepot.cache.repository import Repository
from entrepot.errors import BadRequest, NotServed
from entrepot.model.dates import end_of

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


def find_mount(raw_path: str, repositories: Mapping[str, Repository]) -> Mounted:
    """Raises BadRequest, or NotServed when no repository has the name."""
    if len(raw_path) > LONGEST_PATH:
        raise BadRequest(f"the path is longer than {LONGEST_PATH} characters")
    path = raw_path[1:]
    session = prefix = ""
    as_of = None
    if path.startswith("~"):
        session, _, path = path[1:].partition("/")
        if not (0 < len(session) <= LONGEST_SESSION and session.isascii() and session.isalnum()):
            raise BadRequest("a session's name is 1 to 64 letters and digits")
        prefix = f"/~{session}"
    if path.startswith("@"):
        day, _, path = path[1:].partition("/")
        as_of = day_of(day)
    name, _, rest = path.partition("/")
    repository = repositories.get(name)
    if repository is None:
        known = ", ".join(f"/{known}/" for known in repositories) or "none"
        raise NotServed(f"there is no repository of that name here; there are: {known}")
    if as_of is not None and repository.ecosystem.dates == "none":
        raise NotServed(f"{repository.ecosystem.title} have no dates: there is no view of /{name}/ as of a day")
    return Mounted(repository, rest, f"{prefix}/{name}", session, as_of)


def day_of(text: str) -> datetime:
    """The moment whose view a path asks for: the end of a day, or the moment itself. Raises BadRequest."""
    try:
        return end_of(unquote(text))
    except ValueError as error:
        raise BadRequest(f"a dated view is asked for as /@YYYY-MM-DD/REPOSITORY/…: {error}") from error

"""Which repository a raw path belongs to. The path is matched as it was sent, before anything is decoded."""

from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.cache.repository import Repository
from entrepot.errors import BadRequest, NotServed

LONGEST_PATH = 8192
LONGEST_SESSION = 64


@dataclass(frozen=True, slots=True)
class Mounted:
    """A request's repository, the rest of its path, and the session it is booked to (empty: none)."""

    repository: Repository
    path: str
    prefix: str
    """The path of the mount itself, with a leading and without a trailing slash."""
    session: str = ""


def find_mount(raw_path: str, repositories: Mapping[str, Repository]) -> Mounted:
    """Raises BadRequest, or NotServed when no repository has the name."""
    if len(raw_path) > LONGEST_PATH:
        raise BadRequest(f"the path is longer than {LONGEST_PATH} characters")
    path = raw_path[1:]
    session = prefix = ""
    if path.startswith("~"):
        session, _, path = path[1:].partition("/")
        if not (0 < len(session) <= LONGEST_SESSION and session.isascii() and session.isalnum()):
            raise BadRequest("a session's name is 1 to 64 letters and digits")
        prefix = f"/~{session}"
    name, _, rest = path.partition("/")
    repository = repositories.get(name)
    if repository is None:
        known = ", ".join(f"/{known}/" for known in repositories) or "none"
        raise NotServed(f"there is no repository of that name here; there are: {known}")
    return Mounted(repository, rest, f"{prefix}/{name}", session)

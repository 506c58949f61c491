"""Where the files of an index page are upstream, and where we serve them."""

import re
from urllib.parse import urljoin

from entrepot.ecosystems.pypi_names import canonical_path, checked_query, host_of
from entrepot.errors import BadRequest
from entrepot.model.release import Location, locate
from entrepot.model.resource import BASE

# An absolute URL up to its path, or the climbing start of a relative one: what the links of a page have in common.
_HEAD = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#\\]+|(?:\.\./)+|/|")


class Places:
    """Finds the location of every link of one page; equal beginnings are resolved once."""

    def __init__(self, page_url: str, upstream: str) -> None:
        self._page_url, self._upstream = page_url, upstream
        self._heads: dict[str, Location | None] = {}

    def find(self, url: str) -> Location | None:
        """The location of an absolute or relative link; None for what is never fetched."""
        head, tail = _split(url)
        if "//" not in head and "./" in tail:
            head, tail = _split(urljoin(self._page_url, url))
        if not head and ":" in tail.partition("/")[0]:
            return None
        if head not in self._heads:
            self._heads[head] = self._resolve(head)
        start = self._heads[head]
        if start is None:
            return None
        path, mark, query = tail.partition("#")[0].partition("?")
        try:
            return Location(start.origin, canonical_path(start.path + path) + mark + checked_query(query))
        except BadRequest:
            return None

    def _resolve(self, head: str) -> Location | None:
        try:
            location = locate(urljoin(self._page_url, head or "."), self._upstream)
            if location is None or location.origin == BASE:
                return location
            return Location(host_of(location.origin), location.path)
        except (ValueError, BadRequest):
            return None


def _split(url: str) -> tuple[str, str]:
    found = _HEAD.match(url)
    head = found.group() if found else ""
    tail = url[len(head) :]
    return head, tail.removeprefix("/") if "//" in head else tail


def link_of(project: str, location: Location) -> str:
    """The path below the repository of a file that the project's index lists; the location is one that was found."""
    place = f"files/{project}" if location.origin == BASE else f"-/{location.origin}/{project}"
    return place + location.path

"""Repositories at the server's root, for clients that ask there whatever their registry's path is (`/v2/…`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from entrepot.cache.repository import Repository
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import BadRequest, NotServed
from entrepot.model.resource import Reply, Request
from entrepot.web.mounts import Greeting, Placed, Wanted, check_session

SESSION = "session-"
"""What a session is called where names of images stand: they have no tilde."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Takes `/SEGMENT/[session-NAME/]REPOSITORY/…`, and what tells another registry's host by `ns=`. The rest goes to
    `otherwise`."""

    segment: str
    repositories: Mapping[str, Repository]
    """Those that are served there."""
    hosts: Mapping[str, str]
    """The repositories' names by the hosts that they stand for."""
    otherwise: str = ""
    """The repository that is meant where none is named; empty: none."""

    @property
    def ecosystem(self) -> Ecosystem:
        return next(iter(self.repositories.values())).ecosystem

    def has(self, raw_path: bytes) -> bool:
        """Whether whatever is there belongs to this root."""
        return raw_path[1:].partition(b"/")[0] == self.segment.encode()

    def __call__(self, wanted: Wanted) -> Placed | Greeting | None:
        """Raises NotServed, BadRequest."""
        first, _, rest = wanted.path.partition("/")
        if first != self.segment:
            return None
        if not rest:
            return self._greeting()
        name, _, below = rest.partition("/")
        prefix, session = f"/{self.segment}", ""
        if name.startswith(SESSION) and name not in self.repositories:
            prefix, session = f"{prefix}/{name}", check_session(name.removeprefix(SESSION))
            rest, (name, _, below) = below, below.partition("/")
        host = _namespace(wanted.query)
        meant = self.hosts.get(host)
        if meant is None and name in self.repositories and below:
            return self._placed(name, below, f"{prefix}/{name}", session)
        if meant is None and host:
            # The mirror's image of that name would be another one.
            raise NotServed(f"no repository stands for {host[:255]!a} (stands_for of one can name it)")
        meant = meant or self.otherwise
        if not meant:
            known = ", ".join(f"/{self.segment}/{known}/…" for known in self.repositories)
            raise NotServed(f"there is no repository {name[:64]!a} here; there are: {known}")
        return self._placed(meant, rest, prefix, session)

    def _placed(self, name: str, path: str, prefix: str, session: str) -> Placed:
        return Placed(self.repositories[name], f"{self.segment}/{path}", prefix, session)

    def _greeting(self) -> Greeting:
        reply = self.ecosystem.route(Request(method="GET", path=""))
        if not isinstance(reply, Reply):
            raise BadRequest("nothing is served at the root")
        return Greeting(reply, frozenset(self.repositories))


def _namespace(query: str) -> str:
    """The host of the registry that a client means, as containerd tells it."""
    told = (pair.partition("=") for pair in query.split("&"))
    return next((unquote(value).lower() for name, _, value in told if name == "ns"), "")


def linked(headers: list[tuple[str, str]], raw_path: bytes) -> list[tuple[str, str]]:
    """Fields in which a link to another page leads to the path by which the client came (RFC 8288): clients of
    registries take nothing but whole paths."""
    if not any(name == "link" and value.startswith("<?") for name, value in headers):
        return headers
    path = raw_path.decode("latin-1")
    return [(name, f"<{path}{value[1:]}" if name == "link" else value) for name, value in headers]

"""One upstream request and its streamed answer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from entrepot.model.headers import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request to an upstream. Exactly `url` is asked, byte for byte."""

    upstream: str
    """The configured upstream that it is asked through: its limits, proxy, and (on its own origin) credentials."""
    url: str
    method: str = "GET"
    headers: Headers = field(default_factory=Headers)
    body: bytes | None = None
    learned: bool = False
    """The URL's origin was named by an index: https, public addresses, no credentials."""
    subject: str = ""
    """What it is about: requests about one subject need the same token, where a registry wants tokens."""
    patient: bool = True
    """Whether transient failures may be retried (never for PASS)."""


class UpstreamReply(Protocol):
    """An answer whose body may still be on its way. Always to be closed."""

    status: int
    headers: Headers
    url: str
    """The final URL, after redirects."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, not decoded, bounded by Content-Length.

        Raises BodyCut when it ends early, UpstreamTimeout on silence, Unreachable when the connection breaks.
        """

    @property
    def delimited(self) -> bool:
        """Whether the end of the body can be told from a broken connection (a length, or chunked). Known for sure
        when the body was read: what comes behind its end makes the end doubtful."""

    async def close(self) -> None:
        """Give the connection back if the body was read to its end, else drop it."""


class Fetcher(Protocol):
    async def send(self, ask: Ask) -> UpstreamReply:
        """Ask, following redirects; retries (≤ 2) happen here, until the answer's fields are there.

        Any status may be returned. Raises Unreachable, UpstreamTimeout, UpstreamBusy, EgressRefused, LoopDetected.
        """

    def base_url(self, upstream: str) -> str:
        """The base URL, with a trailing slash."""

    def identity(self, upstream: str) -> str:
        """Changes when address or credentials of the upstream change; tells no secret."""

    def owns(self, upstream: str, package: str) -> bool:
        """Whether configuration reserves this package's name for the upstream."""

    async def close(self) -> None: ...

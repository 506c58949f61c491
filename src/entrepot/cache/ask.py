"""What of a client's request matters besides the resource."""

from dataclasses import dataclass, field
from datetime import datetime

from entrepot.cache.plan import Wish
from entrepot.cache.ranges import Conditions
from entrepot.model.headers import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAsk:
    method: str = "GET"
    conditions: Conditions = field(default_factory=Conditions)
    wish: Wish = field(default_factory=Wish)
    base: str = ""
    """Our absolute URL of the repository, without trailing slash."""
    gzip: bool = False
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    connection: str = ""
    """Over which it is asked: several clients may have one address."""
    as_of: datetime | None = None
    """The day whose view was asked for; None: today's."""
    client: str = ""
    """Who asks: the name of a token, or an address."""
    authenticated: bool = False

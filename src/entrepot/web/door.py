"""Who we are to a request: the hosts we answer to, our address in links, and what browsers may not do."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from entrepot.errors import BadRequest, Misdirected, Refused

SAFE = frozenset(("GET", "HEAD"))
SHIELD = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""What package content is sent with: no browser runs it, guesses at it, or lends it to another site."""

_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How we may be called."""

    listen: tuple[str, int]
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    tls: bool = False


def forwarded_pairs(element: str) -> dict[str, str]:
    """The parameters of one element of a Forwarded field (RFC 7239 §4), names in lower case."""
    pairs = (pair.partition("=") for pair in element.split(";"))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


class Door:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        names = [*identity.allowed_hosts, identity.listen[0]]
        if identity.public_url:
            names.append(urlsplit(identity.public_url).hostname or "")
        self._names = frozenset(name.lower().strip("[]") for name in names if name)
        self._any_address = identity.listen[0] in ("", "0.0.0.0", "::")
        self._bases: dict[bytes, str] = {}

    @property
    def trusts_proxies(self) -> bool:
        return bool(self._identity.trusted_proxies)

    def base(self, host: bytes) -> str:
        """Our address as this request's links are to name it, without trailing slash. Raises Misdirected."""
        base = self._bases.get(host)
        if base is None:
            base = self._base_of(host)
            if len(self._bases) < 1000:
                self._bases[host] = base
        return base

    def _base_of(self, host: bytes) -> str:
        text = host.decode("latin-1").strip()
        if not text:
            raise BadRequest("the request has no Host field")
        try:
            parts = urlsplit(f"//{text}")
            name, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise BadRequest(f"the Host field cannot be read: {error}") from error
        if parts.netloc != text or parts.username is not None or not self._is_ours(name):
            raise Misdirected(
                f"this server is not {text!r}; if it should answer to that name, add it to server.allowed_hosts"
            )
        if self._identity.public_url:
            return self._identity.public_url.rstrip("/")
        shown = f"[{name}]" if ":" in name else name
        return f"{'https' if self._identity.tls else 'http'}://{shown}{f':{port}' if port else ''}"

    def _is_ours(self, name: str) -> bool:
        if name in self._names or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # A page cannot make a browser send an address as Host that it did not connect to: rebinding needs a name.
        return address.is_loopback or self._any_address

    def forwarded_base(self, host: bytes, client: str, fields: Iterable[tuple[bytes, bytes]]) -> str:
        """The same, where a trusted proxy tells what the client called us."""
        own = self.base(host)
        if self._identity.public_url or not self._is_trusted(client):
            return own
        told = {name: value.decode("latin-1").split(",")[0].strip() for name, value in fields}
        said = forwarded_pairs(told.get(b"forwarded", ""))
        scheme = said.get("proto") or told.get(b"x-forwarded-proto", own.partition("://")[0])
        name = said.get("host") or told.get(b"x-forwarded-host", own.partition("://")[2])
        if scheme not in ("http", "https") or not _AUTHORITY.match(name):
            raise BadRequest("the Forwarded and X-Forwarded fields cannot be read")
        return f"{scheme}://{name}"

    def _is_trusted(self, client: str) -> bool:
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        return any(address in network for network in self._identity.trusted_proxies)

    def check_site(self, method: str, base: str, origin: str, fetch_site: str) -> None:
        """Refuse what another site makes a browser do. Raises Refused."""
        if method in SAFE:
            return
        if fetch_site and fetch_site not in ("same-origin", "none"):
            raise Refused("requests that another site makes a browser send are refused")
        if origin and origin.lower() != base.lower():
            raise Refused(f"requests from {origin} are refused")

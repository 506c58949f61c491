"""A URL that is to be asked, parsed once: what is checked is what is sent."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from yarl import URL

from entrepot.errors import EgressRefused

Origin = tuple[str, str, int]
"""Scheme, host, port."""

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")
_PLAIN = re.compile(r"[\x21-\x7e]+")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    url: URL
    origin: Origin

    @property
    def name(self) -> str:
        """Host and port, as messages and the catalog call the origin."""
        return place(self.origin[1], self.origin[2])

    @property
    def text(self) -> str:
        return str(self.url)


def place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_target(text: str) -> Target:
    """Raises EgressRefused for what no request can or may be made to. The message quotes nothing of the URL: it may
    hold a token."""
    text = text.partition("#")[0]
    if not _PLAIN.fullmatch(text):
        raise EgressRefused("a URL with characters that a URL cannot have")
    try:
        url = URL(text, encoded=True)
        port = url.port
    except ValueError as error:
        raise EgressRefused("a URL that cannot be parsed") from error
    host = (url.host or "").lower()
    if url.scheme not in ("http", "https") or port is None or not _HOST.fullmatch(host):
        raise EgressRefused("a URL that is not http(s) with a plain host")
    if url.raw_user is not None or url.raw_password is not None:
        raise EgressRefused(f"{place(host, port)}: a URL with credentials in it")
    return Target(url=url, origin=(url.scheme, host, port))


def redirected(target: Target, location: str) -> Target:
    """Where a Location field leads; its bytes are kept, but for those that no URL can have (RFC 9110 §10.2.2).

    `location` is decoded as Latin-1.
    """
    try:
        joined = urljoin(target.text, quote(location.strip().encode("latin-1"), safe=_PRINTABLE))
    except ValueError as error:
        raise EgressRefused(f"{target.name}: a redirect to a URL that cannot be parsed") from error
    return parse_target(joined)

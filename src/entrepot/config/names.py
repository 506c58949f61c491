"""How repositories, addresses and listeners are written."""

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainSerializer

RESERVED: Final = frozenset({"api", "ui", "v2", "health", "ready", "metrics", "stats", "openapi.json"})
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z", re.ASCII)


def parse_name(value: str) -> str:
    """A name that can stand in a path, and in a table of the configuration. Raises ValueError."""
    if not _NAME.match(value):
        raise ValueError(
            f"{value!r} cannot be a name; use up to 64 lower-case letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return value


def parse_repository_name(value: str) -> str:
    """A name that is not one of our own paths. Raises ValueError."""
    if value in RESERVED:
        raise ValueError(f"{value!r} is a path of Entrepot's own; choose another name")
    return parse_name(value)


def parse_url(value: str) -> str:
    """An http(s) URL without credentials, query and fragment, with a trailing slash. Raises ValueError."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{value!r} is no URL: {error}") from error
    if parts.username is not None or parts.password is not None:
        # The text is not repeated: it holds a secret.
        raise ValueError('the URL holds credentials; remove them and use auth = { kind = "basic", … } instead')
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f'{value!r} is no http(s) URL; write it like "https://registry.example/path/"')
    if parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\\]", value):
        raise ValueError(f"{value!r} has a query, a fragment, a backslash or a blank; an address has none of them")
    return value if value.endswith("/") else f"{value}/"


def parse_upstream(value: str) -> str:
    """The name of an upstream, or a URL. Raises ValueError."""
    return parse_url(value) if "://" in value else parse_name(value)


def parse_hook(value: str) -> str:
    """An http(s) URL that is asked exactly as it is written. Raises ValueError."""
    parse_url(value)
    return value


def without_credentials(url: str) -> str:
    """Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def parse_proxy(value: str) -> str:
    """Like `parse_url`, but it may hold the proxy's own credentials. Raises ValueError."""
    if value:
        parse_url(without_credentials(value))
    return value


def _masked(value: str) -> str:
    plain = without_credentials(value)
    return value if plain == value else plain.replace("://", "://***@", 1)


def parse_listener(value: str) -> str:
    """HOST:PORT, where an IPv6 host stands in brackets and port 0 means any free one. Raises ValueError."""
    host, _, port = value.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f'{value!r} is no listener; write HOST:PORT, such as "127.0.0.1:8080" or "[::1]:8080"')
    if (":" in host) != (host.startswith("[") and host.endswith("]")):
        raise ValueError(f'{value!r}: an IPv6 address stands in brackets, such as "[::1]:8080"')
    return value


def split_listener(value: str) -> tuple[str, int]:
    """Host (without brackets) and port of a listener."""
    host, _, port = value.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether a host (name or address, without brackets) is this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def parse_network(value: str) -> str:
    """An address or network in CIDR form. Raises ValueError."""
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise ValueError(f'{value!r} is no address or network ({error}); write "10.0.0.0/8" or "10.1.2.3"') from error


Name = Annotated[str, AfterValidator(parse_name)]
RepositoryName = Annotated[str, AfterValidator(parse_repository_name)]
Url = Annotated[str, AfterValidator(parse_url)]
UpstreamReference = Annotated[str, AfterValidator(parse_upstream)]
Listener = Annotated[str, AfterValidator(parse_listener)]
Network = Annotated[str, AfterValidator(parse_network)]
ProxyUrl = Annotated[str, AfterValidator(parse_proxy), PlainSerializer(_masked, return_type=str)]
"""Its credentials do not get into anything that is printed."""
OptionalUrl = Annotated[str, AfterValidator(lambda value: parse_url(value) if value else value)]
OptionalUpstream = Annotated[str, AfterValidator(lambda value: parse_upstream(value) if value else value)]
OptionalHook = Annotated[str, AfterValidator(lambda value: parse_hook(value) if value else value)]

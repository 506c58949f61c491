"""What assembly tells this layer: the upstreams and the limits of contact with them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal


class Secret:
    """A value that prints as `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class AuthKind(Enum):
    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"
    HEADER = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Credentials for one origin: the configured one, and no other."""

    kind: AuthKind = AuthKind.NONE
    secret: Secret = field(default_factory=lambda: Secret(""))
    """The password, the token, or the value of the field."""
    user: str = ""
    """Only for BASIC."""
    header: str = ""
    """The name of the field, only for HEADER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    name: str
    url: str
    """The base URL."""
    auth: Auth = field(default_factory=Auth)
    ca_file: str = ""
    """Certificates that are trusted besides the system's."""
    http_proxy: str = field(default="", repr=False)
    """May hold credentials of the proxy: it is not printed."""
    max_connections: int = 32
    """At once, to the configured origin; the same number again to all other origins that it leads to."""
    owns: tuple[str, ...] = ()
    """Patterns of package names that are asked only here."""
    download_hosts: Literal["index"] | tuple[str, ...] = "index"
    """`index`: every public https host that an index or a redirect names; else only hosts (with the port if it is
    not 443) that one of these patterns matches."""
    token_realms: tuple[str, ...] = ()
    """Addresses on whose origins our credentials may be shown to get a token, besides the upstream's own."""
    discovered: bool = False
    """Whether the address was found on this machine and not written into the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Limits of contact; times in seconds."""

    instance: str
    """The random id that our Via carries."""
    queue_timeout: float = 60.0
    """Waiting for one of the upstream's connections to be free."""
    connect_timeout: float = 10.0
    """Name lookup, connection and TLS together: all addresses, redirects and retries of one request."""
    first_byte_timeout: float = 30.0
    """From the connection to the end of the answer's fields; each try."""
    read_timeout: float = 30.0
    """Silence in the middle of a body."""
    retries: int = 2
    retry_delay: float = 0.2
    """The longest pause before the first retry; it doubles for the next."""
    max_redirects: int = 5
    trust_env: bool = False
    """Whether the proxy variables of the environment count where an upstream names no proxy."""
    user_agent: str = "entrepot"
    own_addresses: frozenset[tuple[str, int]] = frozenset()
    """Hosts and ports that reach ourselves: never an upstream."""
    allow_private: frozenset[str] = frozenset()
    """Hosts that the configuration names, beside the upstreams' own: they may have private addresses."""

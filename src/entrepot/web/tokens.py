"""Who asks, and what for: tokens, their rights, and what those are told who have none (policy §8)."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from math import inf
from typing import Final, Literal

from entrepot.errors import Refused, TokenNeeded
from entrepot.model.headers import parse_directives
from entrepot.web.mounts import Mounted

Right = Literal["read", "write", "trigger", "admin"]
Names = frozenset[str]
"""Of repositories."""

CHALLENGE: Final = ("www-authenticate", 'Basic realm="Entrepot", Bearer')
MOST_KNOWN: Final = 1024
"""Fields that are remembered: one token comes in many spellings, because any user name goes with it."""

HINT: Final = "send it as the Basic password of any user, or as a Bearer token"
_NONE: Final = "a token is needed here"
_UNKNOWN: Final = "this token is not known here"
_UNREADABLE: Final = "the credentials cannot be read; a token is a Bearer token or a Basic password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One that is configured."""

    name: str
    digest: bytes
    """SHA-256 of the secret."""
    reads: Names = frozenset()
    writes: Names = frozenset()
    triggers: Names = frozenset()
    admin: bool = False
    until: float = inf
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who sends a request. Open repositories may be read by everybody, so everybody's `reads` has them."""

    name: str = ""
    """Of the token; empty: somebody without one."""
    reads: Names = frozenset()
    writes: Names = frozenset()
    """Of build caches."""
    triggers: Names = frozenset()
    admin: bool = False
    until: float = inf
    problem: str = ""
    """Why this is nobody we know; empty: it is."""

    @property
    def logged(self) -> str:
        """A field of the access log, if there is a token: its name, which is no secret."""
        return f',"token":"{self.name}"' if self.name else ""

    def has(self, right: Right) -> bool:
        """Whether there is anything that the right is for."""
        has = {
            "read": bool(self.reads),
            "write": bool(self.writes),
            "trigger": bool(self.triggers),
            "admin": self.admin,
        }
        return has[right]


class Guard:
    """Tells from the Authorization field who asks. There is none where no token is configured.

    A secret is looked up by its digest, and a field that was seen before by Python's keyed hash of it, so how long
    that takes tells nothing about other secrets.
    """

    def __init__(
        self,
        tokens: Iterable[Token],
        *,
        repositories: Iterable[str],
        open_to_all: Names,
        is_session: Callable[[str], bool],
    ) -> None:
        """`is_session`: whether whoever runs the server opened a session of this name; it stands for a token."""
        self._open, self._is_session = open_to_all, is_session
        self._by_digest = {token.digest: self._principal(token) for token in tokens}
        self._known: dict[bytes, Principal] = {}
        self._anonymous, self._stranger, self._garbled = (
            Principal(reads=open_to_all, problem=problem) for problem in (_NONE, _UNKNOWN, _UNREADABLE)
        )
        everything = frozenset(repositories)
        self._in_session = Principal(reads=everything, triggers=everything)

    def _principal(self, token: Token) -> Principal:
        return Principal(
            name=token.name,
            reads=token.reads | self._open,
            writes=token.writes,
            triggers=token.triggers,
            admin=token.admin,
            until=token.until,
        )

    def principal_of(self, authorization: bytes, now: float) -> Principal:
        """`authorization`: the field's value as it came (empty: none did); `now`: seconds since the epoch."""
        if not authorization:
            return self._anonymous
        principal = self._known.get(authorization) or self._recognise(authorization)
        return principal if now < principal.until else self._late(principal)

    def _recognise(self, authorization: bytes) -> Principal:
        secret = secret_of(authorization)
        if secret is None:
            return self._garbled
        principal = self._by_digest.get(sha256(secret).digest())
        if principal is None:
            # Not remembered: whoever tries secrets must not push out those who have one.
            return self._stranger
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[authorization] = principal
        return principal

    def _late(self, principal: Principal) -> Principal:
        end = datetime.fromtimestamp(principal.until, UTC)
        return Principal(
            reads=self._open, problem=f"the token {principal.name!r} was valid until {end:%Y-%m-%d %H:%M} UTC"
        )

    def admit(self, principal: Principal, mounted: Mounted, host: str) -> Principal:
        """Who reads there; `host` is how the client called us. Raises TokenNeeded, Refused."""
        name = mounted.repository.name
        if name in principal.reads:
            return principal
        if mounted.session and self._is_session(mounted.session):
            return self._in_session
        if principal.problem:
            hint = mounted.repository.ecosystem.token_hint.format(host=host)
            raise TokenNeeded(f"{principal.problem}; {hint}")
        raise Refused(
            f"the token {principal.name!r} has no right to read the repository {name!r}; "
            "whoever runs this server can add it to the token's repositories and rights"
        )

    def greet(self, principal: Principal, repositories: Names) -> None:
        """Clients find out in this way whether they need a token. Raises TokenNeeded where some of the repositories
        are for those who have one."""
        if principal.problem and not repositories <= self._open:
            raise TokenNeeded(f"{principal.problem}; {HINT}")

    def is_open(self, repository: str) -> bool:
        """Whether it may be read without a token."""
        return repository in self._open


def known(principal: Principal | None) -> Principal:
    """Whoever has a token, for what belongs to no repository. Raises TokenNeeded, Refused."""
    if principal is None:
        raise Refused(
            "this is for those who have a token, and none is configured (docs/tokens.md); "
            "on this machine use the `entrepot` command, which speaks to the control socket"
        )
    if principal.problem:
        raise TokenNeeded(f"{principal.problem}; {HINT}")
    return principal


def check_right(principal: Principal, right: Right) -> None:
    """Raises Refused."""
    if not principal.has(right):
        raise Refused(f"the token {principal.name!r} has not the right {right!r}")


def secret_of(authorization: bytes) -> bytes | None:
    """What a Bearer field (RFC 6750 §2.1) or a Basic password (RFC 7617 §2) holds; None: it is neither."""
    scheme, _, value = authorization.strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return value.strip() or None
        case b"basic":
            try:
                _, colon, password = b64decode(value.strip(), validate=True).partition(b":")
            except binascii.Error:
                return None
            return password if colon and password else None
    return None


def kept_private(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same answer for whoever has a token only: no shared cache on the way may keep it (RFC 9111 §3.5)."""
    told = next((value for name, value in headers if name == "cache-control"), "")
    kept = [f"{name}={value}" if value else name for name, value in parse_directives(told).items()]
    control = ", ".join(["private", *(one for one in kept if one not in ("public", "private"))])
    return [*(item for item in headers if item[0] != "cache-control"), ("cache-control", control)]

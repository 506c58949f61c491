"""Tokens that a registry sends its clients to fetch elsewhere (the distribution project's token authentication).

A 401 names a realm, a service and a scope; the realm gives a token for them, also to strangers, and the request is
repeated with it.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import UpstreamReply
from entrepot.upstream.settings import Secret

TOKEN_BODY_BYTES = 64 << 10
USUAL_SECONDS = 60.0
"""A token's life where its answer tells none."""
LONGEST_SECONDS = 86400.0
LEEWAY = 0.9
"""The part of its life in which a token is used: clocks differ, and a request takes a while to arrive."""
SUBJECTS_KEPT = 10_000

_K = TypeVar("_K")
_V = TypeVar("_V")

_PARAMETER = r'[A-Za-z0-9_-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",]+)'
_BEARER = re.compile(rf"(?:^|,)\s*bearer\s+(?P<parameters>{_PARAMETER}(?:\s*,\s*{_PARAMETER})*)", re.IGNORECASE)
_PAIR = re.compile(r'(?P<name>[A-Za-z0-9_-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s",]+))')
_TOKEN = re.compile(r"[!-~]{1,16384}\Z")


@dataclass(frozen=True, slots=True)
class Challenge:
    """Who gives a token, and for what."""

    realm: str
    service: str
    scope: str

    @property
    def url(self) -> str:
        asked = [(name, value) for name, value in (("service", self.service), ("scope", self.scope)) if value]
        return f"{self.realm}{'&' if '?' in self.realm else '?'}{urlencode(asked)}" if asked else self.realm


def parse_challenge(field: str) -> Challenge | None:
    """The Bearer challenge with a realm of a WWW-Authenticate field (RFC 9110 §11.6.1, RFC 6750 §3)."""
    found = _BEARER.search(field[:8192])
    if found is None:
        return None
    pairs = {
        pair["name"].lower(): re.sub(r"\\(.)", r"\1", pair["quoted"]) if pair["plain"] is None else pair["plain"]
        for pair in _PAIR.finditer(found["parameters"])
    }
    realm = pairs.get("realm", "")
    return Challenge(realm, pairs.get("service", ""), pairs.get("scope", "")) if "://" in realm else None


class Granted(msgspec.Struct):
    """What a realm answers."""

    token: str = ""
    access_token: str = ""
    expires_in: float | None = None

    @property
    def secret(self) -> str:
        """Empty where there is none that a field can hold."""
        found = self.token or self.access_token
        return found if _TOKEN.match(found) else ""

    @property
    def seconds(self) -> float:
        return min(self.expires_in, LONGEST_SECONDS) if self.expires_in and self.expires_in > 0 else USUAL_SECONDS


async def read_granted(reply: UpstreamReply) -> Granted | None:
    """None for what is no answer of a realm. Raises what breaks the body."""
    body = bytearray()
    async for piece in reply.chunks():
        body += piece
        if len(body) > TOKEN_BODY_BYTES:
            return None
    try:
        return msgspec.json.decode(body, type=Granted)
    except (msgspec.MsgspecError, RecursionError):
        return None


Ask = Callable[[Challenge], Awaitable[Granted | None]]


class Tokens:
    """Of one upstream. Each is fetched once for all who wait for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._challenges: OrderedDict[str, Challenge] = OrderedDict()
        """The last one by the subject of requests."""
        self._tokens: OrderedDict[Challenge, tuple[Secret, float]] = OrderedDict()
        self._turns: dict[Challenge, asyncio.Lock] = {}

    def find(self, subject: str) -> Secret | None:
        """The token that was wanted the last time for such a request, as long as it is good."""
        challenge = self._challenges.get(subject)
        return self._find(challenge) if challenge is not None else None

    def _find(self, challenge: Challenge) -> Secret | None:
        secret, until = self._tokens.get(challenge, (None, 0.0))
        return secret if self._clock.timestamp() < until else None

    async def get(self, subject: str, challenge: Challenge, refused: Secret | None, ask: Ask) -> Secret | None:
        """A token for the challenge, other than the one that was `refused`. None where the realm gives none."""
        turn = self._turns.setdefault(challenge, asyncio.Lock())
        try:
            async with turn:
                known = self._find(challenge)
                if known is None or known == refused:
                    known = await self._fetch(challenge, ask)
        finally:
            if not turn.locked():
                self._turns.pop(challenge, None)
        _keep(self._challenges, subject, challenge)
        return known

    async def _fetch(self, challenge: Challenge, ask: Ask) -> Secret | None:
        granted = await ask(challenge)
        if granted is None or not granted.secret:
            self._tokens.pop(challenge, None)
            return None
        secret = Secret(granted.secret)
        _keep(self._tokens, challenge, (secret, self._clock.timestamp() + granted.seconds * LEEWAY))
        return secret


def _keep(known: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > SUBJECTS_KEPT:
        known.popitem(last=False)

"""Ask upstreams: who may be asked, with which credentials, and where redirects lead."""

from collections.abc import Mapping

from aiohttp.abc import AbstractResolver

from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import Ask
from entrepot.errors import EgressRefused, UpstreamFailure
from entrepot.model.names import is_named
from entrepot.upstream.address import AddressPolicy
from entrepot.upstream.auth import identity_of
from entrepot.upstream.exchange import SAFE, Exchange, Hop, own_via, via_of
from entrepot.upstream.guard import Guard
from entrepot.upstream.health import Health
from entrepot.upstream.homes import Homes
from entrepot.upstream.reply import AiohttpReply
from entrepot.upstream.sessions import Sessions
from entrepot.upstream.settings import Auth, ClientSettings, UpstreamSettings
from entrepot.upstream.stages import Stages
from entrepot.upstream.target import Target, parse_target, redirected

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class AiohttpFetcher:
    """Implements contracts.fetcher.Fetcher. To be used in one event loop, and closed there."""

    def __init__(
        self,
        upstreams: Mapping[str, UpstreamSettings],
        settings: ClientSettings,
        health: Health,
        clock: Clock,
        *,
        policy: AddressPolicy | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Raises ConfigError when a ca_file cannot be used, EgressRefused when a base URL is none."""
        self._upstreams = upstreams
        self._settings = settings
        self._bases = {name: parse_target(upstream.url) for name, upstream in upstreams.items()}
        self._guard = Guard(
            policy or AddressPolicy(),
            (base.origin for base in self._bases.values()),
            settings.own_addresses,
            settings.allow_private,
        )
        self._homes = Homes(self._guard, clock, resolver, settings.connect_timeout)
        self._sessions = {
            name: Sessions(upstream, self._guard, resolver, settings.trust_env) for name, upstream in upstreams.items()
        }
        self._exchange = Exchange(settings, health, clock)
        self._identities = {name: identity_of(upstream) for name, upstream in upstreams.items()}

    async def send(self, ask: Ask) -> AiohttpReply:
        upstream = self._upstreams[ask.upstream]
        stages = Stages(self._settings)
        target = parse_target(ask.url)
        at_home = self._is_base(ask, target)
        for _ in range(self._settings.max_redirects + 1):
            public = not at_home and self._guard.check_led(target, upstream)
            if public:
                await self._homes.learn(self._bases[ask.upstream])
            session, proxy = self._sessions[ask.upstream].pick(target, public=public)
            auth = upstream.auth if at_home else Auth()
            hop = Hop(ask=ask, target=target, session=session, proxy=proxy, auth=auth)
            reply = await self._exchange.contact(hop, stages)
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or not location or ask.method not in SAFE:
                return reply
            await reply.close()
            target = redirected(target, location)
            # Once it has left, the chain gets no credentials, wherever it leads.
            at_home = at_home and target.origin == self._bases[ask.upstream].origin
        raise UpstreamFailure(f"{target.name}: more than {self._settings.max_redirects} redirects")

    def base_url(self, upstream: str) -> str:
        return self._upstreams[upstream].url.rstrip("/") + "/"

    def identity(self, upstream: str) -> str:
        return self._identities[upstream]

    def owns(self, upstream: str, package: str) -> bool:
        return bool(package) and any(is_named(package, pattern) for pattern in self._upstreams[upstream].owns)

    @property
    def via(self) -> str:
        """The Via field that tells who we are."""
        return via_of(self._settings.instance)

    def own_via(self, text: str) -> bool:
        """Whether a Via field (RFC 9110 §7.6.3) names us."""
        return own_via(text, self._settings.instance)

    async def close(self) -> None:
        for sessions in self._sessions.values():
            await sessions.close()

    def _is_base(self, ask: Ask, target: Target) -> bool:
        """Whether the request goes to the configured origin, with its credentials."""
        if ask.learned:
            return False
        self._guard.check_own(target)
        if target.origin != self._bases[ask.upstream].origin:
            raise EgressRefused(f"{target.name}: not the origin of upstream {ask.upstream}")
        return True

"""Ask upstreams: who may be asked, with which credentials, and where redirects lead."""

from collections.abc import Mapping
from dataclasses import replace

from aiohttp.abc import AbstractResolver

from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import Ask
from entrepot.errors import EgressRefused, UpstreamFailure, UpstreamStatus
from entrepot.model.names import is_named
from entrepot.upstream.address import AddressPolicy
from entrepot.upstream.auth import identities_of
from entrepot.upstream.challenge import Challenge, Granted, Tokens, parse_challenge, read_granted
from entrepot.upstream.exchange import SAFE, Exchange, Hop, own_via, via_of
from entrepot.upstream.guard import Guard
from entrepot.upstream.health import Health
from entrepot.upstream.homes import Homes
from entrepot.upstream.reply import AiohttpReply
from entrepot.upstream.sessions import Sessions, tls_contexts
from entrepot.upstream.settings import Auth, AuthKind, ClientSettings, Secret, UpstreamSettings
from entrepot.upstream.stages import Stages
from entrepot.upstream.target import Origin, Target, parse_target, redirected

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
            (*(base.origin for base in self._bases.values()), *_realms_of(upstreams)),
            settings.own_addresses,
            settings.allow_private,
        )
        self._homes = Homes(self._guard, clock, resolver, settings.connect_timeout)
        tls = tls_contexts(upstreams)
        self._sessions = {
            name: Sessions(upstream, self._guard, tls[name], resolver, settings.trust_env)
            for name, upstream in upstreams.items()
        }
        self._exchange = Exchange(settings, health, clock)
        self._tokens = {name: Tokens(clock) for name in upstreams}
        self._identities = identities_of(upstreams)

    async def send(self, ask: Ask) -> AiohttpReply:
        stages = Stages(self._settings)
        target = parse_target(ask.url)
        at_home = self._is_base(ask, target)
        for _ in range(self._settings.max_redirects + 1):
            reply = await self._contact(ask, target, stages, at_home=at_home)
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or not location or ask.method not in SAFE:
                return reply
            await reply.close()
            target = redirected(target, location)
            # Once it has left, the chain gets no credentials, wherever it leads.
            at_home = at_home and target.origin == self._bases[ask.upstream].origin
        raise UpstreamFailure(f"{target.name}: more than {self._settings.max_redirects} redirects")

    async def _contact(self, ask: Ask, target: Target, stages: Stages, *, at_home: bool) -> AiohttpReply:
        """One hop; at home once more with a token, where the answer is that one is wanted."""
        if not at_home:
            return await self._exchange.contact(await self._hop(ask, target, Auth(), at_home=False), stages)
        tokens, own = self._tokens[ask.upstream], self._upstreams[ask.upstream].auth
        token = tokens.find(ask.subject)
        hop = await self._hop(ask, target, _bearer(token) if token else own, at_home=True)
        reply = await self._exchange.contact(hop, stages)
        challenge = parse_challenge(reply.headers.get("www-authenticate")) if reply.status == 401 else None
        if challenge is None or ask.method not in SAFE or own.kind not in (AuthKind.NONE, AuthKind.BASIC):
            return reply
        try:
            wanted = await tokens.get(
                ask.subject, challenge, token, lambda challenge: self._fetch_token(ask.upstream, challenge, stages)
            )
        except BaseException:
            await reply.close()
            raise
        if wanted is None:
            return reply
        await reply.close()
        return await self._exchange.contact(replace(hop, auth=_bearer(wanted)), stages)

    async def _hop(self, ask: Ask, target: Target, auth: Auth, *, at_home: bool) -> Hop:
        public = not at_home and self._guard.check_led(target, self._upstreams[ask.upstream])
        if public:
            await self._homes.learn(self._bases[ask.upstream])
        session, proxy = self._sessions[ask.upstream].pick(target, public=public)
        return Hop(ask=ask, target=target, session=session, proxy=proxy, auth=auth)

    async def _fetch_token(self, upstream: str, challenge: Challenge, stages: Stages) -> Granted | None:
        """None where the realm gives none. Our credentials go to realms that the configuration names, and to one on
        the upstream's own origin. Raises UpstreamStatus for a realm that is out of order: that refuses nothing."""
        target = parse_target(challenge.url)
        at_home = target.origin == self._bases[upstream].origin
        settings = self._upstreams[upstream]
        ours = at_home or any(parse_target(realm).origin == target.origin for realm in settings.token_realms)
        ask = Ask(upstream=upstream, url=challenge.url)
        auth = settings.auth if ours else Auth()
        reply = await self._exchange.contact(await self._hop(ask, target, auth, at_home=at_home), stages)
        try:
            if reply.status == 429 or reply.status >= 500:
                raise UpstreamStatus(f"the realm {target.name}", reply.status)
            return await read_granted(reply) if reply.status == 200 else None
        finally:
            await reply.close()

    def base_url(self, upstream: str) -> str:
        return self._upstreams[upstream].url.rstrip("/") + "/"

    def identity(self, upstream: str) -> str:
        return self._identities[upstream].result()

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


def _realms_of(upstreams: Mapping[str, UpstreamSettings]) -> list[Origin]:
    return [parse_target(realm).origin for upstream in upstreams.values() for realm in upstream.token_realms]


def _bearer(token: Secret) -> Auth:
    return Auth(kind=AuthKind.BEARER, secret=token)

"""One hop: a request to one origin, tried again where allowed, its outcome booked to the origin's health."""

import asyncio
import random
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict

from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import Ask
from entrepot.errors import LoopDetected, Unreachable, UpstreamTimeout
from entrepot.model.headers import split_list
from entrepot.upstream.auth import auth_fields
from entrepot.upstream.failures import explain, may_pass
from entrepot.upstream.health import Health
from entrepot.upstream.reply import AiohttpReply
from entrepot.upstream.retry import RETRIED, pause_before, retry_after
from entrepot.upstream.settings import Auth, ClientSettings
from entrepot.upstream.stages import Stages
from entrepot.upstream.target import Target

SAFE = frozenset({"GET", "HEAD"})
# Ours to set, or nobody's: a client's credentials and cookies are not for upstream.
_NOT_FORWARDED = frozenset(
    {"authorization", "connection", "content-length", "cookie", "host", "keep-alive", "proxy-authorization", "te"}
    | {"trailer", "transfer-encoding", "upgrade", "user-agent", "via"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A request to one origin; a redirect makes the next hop."""

    ask: Ask
    target: Target
    session: aiohttp.ClientSession
    proxy: str | None
    auth: Auth
    """Of this origin; none for any but the configured one."""


class Exchange:
    def __init__(self, settings: ClientSettings, health: Health, clock: Clock) -> None:
        self._settings = settings
        self._health = health
        self._clock = clock

    async def contact(self, hop: Hop, stages: Stages) -> AiohttpReply:
        """Raises what `Fetcher.send` raises, but for refusals."""
        origin = hop.target.name
        probe = await self._health.admit(origin)
        retries = self._settings.retries if hop.ask.patient and hop.ask.method in SAFE and not probe else 0
        try:
            reply = await self._answer(hop, stages, retries)
        except (Unreachable, UpstreamTimeout) as failure:
            await self._health.failed(origin, str(failure).removeprefix(f"{origin}: "), probe=probe)
            raise
        except BaseException:
            if probe:
                await self._health.released(origin)
            raise
        try:
            await self._judge(hop, reply, probe=probe)
        except BaseException:
            await reply.close()
            raise
        return reply

    async def _judge(self, hop: Hop, reply: AiohttpReply, *, probe: bool) -> None:
        """Book an answer. Raises UpstreamBusy, LoopDetected."""
        origin = hop.target.name
        wait = retry_after(reply.status, reply.headers, self._clock.now())
        if wait is not None:
            raise await self._health.asked_to_wait(origin, wait, reply.status)
        if reply.status >= 500:
            await self._health.failed(origin, f"answered {reply.status}", probe=probe)
        else:
            await self._health.succeeded(origin)
        if reply.status == 508 and own_via(reply.headers.get("via"), self._settings.instance):
            raise LoopDetected(
                f"{origin}: upstream {hop.ask.upstream} leads back to this Entrepot; "
                f"set the url of [upstreams.{hop.ask.upstream}] to the registry itself"
            )

    async def _answer(self, hop: Hop, stages: Stages, retries: int) -> AiohttpReply:
        """The last of at most 1 + `retries` tries."""
        retry = 0
        while True:
            try:
                reply = await self._once(hop, stages)
            except (aiohttp.ClientError, OSError) as error:
                if retry == retries or not may_pass(error, stages):
                    raise explain(error, hop.target.name, stages) from error
            else:
                if retry == retries or reply.status not in RETRIED or "retry-after" in reply.headers:
                    return reply
                await reply.close()
            await asyncio.sleep(pause_before(retry, self._settings.retry_delay, random.random()))
            retry += 1

    async def _once(self, hop: Hop, stages: Stages) -> AiohttpReply:
        async with stages.limited():
            response = await hop.session.request(
                hop.ask.method,
                hop.target.url,
                headers=self._fields(hop),
                data=hop.ask.body,
                allow_redirects=False,
                proxy=hop.proxy,
                trace_request_ctx=stages,
            )
        return AiohttpReply(response, hop.target, self._settings.read_timeout)

    def _fields(self, hop: Hop) -> CIMultiDict[str]:
        fields = CIMultiDict((name, value) for name, value in hop.ask.headers if name not in _NOT_FORWARDED)
        fields.setdefault("accept-encoding", "identity")
        fields["user-agent"] = self._settings.user_agent
        before = hop.ask.headers.get("via")
        us = via_of(self._settings.instance)
        fields["via"] = f"{before}, {us}" if before else us
        for name, value in auth_fields(hop.auth):
            fields[name] = value
        return fields


def via_of(instance: str) -> str:
    """Our Via field."""
    return f"1.1 {_pseudonym(instance)}"


def own_via(text: str, instance: str) -> bool:
    """Whether a Via field (RFC 9110 §7.6.3) names us."""
    return any(_pseudonym(instance) in member.split()[1:2] for member in split_list(text))


def _pseudonym(instance: str) -> str:
    return f"entrepot-{instance}"

"""Upstreams of kind `vcs`: modules from their git repositories, through the go command."""

import hashlib
import io
import logging
from collections.abc import Mapping
from pathlib import Path

from aiohttp.abc import AbstractResolver

from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import Ask
from entrepot.errors import UpstreamStatus
from entrepot.model.netrc import netrc_text
from entrepot.upstream.address import AddressPolicy
from entrepot.upstream.guard import Guard
from entrepot.upstream.health import Health
from entrepot.upstream.settings import ClientSettings
from entrepot.upstream.vcs_command import GoCommand, clear
from entrepot.upstream.vcs_questioner import Means, Questioner
from entrepot.upstream.vcs_questions import parse_question
from entrepot.upstream.vcs_reply import LocalReply
from entrepot.upstream.vcs_settings import VcsSettings

_TYPES = {
    "list": "text/plain; charset=UTF-8",
    "latest": "application/json",
    "info": "application/json",
    "mod": "text/plain; charset=UTF-8",
    "zip": "application/zip",
}
_log = logging.getLogger("entrepot")


class VcsFetcher:
    """Implements contracts.fetcher.Fetcher: answers the questions of the Go module proxy protocol."""

    def __init__(
        self,
        upstreams: Mapping[str, VcsSettings],
        limits: ClientSettings,
        health: Health,
        clock: Clock,
        directory: Path,
        search_path: str,
        *,
        policy: AddressPolicy | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`directory` is ours alone, for what commands write; `search_path` is where programs are, as in PATH.

        Raises OSError where the directory cannot be made.
        """
        clear(directory)
        policy = policy or AddressPolicy()
        guard = Guard(policy, (), limits.own_addresses, ())
        means = Means(guard=guard, policy=policy, health=health, clock=clock, limits=limits, resolver=resolver)
        self._upstreams = upstreams
        self._questioners = {
            name: Questioner(settings, GoCommand(settings, directory, search_path), means)
            for name, settings in upstreams.items()
        }
        self._identities = {name: _identity_of(settings) for name, settings in upstreams.items()}

    async def send(self, ask: Ask) -> LocalReply:
        question = parse_question(ask.url.removeprefix(self.base_url(ask.upstream)))
        if question is None or not self._upstreams[ask.upstream].serves(question.module):
            return _text(ask, 404, "nothing that is asked of version control here")
        try:
            body = await self._questioners[ask.upstream].answer(question)
        except UpstreamStatus as failure:
            if failure.upstream_status not in (404, 410):
                _log.warning("%s", failure)
            return _text(ask, failure.upstream_status, str(failure))
        return LocalReply(ask.url, 200, _TYPES[question.what], body, headless=ask.method == "HEAD")

    def base_url(self, upstream: str) -> str:
        return f"vcs://{upstream}/"

    def identity(self, upstream: str) -> str:
        return self._identities[upstream]

    def owns(self, upstream: str, package: str) -> bool:
        return bool(package) and self._upstreams[upstream].reserves(package)

    async def close(self) -> None:
        """Nothing is open between questions."""


def _text(ask: Ask, status: int, text: str) -> LocalReply:
    return LocalReply(ask.url, status, _TYPES["list"], io.BytesIO(f"{text}\n".encode()), headless=ask.method == "HEAD")


def _identity_of(settings: VcsSettings) -> str:
    """As `auth.identity_of` makes it, of the credentials that git gets."""
    material = "\0".join(("vcs", settings.name, netrc_text(settings.logins)))
    return hashlib.scrypt(material.encode(), salt=settings.name.encode(), n=2**14, r=8, p=1, dklen=8).hex()

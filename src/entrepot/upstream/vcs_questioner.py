"""What one upstream of kind `vcs` knows of modules, as the go command tells it."""

import asyncio
import io
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec
from aiohttp.abc import AbstractResolver

from entrepot.contracts.clock import Clock
from entrepot.errors import EgressRefused, Unreachable, UpstreamBusy, UpstreamFailure, UpstreamStatus, UpstreamTimeout
from entrepot.upstream.address import AddressPolicy
from entrepot.upstream.guard import Guard
from entrepot.upstream.health import Health
from entrepot.upstream.settings import ClientSettings
from entrepot.upstream.vcs_command import GoCommand, Printed, Workplace
from entrepot.upstream.vcs_questions import Question
from entrepot.upstream.vcs_relay import Relay
from entrepot.upstream.vcs_settings import VcsSettings
from entrepot.upstream.vcs_words import failure_of

KEPT_SECONDS = 60.0
KEPT_VERSIONS = 64

T = TypeVar("T")


class _Listed(msgspec.Struct):
    """What `go list -m -json` prints of one module."""

    Version: str = ""
    Versions: list[str] = []
    Time: str = ""
    GoMod: str = ""


class _Downloaded(msgspec.Struct):
    """What `go mod download -json` prints of one module."""

    GoMod: str = ""
    Zip: str = ""
    Error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    info: bytes
    mod: bytes | None
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all upstreams of kind `vcs` work with."""

    guard: Guard
    policy: AddressPolicy
    health: Health
    clock: Clock
    limits: ClientSettings
    resolver: AbstractResolver | None = None


class Questioner:
    def __init__(self, settings: VcsSettings, command: GoCommand, means: Means) -> None:
        self._settings, self._command, self._means = settings, command, means
        self._slots = asyncio.Semaphore(settings.max_commands)
        self._described: OrderedDict[tuple[str, str], _Described] = OrderedDict()

    async def answer(self, question: Question) -> BinaryIO:
        """The body, to be closed. Raises UpstreamStatus, with 404 for what does not exist, and what Fetcher.send
        raises."""
        known = self._recall(question)
        if known is not None:
            return io.BytesIO(known)
        origin = f"{self._settings.name}/{question.host}"
        probe = await self._means.health.admit(origin)
        try:
            body = await self._ask(question)
        except (Unreachable, UpstreamTimeout) as failure:
            await self._means.health.failed(origin, str(failure), probe=probe)
            raise
        except UpstreamStatus as failure:
            await self._book(origin, failure.upstream_status, probe=probe)
            raise
        except BaseException:
            if probe:
                await self._means.health.released(origin)
            raise
        await self._means.health.succeeded(origin)
        return body

    async def _book(self, origin: str, status: int, *, probe: bool) -> None:
        if status >= 500:
            await self._means.health.failed(origin, f"answered {status}", probe=probe)
        else:
            await self._means.health.succeeded(origin)

    # --- asking -----------------------------------------------------------------------------------------------------

    async def _ask(self, question: Question) -> BinaryIO:
        subject = f"{self._settings.name}: {question.module}"
        self._check_host(question.host)
        async with self._slot(subject):
            try:
                async with asyncio.timeout(self._settings.timeout):
                    return await self._ask_in_time(question, subject)
            except TimeoutError as error:
                raise UpstreamTimeout(f"{subject}: no answer within {self._settings.timeout:g} s") from error

    async def _ask_in_time(self, question: Question, subject: str) -> BinaryIO:
        async with self._connected() as (relay, proxy), self._command.workplace(proxy) as workplace:
            try:
                return await self._ask_go(question, workplace, subject)
            except UpstreamFailure:
                # What git and go say of a proxy that lets them nowhere is less than what it knows itself.
                if relay is not None and relay.failure is not None:
                    raise relay.failure from None
                raise

    async def _ask_go(self, question: Question, workplace: Workplace, subject: str) -> BinaryIO:
        if question.what == "list":
            listed = await _list(workplace, subject, "-versions", "-retracted", question.module)
            return io.BytesIO("".join(f"{version}\n" for version in listed.Versions).encode())
        listed = await _list(workplace, subject, question.query)
        if question.is_canonical and listed.Version != question.version:
            raise UpstreamStatus(f"{subject}: {question.version} is {listed.Version}", 404)
        if question.what == "zip" or (question.what == "mod" and not listed.GoMod):
            downloaded = await _download(workplace, subject, question.query)
            return _opened(downloaded.Zip if question.what == "zip" else downloaded.GoMod)
        return io.BytesIO(self._remember(question, listed, workplace))

    def _check_host(self, host: str) -> None:
        """The relay judges addresses; what spells one itself would be asked past it."""
        if self._settings.http_proxy or self._settings.names_host(host):
            return
        if not self._means.policy.is_public_host(host):
            raise EgressRefused(f"{host}: not a public host, and not named by upstream {self._settings.name}")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Relay | None, str]]:
        """The way out. Behind an operator's proxy it is the proxy that decides what may be reached."""
        if self._settings.http_proxy:
            yield None, self._settings.http_proxy
            return
        limits = self._means.limits
        relay = Relay(self._means.guard, self._settings.names_host, limits.connect_timeout, self._means.resolver)
        async with relay:
            yield relay, relay.url

    @asynccontextmanager
    async def _slot(self, subject: str) -> AsyncIterator[None]:
        patience = self._means.limits.queue_timeout
        try:
            async with asyncio.timeout(patience):
                await self._slots.acquire()
        except TimeoutError as error:
            raise UpstreamBusy(subject, 1.0, f"all go commands were in use for {patience:g} s") from error
        try:
            yield
        finally:
            self._slots.release()

    # --- what was asked a moment ago --------------------------------------------------------------------------------

    def _remember(self, question: Question, listed: _Listed, workplace: Workplace) -> bytes:
        """The answer. The go command asks for `.mod` right behind `.info`, and both came together."""
        told = {"Version": listed.Version, "Time": listed.Time} if listed.Time else {"Version": listed.Version}
        mod = None
        if listed.GoMod:
            mod = Path(listed.GoMod).read_bytes()
        until = self._means.clock.timestamp() + KEPT_SECONDS
        described = _Described(info=msgspec.json.encode(told), mod=mod, until=until)
        self._described[question.module, listed.Version] = described
        while len(self._described) > KEPT_VERSIONS:
            self._described.popitem(last=False)
        return described.mod if question.what == "mod" and described.mod is not None else described.info

    def _recall(self, question: Question) -> bytes | None:
        if not question.is_canonical:
            return None
        found = self._described.get((question.module, question.version))
        if found is None or found.until < self._means.clock.timestamp():
            return None
        return {"info": found.info, "mod": found.mod}.get(question.what)


async def _list(workplace: Workplace, subject: str, *arguments: str) -> _Listed:
    """With -v, the go command repeats what git said where it tries whether a repository is there at all."""
    printed = await workplace.run("list", "-m", "-v", "-json", *arguments)
    if printed.code:
        raise failure_of(printed.words, subject)
    return _decoded(printed, _Listed, subject)


async def _download(workplace: Workplace, subject: str, query: str) -> _Downloaded:
    printed = await workplace.run("mod", "download", "-json", query)
    if printed.code and not printed.output:
        raise failure_of(printed.words, subject)
    downloaded = _decoded(printed, _Downloaded, subject)
    if printed.code or not downloaded.Zip:
        raise failure_of(f"{printed.words}\n{downloaded.Error}", subject)
    return downloaded


def _decoded(printed: Printed, kind: type[T], subject: str) -> T:
    try:
        return msgspec.json.decode(printed.output, type=kind)
    except msgspec.MsgspecError as error:
        raise UpstreamFailure(f"{subject}: what the go command printed cannot be read: {error}") from error


def _opened(path: str) -> BinaryIO:
    """What is open can be read although its name goes away with the workplace."""
    return Path(path).open("rb")

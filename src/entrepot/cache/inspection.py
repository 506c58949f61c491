"""What an operator wants to see of a cache: whether its store is sound, its upstreams answer, and what they offer."""

import asyncio
import random
import time
from collections.abc import Mapping

from entrepot.cache.answer import Body, Growing, Stored, Streamed
from entrepot.cache.ask import ClientAsk
from entrepot.cache.engine import Engine
from entrepot.cache.janitor import Janitor
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.contracts.fetcher import Ask
from entrepot.errors import BadRequest, EntrepotError, StoreFailure, VersionChanged
from entrepot.model.headers import parse_http_date
from entrepot.model.resource import Reply, Request

REACH_SECONDS = 10.0
"""For one upstream to answer one small request."""


class Inspection:
    def __init__(self, kit: Kit, repositories: Mapping[str, Repository], engine: Engine, janitor: Janitor) -> None:
        self._kit, self._repositories, self._engine, self._janitor = kit, repositories, engine, janitor

    async def inspect(self, samples: int) -> dict[str, object]:
        """Write to disk and catalog, and read `samples` stored files again. Wrong ones go into quarantine."""
        problems = []
        for probe in (self._kit.blobs.probe, self._kit.catalog.probe):
            try:
                await asyncio.to_thread(probe)
            except StoreFailure as failure:
                problems.append(str(failure))
        digests = await asyncio.to_thread(self._kit.blobs.digests)
        chosen = random.sample(digests, min(samples, len(digests)))
        wrong = [sha256 for sha256 in chosen if not await self._janitor.check(sha256)]
        return {"problems": problems, "files": len(digests), "read": len(chosen), "wrong": wrong}

    async def reach(self) -> list[dict[str, object]]:
        """One small request to each upstream, all at once."""
        asked = [(repository.name, name) for repository in self._repositories.values() for name in repository.upstreams]
        return list(await asyncio.gather(*(self._reach(repository, name) for repository, name in asked)))

    async def _reach(self, repository: str, upstream: str) -> dict[str, object]:
        url = self._kit.fetcher.base_url(upstream)
        told: dict[str, object] = {"repository": repository, "upstream": upstream, "url": url}
        began = time.perf_counter()
        try:
            async with asyncio.timeout(REACH_SECONDS):
                reply = await self._kit.fetcher.send(Ask(upstream=upstream, url=url, method="HEAD", patient=False))
        except EntrepotError as error:
            return {**told, "error": str(error)}
        except TimeoutError:
            return {**told, "error": f"no answer within {REACH_SECONDS:.0f} s"}
        await reply.close()
        told |= {"status": reply.status, "ms": round((time.perf_counter() - began) * 1000)}
        theirs = parse_http_date(reply.headers.get("date"))
        if theirs is not None:
            told["ahead"] = round(self._kit.clock.timestamp() - theirs.timestamp())
        return told

    async def offered(self, repository: Repository, key: str) -> str:
        """The sha256 of what upstream has under a file's name now, when it is not what is remembered; else empty. The
        file is fetched, and stored if it is what it was."""
        path, _, query = key.partition(" ")[0].partition("?")
        resource = repository.ecosystem.route(Request(method="GET", path=path, query=query))
        if isinstance(resource, Reply):
            raise BadRequest(f"{repository.name}/{key} names nothing that is stored")
        try:
            answer = await self._engine.fetch(repository, resource, ClientAsk())
            await _drain(answer.body)
        except VersionChanged as changed:
            return changed.got.partition(":")[2]
        return ""


async def _drain(body: Body) -> None:
    """Take everything in, so that it is verified to its end. Raises what is wrong with it."""
    match body:
        case Growing(flight):
            with flight.reader() as reader:
                while await reader.read(1 << 20, asyncio.to_thread):
                    pass
        case Stored(blob):
            blob.close()
        case Streamed():
            await body.close()

"""Processes that do fills, over one real catalog and an upstream that is told what to answer."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from entrepot.cache.counters import Counters
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.repository import Repository
from entrepot.catalog.fills import SqliteFills
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.ecosystem import Limits
from entrepot.contracts.fills import FillRecord
from entrepot.contracts.triggers import Trigger
from entrepot.mirror.filling import Filler
from entrepot.mirror.fills import Fills
from entrepot.mirror.rules import FillRules
from entrepot.model.resource import Kind, Request, Resource
from tests.cache.works import Shelf, until
from tests.fakes import FakeClock


@dataclass(kw_only=True)
class Upstream:
    """What is fetched, and what becomes of it: an error, or nothing where it is stored."""

    asked: list[str] = field(default_factory=list)
    errors: dict[str, list[BaseException]] = field(default_factory=lambda: defaultdict(list))
    """By key: the next answers. Behind the last there is success."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Until it is set everything takes its time."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def fetch(self, repository: Repository, resource: Resource) -> None:
        self.asked.append(f"{repository.name}/{resource.stored_key}")
        await self.gate.wait()
        errors = self.errors[resource.key]
        if errors:
            raise errors.pop(0)


class Process:
    """One of those that serve. `Process.beside` is another one, on the same file."""

    def __init__(
        self,
        path: Path,
        clock: FakeClock,
        upstream: Upstream,
        *,
        rules: FillRules | None = None,
        renew_seconds: float = 20.0,
        repositories: tuple[str, ...] = ("shelf",),
        name: str = "one",
    ) -> None:
        self.path, self.clock, self.upstream = path, clock, upstream
        self.rules = rules or FillRules(quiet_period=3600.0)
        self.catalog = SqliteCatalog.open(path, clock)
        self.counters = Counters()
        self.leases = SqliteLeases(self.catalog)
        self.fills = Fills(SqliteFills(self.catalog), self.leases, clock, self.counters, self.rules)
        self.repositories = {one: repository_of(one) for one in repositories}
        self.filler = Filler(self.fills, self.repositories, upstream.fetch, holder=name, renew_seconds=renew_seconds)

    def beside(self) -> Self:
        return type(self)(self.path, self.clock, self.upstream, rules=self.rules, name="two")

    async def close(self) -> None:
        await self.catalog.close()

    # --- what requests do ---------------------------------------------------------------------------------------------

    def miss(
        self,
        path: str = "loose/a",
        *,
        client: str = "127.0.0.1",
        authenticated: bool = False,
        repository: str = "shelf",
    ) -> None:
        self.fills.offer(
            Trigger(
                repository=repository,
                resource=resource_at(path),
                reason="demand",
                client=client,
                authenticated=authenticated,
            )
        )

    async def missed(self, *paths: str) -> None:
        for path in paths or ("loose/a",):
            self.miss(path)
        await self.fills.write_down()

    # --- what the process does ----------------------------------------------------------------------------------------

    async def run_due(self) -> None:
        """Everything that is due and has room, to its end."""
        async with asyncio.TaskGroup() as group:
            await self.filler.begin(group)

    async def asked(self, count: int) -> None:
        """So often, at least, upstream has been asked."""
        await until(lambda: len(self.upstream.asked) >= count)

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def results(self) -> dict[str, int]:
        return self.counters.triggers

    def record(self, key: str = "shelf/loose/a") -> FillRecord:
        return next(record for record in self.fills.book.records(1000) if record.fill.key == key)

    def state(self, key: str = "shelf/loose/a") -> str:
        return self.record(key).fill.state.value

    def wait(self, key: str = "shelf/loose/a") -> float:
        """Seconds until it may be done again."""
        lease = self.leases.find(key)
        assert lease is not None
        return (lease.not_before - self.clock.now()).total_seconds()


def repository_of(name: str) -> Repository:
    return Repository(
        name=name,
        ecosystem=Shelf(),
        upstreams=("main",),
        rules=FreshnessRules(),
        limits=Limits(),
        verify_always=True,
    )


def resource_at(path: str) -> Resource:
    resource = Shelf().route(Request(method="GET", path=path))
    assert resource.kind is not Kind.PASS
    return resource

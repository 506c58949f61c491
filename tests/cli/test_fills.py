"""`entrepot fills`: through a running server, and without one."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from entrepot.assembly.blueprint import SystemClock
from entrepot.catalog.fills import SqliteFills
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.fills import Fill, FillState
from tests.cli.house import House

BIG, GONE = "npm/left/-/left-1.0.0.tgz", "npm/left/-/left-9.9.9.tgz"
INDEX = "pypi/simple/acme-app/"


async def _fail(house: House) -> None:
    """Two that failed, and one that was done."""
    clock = SystemClock()
    catalog = SqliteCatalog.open(house.data / "catalog.db", clock)
    book, leases = SqliteFills(catalog), SqliteLeases(catalog)
    plain = Fill(key="", repository="npm", path="", reason="demand", client="ci", created_at=clock.now())
    for key, reason in ((BIG, "left-1.0.0.tgz is too big"), (GONE, "left-9.9.9.tgz does not exist"), (INDEX, "")):
        name = f"{key} application/json" if key == INDEX else key
        await book.add([replace(plain, key=name, created_at=clock.now())], clock.now())
        lease = await leases.acquire(name, "one", clock.now(), 60.0)
        assert lease is not None
        after = lease.failed_for_good(clock.now(), 86400.0, reason) if reason else lease.succeeded(clock.now(), 3600.0)
        await leases.keep(after)
        await book.close(name, FillState.FAILED if reason else FillState.DONE)
    await catalog.close()


@pytest.fixture(params=["at rest", "running"])
def failed(request: pytest.FixtureRequest, house: House) -> Iterator[House]:
    asyncio.run(_fail(house))
    if request.param == "at rest":
        yield house
        return
    with house.serving():
        yield house


def done(house: House, *arguments: str) -> list[str]:
    command = house.entrepot("fills", *arguments)
    assert command.status == 0, command.err
    return command.out.splitlines()


def test_fills_are_listed_and_cleared(failed: House) -> None:
    head, big, why, gone, _, index = done(failed)
    assert head.split() == ["path", "state", "failures", "next", "try", "for"]
    assert big.split()[:3] == [BIG, "failed", "1"]
    assert why == "  left-1.0.0.tgz is too big"
    assert (gone.split()[0], index.split()) == (GONE, [INDEX, "done", "0", "-", "ci"])
    told = json.loads("\n".join(done(failed, "--json")))
    assert [(one["key"], one["error"]) for one in told][:1] == [(BIG, "left-1.0.0.tgz is too big")]

    assert done(failed, "clear", INDEX) == [f"cleared {INDEX}"]
    assert sorted(done(failed, "clear", "--all")) == [f"cleared {BIG}", f"cleared {GONE}"]
    assert done(failed) == ["nothing is fetched behind answers"]
    assert done(failed, "clear", "--all") == ["nothing to do: nothing failed"]


def test_a_fill_that_is_not_there_cannot_be_cleared(house: House) -> None:
    refused = house.entrepot("fills", "clear", BIG)
    assert refused.status == 2
    assert f"there is no fill '{BIG}'" in refused.err


@pytest.mark.parametrize("arguments", [(), (BIG, "--all")])
def test_either_one_fill_is_cleared_or_all(house: House, arguments: tuple[str, ...]) -> None:
    refused = house.entrepot("fills", "clear", *arguments)
    assert refused.status == 2
    assert "name the fill to clear, or say --all" in refused.err

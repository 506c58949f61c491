"""Names go to their owners only: whoever asks, whatever is asked, and whatever goes wrong."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.cache.ask import ClientAsk
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.ecosystems.npm import Npm
from entrepot.errors import Absent, PolicyRefused, Unreachable, UpstreamStatus
from entrepot.model.headers import Headers
from entrepot.model.names import Reservation, ReservedNames
from entrepot.model.resource import Request, Resource
from entrepot.policy.gate import Gate
from entrepot.policy.verdict import Download, Mode
from tests.cache.works import Works, body_of, page, until, works_in
from tests.fakes import Reply, ScriptedFetcher

pytestmark = pytest.mark.anyio

PUBLIC, CORP = "https://registry.example/", "https://corp.example/"
RESERVED = ReservedNames((Reservation("loose", 'repositories.shelf.reserved "loose"'),))
BODY, OTHER = b"ours\n", b"theirs\n"


class SlowFetcher(ScriptedFetcher):
    """Answers some URLs only when it is told to."""

    def __init__(self, **bases: str) -> None:
        super().__init__(**bases)
        self.waits: dict[str, asyncio.Event] = {}

    async def send(self, ask: Ask) -> UpstreamReply:
        if ask.url in self.waits:
            await self.waits[ask.url].wait()
        return await super().send(ask)


@pytest.fixture
async def works(tmp_path: Path) -> AsyncIterator[Works]:
    """Of two upstreams; nothing is reserved yet."""
    works = works_in(tmp_path, fetcher=SlowFetcher(public=PUBLIC, corp=CORP))
    yield works
    await works.background.drain(0)


def reserve(works: Works, owner: str | None = None, ecosystem: Ecosystem | None = None) -> None:
    works.shelf = replace(works.shelf, reserved=RESERVED, ecosystem=ecosystem or works.shelf.ecosystem)
    if owner:
        works.fetcher.reserved["loose"] = owner


def hosts_asked(works: Works) -> list[str]:
    return [ask.url.split("/")[2] for ask in works.fetcher.asks]


# --- reserved ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_reserved_name_that_nobody_owns_is_refused_with_its_rule_and_nobody_is_asked(
    works: Works, method: str
) -> None:
    reserve(works)
    works.fetcher.on(f"{PUBLIC}loose/a", page(OTHER))
    with pytest.raises(PolicyRefused, match=r'reserved.*repositories\.shelf\.reserved "loose"') as refusal:
        await works.fetch("loose/a", method=method)
    assert refusal.value.status == 403
    assert works.fetcher.asks == []


async def test_other_names_are_asked_as_ever(works: Works) -> None:
    reserve(works)
    works.fetcher.on(f"{PUBLIC}signed/a", page(OTHER))
    assert await works.get("signed/a") == (200, OTHER)


async def test_a_reserved_name_goes_to_its_owner_alone(works: Works) -> None:
    reserve(works, owner="corp")
    works.fetcher.on(f"{PUBLIC}loose/a", page(OTHER))
    works.fetcher.on(f"{CORP}loose/a", page(BODY))
    assert await works.get("loose/a") == (200, BODY)
    with pytest.raises(Absent):
        await works.get("loose/b")
    assert set(hosts_asked(works)) == {"corp.example"}


async def test_what_is_stored_under_a_reserved_name_is_served_at_any_age(works: Works) -> None:
    works.fetcher.on(f"{PUBLIC}pkg/", page(b'{"a": "1"}'))
    await works.get("pkg/")
    await works.settle()
    works.shelf = replace(works.shelf, reserved=ReservedNames((Reservation("pkg", "rule"),)))
    works.clock.advance(400 * 86400)
    asked = len(works.fetcher.asks)
    assert await works.get("pkg/") == (200, b"a\n")
    await works.settle()
    assert len(works.fetcher.asks) == asked


async def test_a_rule_cannot_send_a_reserved_name_to_another_upstream(works: Works) -> None:
    reserve(works, owner="corp")
    works.shelf = replace(works.shelf, gate=Gate(download=Download(upstream="public")))
    with pytest.raises(PolicyRefused):
        await works.get("loose/a")
    assert works.fetcher.asks == []


async def test_no_fill_asks_for_what_is_reserved(works: Works) -> None:
    reserve(works)
    resource = works.shelf.ecosystem.route(Request(method="GET", path="loose/a"))
    assert isinstance(resource, Resource)
    with pytest.raises(PolicyRefused):
        await works.engine.fill(works.shelf, resource)
    assert works.fetcher.asks == []


@pytest.mark.parametrize("mode", [Mode.REDIRECT, Mode.ASYNC_REDIRECT])
async def test_no_client_is_sent_elsewhere_with_a_reserved_name(works: Works, mode: Mode) -> None:
    reserve(works, owner="corp")
    elsewhere = Download(mode=mode, redirect_url="https://mirror.example/")
    works.shelf = replace(works.shelf, gate=Gate(download=elsewhere))
    with pytest.raises(PolicyRefused, match="redirect"):
        await works.get("loose/a")
    assert works.triggers.offered == []
    home = replace(elsewhere, redirect_url=CORP.rstrip("/"))
    works.shelf = replace(works.shelf, gate=Gate(download=home))
    answer = await works.fetch("loose/a")
    assert ("location", f"{CORP}loose/a") in answer.headers


async def test_what_another_upstream_said_of_a_name_does_not_count_once_it_has_an_owner(works: Works) -> None:
    works.fetcher.on(f"{PUBLIC}loose/a", page(OTHER))
    works.fetcher.on(f"{PUBLIC}pkg/", page(b'{"theirs": "1"}'))
    await works.get("loose/a")
    await works.get("pkg/")
    await works.settle()
    works.fetcher.reserved |= {"loose": "corp", "pkg": "corp"}
    works.fetcher.on(f"{CORP}pkg/", page(b'{"ours": "1"}'))
    works.fetcher.on(f"{CORP}loose/a", Reply(status=404))
    assert await works.get("pkg/") == (200, b"ours\n")
    with pytest.raises(Absent):
        await works.get("loose/a")


# --- the first owner --------------------------------------------------------------------------------------------------


async def test_the_404_of_the_owner_is_final_until_it_is_forgotten(works: Works) -> None:
    works.fetcher.on(f"{CORP}loose/a", page(BODY))
    assert await works.get("loose/a") == (200, BODY)
    works.fetcher.on(f"{PUBLIC}loose/b", page(OTHER))
    with pytest.raises(Absent):
        await works.get("loose/b")
    await works.catalog.forget("shelf", "loose", [])
    works.engine.absences.forget("shelf/")
    works.clock.advance(3600)
    assert await works.get("loose/b") == (200, OTHER)


@pytest.mark.parametrize("failure", [Unreachable("corp.example: no connection"), Reply(status=503), Reply(status=401)])
async def test_while_the_owner_is_down_nobody_else_is_asked(works: Works, failure: Reply | Unreachable) -> None:
    works.fetcher.on(f"{CORP}loose/a", page(BODY))
    await works.get("loose/a")
    works.fetcher.asks.clear()
    works.fetcher.on(f"{PUBLIC}loose/b", page(OTHER))
    works.fetcher.on(f"{CORP}loose/b", failure)
    with pytest.raises((Unreachable, UpstreamStatus)) as outage:
        await works.get("loose/b")
    assert outage.value.status in (502, 503)
    assert hosts_asked(works) == ["corp.example"]


async def test_of_two_first_requests_at_once_both_are_answered_by_one_owner(works: Works) -> None:
    """The public registry has another package of that name, and says so too late."""
    assert isinstance(works.fetcher, SlowFetcher)
    slow = works.fetcher.waits[f"{PUBLIC}loose/a"] = asyncio.Event()
    works.fetcher.on(f"{PUBLIC}loose/a", page(OTHER))
    works.fetcher.on(f"{CORP}loose/a", page(BODY))
    works.fetcher.on(f"{CORP}loose/b", page(BODY))
    waiting = asyncio.create_task(works.get("loose/a"))
    assert await works.get("loose/b") == (200, BODY)
    await until(lambda: works.catalog.find_owner("shelf", "loose") == "corp")
    slow.set()
    assert await waiting == (200, BODY)
    assert works.catalog.find_owner("shelf", "loose") == "corp"
    await works.settle()
    assert [reply.closed for reply in works.fetcher.replies] == [1] * len(works.fetcher.replies)


# --- audits and searches ----------------------------------------------------------------------------------------------


async def pass_on(works: Works, path: str, body: bytes = b"", encoding: str = "") -> tuple[int, bytes]:
    place, _, query = path.partition("?")
    method = "POST" if body else "GET"
    resource = Npm().route(Request(method=method, path=place, query=query))
    assert isinstance(resource, Resource)
    headers = Headers([("content-encoding", encoding), ("content-type", "application/json")])
    answer = await works.engine.fetch(works.shelf, resource, ClientAsk(method=method, body=body, headers=headers))
    return answer.status, await body_of(answer)


AUDIT = "-/npm/v1/security/advisories/bulk"


@pytest.fixture
def npm(works: Works) -> Works:
    reserve(works, owner="corp", ecosystem=Npm())
    works.fetcher.on(f"{PUBLIC}{AUDIT}", Reply(body=b"{}"))
    return works


async def test_an_audit_tells_a_registry_only_what_it_may_know(npm: Works) -> None:
    packed = gzip.compress(json.dumps({"loose": ["1.0.0"], "left-pad": ["1.3.0"]}).encode())
    assert await pass_on(npm, AUDIT, packed, "gzip") == (200, b"{}")
    (ask,) = npm.fetcher.asks
    assert json.loads(gzip.decompress(ask.body or b"")) == {"left-pad": ["1.3.0"]}
    assert ask.headers.get("content-encoding") == "gzip"


async def test_an_audit_of_reserved_names_alone_asks_nobody(npm: Works) -> None:
    assert await pass_on(npm, AUDIT, b'{"loose": ["1.0.0"]}') == (200, b"{}")
    assert npm.fetcher.asks == []


async def test_the_owner_is_told_its_own_names(npm: Works) -> None:
    npm.fetcher.reserved["loose"] = "public"
    body = b'{"loose": ["1.0.0"]}'
    await pass_on(npm, AUDIT, body)
    assert [ask.body for ask in npm.fetcher.asks] == [body]


async def test_a_search_for_a_reserved_name_finds_nothing_and_asks_nobody(npm: Works) -> None:
    status, body = await pass_on(npm, "-/v1/search?text=loose&size=20")
    assert (status, json.loads(body)["objects"]) == (200, [])
    assert npm.fetcher.asks == []


async def test_where_nothing_is_reserved_an_audit_passes_untouched(works: Works) -> None:
    works.shelf = replace(works.shelf, ecosystem=Npm())
    works.fetcher.on(f"{PUBLIC}{AUDIT}", Reply(body=b"{}"))
    await pass_on(works, AUDIT, b"not even JSON")
    assert [ask.body for ask in works.fetcher.asks] == [b"not even JSON"]


@pytest.mark.parametrize("path", ["-/package/loose/dist-tags", "-/npm/v1/attestations/loose@1.0.0", "loose"])
async def test_everything_about_a_package_is_asked_of_its_owner(npm: Works, path: str) -> None:
    with pytest.raises(Absent):
        await npm.fetch(path)
    assert set(hosts_asked(npm)) == {"corp.example"}

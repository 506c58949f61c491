"""Names that move: asked about by HEAD, kept under what they meant, and judged by how old that is."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from entrepot.cache.answer import Answer
from entrepot.cache.ask import ClientAsk
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.plan import Wish
from entrepot.cache.repository import Repository
from entrepot.contracts.fetcher import Ask
from entrepot.ecosystems.oci import Oci
from entrepot.errors import Absent, DigestMismatch, PolicyError, PolicyRefused, Unreachable
from entrepot.model.constraints import parse_constraint
from entrepot.model.resource import Request, Resource
from entrepot.policy.cooldown import Cooldown, Exemption
from entrepot.policy.gate import Gate
from entrepot.policy.patterns import PackagePattern
from tests.cache.works import Works, body_of, sha256
from tests.fakes import NOON, Reply

pytestmark = pytest.mark.anyio
DAY = 86400.0
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
COOLDOWN = Cooldown(default=3 * DAY, rule="cooldown.default")
TAG = "v2/team/app/manifests/latest"


def ago(days: float) -> str:
    return f"{NOON - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


class Registry:
    """One repository of images on the works, and the registry behind it."""

    def __init__(self, works: Works, cooldown: Cooldown | None = None) -> None:
        self.works, self.tells = works, True
        self.repository = Repository(
            name="hub",
            ecosystem=Oci(),
            upstreams=tuple(works.fetcher.bases),
            rules=FreshnessRules(while_revalidate=0.0),
            limits=Oci.limits,
            gate=Gate(cooldown=cooldown, revision="1"),
        )

    def push(self, text: str, *tags: str, created: str = ago(30), name: str = "team/app") -> str:
        """An image; the digest of its manifest."""
        config = json.dumps({"created": created, "text": text}).encode()
        layer = f"layer of {text}".encode()
        told = [{"mediaType": CONFIG, "digest": f"sha256:{sha256(config)}", "size": len(config)}]
        told.append({"mediaType": "a/layer", "digest": f"sha256:{sha256(layer)}", "size": len(layer)})
        manifest = json.dumps({"schemaVersion": 2, "config": told[0], "layers": told[1:]}).encode()
        for body in (config, layer):
            self.works.fetcher.on(
                f"v2/{name}/blobs/sha256:{sha256(body)}", self.answer(body, "application/octet-stream")
            )
        for reference in (f"sha256:{sha256(manifest)}", *tags):
            self.works.fetcher.on(f"v2/{name}/manifests/{reference}", self.answer(manifest, IMAGE))
        return f"sha256:{sha256(manifest)}"

    def answer(self, body: bytes, kind: str) -> Callable[[Ask], Reply]:
        def answered(ask: Ask) -> Reply:
            fields = [("content-type", kind), ("etag", f'"{sha256(body)[:9]}"')]
            if self.tells:
                fields.append(("docker-content-digest", f"sha256:{sha256(body)}"))
            return Reply(body=body, fields=tuple(fields))

        return answered

    def tags(self, *names: str) -> None:
        body = json.dumps({"name": "team/app", "tags": names}).encode()
        self.works.fetcher.on("v2/team/app/tags/list", self.answer(body, "application/json"))

    def resource(self, path: str) -> Resource:
        found = self.repository.ecosystem.route(Request(method="GET", path=path))
        assert isinstance(found, Resource)
        return found

    async def answered(self, path: str = TAG, *, method: str = "GET", as_of: datetime | None = None) -> Answer:
        ask = ClientAsk(method=method, base="http://x/hub", as_of=as_of, wish=Wish())
        answer = await self.works.engine.fetch(self.repository, self.resource(path), ask)
        answer.body = await body_of(answer) if method == "GET" else b""
        answer.span = None
        await self.works.settle()
        return answer

    async def digest(self, path: str = TAG, *, method: str = "GET", as_of: datetime | None = None) -> str:
        """What the answer's fields tell, which is what the body has."""
        answer = await self.answered(path, method=method, as_of=as_of)
        told = dict(answer.headers)["docker-content-digest"]
        if method == "GET":
            assert isinstance(answer.body, bytes)
            assert told == f"sha256:{sha256(answer.body)}"
        return told

    async def listed(self) -> list[str]:
        found = json.loads(await body_of(await self.answered("v2/team/app/tags/list")))
        tags: list[str] = found["tags"]
        return tags

    def asked(self) -> list[str]:
        found = [f"{ask.method} {ask.url.removeprefix('https://registry.example/')}" for ask in self.works.fetcher.asks]
        self.works.fetcher.asks.clear()
        return found


# --- what the registry is asked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tells", [True, False], ids=["digest told", "digest not told"])
async def test_a_tag_is_asked_about_by_head_and_fetched_only_when_it_moved(works: Works, tells: bool) -> None:
    hub = Registry(works)
    hub.tells = tells
    first = hub.push("one", "latest")
    assert await hub.digest() == first
    assert hub.asked() == [f"GET {TAG}"]
    works.clock.advance(61)
    answer = await hub.answered()
    assert (answer.trace.outcome, hub.asked()) == ("revalidated", [f"HEAD {TAG}"])
    second = hub.push("two", "latest")
    works.clock.advance(61)
    assert await hub.digest() == second
    assert hub.asked() == [f"HEAD {TAG}", f"GET {TAG}"]


async def test_a_registry_that_knows_no_head_is_asked_by_get(works: Works) -> None:
    hub = Registry(works)
    first = hub.push("one", "latest")
    await hub.digest()
    answer = hub.works.fetcher.scripted(TAG)[0]
    assert callable(answer)
    works.fetcher.on(TAG, lambda ask: Reply(status=405) if ask.method == "HEAD" else answer(ask))
    works.clock.advance(61)
    hub.asked()
    assert await hub.digest() == first
    assert hub.asked() == [f"HEAD {TAG}", f"GET {TAG}"]


async def test_a_tag_that_is_gone_is_said_to_be(works: Works) -> None:
    hub = Registry(works)
    hub.push("one", "latest")
    await hub.digest()
    works.fetcher.on(TAG, Reply(status=404))
    works.clock.advance(61)
    with pytest.raises(Absent):
        await hub.digest()


async def test_a_tag_is_served_stale_while_the_registry_fails(works: Works) -> None:
    hub = Registry(works)
    first = hub.push("one", "latest")
    await hub.digest()
    works.fetcher.on(TAG, Unreachable("registry.example: no connection"))
    works.clock.advance(61)
    assert (await hub.answered()).trace.outcome == "stale"
    assert await hub.digest() == first


@pytest.mark.parametrize("tells", [True, False], ids=["digest told", "digest not told"])
async def test_what_a_tag_meant_is_there_by_its_digest_without_another_request(works: Works, tells: bool) -> None:
    hub = Registry(works)
    hub.tells = tells
    digest = hub.push("one", "latest")
    assert await hub.digest(method="HEAD") == digest
    assert hub.asked() == [f"GET {TAG}"]
    answer = await hub.answered(f"v2/team/app/manifests/{digest}")
    assert dict(answer.headers)["content-type"] == IMAGE
    assert hub.asked() == []


async def test_bytes_that_are_here_by_another_name_cost_one_head(works: Works) -> None:
    hub = Registry(works)
    hub.push("same", "1", name="team/one")
    hub.push("same", "1", name="team/two")
    layer = f"blobs/sha256:{sha256(b'layer of same')}"
    await hub.answered(f"v2/team/one/{layer}")
    hub.asked()
    answer = await hub.answered(f"v2/team/two/{layer}")
    assert (answer.body, hub.asked()) == (b"layer of same", [f"HEAD v2/team/two/{layer}"])
    await hub.answered(f"v2/team/two/{layer}")
    assert hub.asked() == []


async def test_bytes_of_a_secret_name_are_not_told_to_who_asks_by_another(works: Works) -> None:
    hub = Registry(works)
    digest = hub.push("private", "1", name="team/secret")
    layer = f"blobs/sha256:{sha256(b'layer of private')}"
    await hub.answered(f"v2/team/secret/{layer}")
    await hub.answered(f"v2/team/secret/manifests/{digest}")
    for path in (layer, f"manifests/{digest}"):
        with pytest.raises(Absent):
            await hub.answered(f"v2/team/public/{path}")


async def test_a_tag_whose_bytes_are_not_what_the_registry_says_is_refused(works: Works) -> None:
    hub = Registry(works)
    works.fetcher.on(
        TAG, Reply(body=b'{"schemaVersion": 2}', fields=(("docker-content-digest", f"sha256:{'0' * 64}"),))
    )
    with pytest.raises(DigestMismatch):
        await hub.answered()
    assert works.catalog.totals()[1] == 0


# --- ages -------------------------------------------------------------------------------------------------------------


async def test_an_image_is_had_at_once_if_it_is_old_enough_and_else_refused_with_the_day(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    old = hub.push("one", "old", created=ago(30))
    hub.push("two", "young", created=ago(1))
    assert await hub.digest("v2/team/app/manifests/old") == old
    with pytest.raises(PolicyRefused, match=r"team/app young was published at .* it may be used from 2026-11-22"):
        await hub.answered("v2/team/app/manifests/young")


async def test_a_tag_that_moved_means_what_it_meant_before_until_the_new_image_is_old_enough(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    before = hub.push("one", "latest")
    assert await hub.digest() == before
    after = hub.push("two", "latest", created=ago(0))
    works.clock.advance(120)
    answer = await hub.answered()
    shown = dict(answer.headers)
    assert (shown["docker-content-digest"], shown["cache-control"]) == (before, "no-cache")
    assert (answer.trace.outcome, answer.trace.detail) == ("stale", "cooldown")
    with pytest.raises(PolicyRefused):
        await hub.answered(f"v2/team/app/manifests/{after}")
    works.clock.advance(3 * DAY)
    assert await hub.digest() == after
    assert await hub.digest(f"v2/team/app/manifests/{after}") == after


async def test_what_a_tag_meant_before_is_kept_though_the_registry_has_it_no_more(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    before = hub.push("one", "latest")
    await hub.digest()
    hub.push("two", "latest", created=ago(0))
    works.fetcher.on(f"v2/team/app/manifests/{before}", Reply(status=404))
    works.clock.advance(120)
    assert await hub.digest() == before


async def test_a_newcomer_is_as_young_as_we_first_saw_it_whatever_it_says(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    before = hub.push("one", "latest")
    await hub.digest()
    after = hub.push("two", "latest", created=ago(300))
    works.clock.advance(120)
    assert await hub.digest() == before
    works.clock.advance(3 * DAY)
    assert await hub.digest() == after


async def test_what_another_tag_meant_for_long_is_no_newcomer(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    before = hub.push("one", "latest")
    old = hub.push("two", "1.2", created=ago(300))
    assert await hub.digest() == before
    assert await hub.digest("v2/team/app/manifests/1.2") == old
    works.clock.advance(4 * DAY)
    hub.push("two", "latest", created=ago(300))
    assert await hub.digest() == old


async def test_first_sights_are_noted_without_a_cooldown_so_that_one_can_be_set_later(works: Works) -> None:
    plain = Registry(works)
    before = plain.push("one", "latest")
    await plain.digest()
    plain.push("two", "latest", created=ago(300))
    works.clock.advance(120)
    await plain.digest()
    assert await Registry(works, COOLDOWN).digest() == before


async def test_an_image_without_a_date_is_refused_unless_policy_says_otherwise(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    digest = hub.push("one", "latest", created="1970-01-01T00:00:00Z")
    with pytest.raises(PolicyRefused, match="nobody says when it was published"):
        await hub.answered()
    assert await Registry(works, Cooldown(default=3 * DAY, unknown_date="allow")).digest() == digest


async def test_an_exception_for_a_tag_lets_its_digest_pass_too(works: Works) -> None:
    exempt = Exemption(
        pattern=PackagePattern.parse("pkg:oci/team/app", Oci.purl_types, "x"),
        versions=parse_constraint("=2.0.1", Oci.versions, "x"),
        reason="CVE",
    )
    hub = Registry(works, Cooldown(default=3 * DAY, exceptions=(exempt,)))
    digest = hub.push("one", "2.0.1", "other", created=ago(0))
    assert await hub.digest("v2/team/app/manifests/2.0.1") == digest
    assert await hub.digest(f"v2/team/app/manifests/{digest}") == digest
    with pytest.raises(PolicyRefused):
        await hub.answered("v2/team/app/manifests/other")


async def test_tags_that_newly_appeared_are_neither_listed_nor_had_while_they_are_young(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    hub.push("one", "1.0")
    hub.tags("1.0")
    assert await hub.listed() == ["1.0"]
    hub.push("two", "1.1", created=ago(300))
    hub.tags("1.0", "1.1")
    works.clock.advance(120)
    assert await hub.listed() == ["1.0"]
    with pytest.raises(PolicyRefused, match="first seen"):
        await hub.answered("v2/team/app/manifests/1.1")
    works.clock.advance(3 * DAY)
    assert await hub.listed() == ["1.0", "1.1"]


async def test_a_digest_that_no_tag_led_to_was_chosen_by_whoever_wrote_it_down(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    digest = hub.push("one", "latest", created=ago(0))
    assert await hub.digest(f"v2/team/app/manifests/{digest}") == digest
    with pytest.raises(PolicyError):
        await hub.answered()
    with pytest.raises(PolicyError):
        await hub.answered(f"v2/team/app/manifests/{digest}")


async def test_an_outage_is_not_taken_for_an_image_without_a_date(works: Works) -> None:
    hub = Registry(works, COOLDOWN)
    hub.push("one", "latest")
    config = json.dumps({"created": ago(30), "text": "one"}).encode()
    works.fetcher.on(f"v2/team/app/blobs/sha256:{sha256(config)}", Unreachable("registry.example: no connection"))
    with pytest.raises(Unreachable):
        await hub.answered()


async def test_a_dated_view_shows_what_a_tag_meant_on_that_day(works: Works) -> None:
    hub = Registry(works)
    before = hub.push("one", "latest", created=ago(30))
    await hub.digest()
    after = hub.push("two", "latest", created=ago(5))
    works.clock.advance(120)
    assert await hub.digest() == after
    assert await hub.digest(as_of=NOON - timedelta(days=10)) == before
    with pytest.raises(PolicyError, match="does not exist as of"):
        await hub.answered(as_of=NOON - timedelta(days=100))

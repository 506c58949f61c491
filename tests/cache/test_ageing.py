"""What is too young is in no index and is not handed out as a file either (policy §5)."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from entrepot.cache.answer import Answer
from entrepot.cache.ask import ClientAsk
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.plan import Wish
from entrepot.cache.repository import Repository
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.generic import Generic
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.helm import Helm
from entrepot.ecosystems.npm import Npm
from entrepot.ecosystems.pypi import Pypi
from entrepot.errors import Absent, EntrepotError, PolicyHidden, PolicyRefused, Unreachable, UpstreamStatus
from entrepot.model.constraints import parse_constraint
from entrepot.model.resource import Request, Resource
from entrepot.model.versions import SEMVER
from entrepot.policy.cooldown import Cooldown, Exemption
from entrepot.policy.gate import Gate
from entrepot.policy.rules import Rule, RuleBook, Selector
from entrepot.policy.verdict import Download, Mode
from tests.cache.works import Works, body_of, page, until
from tests.fakes import NOON, Reply

pytestmark = pytest.mark.anyio
DAY = 86400.0
COOLDOWN = Cooldown(default=3 * DAY, rule="cooldown.default")
GATE = Gate(cooldown=COOLDOWN, revision="1")
GO_FILE = "go.example/m/@v/v1.2.0"
TARBALL = "left/-/left-1.2.0.tgz"
WHEEL = "left-1.2.0-py3-none-any.whl"


def ago(days: float) -> datetime:
    return NOON - timedelta(days=days)


def stamp(days: float) -> str:
    return ago(days).isoformat()


class Place:
    """One repository of one ecosystem on the works."""

    def __init__(self, works: Works, ecosystem: Ecosystem, gate: Gate = GATE) -> None:
        self.works = works
        self.repository = Repository(
            name=ecosystem.name,
            ecosystem=ecosystem,
            upstreams=tuple(works.fetcher.bases),
            rules=FreshnessRules(),
            limits=ecosystem.limits,
            gate=gate,
        )

    def resource(self, path: str, accept: str = "") -> Resource:
        path, _, query = path.partition("?")
        found = self.repository.ecosystem.route(Request(method="GET", path=path, query=query, accept=accept))
        assert isinstance(found, Resource)
        return found

    async def answer(
        self, path: str, accept: str = "", *, as_of: datetime | None = None, stored_only: bool = False
    ) -> Answer:
        ask = ClientAsk(base="http://x/here", as_of=as_of, wish=Wish(stored_only=stored_only))
        return await self.works.engine.fetch(self.repository, self.resource(path, accept), ask)

    async def get(self, path: str, accept: str = "", *, as_of: datetime | None = None) -> bytes:
        return await body_of(await self.answer(path, accept, as_of=as_of))

    async def json(self, path: str, accept: str = "", *, as_of: datetime | None = None) -> dict[str, object]:
        found = json.loads(await self.get(path, accept, as_of=as_of))
        assert isinstance(found, dict)
        return found

    async def refusal(self, path: str, **options: object) -> str:
        """Why a file is refused; empty: it is not."""
        refusal = await self.works.ages.refusal(self.repository, self.resource(path), **options)  # type: ignore[arg-type]
        return f"{refusal.status} {refusal.reason} ({refusal.rule})" if refusal else ""

    def under(self, gate: Gate) -> "Place":
        return Place(self.works, self.repository.ecosystem, gate)

    async def after(self, seconds: float) -> None:
        await self.works.settle()
        self.works.clock.advance(seconds)


# --- what upstream has ------------------------------------------------------------------------------------------------


def packument(**ages: float) -> Reply:
    """Versions (`v1_2_0`) and how many days old they are; the last is `latest`."""
    versions = {name[1:].replace("_", "."): days for name, days in ages.items()}
    base = "https://registry.example/left/-/left-"
    document = {
        "name": "left",
        "dist-tags": {"latest": list(versions)[-1]},
        "versions": {
            one: {"name": "left", "version": one, "dist": {"tarball": f"{base}{one}.tgz"}} for one in versions
        },
        "time": {"modified": stamp(0)} | {one: stamp(days) for one, days in versions.items()},
    }
    return page(json.dumps(document).encode(), content_type="application/json")


def simple(**ages: float | None) -> Reply:
    """Files (`left_1_2_0_whl`) by name; None: no date."""
    files = [
        {
            "filename": name,
            "url": f"https://registry.example/files/{name}",
            "hashes": {"sha256": "a" * 64},
            "size": 1,
            **({} if days is None else {"upload-time": stamp(days)}),
        }
        for name, days in ages.items()
    ]
    versions = sorted({str(file["filename"]).split("-")[1].removesuffix(".tar.gz") for file in files})
    body = {"meta": {"api-version": "1.1"}, "name": "left", "files": files, "versions": versions}
    return page(json.dumps(body).encode(), content_type="application/vnd.pypi.simple.v1+json")


def go_list(*versions: str) -> Reply:
    return page("".join(f"{version}\n" for version in versions).encode(), content_type="text/plain")


def info(version: str, days: float | None) -> Reply:
    time = {} if days is None else {"Time": stamp(days)}
    return page(json.dumps({"Version": version, **time}).encode(), content_type="application/json")


def publish_go(works: Works, **ages: float | None) -> None:
    """A module with these versions, as its author dates them."""
    versions = {name.replace("_", "."): days for name, days in ages.items()}
    works.fetcher.on("go.example/m/@v/list", go_list(*versions))
    works.fetcher.on("go.example/m/@latest", info(list(versions)[-1], list(versions.values())[-1]))
    for version, days in versions.items():
        works.fetcher.on(f"go.example/m/@v/{version}.info", info(version, days))
        works.fetcher.on(f"go.example/m/@v/{version}.mod", page(b"module go.example/m\n"))


@pytest.fixture
def npm(works: Works) -> Place:
    works.fetcher.on("left", packument(v1_0_0=400, v1_1_0=10, v1_2_0=2))
    works.fetcher.on(TARBALL, page(b"tarball"))
    return Place(works, Npm())


@pytest.fixture
def pypi(works: Works) -> Place:
    files = {"left-1.0.0.tar.gz": 400.0, "left-1.0.0-py3-none-any.whl": 1.0, WHEEL: 2.0}
    works.fetcher.on("left/", simple(**files))
    return Place(works, Pypi())


@pytest.fixture
def golang(works: Works) -> Place:
    publish_go(works, v1_0_0=400, v1_1_0=10, v1_2_0=2)
    return Place(works, Golang())


@pytest.fixture
def generic(works: Works) -> Place:
    works.fetcher.on("tool.zip", page(b"tool"))
    return Place(works, Generic({"rules": [{"path": r".*\.zip", "class": "immutable"}]}))


# --- indexes ----------------------------------------------------------------------------------------------------------


async def test_npm_shows_only_what_is_old_enough_and_says_what_is_not(npm: Place) -> None:
    for accept in ("", "application/vnd.npm.install-v1+json"):
        document = await npm.json("left", accept)
        assert document["dist-tags"] == {"latest": "1.1.0"}
        assert list(document["versions"]) == ["1.0.0", "1.1.0"]  # type: ignore[call-overload]
        restrictions = document["policyRestrictions"]
        assert isinstance(restrictions, dict)
        assert restrictions["versions"] == {"1.2.0": {"name": "left", "version": "1.2.0"}}
        assert restrictions["message"] == (
            "left 1.2.0 was published at 2026-11-18 12:00 UTC and must be 3 days old; "
            "it may be used from 2026-11-21 12:00 UTC (cooldown.default)"
        )
    assert list((await npm.json("left"))["time"]) == ["modified", "1.0.0", "1.1.0"]  # type: ignore[call-overload]


async def test_what_an_index_hides_is_worked_out_once_however_often_it_is_asked_for(npm: Place) -> None:
    resource = npm.resource("left")
    source = await npm.works.documents.bring(npm.repository, resource)
    first, second = [await npm.works.ages.hidden(npm.repository, resource, source) for _ in range(2)]
    source.blob.close()
    assert first.names == {"1.2.0"}
    assert second.names is first.names
    assert second.reasons is first.reasons


async def test_npm_tells_of_one_version_as_of_all(npm: Place) -> None:
    assert (await npm.json("left/latest"))["version"] == "1.1.0"
    with pytest.raises(PolicyRefused, match=r"left 1\.2\.0 was published .*cooldown\.default"):
        await npm.get("left/1.2.0")
    with pytest.raises(Absent):
        await npm.get("left/7.0.0")


async def test_a_package_that_is_young_as_a_whole_is_refused_with_the_reason(npm: Place) -> None:
    npm.works.fetcher.on("left", packument(v1_0_0=1, v1_1_0=2))
    with pytest.raises(PolicyRefused, match=r"left 1\.1\.0 .* from 2026-11-21 12:00 UTC"):
        await npm.get("left")


async def test_python_files_are_judged_one_by_one(pypi: Place) -> None:
    page = await pypi.json("simple/left/", "application/vnd.pypi.simple.v1+json")
    files = page["files"]
    assert isinstance(files, list)
    assert [file["filename"] for file in files] == ["left-1.0.0.tar.gz"]
    assert files[0]["upload-time"] == stamp(400)
    assert page["versions"] == ["1.0.0"]
    assert b"left-1.2.0" not in await pypi.get("simple/left/", "text/html")


async def test_python_files_without_a_date_are_unknown(pypi: Place) -> None:
    pypi.works.fetcher.on("left/", simple(**{"left-1.0.0.tar.gz": None}))
    assert b"left-1.0.0" not in await pypi.get("simple/left/", "text/html")
    allowing = pypi.under(replace(GATE, cooldown=replace(COOLDOWN, unknown_date="allow"), revision="2"))
    assert b"left-1.0.0" in await allowing.get("simple/left/", "text/html")


async def test_where_dates_are_missing_first_seen_can_stand_in(pypi: Place) -> None:
    seeing = pypi.under(Gate(cooldown=replace(COOLDOWN, unknown_date="first-seen")))
    pypi.works.fetcher.on("left/", simple(**{"left-1.0.0.tar.gz": None}))
    assert b"left-1.0.0" not in await seeing.get("simple/left/", "text/html")
    await seeing.after(2 * DAY)
    pypi.works.fetcher.on("left/", simple(**{"left-1.0.0.tar.gz": None, WHEEL: None}))
    assert b"left-1.0.0" not in await seeing.get("simple/left/", "text/html")
    await seeing.after(DAY)
    shown = await seeing.get("simple/left/", "text/html")
    assert (b"left-1.0.0" in shown, WHEEL.encode() in shown) == (True, False)


async def test_the_older_json_api_describes_the_newest_release_that_is_left(pypi: Place) -> None:
    def file(name: str, days: float) -> dict[str, object]:
        return {
            "filename": name, "url": f"https://registry.example/files/{name}", "upload_time_iso_8601": stamp(days)
        }  # fmt: skip

    old, young = file("left-1.0.0.tar.gz", 9), file("left-1.2.0.tar.gz", 2)
    releases = {"1.0.0": [old], "1.2.0": [young]}
    info = {"name": "left", "version": "1.2.0", "requires_dist": ["right"]}
    body = {"info": info, "urls": [young], "releases": releases}
    pypi.works.fetcher.on(
        "https://registry.example/pypi/left/json", page(json.dumps(body).encode(), content_type="application/json")
    )
    document = await pypi.json("pypi/left/json")
    assert document["info"] == {"name": "left", "version": "1.0.0", "requires_dist": None}
    assert list(document["releases"]) == ["1.0.0"]  # type: ignore[call-overload]
    urls = document["urls"]
    assert isinstance(urls, list)
    assert [one["filename"] for one in urls] == ["left-1.0.0.tar.gz"]


async def test_a_go_list_is_filtered_by_the_dates_of_its_versions(golang: Place) -> None:
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\nv1.1.0\n"
    await golang.works.settle()
    asked = len(golang.works.fetcher.asks)
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\nv1.1.0\n"
    # What was asked for the sake of a date is stored like anything else.
    assert b"v1.1.0" in await golang.get("go.example/m/@v/v1.1.0.info")
    assert len(golang.works.fetcher.asks) == asked


async def test_the_latest_of_go_is_the_newest_that_is_old_enough(golang: Place) -> None:
    latest = await golang.json("go.example/m/@latest")
    assert (latest["Version"], latest["Time"]) == ("v1.1.0", stamp(10))


async def test_where_nothing_is_old_enough_there_is_no_latest(golang: Place) -> None:
    publish_go(golang.works, v1_0_0=1)
    assert await golang.get("go.example/m/@v/list") == b""
    with pytest.raises(PolicyHidden, match=r"v1\.0\.0 was published"):
        await golang.get("go.example/m/@latest")


async def test_a_branch_that_leads_to_a_young_commit_is_refused(golang: Place) -> None:
    pseudo = "v1.2.1-0.20261119120000-0123456789ab"
    golang.works.fetcher.on("go.example/m/@v/main.info", info(pseudo, 1))
    with pytest.raises(PolicyRefused, match=pseudo):
        await golang.get("go.example/m/@v/main.info")


async def test_a_branch_that_moves_to_a_backdated_commit_is_refused(golang: Place) -> None:
    old, new = "v1.2.1-0.20251119120000-0123456789ab", "v1.2.1-0.20251120120000-ba9876543210"
    golang.works.fetcher.on("go.example/m/@v/main.info", info(old, 366))
    assert old.encode() in await golang.get("go.example/m/@v/main.info")
    await golang.after(1000)
    golang.works.fetcher.on("go.example/m/@v/main.info", info(new, 365))
    golang.works.fetcher.on(f"go.example/m/@v/{new}.info", info(new, 365))
    with pytest.raises(PolicyRefused, match=f"{new} was first seen"):
        await golang.get("go.example/m/@v/main.info")
    assert "first seen" in await golang.refusal(f"go.example/m/@v/{new}.zip")


@pytest.mark.parametrize("cooldown", [None, Cooldown(), Cooldown(default=DAY)])
async def test_without_a_cooldown_or_with_a_short_one_everything_is_there(
    works: Works, cooldown: Cooldown | None
) -> None:
    publish_go(works, v1_0_0=400, v1_2_0=2)
    works.fetcher.on("left", packument(v1_0_0=400, v1_2_0=2))
    gate = Gate(cooldown=cooldown)
    golang, npm = Place(works, Golang(), gate), Place(works, Npm(), gate)
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\nv1.2.0\n"
    assert (await npm.json("left"))["dist-tags"] == {"latest": "1.2.0"}
    assert "policyRestrictions" not in await npm.json("left")
    assert [await place.refusal(path) for place, path in ((golang, f"{GO_FILE}.zip"), (npm, TARBALL))] == ["", ""]


async def test_an_exception_lets_a_young_version_through_until_it_ends(npm: Place) -> None:
    class Everything:
        def matches(self, package: str) -> bool:
            return package == "left"

    until = NOON + timedelta(hours=1)
    exempt = npm.under(
        Gate(cooldown=replace(COOLDOWN, exceptions=(Exemption(pattern=Everything(), until=until),)), revision="2")
    )
    answer = await exempt.answer("left")
    assert json.loads(await body_of(answer))["dist-tags"] == {"latest": "1.2.0"}
    assert answer.valid_until == until.timestamp() == npm.works.ages.valid_until(exempt.repository)
    assert await exempt.refusal(TARBALL) == ""
    await exempt.after(3600)
    assert (await exempt.json("left"))["dist-tags"] == {"latest": "1.1.0"}
    assert await exempt.refusal(TARBALL)


async def test_a_version_appears_when_it_is_old_enough_without_anybody_asking_upstream(npm: Place) -> None:
    answer = await npm.answer("left")
    await body_of(answer)
    assert answer.valid_until == (NOON + timedelta(days=1)).timestamp()
    await npm.after(DAY - 1)
    assert (await npm.json("left"))["dist-tags"] == {"latest": "1.1.0"}
    npm.works.fetcher.on("left", Unreachable("dark"))
    await npm.after(1)
    assert (await npm.json("left"))["dist-tags"] == {"latest": "1.2.0"}


async def test_versions_that_rules_deny_are_hidden_too_with_and_without_a_cooldown(npm: Place) -> None:
    rule = Rule(
        selector=Selector(version=parse_constraint("<1.1.0", SEMVER, "rules[0]")),
        name="rules[0]",
        download=Download(mode=Mode.DENY, rule="rules[0]"),
    )
    rules = RuleBook([rule])
    document = await npm.under(Gate(rules=rules, revision="2")).json("left")
    assert list(document["versions"]) == ["1.1.0", "1.2.0"]  # type: ignore[call-overload]
    assert "rules[0]" in str(document["policyRestrictions"])
    both = npm.under(Gate(rules=rules, cooldown=COOLDOWN, revision="3"))
    assert list((await both.json("left"))["versions"]) == ["1.1.0"]  # type: ignore[call-overload]


# --- newcomers --------------------------------------------------------------------------------------------------------


async def test_a_backdated_newcomer_is_as_young_as_its_appearance(golang: Place) -> None:
    publish_go(golang.works, v1_0_0=400)
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\n"
    await golang.after(1000)
    publish_go(golang.works, v1_0_0=400, v1_2_0=300)
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\n"
    assert "v1.2.0 was first seen at 2026-11-20 12:16 UTC" in await golang.refusal(f"{GO_FILE}.zip")
    # Neither a restart nor another process forgets it.
    again = Place(golang.works.sibling(), Golang())
    assert await again.get("go.example/m/@v/list") == b"v1.0.0\n"
    assert "first seen" in await again.refusal(f"{GO_FILE}.mod")
    await again.after(3 * DAY)
    assert await again.get("go.example/m/@v/list") == b"v1.0.0\nv1.2.0\n"
    assert await again.refusal(f"{GO_FILE}.zip") == ""


async def test_lists_are_watched_before_a_cooldown_is_switched_on(golang: Place) -> None:
    without = golang.under(Gate())
    publish_go(golang.works, v1_0_0=400)
    await without.get("go.example/m/@v/list")
    await without.after(30 * DAY)
    publish_go(golang.works, v1_0_0=400, v1_2_0=300)
    await without.get("go.example/m/@v/list")
    await without.after(10)
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\n"
    await golang.after(3 * DAY)
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\nv1.2.0\n"


async def test_a_version_that_its_list_lacked_is_new_when_somebody_asks_for_it(golang: Place) -> None:
    publish_go(golang.works, v1_0_0=400)
    await golang.get("go.example/m/@v/list")
    await golang.after(10)
    golang.works.fetcher.on(f"{GO_FILE}.info", info("v1.2.0", 300))
    assert "first seen" in await golang.refusal(f"{GO_FILE}.zip")


async def test_nothing_is_seen_that_upstream_does_not_have(golang: Place) -> None:
    publish_go(golang.works, v1_0_0=400)
    await golang.get("go.example/m/@v/list")
    await golang.after(10)
    with pytest.raises(Absent):
        await golang.refusal("go.example/m/@v/v1.9.0.zip")
    assert golang.works.catalog.find_sighting("golang", "go.example/m", "v1.9.0") is None


async def test_what_was_there_at_the_first_reading_counts_by_its_date(golang: Place) -> None:
    assert await golang.refusal("go.example/m/@v/v1.1.0.zip") == ""
    await golang.get("go.example/m/@v/list")
    assert await golang.refusal("go.example/m/@v/v1.1.0.zip") == ""


# --- files ------------------------------------------------------------------------------------------------------------


async def test_files_are_refused_without_anybody_having_read_the_index(npm: Place, pypi: Place, golang: Place) -> None:
    for place, path in ((npm, TARBALL), (golang, f"{GO_FILE}.zip"), (golang, f"{GO_FILE}.mod")):
        refusal = await place.refusal(path)
        assert refusal.startswith("403 ")
        assert "was published at 2026-11-18 12:00 UTC and must be 3 days old" in refusal
        assert refusal.endswith("(cooldown.default)")
    pypi.works.fetcher.on("left/", simple(**{"left-1.0.0.tar.gz": 400.0, WHEEL: 2.0}))
    assert "left 1.2.0 was published" in await pypi.refusal(f"files/left/files/{WHEEL}")
    assert await pypi.refusal("files/left/files/left-1.0.0.tar.gz") == ""


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.REDIRECT])
async def test_what_no_index_lists_and_nobody_stored_is_absent_before_anybody_is_sent_for_it(
    npm: Place, mode: Mode
) -> None:
    there = npm.under(Gate(cooldown=COOLDOWN, download=Download(mode=mode, redirect_url="https://elsewhere.example")))
    npm.works.fetcher.on("left/-/left-9.0.0.tgz", page(b"young"))
    with pytest.raises(Absent, match="not listed"):
        await there.get("left/-/left-9.0.0.tgz")
    assert npm.works.fetcher.asked("left/-/left-9.0.0.tgz") == []


@pytest.mark.parametrize(
    ("cooldown", "as_of", "latest"), [(COOLDOWN, None, "1.1.0"), (None, ago(100), "1.0.0")], ids=["cooldown", "as_of"]
)
async def test_an_index_is_not_redirected_to_where_nobody_leaves_out_what_is_too_young(
    npm: Place, cooldown: Cooldown | None, as_of: datetime | None, latest: str
) -> None:
    elsewhere = Download(mode=Mode.REDIRECT, redirect_url="https://elsewhere.example")
    assert (await npm.under(Gate(download=elsewhere)).answer("left")).status == 302
    there = npm.under(Gate(cooldown=cooldown, download=elsewhere))
    assert (await there.json("left", as_of=as_of))["dist-tags"] == {"latest": latest}
    assert (await there.answer("left/-/left-1.0.0.tgz", as_of=as_of)).status == 302


async def test_a_stored_file_that_no_index_lists_any_more_has_no_date(npm: Place) -> None:
    open_to_all = npm.under(Gate())
    assert await open_to_all.get(TARBALL) == b"tarball"
    await npm.after(1000)
    npm.works.fetcher.on("left", packument(v1_0_0=400))
    await npm.get("left")
    assert "nobody says when" in await npm.refusal(TARBALL)


async def test_ages_of_stored_files_are_judged_without_contact(npm: Place) -> None:
    await npm.get("left")
    await npm.after(1000)
    npm.works.fetcher.on("left", Unreachable("dark"))
    asked = len(npm.works.fetcher.asks)
    assert await npm.refusal(TARBALL, stored_only=True)
    assert await npm.refusal("left/-/left-1.0.0.tgz", stored_only=True) == ""
    assert len(npm.works.fetcher.asks) == asked


async def test_a_plain_file_is_as_old_as_our_first_sight_of_it(generic: Place) -> None:
    asks = generic.works.fetcher.asks
    assert "tool.zip was first seen at 2026-11-20 12:00 UTC" in await generic.refusal("tool.zip")
    assert [ask.method for ask in asks] == ["HEAD"]
    await generic.after(3 * DAY - 1)
    assert await generic.refusal("tool.zip")
    await generic.after(1)
    assert await generic.refusal("tool.zip") == ""
    assert [ask.method for ask in asks] == ["HEAD"]


async def test_a_plain_file_that_was_stored_before_is_as_old_as_that(generic: Place) -> None:
    await generic.under(Gate()).get("tool.zip")
    await generic.after(2 * DAY)
    assert "first seen at 2026-11-20 12:00 UTC" in await generic.refusal("tool.zip")
    await generic.after(DAY)
    assert await generic.refusal("tool.zip") == ""


async def test_a_plain_file_that_is_not_there_is_not_seen(generic: Place) -> None:
    with pytest.raises(Absent):
        await generic.refusal("other.zip")
    generic.works.fetcher.on("other.zip", UpstreamStatus("other.zip", 503))
    with pytest.raises(UpstreamStatus):
        await generic.refusal("other.zip")
    generic.works.fetcher.on("other.zip", page(b"there"))
    await generic.after(DAY)
    assert "first seen at 2026-11-21" in await generic.refusal("other.zip")


async def test_listings_have_no_age(generic: Place) -> None:
    assert await generic.refusal("folder/") == ""


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unreachable("dark"), UpstreamStatus("x", 503), UpstreamStatus("x", 429)])
async def test_an_outage_is_never_a_list_that_is_silently_shorter(golang: Place, error: EntrepotError) -> None:
    golang.works.fetcher.on("go.example/m/@v/v1.1.0.info", error)
    with pytest.raises(type(error)):
        await golang.get("go.example/m/@v/list")
    with pytest.raises(type(error)):
        await golang.refusal("go.example/m/@v/v1.1.0.zip")
    golang.works.fetcher.on("go.example/m/@v/v1.1.0.info", info("v1.1.0", 10))
    await golang.after(60)
    assert await golang.get("go.example/m/@v/list") == b"v1.0.0\nv1.1.0\n"


@pytest.mark.parametrize(
    "reply", [Reply(status=404), UpstreamStatus("x", 403), page(b"<html>"), info("v9.9.9", 10), info("v1.1.0", None)]
)
async def test_a_version_whose_date_cannot_be_learned_is_left_out_for_a_while(
    golang: Place, reply: Reply | EntrepotError
) -> None:
    golang.works.fetcher.on("go.example/m/@v/v1.1.0.info", reply)
    answer = await golang.answer("go.example/m/@v/list")
    assert await body_of(answer) == b"v1.0.0\n"
    assert answer.valid_until == golang.works.clock.timestamp() + 60
    if not (isinstance(reply, Reply) and reply.body.startswith(b"{")):
        golang.works.fetcher.on("go.example/m/@v/v1.1.0.info", info("v1.1.0", 10))
        await golang.after(61)
        assert await golang.get("go.example/m/@v/list") == b"v1.0.0\nv1.1.0\n"


async def test_offline_only_stored_dates_are_known(golang: Place) -> None:
    await golang.under(Gate()).get("go.example/m/@v/list")
    await golang.get("go.example/m/@v/v1.0.0.info")
    await golang.after(1)
    asked = len(golang.works.fetcher.asks)
    assert await body_of(await golang.answer("go.example/m/@v/list", stored_only=True)) == b"v1.0.0\n"
    assert len(golang.works.fetcher.asks) == asked


async def test_many_dates_are_learned_at_once_but_not_all(golang: Place) -> None:
    flying, most, door = 0, 0, asyncio.Event()
    versions = [f"v1.0.{number}" for number in range(40)]

    def answer(version: str) -> Callable[..., Reply]:
        def reply(_: object) -> Reply:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            return replace(info(version, 10), gates={0: door})

        return reply

    golang.works.fetcher.on("go.example/m/@v/list", go_list(*versions))
    for version in versions:
        golang.works.fetcher.on(f"go.example/m/@v/{version}.info", answer(version))
    reading = asyncio.create_task(golang.get("go.example/m/@v/list"))
    await until(lambda: flying >= 16)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert most == 16
    door.set()
    assert (await reading).split() == [version.encode() for version in versions]


async def test_many_readers_of_a_list_learn_its_dates_once(golang: Place) -> None:
    lists = await asyncio.gather(*(golang.get("go.example/m/@v/list") for _ in range(20)))
    assert set(lists) == {b"v1.0.0\nv1.1.0\n"}
    assert len(golang.works.fetcher.asked("go.example/m/@v/v1.1.0.info")) == 1


async def test_a_catalog_that_cannot_tell_what_was_seen_lets_nothing_through(golang: Place) -> None:
    await golang.get("go.example/m/@v/list")
    await golang.works.settle()
    golang.works.catalog.broken = True
    with pytest.raises(EntrepotError):
        await golang.refusal("go.example/m/@v/v1.1.0.zip")


# --- time travel ------------------------------------------------------------------------------------------------------


async def test_a_dated_view_shows_what_there_was(npm: Place, pypi: Place, golang: Place) -> None:
    day, gate = ago(5), Gate()
    document = await npm.under(gate).json("left", as_of=day)
    assert document["dist-tags"] == {"latest": "1.1.0"}
    assert list(document["versions"]) == ["1.0.0", "1.1.0"]  # type: ignore[call-overload]
    assert "policyRestrictions" not in document
    assert await golang.under(gate).get("go.example/m/@v/list", as_of=day) == b"v1.0.0\nv1.1.0\n"
    pypi.works.fetcher.on("left/", simple(**{"left-1.0.0.tar.gz": 400.0, WHEEL: 2.0}))
    page = await pypi.under(gate).json("simple/left/", "application/vnd.pypi.simple.v1+json", as_of=day)
    assert page["versions"] == ["1.0.0"]


async def test_a_repository_can_stand_still(npm: Place) -> None:
    still = npm.under(Gate(cooldown=Cooldown(as_of=ago(100), as_of_rule="cooldown.as_of"), revision="2"))
    assert (await still.json("left"))["dist-tags"] == {"latest": "1.0.0"}
    assert "404 left 1.2.0 does not exist as of" in await still.refusal(TARBALL)
    with pytest.raises(PolicyHidden, match="does not exist as of"):
        await still.get("left/1.2.0")


async def test_what_did_not_exist_at_all_is_404_in_a_dated_view(npm: Place, golang: Place) -> None:
    with pytest.raises(PolicyHidden):
        await npm.get("left", as_of=ago(1000))
    publish_go(golang.works, v1_0_0=1)
    assert await golang.get("go.example/m/@v/list", as_of=ago(1000)) == b""
    with pytest.raises(PolicyHidden):
        await golang.get("go.example/m/@latest", as_of=ago(1000))


async def test_first_seen_means_nothing_in_a_dated_view(golang: Place) -> None:
    free = golang.under(Gate())
    publish_go(golang.works, v1_0_0=400)
    await free.get("go.example/m/@v/list")
    await free.after(1000)
    publish_go(golang.works, v1_0_0=400, v1_2_0=300)
    assert await free.get("go.example/m/@v/list", as_of=ago(200)) == b"v1.0.0\nv1.2.0\n"
    # But what is too young to be used today is not old enough because somebody asks for another day.
    assert await golang.get("go.example/m/@v/list", as_of=ago(200)) == b"v1.0.0\n"


async def test_links_of_a_dated_view_lead_to_undated_files(npm: Place, pypi: Place) -> None:
    text = await npm.under(Gate()).get("left", as_of=ago(5))
    assert b"http://x/here/left/-/left-1.0.0.tgz" in text
    pypi.works.fetcher.on("left/", simple(**{"left-1.0.0.tar.gz": 400.0}))
    for accept in ("application/vnd.pypi.simple.v1+json", "text/html"):
        dated = await pypi.under(Gate()).get("simple/left/", accept, as_of=ago(5))
        assert b"http://x/here/files/left/files/left-1.0.0.tar.gz" in dated
        assert b'"../../files/left/files/left-1.0.0.tar.gz' in await pypi.under(Gate()).get("simple/left/", accept)


async def test_views_of_several_days_do_not_get_mixed_up(npm: Place) -> None:
    free = npm.under(Gate())
    wanted = {5: "1.1.0", 100: "1.0.0", 0: "1.2.0"}
    for _ in range(2):
        found = {days: (await free.json("left", as_of=ago(days)))["dist-tags"] for days in wanted}
        assert found == {days: {"latest": version} for days, version in wanted.items()}
    # A version may be hidden for two reasons, of which only one is told to npm.
    assert "policyRestrictions" in await npm.json("left")
    assert "policyRestrictions" not in await npm.json("left", as_of=ago(2.5))


async def test_a_young_version_can_be_accounted_for(npm: Place, golang: Place) -> None:
    account = await npm.works.ages.account(npm.repository, npm.resource(TARBALL))
    assert "dated by the registry" in account
    assert "cooldown.default asks for 3 days" in account
    publish_go(golang.works, v1_2_0=2)
    account = await golang.works.ages.account(golang.repository, golang.resource(f"{GO_FILE}.zip"))
    assert "dated by its author), not seen in a list" in account


# --- Helm: one list of all charts, dated by whoever made it -----------------------------------------------------------


def charts(**created: float) -> bytes:
    """An index of charts with one version each, so many days old."""
    entries = {
        name: [{"name": name, "version": "1.0.0", "urls": [f"{name}.tgz"], "created": stamp(days)}]
        for name, days in created.items()
    }
    return json.dumps({"apiVersion": "v1", "entries": entries}).encode()


async def test_a_chart_is_as_old_as_its_author_says_and_as_we_saw_it_appear(works: Works) -> None:
    helm = Place(works, Helm())
    works.fetcher.on("index.yaml", page(charts(old=30, young=1)))
    for name in ("old", "young", "late"):
        works.fetcher.on(f"{name}.tgz", page(b"chart"))
    assert list((await helm.json("index.yaml"))["entries"]) == ["old"]  # type: ignore[call-overload]
    assert await helm.get("charts/old/old.tgz") == b"chart"
    with pytest.raises(PolicyRefused, match=r"young 1.0.0 was published at"):
        await helm.get("charts/young/young.tgz")
    works.fetcher.on("index.yaml", page(charts(old=30, late=30)))
    works.clock.advance(3600)
    assert list((await helm.json("index.yaml"))["entries"]) == ["old"]  # type: ignore[call-overload]
    with pytest.raises(PolicyRefused, match=r"late 1.0.0 was first seen at"):
        await helm.get("charts/late/late.tgz")
    works.clock.advance(3 * DAY)
    assert await helm.get("charts/late/late.tgz") == b"chart"

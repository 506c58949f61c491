"""Real clients in front of registries whose newest versions are too young: they get the newest that is old enough."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests.clients.buyers import BUYERS, GO, Buyer
from tests.clients.fixture_golang import DATABASE, dated_go
from tests.clients.fixture_npm import dated_npm
from tests.clients.fixture_pypi import dated_pypi
from tests.clients.registry import Files, Registry
from tests.clients.room import ClientFailed, missing
from tests.clients.shop import Shop
from tests.faults.served import Served

BASES = {"npm": "/", "pypi": "/simple/", "golang": "/"}
NAMES = {"npm": "{name}", "pypi": "{name}", "golang": "go.example/{name}"}
NOW = datetime.now(UTC)
RULE = "cooldown.default"

with_client = pytest.mark.parametrize(
    "buyer",
    [
        pytest.param(buyer, id=buyer.name, marks=pytest.mark.skipif(bool(why := missing(*buyer.needs)), reason=why))
        for buyer in BUYERS
    ],
)


def ago(days: float) -> str:
    return f"{NOW - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


YOUNG = {"1.0.0": ago(400), "1.1.0": ago(10), "1.2.0": ago(2)}
BEFORE = {"1.0.0": ago(400)}


class Market:
    """The registries, and in front of each a repository with a cooldown and one without."""

    def __init__(self, stack: ExitStack, factory: pytest.TempPathFactory) -> None:
        self._packages: dict[str, dict[str, Mapping[str, str]]] = {ecosystem: {} for ecosystem in BASES}
        self._registries = {
            ecosystem: stack.enter_context(Registry(decoded=ecosystem == "golang")) for ecosystem in BASES
        }
        directory = factory.mktemp("market")
        served = stack.enter_context(Served(directory / "server", self._config()))
        for ecosystem in BASES:
            self.publish(ecosystem, "young", YOUNG)
        self.shops = {
            name: Shop(
                ecosystem=name, registry=self._registries[name.partition("-")[0]], served=served, directory=directory
            )
            for ecosystem in BASES
            for name in (ecosystem, f"{ecosystem}-free")
        }

    def _config(self) -> str:
        config = ""
        for ecosystem, registry in self._registries.items():
            extra = f'options.sumdb = "{DATABASE}"\n' if ecosystem == "golang" else ""
            for name in (ecosystem, f"{ecosystem}-free"):
                config += f'[repositories.{name}]\necosystem = "{ecosystem}"\n{extra}'
                config += f'upstreams = ["{registry.url}{BASES[ecosystem]}"]\n'
                config += f'[repositories.{name}.freshness]\nmutable_ttl = "0"\nnegative_ttl = "0"\n'
            config += f'[repositories.{ecosystem}.cooldown]\ndefault = "3d"\n'
        return config

    def publish(self, ecosystem: str, name: str, versions: Mapping[str, str]) -> str:
        """Versions and their dates; what else there is stays. Returns the package's name."""
        package = NAMES[ecosystem].format(name=name)
        prefix = "v" if ecosystem == "golang" else ""
        packages = self._packages[ecosystem]
        packages[package] = {f"{prefix}{version}": date for version, date in versions.items()}
        registry = self._registries[ecosystem]
        registry.files = _files(ecosystem, registry.url, packages)
        return package


def _files(ecosystem: str, url: str, packages: Mapping[str, Mapping[str, str]]) -> Files:
    match ecosystem:
        case "npm":
            return dated_npm(url, packages)
        case "pypi":
            return dated_pypi(url, packages)
        case _:
            return dated_go(packages)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with ExitStack() as stack:
        yield Market(stack, tmp_path_factory)


@with_client
def test_a_client_gets_the_newest_that_is_old_enough_and_is_told_why_not_the_young_one(
    market: Market, buyer: Buyer
) -> None:
    package = NAMES[buyer.ecosystem].format(name="young")
    guarded, free = market.shops[buyer.ecosystem], market.shops[f"{buyer.ecosystem}-free"]
    control = free.room()

    assert buyer.buy(control, package) == "1.2.0", "the control run shows that the client would take the young one"
    assert buyer.buy(guarded.room(), package) == "1.1.0"

    with pytest.raises(ClientFailed) as failed:
        buyer.buy_again(guarded.room(), control)
    said = str(failed.value)
    if not buyer.tells:
        # All that it shows is where to look.
        (address,) = set(re.findall(rf"GET {re.escape(guarded.url)}/(\S+): Forbidden - 403", said))
        said = guarded.get(address).body.decode()
    assert RULE in said
    assert ago(2)[:10] in said
    assert "3 days" in said.replace("_", " ")


@with_client
def test_a_client_does_not_get_what_appears_under_our_eyes(market: Market, buyer: Buyer) -> None:
    package = market.publish(buyer.ecosystem, f"growing-{buyer.name}", BEFORE)
    guarded, free = market.shops[buyer.ecosystem], market.shops[f"{buyer.ecosystem}-free"]
    assert buyer.buy(guarded.room(), package) == "1.0.0"

    # An author can set a date back; a registry sets it itself.
    appeared = ago(300 if buyer is GO else 0)
    market.publish(buyer.ecosystem, f"growing-{buyer.name}", BEFORE | {"1.1.0": appeared})

    assert buyer.buy(guarded.room(), package) == "1.0.0"
    assert buyer.buy(free.room(), package) == "1.1.0"


def test_the_documents_of_all_ecosystems_keep_their_dates(market: Market) -> None:
    npm = json.loads(market.shops["npm"].get("young").body)
    assert npm["time"]["1.1.0"] == YOUNG["1.1.0"]
    page = market.shops["pypi"].get("simple/young/", ("accept", "application/vnd.pypi.simple.v1+json"))
    assert [file["upload-time"] for file in json.loads(page.body)["files"]] == [ago(400), ago(10)]
    info = market.shops["golang"].get("go.example/young/@latest")
    assert json.loads(info.body) == {"Version": "v1.1.0", "Time": ago(10)}


def test_a_refused_file_says_who_refuses_and_since_when(market: Market) -> None:
    for ecosystem, path in (("npm", "young/-/young-1.2.0.tgz"), ("golang", "go.example/young/@v/v1.2.0.mod")):
        got = market.shops[ecosystem].get(path)
        assert got.status == 403
        text = got.body.decode()
        assert f"was published at {ago(2)[:10]}" in text
        assert f"repositories.{ecosystem}.{RULE}" in text
        assert market.shops[f"{ecosystem}-free"].get(path).status == 200

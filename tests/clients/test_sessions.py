"""What a build used, and the same build again, with real clients: recorded, told, mirrored, frozen, replayed."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

from entrepot.cli.control import Control
from entrepot.mirror.sources.sbom import read_bill
from tests.clients.buyers import GO, NPM, PYTHON, UV, Buyer
from tests.clients.conftest import Opener
from tests.clients.fixture_golang import go_proxy
from tests.clients.fixture_npm import npm_registry
from tests.clients.fixture_pypi import pypi_index
from tests.clients.registry import Files
from tests.clients.room import ClientFailed, Room, missing
from tests.clients.shop import HOUR, Shop

LATER: Final[Mapping[str, Callable[[str], Files]]] = {
    "npm": lambda url: npm_registry(url, later=True),
    "pypi": lambda url: pypi_index(url, later=True),
    "golang": lambda _: go_proxy(later=True),
}
WANTED: Final = {"npm": "left", "pypi": "acme-app", "golang": "go.example/hello"}

each_client = pytest.mark.parametrize(
    "buyer",
    [
        pytest.param(one, marks=pytest.mark.skipif(bool(missing(*one.needs)), reason=missing(*one.needs)), id=one.name)
        for one in (NPM, PYTHON, UV, GO)
    ],
)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A session that lasts."""

    name: str
    room: Room
    control: Control

    def tell(self, verb: str) -> Any:
        return self.control.call(verb, name=self.name)


@contextmanager
def session(shop: Shop, *, replays: str = "") -> Iterator[Recorded]:
    control, name = Control.connect(shop.served.data), secrets.token_hex(16)
    assert control is not None
    with control:
        control.call("open-session", name=name, replays=replays)
        plain = shop.room()
        url = plain.url.replace(f"/{shop.ecosystem}", f"/~{name}/{shop.ecosystem}")
        yield Recorded(name=name, room=Room(plain.directory, url), control=control)


def files_of(bill: str) -> dict[str, str]:
    """Our paths of the files in a bill, and their digests."""
    return {
        file["properties"][0]["value"]: file["hashes"][0]["content"]
        for component in json.loads(bill)["components"]
        for file in component["components"]
    }


@each_client
def test_a_frozen_session_installs_by_name_what_it_installed_before(opened: Opener, buyer: Buyer) -> None:
    shop, package = opened(buyer.ecosystem), WANTED[buyer.ecosystem]
    with session(shop) as recorded:
        buyer.buy(recorded.room, package)
        assert recorded.tell("freeze-session")["missing"] == []
    shop.registry.files = LATER[buyer.ecosystem](shop.registry.url)
    shop.restart(later=HOUR)
    newer = shop.room()
    buyer.buy(newer, package)
    assert newer.installed() != recorded.room.installed()
    shop.registry.forget()
    with session(shop, replays=recorded.name) as again:
        buyer.buy(again.room, package)
        assert again.room.installed() == recorded.room.installed()
    assert shop.registry.asked() == []


@each_client
def test_a_bill_tells_the_files_that_were_served_and_is_mirrored_as_exactly_these(opened: Opener, buyer: Buyer) -> None:
    shop, package = opened(buyer.ecosystem), WANTED[buyer.ecosystem]
    with session(shop) as recorded:
        buyer.buy(recorded.room, package)
        told = recorded.tell("session-sbom")
    assert (told["incomplete"], told["untouched"]) == ([], [])
    assert list(read_bill("bill", told["sbom"].encode(), validate=True))
    used = {path for path in shop.registry.artifacts_asked if not path.endswith(".metadata")}
    assert {path.rpartition("/")[2] for path in files_of(told["sbom"])} >= {path.rpartition("/")[2] for path in used}
    recorded.room.write("build.cdx.json", told["sbom"])
    shop.start_anew()

    shop.served.entrepot("mirror", "--sbom", str(recorded.room.project / "build.cdx.json"))
    fetched = {path for path in shop.registry.artifacts_asked if not path.endswith(".metadata")}
    assert fetched == used

    shop.registry.go_dark()
    control = Control.connect(shop.served.data)
    assert control is not None
    with control:
        adopted: Any = control.call("replay-bill", name="build.cdx.json", sbom=told["sbom"])
    with session(shop, replays=adopted["id"]) as again:
        buyer.buy(again.room, package)
        assert again.room.installed() == recorded.room.installed()


def test_what_was_not_in_the_session_is_refused_as_file_and_not_listed(opened: Opener) -> None:
    shop = opened("npm")
    with session(shop) as recorded:
        for path in ("left", "left/-/left-1.0.0.tgz"):
            shop.served.get(f"/~{recorded.name}/npm/{path}")
        recorded.tell("freeze-session")
        prefix = f"/~{recorded.name}/npm"
        assert list(json.loads(shop.served.get(f"{prefix}/left").body)["versions"]) == ["1.0.0"]
        assert shop.served.get(f"{prefix}/left/-/left-1.0.0.tgz").status == 200
        assert shop.get("left/-/left-1.1.0.tgz").status == 200
        shop.registry.forget()
        for path in ("left/-/left-1.1.0.tgz", "old", "old/-/old-0.1.0.tgz", "-/npm/v1/keys"):
            refused = shop.served.get(f"{prefix}/{path}")
            assert refused.status == 403, path
            assert f"not part of session {recorded.name}" in refused.body.decode()
        audit = shop.served.get(f"{prefix}/-/npm/v1/security/advisories/bulk", method="POST")
        assert (audit.status, shop.registry.asked(), shop.registry.asked(method="POST")) == (403, [], [])
    assert list(json.loads(shop.get("left").body)["versions"]) == ["1.0.0", "1.1.0", "2.0.0-beta.1"]


def test_a_package_that_was_not_recorded_cannot_be_installed_in_a_replay(opened: Opener) -> None:
    shop = opened("pypi")
    with session(shop) as recorded:
        PYTHON.buy(recorded.room, "acme-core")
        recorded.tell("freeze-session")
    with session(shop, replays=recorded.name) as again, pytest.raises(ClientFailed):
        PYTHON.buy(again.room, "acme-app")


def test_everything_is_recorded_whichever_worker_served_it(opened: Opener) -> None:
    shop = opened("npm", workers=2)
    paths = [path for path in shop.registry.files if path.endswith(".tgz") and "/-/" in path]
    with session(shop) as recorded:
        for path in paths:
            # Each request has a connection of its own, so that both take some.
            assert shop.served.get(f"/~{recorded.name}/npm{path}").status == 200
        told = recorded.tell("session-sbom")
        assert told["incomplete"] == []
        assert set(files_of(told["sbom"])) == {f"/npm{path}" for path in paths}
        assert recorded.tell("freeze-session")["missing"] == []
        for path in paths:
            assert shop.served.get(f"/~{recorded.name}/npm{path}").status == 200
        statuses = {shop.served.get(f"/~{recorded.name}/npm/downloads").status for _ in range(8)}
        assert statuses == {403}

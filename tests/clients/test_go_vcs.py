"""Private Go modules from their git repository, the rest from a module proxy, through one address."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.fixture_golang import DATABASE, go_proxy
from tests.clients.githost import HOST, GitHost
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed, Room, missing
from tests.faults.served import Served
from tests.faults.wire import Got

pytestmark = pytest.mark.skipif(bool(missing("go", "git")), reason=missing("go", "git"))

LIB = f"{HOST}/team/lib.git"
APP = f"{HOST}/team/app.git"
CAPITAL = f"{HOST}/meta/Capital"
MINE = "module mine.example/mine\n\ngo 1.20\n"
YESTERDAY = 1_700_000_000
PRIVATE = ("env", f"GONOSUMDB={HOST}/*")


@dataclass(slots=True, kw_only=True)
class House:
    git: GitHost
    public: Registry
    served: Served
    directory: Path
    last: str
    """The hash of the newest commit of `lib`."""

    def get(self, path: str) -> Got:
        return self.served.get(f"/golang/{path}")

    def room(self, name: str) -> Room:
        room = Room(self.directory / name, f"http://127.0.0.1:{self.served.address[1]}/golang")
        room.write("go.mod", MINE)
        return room


def config_of(git: GitHost, public: Registry, further: str = "", *, login: bool = True) -> str:
    return f"""
        [upstreams.corp]
        kind = "vcs"
        modules = ["{HOST}/*"]
        {f'netrc_file = "{git.netrc_file}"' if login else ""}
        ca_file = "{git.ca_file}"
        http_proxy = "{git.http_proxy}"

        [repositories.golang]
        ecosystem = "golang"
        sumdb = "{DATABASE}"
        upstreams = ["{public.url}/", "corp"]
        freshness.negative_ttl = "0"
        {further}
    """


def publish(git: GitHost) -> str:
    for name, module in (("lib", LIB), ("app", APP)):
        git.publish(f"team/{name}", {"go.mod": f"module {module}\n", "a.go": "package a\n"}, ["v1.0.0"], at=YESTERDAY)
        git.publish(f"team/{name}", {"more.go": "package a\n"}, ["v1.1.0", "no-version"], at=YESTERDAY + 1)
    git.publish("team/Capital", {"go.mod": f"module {CAPITAL}\n", "c.go": "package c\n"}, ["v0.1.0"], at=YESTERDAY)
    return git.publish("team/lib", {"last.go": "package a\n"}, at=YESTERDAY + 2)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("vcs")
    with ExitStack() as stack:
        git = stack.enter_context(GitHost(directory=directory / "git"))
        public = stack.enter_context(Registry(decoded=True))
        public.files = go_proxy()
        last = publish(git)
        served = stack.enter_context(Served(directory / "server", config_of(git, public)))
        yield House(git=git, public=public, served=served, directory=directory, last=last)


@pytest.fixture
def house(standing: House) -> House:
    """In order, and with nothing asked; what tests before stored is there."""
    standing.git.status, standing.git.instead, standing.git.down = 0, b"", False
    standing.git.asked.clear()
    standing.git.connected.clear()
    standing.public.forget()
    return standing


def test_private_modules_come_from_git_and_the_rest_from_a_proxy_that_hears_nothing_of_them(house: House) -> None:
    first = house.room("first")
    first.run(*PRIVATE, "go", "get", f"{APP}@latest", f"{CAPITAL}@v0.1.0", "go.example/hello@v1.1.0")

    wanted = {f"{APP}@v1.1.0/more.go", f"{HOST}/meta/!capital@v0.1.0/c.go", "go.example/hello@v1.1.0/hello.go"}
    assert wanted <= first.installed().keys()
    assert [seen.path for seen in house.public.requests if HOST in seen.path] == []
    assert set(house.git.connected) == {f"{HOST}:443"}

    house.git.down = True
    house.git.connected.clear()
    second = house.room("second")
    for name in ("go.mod", "go.sum"):
        second.write(name, first.read(name))
    second.run("go", "mod", "download")
    assert second.installed() == first.installed()
    assert house.git.connected == []


def test_the_rest_can_be_sent_to_the_public_proxy(house: House, tmp_path: Path) -> None:
    rules = f"""
        mode = "redirect"
        redirect_url = "{house.public.url}"
        [[repositories.golang.rules]]
        package = "{HOST}/*"
        mode = "sync"
    """
    with Served(tmp_path / "server", config_of(house.git, house.public, rules)) as served:
        room = Room(tmp_path / "room", f"http://127.0.0.1:{served.address[1]}/golang")
        room.write("go.mod", MINE)
        room.run(*PRIVATE, "go", "get", f"{APP}@v1.1.0", "go.example/hello@v1.1.0")
        moved = served.get("/golang/go.example/hello/@v/v1.1.0.zip")

    assert {f"{APP}@v1.1.0/more.go", "go.example/hello@v1.1.0/hello.go"} <= room.installed().keys()
    assert (moved.status, moved.headers.get("location")) == (
        302,
        f"{house.public.url}/go.example/hello/@v/v1.1.0.zip",
    )
    assert all(seen.headers["user-agent"].startswith("Go-http-client") for seen in house.public.requests)
    assert [seen.path for seen in house.public.requests if HOST in seen.path] == []


def test_lists_versions_branches_and_hashes_are_answered_as_a_module_proxy_does(house: House) -> None:
    pseudo = f"v1.1.1-0.20231114221322-{house.last[:12]}"
    described = {"Version": pseudo, "Time": "2023-11-14T22:13:22Z"}

    listed = house.get(f"{LIB}/@v/list")
    assert (listed.body, listed.headers.get("content-type")) == (b"v1.0.0\nv1.1.0\n", "text/plain; charset=UTF-8")
    assert json.loads(house.get(f"{LIB}/@latest").body)["Version"] == "v1.1.0"
    for query in ("main", house.last[:8], pseudo):
        assert json.loads(house.get(f"{LIB}/@v/{query}.info").body) == described
    got = house.get(f"{LIB}/@v/{pseudo}.mod")
    assert (got.status, got.body) == (200, f"module {LIB}\n".encode())
    assert house.get(f"{LIB}/@v/{pseudo}.zip").headers.get("content-type") == "application/zip"
    assert house.get(f"{HOST}/meta/!capital/@v/list").body == b"v0.1.0\n"
    assert list((house.served.data / "run" / "vcs").iterdir()) == []


def test_what_git_does_not_have_is_404(house: House) -> None:
    paths = (
        f"{LIB}/@v/v9.9.9.zip",
        f"{LIB}/@v/nobranch.info",
        f"{LIB}/v2/@latest",
        f"{LIB}/@v/v1.1.1-0.20201114221322-0123456789ab.mod",
        f"{HOST}/team/none.git/@v/list",
        f"{HOST}/nowhere/none/@v/list",
    )
    assert [house.get(path).status for path in paths] == [404] * len(paths)


@pytest.mark.parametrize("module", [f"{HOST}/team/closed.git", f"{HOST}/meta/closed"])
def test_a_host_that_does_not_serve_us_is_no_404(house: House, module: str) -> None:
    for status in (500, 401, 503, 403, 429):
        house.git.status = status
        got = house.get(f"{module}/@v/list")
        assert (got.status, f"upstream answered {status}".encode() in got.body) == (502, True)


def test_an_outage_and_a_page_that_is_not_git_are_no_404(house: House) -> None:
    house.git.down = True
    assert [house.get(f"{HOST}/{name}/@v/list").status for name in ("team/dark.git", "meta/dark")] == [502, 502]
    house.git.down, house.git.status, house.git.instead = False, 200, b"<html>\nPlease log in\n</html>\n"
    assert house.get(f"{HOST}/team/dark.git/@v/list").status == 502


def test_private_names_and_others_are_kept_apart(house: House) -> None:
    assert house.get(f"sumdb/{DATABASE}/lookup/{LIB}@v1.0.0").status == 403
    assert house.public.requests == []
    assert house.get("other.example/thing/@v/list").status == 404
    assert house.git.connected == []


def test_without_a_login_the_private_repository_stays_closed_and_go_is_told_so(house: House, tmp_path: Path) -> None:
    with Served(tmp_path / "server", config_of(house.git, house.public, login=False)) as served:
        room = Room(tmp_path / "room", f"http://127.0.0.1:{served.address[1]}/golang")
        room.write("go.mod", MINE)
        with pytest.raises(ClientFailed, match="upstream answered 401"):
            room.run(*PRIVATE, "go", "get", f"{LIB}@latest")

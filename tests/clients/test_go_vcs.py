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
META = f"{HOST}/meta/Capital"
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

    def room(self, name: str = "room") -> Room:
        room = Room(self.directory / name, f"http://127.0.0.1:{self.served.address[1]}/golang")
        room.write("go.mod", MINE)
        return room


def config_of(git: GitHost, public: Registry, *, modules: str = f"{HOST}/*", netrc: bool = True) -> str:
    login = f'netrc_file = "{git.netrc_file}"' if netrc else ""
    return f"""
        [upstreams.corp]
        kind = "vcs"
        modules = ["{modules}"]
        {login}
        ca_file = "{git.ca_file}"
        http_proxy = "{git.http_proxy}"

        [repositories.golang]
        ecosystem = "golang"
        sumdb = "{DATABASE}"
        upstreams = ["{public.url}/", "corp"]
        freshness.negative_ttl = "0"
    """


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        git = stack.enter_context(GitHost(directory=tmp_path / "git"))
        public = stack.enter_context(Registry(decoded=True))
        public.files = go_proxy()
        git.publish("team/lib", {"go.mod": f"module {LIB}\n", "lib.go": "package lib\n"}, ["v1.0.0"], at=YESTERDAY)
        git.publish("team/lib", {"more.go": "package lib\n"}, ["v1.1.0", "no-version"], at=YESTERDAY + 1)
        last = git.publish("team/lib", {"last.go": "package lib\n"}, at=YESTERDAY + 2)
        git.publish("team/Capital", {"go.mod": f"module {META}\n", "c.go": "package c\n"}, ["v0.1.0"], at=YESTERDAY)
        served = stack.enter_context(Served(tmp_path / "server", config_of(git, public)))
        yield House(git=git, public=public, served=served, directory=tmp_path, last=last)


def test_private_modules_come_from_git_and_the_rest_from_the_proxy_that_hears_nothing_of_them(house: House) -> None:
    room = house.room()
    room.run(*PRIVATE, "go", "get", f"{LIB}@latest", f"{META}@v0.1.0", "go.example/hello@v1.1.0")

    installed = room.installed()
    assert f"{LIB}@v1.1.0/more.go" in installed
    assert f"{HOST}/meta/!capital@v0.1.0/c.go" in installed
    assert "go.example/hello@v1.1.0/hello.go" in installed
    assert [seen for seen in house.public.requests if HOST in seen.path] == []
    assert set(house.git.connected) == {f"{HOST}:443"}


def test_what_came_from_git_once_is_served_while_git_is_down(house: House) -> None:
    first = house.room()
    first.run(*PRIVATE, "go", "get", f"{LIB}@v1.0.0")
    house.git.down = True
    house.git.connected.clear()
    second = house.room("second")
    second.write("go.mod", first.read("go.mod"))
    second.write("go.sum", first.read("go.sum"))

    second.run("go", "mod", "download")

    assert f"{LIB}@v1.0.0/lib.go" in second.installed()
    assert house.git.connected == []


def test_lists_versions_branches_and_hashes_as_a_module_proxy_does(house: House) -> None:
    pseudo = f"v1.1.1-0.20231114221322-{house.last[:12]}"
    described = {"Version": pseudo, "Time": "2023-11-14T22:13:22Z"}

    listed = house.get(f"{LIB}/@v/list")
    assert (listed.body, listed.headers.get("content-type")) == (b"v1.0.0\nv1.1.0\n", "text/plain; charset=UTF-8")
    assert json.loads(house.get(f"{LIB}/@latest").body)["Version"] == "v1.1.0"
    assert json.loads(house.get(f"{LIB}/@v/main.info").body) == described
    assert json.loads(house.get(f"{LIB}/@v/{house.last[:8]}.info").body) == described
    assert json.loads(house.get(f"{LIB}/@v/{pseudo}.info").body) == described
    assert json.loads(house.get(f"{LIB}/@v/v1.info").body)["Version"] == "v1.1.0"
    got = house.get(f"{LIB}/@v/{pseudo}.mod")
    assert (got.status, got.body) == (200, f"module {LIB}\n".encode())
    assert house.get(f"{LIB}/@v/{pseudo}.zip").headers.get("content-type") == "application/zip"
    assert house.get(f"{HOST}/meta/!capital/@v/list").body == b"v0.1.0\n"


@pytest.mark.parametrize(
    "path",
    [
        f"{LIB}/@v/v9.9.9.info",
        f"{LIB}/@v/v9.9.9.zip",
        f"{LIB}/@v/nobranch.info",
        f"{LIB}/v2/@latest",
        f"{LIB}/sub/@latest",
        f"{LIB}/@v/v1.1.1-0.20201114221322-0123456789ab.mod",
        f"{HOST}/team/none.git/@v/list",
        f"{HOST}/nowhere/none/@v/list",
    ],
)
def test_what_git_does_not_have_is_404(house: House, path: str) -> None:
    assert house.get(path).status == 404


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.parametrize("module", [LIB, META.replace("C", "!c")])
def test_a_host_that_does_not_serve_us_is_no_404(house: House, module: str, status: int) -> None:
    house.git.status = status
    got = house.get(f"{module}/@v/list")
    assert got.status == 502
    assert f"upstream answered {status}".encode() in got.body


def test_an_outage_is_no_404(house: House) -> None:
    house.git.down = True
    got = [house.get(f"{module}/@v/list") for module in (LIB, META.replace("C", "!c"))]
    assert [one.status for one in got] == [502, 502]


def test_a_page_that_is_not_git_is_no_404(house: House) -> None:
    house.git.status, house.git.instead = 200, b"<html>Please log in</html>"
    assert house.get(f"{LIB}/@v/list").status == 502


def test_a_module_that_is_nobodys_is_not_asked_of_git(house: House) -> None:
    assert house.get("other.example/thing/@v/list").status == 404
    assert house.git.connected == []


def test_a_private_name_is_not_looked_up_in_the_checksum_database(house: House) -> None:
    got = house.get(f"sumdb/{DATABASE}/lookup/{LIB}@v1.0.0")
    assert got.status == 403
    assert house.public.requests == []


def test_without_a_login_the_private_repository_stays_closed(house: House) -> None:
    house.served.stop()
    config = house.directory / "server" / "entrepot.toml"
    config.write_text(config_of(house.git, house.public, netrc=False))
    house.served.start()

    assert house.get(f"{LIB}/@v/list").status == 502
    with pytest.raises(ClientFailed, match="upstream answered 401"):
        house.room().run(*PRIVATE, "go", "get", f"{LIB}@latest")


def test_nothing_is_left_behind(house: House) -> None:
    house.get(f"{LIB}/@v/v1.0.0.zip")
    house.get(f"{LIB}/@v/v9.9.9.zip")
    assert list((house.served.data / "run" / "vcs").iterdir()) == []

"""What no honest client sends, through raw sockets: a clear 4xx, nothing stored, nothing asked upstream."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.faults.grammar import METHODS, NO_NAMES, PREFIXES, RANGES, noise, smuggling, ways_out
from tests.faults.served import Served
from tests.faults.wire import Got, Talk
from tests.rogue import Rogue, pattern
from tests.waiting import wait_for

_CONFIG = """
[server]
access_log = "stdout"
[fetch]
retry_delay = "10ms"
[repositories.files]
ecosystem = "generic"
upstreams = ["{base}/base/"]
rules = [{{ path = '/stored/.*', class = "immutable" }}]
[repositories.pypi]
ecosystem = "pypi"
upstreams = ["{base}/base/simple/"]
[repositories.npm]
ecosystem = "npm"
upstreams = ["{base}/base/"]
[repositories.go]
ecosystem = "golang"
upstreams = ["{base}/base/"]
options = {{ sumdb = "off" }}
"""
STORED = pattern(100_000)
ECOSYSTEMS = pytest.mark.parametrize("repository", PREFIXES)


class World:
    """A server with one repository of each kind, all on one origin that knows a single file."""

    def __init__(self, server: Served, rogue: Rogue) -> None:
        self.server, self.rogue = server, rogue

    def send(self, data: bytes, timeout: float = 10.0) -> Got:
        with Talk(self.server.address, timeout) as talk:
            talk.send(data)
            return talk.read(head_only=data.startswith(b"HEAD "))

    def ask(self, path: str, *fields: str, method: str = "GET") -> Got:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *fields, "", ""]
        return self.send("\r\n".join(lines).encode())

    def expect_unharmed(self, blobs: set[str]) -> None:
        """It lives, stores what it stored before, and has not met a defect."""
        assert self.server.is_alive
        assert self.server.get("/ready").status == 200
        assert self.server.blobs() == blobs
        assert "defect" not in self.server.log()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("bad-input")
    with Rogue() as rogue:
        rogue.serve("/base/stored/file", STORED)
        with Served(directory, _CONFIG.format(base=rogue.base)) as server:
            world = World(server, rogue)
            assert server.get("/files/stored/file").body == STORED
            wait_for(lambda: "hit" in server.get("/files/stored/file").cache_status, "the file is stored")
            yield world


@pytest.fixture
def world(running: World) -> Iterator[World]:
    blobs = running.server.blobs()
    running.rogue.forget()
    yield running
    running.expect_unharmed(blobs)


@ECOSYSTEMS
def test_no_spelling_of_a_path_leads_out_of_its_repository(world: World, repository: str) -> None:
    for path in ways_out(repository):
        got = world.ask(path)
        # 301: to the normalised name, and 0: not even a request line.
        assert got.status in (0, 301, *range(400, 500)), f"{path}: {got.status} {got.body[:200]!r}"
    for seen in world.rogue.seen:
        assert seen.path.startswith("/base/"), seen.target
        assert not {".", ".."} & set(unquote(seen.path).split("/")), seen.target
        assert "\0" not in unquote(seen.path), seen.target


@ECOSYSTEMS
def test_what_is_no_name_is_refused_in_the_words_of_its_clients(world: World, repository: str) -> None:
    for path in NO_NAMES[repository]:
        got = world.ask(f"/{repository}/{path}")
        assert 400 <= got.status < 500, f"{path}: {got.status}"
        if repository == "npm" and got.body:
            assert json.loads(got.body)["error"]
        if repository == "pypi" and got.body:
            assert json.loads(got.body)["detail"]
    assert [seen.target for seen in world.rogue.seen] == []


def test_a_file_that_no_index_lists_is_not_looked_for_beside_the_base_url(world: World) -> None:
    assert world.ask("/pypi/files/acme-core/admin/delete-everything").status == 404
    assert [seen.target for seen in world.rogue.seen] == ["/base/simple/acme-core/"]


@pytest.mark.parametrize("field", RANGES, ids=range(len(RANGES)))
def test_an_absurd_range_gets_the_whole_the_part_or_a_refusal(world: World, field: str) -> None:
    got = world.ask("/files/stored/file", f"Range: {field}")
    assert got.complete
    match got.status:
        case 200:
            assert got.body == STORED
        case 206:
            first, _, last = got.headers.get("content-range").removeprefix("bytes ").partition("/")[0].partition("-")
            assert got.body == STORED[int(first) : int(last) + 1] != b""
        case 416:
            assert got.headers.get("content-range") == f"bytes */{len(STORED)}"
        case _:
            assert 400 <= got.status < 500
    assert world.rogue.seen == []


@pytest.mark.parametrize("method", METHODS)
@ECOSYSTEMS
def test_an_unknown_method_is_refused_and_not_passed_on(world: World, repository: str, method: str) -> None:
    got = world.ask(f"/{repository}/stored/file", method=method)
    assert got.status in (0, *range(400, 500))
    assert world.rogue.seen == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET /files/stored/file HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Big: " + b"a" * 300_000 + b"\r\n\r\n",
        b"GET /files/stored/file HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Many: a\r\n" * 5000 + b"\r\n",
        b"GET /files/" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /files/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"G" * 300_000,
    ],
    ids=["one field", "many fields", "path", "longish path", "method"],
)
def test_a_giant_head_is_refused(world: World, head: bytes) -> None:
    got = world.send(head)
    assert got.status in (0, *range(400, 500))
    assert world.rogue.seen == []


@pytest.mark.parametrize(
    "head",
    [
        "GET /files/a HTTP/1.1\r\n\r\n",
        "GET /files/a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /files/a HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        "GET /files/a HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /files/a HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\n\r\n",
        "GET /files/a HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n",
        "GET /files/a HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET /files/a HTTP/1.1\r\nHost: 127.0.0.1:port\r\n\r\n",
        "GET http://evil.example/files/a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /files/a HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /files/a\r\n\r\n",
        "GET  /files/a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /files/a b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_a_request_that_is_not_for_us_is_refused(world: World, head: str) -> None:
    got = world.send(head.encode("latin-1"))
    assert got.status in (0, *range(400, 500)), got
    assert world.rogue.seen == []


@pytest.mark.parametrize("data", [data for _, data in smuggling()], ids=[name for name, _ in smuggling()])
def test_a_request_in_a_request_is_not_answered(world: World, data: bytes) -> None:
    with Talk(world.server.address) as talk:
        talk.send(data)
        first = talk.read()
        # Either all of it is refused, or the inner one is a body; then the connection ends.
        assert first.status in range(400, 500)
        assert talk.read().status == 0
    assert "/base/smuggled" not in [seen.path for seen in world.rogue.seen]


def test_noise_is_survived(world: World) -> None:
    def status_of(data: bytes) -> tuple[int, bytes]:
        with Talk(world.server.address, 0.2) as talk:
            talk.send(data)
            return talk.read(head_only=data.startswith(b"HEAD ")).status, data

    # Many at once: what is no whole request gets no answer, and is waited for.
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(status_of, noise(3000, seed=20261121)))
    assert [answer for answer in answers if answer[0] >= 500] == []
    # Some of it is still understood, so that more than the server's own parser was tried.
    assert sum(status == 404 for status, _ in answers) > 100
    for seen in world.rogue.seen:
        assert seen.path.startswith("/base/"), seen.target

"""Gradle build caches: what is put whole comes back, what is not is never seen, and who may put is asked first."""

import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from entrepot.errors import StoreFailure
from entrepot.storage.build_cache import BuildCacheStore
from tests.clients.room import ClientFailed, Room, missing
from tests.faults.served import Served

KEY, OTHER = "0123456789abcdef" * 2, "f" * 32
TYPE = "application/vnd.gradle.build-cache-artifact.v2"
SECRETS = ("reader", "writer")
CACHE = '[build_caches.gradle]\nmax_size = "1MiB"\nmax_entry = "300KiB"\n'
TOKENS = "".join(
    f'[[tokens]]\nname = "{name}"\nsha256 = "{sha256(name.encode()).hexdigest()}"\nrepositories = ["gradle"]\n'
    f"rights = {rights}\n"
    for name, rights in zip(SECRETS, ('["read"]', '["read", "write"]'), strict=True)
)


def ask(served: Served, method: str, key: str, body: bytes | None = None, token: str = "") -> tuple[int, bytes, str]:
    """Status, body and content type."""
    with closing(http.client.HTTPConnection(*served.address, timeout=30)) as connection:
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, f"/gradle/{key}", body, fields)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["content-type"]


def head_of(length: int, more: str = "") -> bytes:
    return f"PUT /gradle/{KEY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{more}\r\n".encode()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "server", CACHE) as served:
        yield served


def entries(served: Served) -> list[str]:
    return sorted(path.name for path in (served.data / "build-caches" / "gradle").glob("??/*"))


def test_what_was_put_comes_back_and_stays_what_it_was(served: Served) -> None:
    assert ask(served, "GET", KEY)[0] == 404
    assert ask(served, "PUT", KEY, b"result")[0] == 201
    assert ask(served, "PUT", KEY, b"poison")[0] == 201

    assert ask(served, "GET", KEY) == (200, b"result", TYPE)
    assert ask(served, "HEAD", KEY)[:2] == (200, b"")
    served.stop()
    served.start()
    assert ask(served, "GET", KEY) == (200, b"result", TYPE)


def test_an_entry_may_be_replaced_where_that_is_configured(served: Served) -> None:
    served.stop()
    served.reconfigure(lambda config: f"{config}replace = true\n")
    served.start()
    for body in (b"one", b"two"):
        assert ask(served, "PUT", KEY, body)[0] == 201
    assert ask(served, "GET", KEY)[1] == b"two"


@pytest.mark.parametrize("key", ["", "short", "G" * 32, f"{KEY}/more", "..%2f..%2fcatalog.db", "0" * 129])
def test_what_is_no_key_is_nowhere(served: Served, key: str) -> None:
    assert ask(served, "PUT", key, b"x")[0] == 404
    assert ask(served, "GET", key)[0] == 404
    assert entries(served) == []


def test_what_is_too_large_is_413_before_and_while_it_is_sent(served: Served) -> None:
    """Told beforehand nothing is sent; without a length it ends where it is too much."""
    with closing(socket.create_connection(served.address, timeout=30)) as plain:
        head = (
            f"PUT /gradle/{KEY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\nExpect: 100-continue\r\n\r\n"
        )
        plain.sendall(head.encode())
        assert plain.recv(4096).startswith(b"HTTP/1.1 413 ")
    with closing(http.client.HTTPConnection(*served.address, timeout=30)) as connection:
        connection.request("PUT", f"/gradle/{KEY}", iter([b"x" * 1000] * 400), encode_chunked=True)
        assert connection.getresponse().status == 413
    assert ask(served, "GET", KEY)[0] == 404
    assert entries(served) == []


def test_a_client_that_waits_for_the_word_gets_it(served: Served) -> None:
    with closing(socket.create_connection(served.address, timeout=30)) as plain:
        plain.sendall(head_of(6, "Expect: 100-continue\r\n"))
        assert plain.recv(4096).startswith(b"HTTP/1.1 100 ")
        plain.sendall(b"result")
        assert plain.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert ask(served, "GET", KEY)[1] == b"result"


def test_half_an_entry_is_never_served(served: Served) -> None:
    with closing(socket.create_connection(served.address, timeout=30)) as plain:
        plain.sendall(head_of(1000) + b"x" * 500)
        assert ask(served, "GET", KEY)[0] == 404
    # Another request after it was cut: the first one is over by then, or will never end well.
    assert ask(served, "PUT", OTHER, b"whole")[0] == 201
    assert ask(served, "GET", KEY)[0] == 404


def test_who_sends_all_of_what_is_too_large_is_told_so(served: Served) -> None:
    """Gradle asks nobody before it sends, and takes a broken connection for the end of the cache."""
    assert ask(served, "PUT", KEY, b"x" * (64 << 20))[0] == 413
    assert entries(served) == []


def test_what_a_proxy_hands_on_is_not_from_this_machine(served: Served) -> None:
    with closing(http.client.HTTPConnection(*served.address, timeout=30)) as connection:
        connection.request("PUT", f"/gradle/{KEY}", b"poison", {"X-Forwarded-For": "198.51.100.7"})
        assert connection.getresponse().status == 403
    assert ask(served, "GET", KEY)[0] == 404


def test_stats_and_metrics_count_what_was_found_and_what_was_not(served: Served) -> None:
    ask(served, "GET", KEY)
    ask(served, "PUT", KEY, b"result")
    for _ in range(3):
        ask(served, "GET", KEY)
    ask(served, "GET", "no-key")

    lines = served.entrepot("stats").splitlines()
    head, row = (line.split("  ") for line in lines[:2])
    told = dict(zip(filter(None, map(str.strip, head)), filter(None, map(str.strip, row)), strict=True))
    assert {name: told[name] for name in ("repository", "requests", "hits", "hit rate", "misses", "served")} == {
        "repository": "gradle", "requests": "6", "hits": "3", "hit rate": "75 %", "misses": "1", "served": "18 B",
    }  # fmt: skip
    assert 'entrepot_requests_total{outcome="passed",repository="gradle"} 1.0' in served.entrepot("stats", "--metrics")


def test_other_sites_and_other_methods_are_refused(served: Served) -> None:
    with closing(http.client.HTTPConnection(*served.address, timeout=30)) as connection:
        connection.request("PUT", f"/gradle/{KEY}", b"x", {"Origin": "https://evil.example"})
        assert connection.getresponse().status == 403
    assert ask(served, "DELETE", KEY)[0] == 405
    assert ask(served, "GET", KEY)[0] == 404


def test_only_who_has_the_right_may_put(tmp_path: Path) -> None:
    with Served(tmp_path / "server", CACHE + TOKENS) as served:
        assert ask(served, "PUT", KEY, b"poison")[0] == 401
        assert ask(served, "PUT", KEY, b"poison", "reader")[0] == 403
        assert ask(served, "GET", KEY)[0] == 401
        assert ask(served, "GET", KEY, token="reader")[0] == 404
        assert ask(served, "PUT", KEY, b"result", "writer")[0] == 201
        assert ask(served, "GET", KEY, token="reader")[1] == b"result"


# --- the store --------------------------------------------------------------------------------------------------------


def put(store: BuildCacheStore, key: str, size: int, used: float) -> None:
    incoming = store.create(key)
    incoming.append(b"x" * size)
    incoming.commit()
    (path,) = store_path(store, key)
    os.utime(path, (used, used))


def store_path(store: BuildCacheStore, key: str) -> list[str]:
    blob = store.find(key)
    if blob is None:
        return []
    blob.close()
    return [blob.path]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    store = BuildCacheStore(tmp_path, 1000, replace=False)
    for number in range(4):
        put(store, f"{number:032x}", 240, used=1000.0 + number)
    # Reading it makes it the last that was used.
    assert store_path(store, f"{0:032x}")

    put(store, f"{9:032x}", 240, used=5000.0)

    left = [number for number in (0, 1, 2, 3, 9) if store_path(store, f"{number:032x}")]
    assert left == [0, 3, 9]


def test_what_is_still_coming_is_not_there_yet(tmp_path: Path) -> None:
    store = BuildCacheStore(tmp_path, 1000, replace=False)
    incoming = store.create(KEY)
    incoming.append(b"half")
    assert store.find(KEY) is None
    incoming.discard()
    assert list(tmp_path.rglob("*incoming*")) == []


def test_what_cannot_take_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    store = BuildCacheStore(tmp_path, 1000, replace=True)
    incoming = store.create(KEY)
    incoming.append(b"result")
    (tmp_path / KEY[:2] / KEY).mkdir()
    with pytest.raises(StoreFailure):
        incoming.commit()
    incoming.discard()
    assert list(tmp_path.rglob("*incoming*")) == []


# --- Gradle -----------------------------------------------------------------------------------------------------------

SETTINGS = """
buildCache { local { enabled = false }; remote(HttpBuildCache) { url = '{url}/'; push = true } }
"""
BUILD = """
@CacheableTask
class Make extends DefaultTask {
    @Input String text = 'made'
    @OutputFile File result = new File(project.buildDir, 'result.txt')
    @TaskAction void make() { result.text = text }
}
task make(type: Make)
"""


@pytest.mark.skipif(bool(missing("gradle")), reason=missing("gradle"))
@pytest.mark.timeout(120)
def test_gradle_takes_from_the_cache_what_another_machine_built(served: Served, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{served.address[1]}/gradle"

    def build(number: int) -> str:
        room = Room(tmp_path / f"room{number}", url, {"JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"})
        room.write("settings.gradle", SETTINGS.replace("{url}", url))
        room.write("build.gradle", BUILD)
        home = f"--gradle-user-home={room.home}/gradle"
        try:
            said = room.run("gradle", home, "--no-daemon", "--build-cache", "--console=plain", "make")
        except ClientFailed as error:
            pytest.fail(str(error))
        assert room.read("build/result.txt") == "made"
        return said

    assert "FROM-CACHE" not in build(1)
    assert len(entries(served)) == 1
    assert ":make FROM-CACHE" in build(2)

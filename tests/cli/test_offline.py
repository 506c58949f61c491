"""An offline server opens no socket to any upstream, whatever it is asked: watched from the other end."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.house import House, status_of

ASKED = {
    "pypi/simple/flask/": 504,
    "pypi/files/flask/packages/aa/bb/flask-1.0.tar.gz": 504,
    "npm/left-pad": 504,
    "npm/left-pad/-/left-pad-1.0.0.tgz": 504,
    "npm/-/v1/search?text=left": 504,
    "go/example.com/m/@v/list": 504,
    "go/example.com/m/@latest": 504,
    "go/example.com/m/@v/v1.0.0.zip": 504,
    "files/a/b.bin": 504,
    "complete/left-pad": 404,
    "@2024-01-01/npm/left-pad": 504,
}
CONFIG = """
network = "offline"

[server]
access_log = "off"

[repositories]
pypi = {{ ecosystem = "pypi", upstreams = ["{url}/simple/"] }}
npm = {{ ecosystem = "npm", upstreams = ["{url}/"], cooldown = {{ default = "3d" }} }}
go = {{ ecosystem = "golang", upstreams = ["{url}/go/"] }}
files = {{ ecosystem = "generic", upstreams = ["{url}/files/"] }}
complete = {{ ecosystem = "npm", upstreams = ["{url}/"], offline_miss = "404" }}
"""


class Watch:
    """A place that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


def house_at(directory: Path, config: str) -> House:
    house = House(directory=directory / "house", config=config, data=directory / "data")
    house.furnish()
    return house


def test_ath_08_an_offline_server_opens_no_socket(tmp_path: Path, watch: Watch) -> None:
    with house_at(tmp_path, CONFIG.format(url=watch.url)).serving() as address:
        found = {path: status_of(f"{address}/{path}") for path in ASKED}
    assert found == ASKED
    assert watch.visits == 0


def test_ath_08_the_same_server_online_would_have(tmp_path: Path, watch: Watch) -> None:
    config = CONFIG.format(url=watch.url).replace('"offline"', '"online"')
    with house_at(tmp_path, config).serving() as address:
        assert status_of(f"{address}/files/a/b.bin") == 502
    assert watch.visits > 0

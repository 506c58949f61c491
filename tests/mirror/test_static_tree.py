"""What one site has fetched is installed on another with real clients: from plain files behind any web server, and from
a bundle behind an Entrepot whose upstream is not to be reached."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.journeys import JOURNEYS, Journey
from tests.clients.room import Room, missing
from tests.clients.shop import open_street
from tests.faults.served import Served
from tests.faults.wire import request
from tests.rogue import KeptPort
from tests.waiting import wait_for

NGINX = """
{user} daemon off; pid {root}/pid; error_log stderr error; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; include /etc/nginx/mime.types;
  client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c; uwsgi_temp_path {root}/d;
  scgi_temp_path {root}/e;
  server {{ listen 127.0.0.1:{port}; root {tree}; }}
}}
"""
AWAY = "http://127.0.0.1:9"


@dataclass(frozen=True, kw_only=True)
class Stock:
    """A store that has all that the journeys need, and is not running."""

    served: Served
    installed: Mapping[str, Mapping[str, str]]
    """By client: what it installed while upstream could be asked."""
    config: str


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    directory = tmp_path_factory.mktemp("street")
    with ExitStack() as stack:
        street = open_street(stack, directory)
        installed = {}
        for journey in JOURNEYS:
            if not missing(*journey.commands):
                room = street[journey.ecosystem].room()
                journey.install(room)
                installed[journey.client] = room.installed()
        served = street["npm"].served
    return Stock(served=served, installed=installed, config=(directory / "server/entrepot.toml").read_text())


@contextmanager
def running(port: int, *command: str) -> Iterator[str]:
    """A web server in its own process; where it is."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        return request(("127.0.0.1", port), "/SHA256SUMS", timeout=5).status == 200
    except OSError:
        return False


def by_python(tree: Path, work: Path, port: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tree))


def by_nginx(tree: Path, work: Path, port: int) -> tuple[str, ...]:
    # Its workers would otherwise be somebody who may not read the directories of tests.
    user = "user root;" if os.geteuid() == 0 else ""
    (work / "nginx.conf").write_text(NGINX.format(user=user, root=work, tree=tree, port=port))
    return ("nginx", "-p", str(work), "-c", str(work / "nginx.conf"))


def install(stock: Stock, journey: Journey, room: Room) -> None:
    journey.install(room)
    found = room.installed()
    assert all(any(name.endswith(one) for name in found) for one in journey.brings)
    assert found == stock.installed[journey.client]


@pytest.mark.parametrize("web_server", [by_python, by_nginx])
def test_z_17_written_files_are_a_registry_behind_any_web_server(
    stock: Stock, tmp_path: Path, web_server: Callable[[Path, Path, int], tuple[str, ...]]
) -> None:
    """Z17 had the cache's own directory as a valid root; ours holds bytes by digest, and `--tree` writes the root."""
    if web_server is by_nginx and missing("nginx"):
        pytest.skip(missing("nginx"))
    kept, tree = KeptPort(), tmp_path / "tree"
    port = kept.number
    stock.served.entrepot("export", "--tree", str(tree), "--all", "--base-url", f"http://127.0.0.1:{port}")
    with running(port, *web_server(tree, tmp_path, port)) as url:
        for journey in JOURNEYS:
            if journey.client in stock.installed:
                install(stock, journey, Room(tmp_path / journey.client, f"{url}/{journey.ecosystem}"))


def test_a_bundle_is_all_that_clients_need_where_no_upstream_is_reached(stock: Stock, tmp_path: Path) -> None:
    key, bundle = tmp_path / "key", tmp_path / "b.tar.zst"
    stock.served.entrepot("bundles", "keygen", str(key))
    stock.served.entrepot("export", str(bundle), "--all", "--key", str(key))
    config = "\n".join(
        f'upstreams = ["{AWAY}/"]' if line.startswith("upstreams") else line for line in stock.config.splitlines()
    )
    with Served(tmp_path / "island", f'network = "offline"\n{config}\n') as island:
        island.entrepot("import", str(bundle), "--trust", f"{key}.pub")
        url = f"http://127.0.0.1:{island.address[1]}"
        for journey in JOURNEYS:
            if journey.client in stock.installed:
                install(stock, journey, Room(tmp_path / journey.client, f"{url}/{journey.ecosystem}"))

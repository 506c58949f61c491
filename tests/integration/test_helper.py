"""The helper of a running server: it works for it, survives nothing that matters, and does not survive the server."""

import json
import os
import select
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.campaign.server import Server
from tests.campaign.store import StoreCheck
from tests.rogue import Page, Rogue
from tests.waiting import eventually

CONFIG = '[repositories.npm]\necosystem = "npm"\nupstreams = ["{base}/"]\n'
EXIT_MS = 20_000


def packument(name: str) -> bytes:
    dist = {"tarball": f"/{name}/-/{name}-1.0.0.tgz", "shasum": "ab" * 20}
    version = {"name": name, "version": "1.0.0", "readme": "x" * 3_000_000, "dist": dist}
    return json.dumps({"name": name, "versions": {"1.0.0": version}}).encode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Rogue() as origin:
        for name in ("first", "second"):
            origin.serve(f"/{name}", Page(body=packument(name), headers=(("content-type", "application/json"),)))
        with Server(tmp_path, CONFIG.format(base=origin.base)) as server:
            yield server.start()


def helpers(server: Server) -> list[int]:
    return [pid for pid in server.pids() if b"scribe_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def asks_for(server: Server, name: str) -> bool:
    """Whether the document comes, as we show it."""
    status, body = server.get(f"/npm/{name}")
    dist = json.loads(body)["versions"]["1.0.0"]["dist"] if status == 200 else {}
    return str(dist.get("tarball")).startswith(server.base)


def ends(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(EXIT_MS))


def test_a_helper_killed_in_the_middle_of_a_document_costs_nobody_the_document(server: Server) -> None:
    assert helpers(server) == []
    assert asks_for(server, "first")
    (helper,) = helpers(server)
    os.kill(helper, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asks_for, server, "second")
        # The document, and what the helper is to write of it.
        assert eventually(lambda: len(StoreCheck(server.data).temporary()) >= 2)
        os.kill(helper, signal.SIGKILL)
        assert asked.result(30)
    assert eventually(lambda: StoreCheck(server.data).temporary() == [])


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_helper_ends_with_its_server_and_leaves_nothing_behind(server: Server, how: str) -> None:
    assert asks_for(server, "first")
    (helper,) = helpers(server)
    pidfd = os.pidfd_open(helper)
    try:
        if how == "stopped":
            assert server.stop() == 0
        else:
            for pid in server.pids():
                if pid != helper:
                    os.kill(pid, signal.SIGKILL)
        assert ends(pidfd)
    finally:
        os.close(pidfd)
    server.kill()
    assert asks_for(server.start(), "second")
    assert eventually(lambda: StoreCheck(server.data).temporary() == [])

"""kill -9 leaves no wrong entry and needs no repair. The long rounds are `python -m tests.campaign crash`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.crash import ORDER, order_of, steps_of, worker_of
from tests.campaign.server import Server, generic
from tests.campaign.store import StoreCheck
from tests.campaign.swarm import Client, SwarmProcess, swarm
from tests.campaign.tracing import AVAILABLE, Strace
from tests.rogue import Page, Rogue, pattern
from tests.waiting import PATIENCE_SECONDS

needs_strace = pytest.mark.skipif(not AVAILABLE, reason="there is no strace here")

BODIES = {f"/{number}.bin": pattern(400_000 + number, seed=number) for number in range(8)}
WANTED = {f"/files{path}": body for path, body in BODIES.items()}
CLIENTS = [Client(path=path) for path in WANTED]


@pytest.fixture
def origin() -> Iterator[Rogue]:
    with Rogue() as rogue:
        for path, body in BODIES.items():
            rogue.serve(path, Page(body=body))
        yield rogue


@pytest.fixture
def server(tmp_path: Path, origin: Rogue) -> Iterator[Server]:
    with Server(tmp_path, generic("files", origin.base)) as server:
        yield server


def assert_sound_after_restart(server: Server) -> None:
    check = StoreCheck(server.data)
    server.start()
    assert check.temporary() == []
    assert check.broken_entries() == []
    assert check.wrong_blobs() == []
    assert all(outcome.right for outcome in swarm(server.host, server.port, CLIENTS, WANTED, limit=30))


@pytest.mark.parametrize("workers", [1, 2])
def test_ath_11_a_kill_during_downloads_leaves_nothing_wrong_and_nothing_behind(
    server: Server, origin: Rogue, workers: int
) -> None:
    server.workers = workers
    for path, body in BODIES.items():
        origin.serve(path, Page(body=body, rate=len(body) / (1 + int(path[1:-4]))))
    server.start()
    crowd = SwarmProcess(server.host, server.port, CLIENTS, WANTED)
    assert StoreCheck(server.data).wait_for_entries(2)
    server.kill()
    outcomes = crowd.outcomes()
    assert not any(outcome.wrong for outcome in outcomes)
    assert not all(outcome.right for outcome in outcomes)  # The kill came in the middle.
    for path, body in BODIES.items():
        origin.serve(path, Page(body=body))
    assert_sound_after_restart(server)


@needs_strace
@pytest.mark.parametrize(("call", "where"), [("rename", ""), ("fsync", ""), ("pwrite64", "catalog.db-wal")])
def test_a_kill_at_a_call_of_the_commit_path_leaves_nothing_wrong(
    server: Server, tmp_path: Path, call: str, where: str
) -> None:
    server.start()
    paths = [server.data / where] if where else []
    with Strace(
        worker_of(server), tmp_path / "trace", calls=call, inject=f"{call}:signal=KILL:when=1", paths=paths
    ) as trace:
        outcomes = swarm(server.host, server.port, CLIENTS[:1], WANTED, limit=20)
        assert not outcomes[0].wrong
        assert trace.struck(PATIENCE_SECONDS)
    server.kill()
    assert_sound_after_restart(server)


@needs_strace
def test_a_body_is_durable_before_anybody_knows_of_it(server: Server, tmp_path: Path) -> None:
    server.start()
    server.get("/files/0.bin")  # The first commit after a start also begins the catalog's log.
    check = StoreCheck(server.data)
    assert check.wait_for_entries(1)
    with Strace(worker_of(server), tmp_path / "trace") as trace:
        server.get("/files/1.bin")
        assert check.wait_for_entries(2)
    assert order_of(steps_of(trace.lines())) == list(ORDER)

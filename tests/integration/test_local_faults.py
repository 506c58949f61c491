"""Faults of this machine: every client gets the right bytes or an honest error. The whole table is
`python -m tests.campaign local`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.crash import worker_of
from tests.campaign.damage import Damage, become_directory, damage_all, flip
from tests.campaign.facts import delete, locked
from tests.campaign.scene import SITUATIONS, Finding, Scene
from tests.campaign.server import Server, generic
from tests.campaign.store import StoreCheck
from tests.campaign.swarm import Client, SwarmProcess, swarm
from tests.campaign.tracing import AVAILABLE, Strace
from tests.rogue import Page, Rogue, pattern
from tests.waiting import eventually, wait_for

needs_strace = pytest.mark.skipif(not AVAILABLE, reason="there is no strace here")

WARM = ("warm", "fresh index", "stale index")
SIZE = 2_000_000


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


def assert_all_right(findings: list[Finding]) -> None:
    assert [str(finding) for finding in findings if not finding.right] == []


@pytest.mark.parametrize("damage", [flip, Path.unlink, become_directory])
def test_a_stored_file_that_was_changed_is_fetched_again_and_never_served(scene: Scene, damage: Damage) -> None:
    scene.start()
    before = scene.origin.count("/files/pkg-0.tar.gz")
    assert damage_all(scene, damage) > 0
    assert_all_right(scene.probe(WARM))
    assert scene.origin.count("/files/pkg-0.tar.gz") == before + 1
    assert scene.wait_until_stored(scene.warm_path)


def test_without_upstream_a_changed_file_is_an_outage_and_no_absence(scene: Scene) -> None:
    scene.start()
    scene.server.stop()
    damage_all(scene, flip)
    scene.origin.goes_dark()
    scene.server.start()
    for finding in scene.probe(WARM):
        assert finding.status in (502, 503, 504), str(finding)


@needs_strace
@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_a_disk_that_breaks_costs_the_store_and_no_download(scene: Scene, call: str) -> None:
    scene.start()
    entries = scene.check.entries()
    with Strace(worker_of(scene.server), scene.directory / "trace", calls=call, inject=f"{call}:error=EIO"):
        assert_all_right(scene.probe())
        wait_for(lambda: scene.server.errors.count("was served and not stored") == 2)
    assert scene.check.broken_entries() == []
    assert eventually(lambda: scene.check.temporary() == [])
    assert {key for _, key, *_ in scene.check.entries()} == {key for _, key, *_ in entries}
    assert_all_right(scene.probe())
    assert all(scene.wait_until_stored(path) for path in scene.last_cold)


def test_a_locked_catalog_keeps_no_client_waiting_and_takes_the_rest_later(scene: Scene) -> None:
    scene.start()
    with locked(scene.server.data / "catalog.db") as release:
        # Nothing ends the lock but this test: whoever waited for it would wait for ever.
        assert_all_right([*scene.probe(), scene.probe_changed_index(), scene.probe_adopted()])
        release.set()
    assert all(scene.wait_until_stored(path) for path in scene.last_cold)


def test_a_lost_catalog_is_told_and_costs_no_download(scene: Scene) -> None:
    scene.start()
    scene.server.kill()
    delete(scene.server.data / "catalog.db")
    fetched = scene.origin.count("/files/pkg-0.tar.gz")
    scene.server.start()
    assert "catalog.db was missing, beside a store that is not empty" in scene.server.errors
    assert_all_right(scene.probe(SITUATIONS))
    assert scene.origin.count("/files/pkg-0.tar.gz") == fetched


def test_a_second_server_is_refused_and_told_who_holds_the_directory(scene: Scene) -> None:
    scene.start()
    assert scene.server.process is not None
    with Server(scene.directory / "second", data=scene.server.data) as second:
        second.launch()
        assert second.wait(20) != 0
    assert f"another server (process {scene.server.process.pid}) uses this data directory" in second.errors
    assert_all_right(scene.probe(WARM))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_is_told_to_stop_ends_its_downloads_first(tmp_path: Path, workers: int) -> None:
    bodies = {f"/{number}.bin": pattern(SIZE, seed=number) for number in range(10)}
    wanted = {f"/files{path}": body for path, body in bodies.items()}
    with Rogue() as origin:
        for path, body in bodies.items():
            origin.serve(path, Page(body=body, rate=SIZE / 2))
        with Server(tmp_path, generic("files", origin.base), workers=workers).start() as server:
            crowd = SwarmProcess(server.host, server.port, [Client(path=path) for path in wanted], wanted)
            wait_for(lambda: origin.count() == len(bodies))
            assert server.stop() == 0
            assert all(outcome.right for outcome in crowd.outcomes())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_download_that_everybody_left_is_stored_all_the_same(tmp_path: Path, workers: int) -> None:
    body = pattern(SIZE)
    with Rogue() as origin:
        origin.serve("/one.bin", Page(body=body, rate=SIZE * 2))
        with Server(tmp_path, generic("files", origin.base), workers=workers).start() as server:
            leaver = Client(path="/files/one.bin", leaves_at=SIZE // 100)
            assert all(outcome.left for outcome in swarm(server.host, server.port, [leaver] * 4, {}))
            check = StoreCheck(server.data)
            assert check.wait_for_entries(1)
            assert check.broken_entries() == []
            assert origin.count("/one.bin") == 1


def test_when_the_disk_is_full_readers_of_every_worker_get_everything(tmp_path: Path) -> None:
    body, path = pattern(SIZE), "/files/one.bin"
    with Rogue() as origin:
        origin.serve("/one.bin", Page(body=body, rate=SIZE))
        # A limit to the size of files is a full disk that needs no root.
        prefix = ("prlimit", f"--fsize={SIZE // 2}")
        with Server(tmp_path, generic("files", origin.base), workers=2, prefix=prefix).start() as server:
            clients = [Client(path=path, starts=number / 50) for number in range(16)]
            outcomes = swarm(server.host, server.port, clients, {path: body})
            assert all(outcome.right for outcome in outcomes)
            check = StoreCheck(server.data)
            assert eventually(lambda: check.temporary() == [])
            assert check.entries() == []


def test_a_server_takes_as_many_files_as_it_may(tmp_path: Path) -> None:
    with Server(tmp_path, prefix=("prlimit", "--nofile=64:2048")).start() as server:
        limits = Path(f"/proc/{worker_of(server)}/limits").read_text().splitlines()
        files = next(line.split() for line in limits if line.startswith("Max open files"))
        assert files[3:5] == ["2048", "2048"]

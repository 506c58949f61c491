"""Readers that are many, slow, or leave, and a server that is told to stop under them."""

import os
import signal
import tempfile
import time
from pathlib import Path

from tests.campaign.memory import MemoryWatch
from tests.campaign.scene import Scene, judge
from tests.campaign.server import Server, generic
from tests.campaign.swarm import Client, SwarmProcess, swarm
from tests.campaign.table import Table, percentile
from tests.rogue import Page, Rogue, pattern

SIZE = 4_000_000
STOPPED_READERS = 100
SLOW_READERS, SLOW_RATE, SLOW_SECONDS = 200, 1024, 75.0
"""Readers at 1 KiB/s; they count from 60 s after the file is complete."""
AT_ONCE = 0.25
"""Seconds within which a killed process's connections end; others learn of its death later."""


def check_stop_under_load(table: Table) -> None:
    for workers in (1, 2):
        bodies = {f"/{number}.bin": pattern(1_000_000, seed=number) for number in range(STOPPED_READERS)}
        with tempfile.TemporaryDirectory(prefix="entrepot-stop-") as directory, Rogue() as origin:
            for path, body in bodies.items():
                origin.serve(path, Page(body=body, rate=150_000))
            with Server(Path(directory), generic("files", origin.base), workers=workers) as server:
                server.start()
                clients = [Client(path=f"/files{path}", fields="Connection: keep-alive\r\n") for path in bodies]
                wanted = {f"/files{path}": body for path, body in bodies.items()}
                crowd = SwarmProcess(server.host, server.port, clients, wanted)
                time.sleep(3)
                began = time.monotonic()
                server.terminate()
                code = server.wait(60)
                seconds = time.monotonic() - began
                outcomes = crowd.outcomes()
        right, wrong = sum(outcome.right for outcome in outcomes), sum(outcome.wrong for outcome in outcomes)
        name = f"SIGTERM under {STOPPED_READERS} downloads, {workers} worker{'s' if workers > 1 else ''}"
        measured = f"{right} right, {wrong} wrong, exit {code} after {seconds:.1f} s"
        ok = right == STOPPED_READERS and not wrong and code == 0 and seconds <= 30
        table.add(name, f"{STOPPED_READERS} finish ≤ 30 s, exit 0", measured, ok)


def check_leavers(table: Table) -> None:
    """The first reader leaves at 1 %; then: all of them leave."""
    for workers in (1, 2):
        for name, leavers, stayers in (("the leader leaves at 1 %", 1, 9), ("everybody leaves", 10, 0)):
            body = pattern(SIZE)
            with tempfile.TemporaryDirectory(prefix="entrepot-leave-") as directory, Rogue() as origin:
                origin.serve("/one.bin", Page(body=body, rate=SIZE / 3))
                with Server(Path(directory), generic("files", origin.base), workers=workers) as server:
                    server.start()
                    path = "/files/one.bin"
                    clients = [Client(path=path, leaves_at=SIZE // 100)] * leavers
                    clients += [Client(path=path, starts=0.2)] * stayers
                    outcomes = swarm(server.host, server.port, clients, {path: body})
                    stored = _is_stored_within(server, path, 10)
                    gets = origin.count("/one.bin")
                    server.stop()
            right = sum(outcome.right for outcome in outcomes)
            measured = f"{right} right, {gets} GET, {'stored' if stored else 'not stored'}"
            title = f"{name}, {workers} worker{'s' if workers > 1 else ''}"
            table.add(title, f"{stayers} right, 1 GET, stored", measured, right == stayers and gets == 1 and stored)


def _is_stored_within(server: Server, path: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.get(path, headers={"Cache-Control": "only-if-cached"})[0] == 200:
            return True
        time.sleep(0.1)
    return False


def check_slow_readers(table: Table) -> None:
    with Scene() as scene:
        scene.start()
        body, path = pattern(SIZE), "/plain/files/long.bin"
        scene.origin.serve("/files/long.bin", body)
        clients = [Client(path=path, rate=SLOW_RATE)] * SLOW_READERS
        crowd = SwarmProcess(scene.server.host, scene.server.port, clients, {path: body}, limit=SLOW_SECONDS)
        time.sleep(SLOW_SECONDS - 12)
        with MemoryWatch(scene.server.pids) as memory:
            waits = _ask_often(scene)
            judge(table, f"{SLOW_READERS} readers at 1 KiB/s: others meanwhile", scene.probe())
        outcomes = crowd.outcomes()
        alive = sum(outcome.matches and outcome.received > 0 and outcome.error.endswith("up") for outcome in outcomes)
        least = min(outcome.received for outcome in outcomes)
        table.add(
            f"{SLOW_READERS} readers at 1 KiB/s for {SLOW_SECONDS:.0f} s",
            "all still reading, bytes right",
            f"{alive} reading, the slowest has {least} bytes",
            alive == SLOW_READERS,
        )
        table.add(
            "slow readers: warm hits meanwhile",
            "p99 ≤ 0.1 s",
            f"{percentile(waits, 0.99):.3f} s",
            percentile(waits, 0.99) <= 0.1,
        )
        peak = memory.peak
        table.add(
            "slow readers: memory", "≤ 300 MiB", f"{peak.pss:.0f} MiB PSS ({peak.rss:.0f} MiB RSS)", peak.pss <= 300
        )
        began = time.monotonic()
        code = scene.server.stop()
        seconds = time.monotonic() - began
        table.add(
            "slow readers gone: stops",
            "exit 0, ≤ 5 s",
            f"exit {code} after {seconds:.1f} s",
            code == 0 and seconds <= 5,
        )


def _ask_often(scene: Scene) -> list[float]:
    waits = []
    for _ in range(200):
        began = time.monotonic()
        assert scene.server.get("/fresh/simple/pkg/")[0] == 200
        waits.append(time.monotonic() - began)
    return waits


def check_stop_under_stalled(table: Table) -> None:
    """Readers that do not read cannot keep a server from stopping."""
    with Scene(settings='[server]\nshutdown_timeout = "3s"\n') as scene:
        scene.start()
        body, path = pattern(8 * SIZE), "/plain/files/long.bin"
        scene.origin.serve("/files/long.bin", body)
        crowd = SwarmProcess(
            scene.server.host, scene.server.port, [Client(path=path, rate=1)] * 20, {path: body}, limit=15
        )
        time.sleep(2)
        began = time.monotonic()
        code = scene.server.stop()
        seconds = time.monotonic() - began
        crowd.outcomes()
        table.add(
            "SIGTERM under stalled readers (shutdown_timeout 3 s)",
            "≤ 10 s, exit 0",
            f"exit {code} after {seconds:.1f} s",
            seconds <= 10 and code == 0,
        )


def check_killed_worker(table: Table) -> None:
    """The worker that fetches is killed in the middle: readers of the other one get everything."""
    body, path = pattern(SIZE), "/files/one.bin"
    with tempfile.TemporaryDirectory(prefix="entrepot-worker-") as directory, Rogue() as origin:
        origin.serve("/one.bin", Page(body=body, rate=SIZE / 3))
        with Server(Path(directory), generic("files", origin.base), workers=2).start() as server:
            clients = [Client(path=path, starts=number / 100) for number in range(40)]
            began = time.monotonic()
            crowd = SwarmProcess(server.host, server.port, clients, {path: body})
            time.sleep(1.5)
            os.kill(leader_of(server), signal.SIGKILL)
            killed = time.monotonic() - began
            outcomes = crowd.outcomes()
            again = swarm(server.host, server.port, [Client(path=path)] * 4, {path: body})
            server.stop()
    right, wrong = sum(outcome.right for outcome in outcomes), sum(outcome.wrong for outcome in outcomes)
    broken = len(outcomes) - right
    later = sum(outcome.ended > killed + AT_ONCE for outcome in outcomes if not outcome.right)
    measured = f"{right} right, {broken} broken with their worker, {later} broken later, {wrong} wrong"
    ok = right > 0 and not wrong and not later and all(outcome.right for outcome in again)
    table.add("the fetching one of 2 workers is killed half way", "readers of the other: all right", measured, ok)


def leader_of(server: Server) -> int:
    """The process whose download is under way, as its temporary file tells."""
    growing = next((server.data / "incoming").iterdir())
    return int(growing.name.partition("-")[0])

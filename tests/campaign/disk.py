"""A disk that is full, broken, read-only or slow, and a process that may open no more files."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.crash import worker_of
from tests.campaign.damage import AS_ANYBODY
from tests.campaign.scene import SIZE, Scene, judge
from tests.campaign.server import Server
from tests.campaign.swarm import Client, Outcome, SwarmProcess, swarm
from tests.campaign.table import Table
from tests.campaign.tracing import Strace
from tests.rogue import Page, pattern

DISK_BYTES = 64 << 20
BIG = 20_000_000
"""More than a download may keep in memory when the disk takes nothing."""
FEW_FILES = 96
DELAY_SECONDS = 2


# --- full -------------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of DISK_BYTES. Needs root."""
    directory = tempfile.mkdtemp(prefix="entrepot-disk-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", directory], check=True)
    try:
        yield Path(directory)
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
        os.rmdir(directory)


def fill(disk: Path, leave: int) -> Path:
    """Take all but `leave` bytes."""
    filler = disk / "filler"
    free = os.statvfs(disk)
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_bsize - leave))
    return filler


def check_full_disk(table: Table) -> None:
    for name, leave, size in (
        ("full in the middle of a body", SIZE // 2, SIZE),
        ("full to the last byte", 0, 4 * SIZE),
    ):
        with small_disk() as disk, Scene(data=disk / "data", size=size) as scene:
            scene.start()
            entries = len(scene.check.entries())
            filler = fill(disk, leave)
            judge(table, f"ENOSPC, {name}", scene.probe())
            _judge_nothing_new(table, scene, f"ENOSPC, {name}: committed", entries)
            big = _ask_for_big(scene)
            table.add(f"ENOSPC, {name}: 20 MB, more than memory may hold", "right", _told(big), big.right)
            filler.unlink()
            findings = scene.probe()
            judge(table, f"ENOSPC, {name}: with space again", findings)
            stored = all(scene.wait_until_stored(path) for path in scene.last_cold)
            table.add(f"ENOSPC, {name}: stores again", "yes", "yes" if stored else "no", stored)
            _stop(table, scene, f"ENOSPC, {name}")


def check_full_disk_of_two(table: Table) -> None:
    """What one process keeps in memory, for want of a disk, no other can read along."""
    for leave in (2 * SIZE, 0):
        with small_disk() as disk, Scene(data=disk / "data", workers=2) as scene:
            scene.start()
            fill(disk, leave)
            body, path = pattern(BIG, seed=98), "/plain/files/big.bin"
            scene.origin.serve("/files/big.bin", Page(body=body, rate=BIG / 3))
            clients = [Client(path=path, starts=number / 20) for number in range(24)]
            outcomes = swarm(scene.server.host, scene.server.port, clients, {path: body}, limit=60)
            right, wrong = sum(outcome.right for outcome in outcomes), sum(outcome.wrong for outcome in outcomes)
            where = "in the middle of the body" if leave else "from the start"
            measured = f"{right} of {len(outcomes)} right, {wrong} wrong"
            table.add(f"ENOSPC {where}, 2 workers, 24 readers", "all right", measured, right == len(outcomes))
            _stop(table, scene, "ENOSPC, 2 workers")


def _ask_for_big(scene: Scene) -> Outcome:
    body = pattern(BIG, seed=99)
    scene.origin.serve("/files/big.bin", body)
    path = "/plain/files/big.bin"
    return swarm(scene.server.host, scene.server.port, [Client(path=path)], {path: body}, limit=60)[0]


def _told(outcome: Outcome) -> str:
    return "right" if outcome.right else f"{outcome.status}, {outcome.received} bytes, {outcome.error}"


def _judge_nothing_new(table: Table, scene: Scene, name: str, entries: int) -> None:
    """The store knows nothing that it does not have: no new entry, or one whose bytes are there."""
    now, broken, wrong = len(scene.check.entries()), scene.check.broken_entries(), scene.check.wrong_blobs()
    left = len(scene.check.temporary())
    measured = f"{now - entries} new entries, {len(broken)} without bytes, {len(wrong)} wrong files, {left} temporary"
    table.add(name, "nothing", measured, now == entries and not broken and not wrong and not left)


def _stop(table: Table, scene: Scene, name: str) -> None:
    code = scene.server.stop()
    if code:
        table.add(f"{name}: stops", "exit 0", f"exit {code}", ok=False)


# --- broken -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """Which call fails, and on which file."""

    call: str
    where: str
    """incoming: the growing body; directory: where it goes; catalog: its log."""


BREAKAGES = (
    Breakage(call="write", where="incoming"),
    Breakage(call="fdatasync", where="incoming"),
    Breakage(call="rename", where="incoming"),
    Breakage(call="fsync", where="directory"),
    Breakage(call="pwrite64", where="catalog"),
    Breakage(call="fdatasync", where="catalog"),
)


def check_broken_disk(table: Table) -> None:
    for breakage in BREAKAGES:
        name = f"EIO on {breakage.call} ({breakage.where})"
        with Scene() as scene:
            scene.start()
            entries = len(scene.check.entries())
            body, path = pattern(SIZE, seed=77), "/plain/files/slow.bin"
            scene.origin.serve("/files/slow.bin", Page(body=body, rate=SIZE / 2))
            reader = SwarmProcess(scene.server.host, scene.server.port, [Client(path=path)], {path: body})
            with _breaking(scene, breakage):
                outcome = reader.outcomes()[0]
                time.sleep(1)
                table.add(f"{name}: the client that was reading", "right body", _told(outcome), outcome.right)
                _judge_nothing_new(table, scene, f"{name}: committed", entries)
                if breakage.where != "incoming":
                    judge(table, f"{name}: others meanwhile", scene.probe())
            judge(table, f"{name}: afterwards", scene.probe())
            stored = all(scene.wait_until_stored(cold) for cold in scene.last_cold)
            table.add(f"{name}: stores again", "yes", "yes" if stored else "no", stored)
            _stop(table, scene, name)


@contextmanager
def _breaking(scene: Scene, breakage: Breakage) -> Iterator[None]:
    data = scene.server.data
    paths: list[Path] = []
    if breakage.where == "incoming":
        paths = [_growing(data)]
    if breakage.where == "catalog":
        paths = [data / "catalog.db-wal"]
    inject = f"{breakage.call}:error=EIO"
    output = scene.directory / "trace"
    with Strace(worker_of(scene.server), output, calls=breakage.call, inject=inject, paths=paths):
        yield


def _growing(data: Path) -> Path:
    """The temporary file of the download that is under way."""
    while True:
        for path in (data / "incoming").glob("*"):
            if path.stat().st_size:
                return path
        time.sleep(0.005)


# --- slow -------------------------------------------------------------------------------------------------------------


def check_slow_disk(table: Table) -> None:
    with ExitStack() as stack:
        scene = stack.enter_context(Scene())
        scene.start()
        inject = f"fdatasync,fsync:delay_exit={DELAY_SECONDS * 1_000_000}"
        calls = "fdatasync,fsync"
        with Strace(worker_of(scene.server), scene.directory / "trace", calls=calls, inject=inject):
            findings = scene.probe()
        judge(table, f"every fsync takes {DELAY_SECONDS} s", findings)
        artifacts = [finding.seconds for finding in findings if "index" not in finding.situation]
        slowest = max(artifacts)
        table.add("slow fsync: an artifact does not wait for it", "< 1 s", f"{slowest:.2f} s", slowest < 1)
        stored = all(scene.wait_until_stored(path) for path in scene.last_cold)
        table.add("slow fsync: stored in the end", "yes", "yes" if stored else "no", stored)
        _stop(table, scene, "slow fsync")


# --- read-only --------------------------------------------------------------------------------------------------------


def check_read_only(table: Table) -> None:
    with Scene(prefix=AS_ANYBODY) as scene:
        scene.start()
        entries = len(scene.check.entries())
        directories = [path for path in scene.server.data.rglob("*") if path.is_dir()] + [scene.server.data]
        for directory in directories:
            directory.chmod(0o500)
        try:
            judge(table, "data directory made read-only", scene.probe())
            _judge_nothing_new(table, scene, "data directory made read-only: committed", entries)
        finally:
            for directory in directories:
                directory.chmod(0o700)
        judge(table, "data directory writable again", scene.probe())
        _stop(table, scene, "read-only")
    with tempfile.TemporaryDirectory(prefix="entrepot-read-only-") as place:
        data = Path(place, "data")
        data.mkdir(0o500)
        with Server(Path(place), data=data, prefix=AS_ANYBODY) as server:
            server.launch()
            code = server.wait(10)
            told = next((line for line in server.errors.splitlines() if "data directory" in line), "")
            refused = code != 0 and str(data) in told
            table.add("data directory read-only at start", "refused, says why", f"exit {code}: {told}", refused)


# --- too many open files ----------------------------------------------------------------------------------------------


def check_descriptors(table: Table) -> None:
    with Scene(prefix=("prlimit", f"--nofile={FEW_FILES}:{FEW_FILES}")) as scene:
        scene.start()
        idle = [_connect(scene) for _ in range(FEW_FILES)]
        time.sleep(1)
        paths = {f"/plain/files/pkg-{number}.tar.gz": scene.body(number) for number in range(4, 12)}
        during = swarm(scene.server.host, scene.server.port, [Client(path=path) for path in paths], paths, limit=10)
        wrong = sum(outcome.wrong for outcome in during)
        told = sorted({"right" if outcome.right else outcome.error or str(outcome.status) for outcome in during})
        absent = sum(outcome.status == 404 for outcome in during)
        table.add(
            f"{FEW_FILES} files, all taken: 8 downloads",
            "0 wrong, no 404",
            f"{wrong} wrong; {', '.join(told)}",
            not wrong and not absent,
        )
        for connection in idle:
            connection.close()
        time.sleep(1.5)
        judge(table, "too many open files: afterwards", scene.probe())
        crowd = [Client(path=path) for path in paths for _ in range(12)]
        together = swarm(scene.server.host, scene.server.port, crowd, paths, limit=60)
        wrong = sum(outcome.wrong for outcome in together)
        right = sum(outcome.right for outcome in together)
        table.add(
            f"{FEW_FILES} files, {len(crowd)} clients at once", "0 wrong", f"{right} right, {wrong} wrong", not wrong
        )
        time.sleep(0.5)
        judge(table, "too many open files: after the crowd", scene.probe())
        _stop(table, scene, "descriptors")


def _connect(scene: Scene) -> socket.socket:
    connection = socket.create_connection((scene.server.host, scene.server.port))
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")  # Not the end of the head: it stays open.
    return connection

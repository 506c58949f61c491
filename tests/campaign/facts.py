"""A catalog that is locked, lost or corrupt, a clock that jumps, a second server."""

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.campaign.scene import Scene, judge
from tests.campaign.server import Server, generic
from tests.campaign.shelf import body_of, key_of, open_shelf
from tests.campaign.table import Table
from tests.rogue import Rogue

LOCKED_SECONDS = 30.0
SOON = 2.0
"""Seconds within which a client gets its answer although the catalog cannot be written."""
DAY = 86400
MANY = 100_000
NEEDS_FACTS = dict.fromkeys(("cold, digest known", "cold, unknown", "warm", "fresh index", "stale index"), (503,))


# --- locked -----------------------------------------------------------------------------------------------------------


@contextmanager
def locked(catalog: Path, seconds: float = 60.0) -> Iterator[threading.Event]:
    """Somebody else writes, and does not come to an end for so long, or until the event is set. It is over when this
    is left."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(catalog, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            held.set()
            release.wait(seconds)
            other.execute("ROLLBACK")

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        yield release
    finally:
        holder.join()


def check_locked_catalog(table: Table) -> None:
    with Scene() as scene:
        scene.start()
        with locked(scene.server.data / "catalog.db", LOCKED_SECONDS):
            findings = [*scene.probe(), scene.probe_changed_index(), scene.probe_adopted()]
        judge(table, f"catalog locked for {LOCKED_SECONDS:.0f} s", findings)
        slowest = max(finding.seconds for finding in findings)
        table.add("catalog locked: nobody waits for it", f"< {SOON:.0f} s", f"{slowest:.2f} s", slowest < SOON)
        stored = all(scene.wait_until_stored(path) for path in scene.last_cold)
        table.add("catalog locked: stored when the lock is gone", "yes", "yes" if stored else "no", stored)
        judge(table, "catalog locked: afterwards", scene.probe())
        scene.server.stop()


# --- lost -------------------------------------------------------------------------------------------------------------


def delete(catalog: Path) -> None:
    for path in catalog.parent.glob(f"{catalog.name}*"):
        path.unlink()


def corrupt(catalog: Path) -> None:
    """Garbage over every page but the first, and over the log."""
    for path in (catalog, catalog.with_name(f"{catalog.name}-wal")):
        if path.exists():
            with open(path, "r+b") as file:
                file.seek(4096)
                file.write(b"\xa5" * max(0, path.stat().st_size - 4096))


def check_lost_catalog(table: Table) -> None:
    for name, damage in (("deleted", delete), ("corrupt", corrupt)):
        with Scene() as scene:
            scene.start()
            damage(scene.server.data / "catalog.db")
            judge(table, f"catalog {name} while served", scene.probe(), NEEDS_FACTS)
            judge(table, f"catalog {name} while served, once more", scene.probe(), NEEDS_FACTS)
            scene.server.kill()
            _judge_restart(table, scene, f"catalog {name} while served")
        with Scene() as scene:
            scene.start()
            scene.server.stop()
            for backup in scene.server.data.glob("catalog.db.backup*"):
                backup.unlink()
            damage(scene.server.data / "catalog.db")
            _judge_restart(table, scene, f"catalog {name} while stopped, no backup")
        with Scene() as scene:
            scene.start()
            scene.server.stop()
            damage_only(scene.server.data / "catalog.db", name)
            _judge_restart(table, scene, f"catalog {name} while stopped, with a backup", fetches=0)


def damage_only(catalog: Path, name: str) -> None:
    """The catalog itself; its backup stays."""
    if name == "deleted":
        catalog.unlink()
    else:
        corrupt(catalog)


def _judge_restart(table: Table, scene: Scene, name: str, fetches: int | None = None) -> None:
    before = scene.origin.count("/files/pkg-0.tar.gz")
    scene.server.start()
    ready = scene.server.ready_seconds
    told = [line for line in scene.server.errors.splitlines() if "catalog.db" in line and "event" in line]
    judge(table, f"{name}: after the restart", scene.probe())
    fetched = scene.origin.count("/files/pkg-0.tar.gz") - before
    says = "says so" if told else "says nothing"
    ok = ready <= 5 and bool(told) and fetched <= (0 if fetches == 0 else 1)
    table.add(
        f"{name}: restart",
        "≤ 5 s, says so, blobs used again",
        f"{ready:.2f} s, {says}, the warm file fetched {fetched} ×",
        ok,
    )
    scene.server.stop()


# --- clock ------------------------------------------------------------------------------------------------------------


def check_clock(table: Table) -> None:
    for days in (1, -1):
        with Scene() as scene:
            scene.start()
            scene.server.stop()
            scene.server.environment["ENTREPOT_CLOCK_OFFSET"] = str(days * DAY)
            scene.server.start()
            judge(table, f"clock {days:+d} day", scene.probe())
            scene.origin.goes_dark()
            warm = scene.probe(("warm", "fresh index", "stale index"))
            judge(table, f"clock {days:+d} day, upstream down", warm)
            scene.origin.comes_back()
            scene.server.stop()
            del scene.server.environment["ENTREPOT_CLOCK_OFFSET"]
            scene.server.start()
            judge(table, f"clock {days:+d} day, and back", scene.probe())
            scene.server.stop()


# --- a second server --------------------------------------------------------------------------------------------------


def check_second_server(table: Table) -> None:
    with Scene() as scene:
        scene.start()
        holder = scene.server.process.pid if scene.server.process else 0
        with Server(scene.directory / "second", data=scene.server.data) as second:
            second.launch()
            code = second.wait(10)
            told = second.errors.strip().splitlines()[-1:]
            text = told[0] if told else ""
            refused = code != 0 and str(holder) in text and str(scene.server.data) in text
            table.add("a second server on the same directory", "refused, says why", f"exit {code}: {text}", refused)
        judge(table, "a second server: the first goes on", scene.probe())
        scene.server.stop()


def check_slow_lock(table: Table) -> None:
    """A lock that is taken when a server starts."""
    with Scene() as scene:
        scene.start()
        scene.server.stop()
        with locked(scene.server.data / "catalog.db", 3):
            scene.server.start()
            ready = scene.server.ready_seconds
        table.add("catalog locked for 3 s at the start", "ready ≤ 5 s", f"{ready:.2f} s", ready <= 5)
        judge(table, "catalog locked at the start: afterwards", scene.probe())
        scene.server.stop()


# --- many entries -----------------------------------------------------------------------------------------------------


def check_many_entries(table: Table) -> None:
    with tempfile.TemporaryDirectory(prefix="entrepot-many-") as directory, Rogue() as origin:
        origin.serve("/first.bin", b"the model of all others")
        shelf = open_shelf(Path(directory), generic("files", origin.base), "files", "/first.bin")
        shelf.fill(MANY)
        for name, end in (("a stop", Server.stop), ("kill -9", Server.kill)):
            with shelf.server.start() as server:
                end(server)
            with shelf.server.start() as server:
                ready = server.ready_seconds
                bodies = {f"/files/{key_of(number)}": body_of(number) for number in range(0, MANY, MANY // 100)}
                right = sum(server.get(path) == (200, body) for path, body in bodies.items())
                server.stop()
            measured = f"{ready:.2f} s; {right} of {len(bodies)} right, {origin.count()} upstream request"
            ok = ready <= 5 and right == len(bodies) and origin.count() == 1
            table.add(f"restart with {MANY:,} entries after {name}", "ready ≤ 5 s, all right", measured, ok)

"""dnf that updates and downloads, over and over, while upstream publishes one generation after the other.

Nobody may ever get metadata or packages of two generations, whether metadata is named by its digest or plainly.
"""

import argparse
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.apt_generations import Outcome
from tests.clients.fixture_rpm import Tree
from tests.clients.registry import Registry
from tests.faults.served import Served

CONFIG = """[repositories.rpm]
ecosystem = "rpm"
upstreams = ["{url}/"]
freshness = {{ mutable_ttl = "0s" }}
stale = {{ while_revalidate = "0s" }}
"""
TIMEOUT_SECONDS = 600.0
_MIXED = re.compile(r"[Cc]hecksum|signature|doesn't match|not match")
_COMPLAINT = re.compile(r"^(?:Error|  - |Errors).*", re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class Machine:
    directory: Path
    url: str

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True)
        places = "".join(f"{name}={self.directory / name}\n" for name in ("cachedir", "logdir", "persistdir"))
        (self.directory / "dnf.conf").write_text(
            f"[main]\nreposdir=/dev/null\ngpgcheck=0\nretries=1\n{places}\n[ours]\nname=ours\nbaseurl={self.url}\n"
        )

    def run(self, *words: str) -> tuple[int, str]:
        """Exit status and what was printed."""
        line = ["dnf", "-y", "-c", str(self.directory / "dnf.conf"), f"--installroot={self.directory / 'root'}"]
        done = subprocess.run(
            [*line, "--releasever=1", *words],
            env={**os.environ, "HOME": str(self.directory), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def round(self) -> tuple[str, list[str]]:
        """What went wrong, and the packages that came. dnf compares each with its metadata."""
        for words in (("makecache", "--refresh"), ("install", "--downloadonly", "base")):
            status, told = self.run(*words)
            if status:
                return told, []
        # Below the root of the installation, or beside it: versions of dnf differ.
        found = list(self.directory.rglob("*.rpm"))
        for path in found:
            path.unlink()
        return "", [path.name for path in found]


def rehearse(
    directory: Path, *, clients: int, generations: int, options: tuple[str, ...], workers: int = 1, pause: float = 0.5
) -> Outcome:
    """`options` are createrepo_c's; `pause` in seconds between two generations."""
    tree = Tree(directory / "tree", options=options)
    with Registry(decoded=True) as registry:
        _publish(tree, registry, 0)
        with Served(directory / "server", CONFIG.format(url=registry.url), workers=workers) as served:
            url = f"http://127.0.0.1:{served.address[1]}/rpm{tree.prefix}"
            machines = [Machine(directory=directory / f"machine{number}", url=url) for number in range(clients)]
            outcome, ended, lock = Outcome(), threading.Event(), threading.Lock()
            # What nobody has asked for yet is not brought along: the first client shows what is wanted.
            _round(machines[0], outcome, lock)

            def go_on(machine: Machine) -> None:
                while not ended.is_set():
                    _round(machine, outcome, lock)
                _round(machine, outcome, lock)

            with ThreadPoolExecutor(clients) as pool:
                running = [pool.submit(go_on, machine) for machine in machines]
                for number in range(1, generations):
                    _publish(tree, registry, number)
                    time.sleep(pause)
                ended.set()
                for one in running:
                    one.result()
            return outcome


def _publish(tree: Tree, registry: Registry, number: int) -> None:
    """All at once; the metadata of before is gone, the packages are not."""
    tree.publish("base", f"1.{number}")
    tree.index()
    registry.files = tree.files


def _round(machine: Machine, outcome: Outcome, lock: threading.Lock) -> None:
    told, found = machine.round()
    complaint = next(iter(_COMPLAINT.findall(told)), told[:200])
    mixed = bool(_MIXED.search(told))
    with lock:
        outcome.rounds += 1
        outcome.mixed += mixed
        outcome.versions.update(found)
        if told and not mixed:
            outcome.failed[re.sub(r"[0-9a-f]{16,}|:[0-9]+", "…", complaint)] += 1


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign dnf_generations", description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--generations", type=int, default=50)
    asked = parser.parse_args(arguments)
    bad = 0
    for name, options in (("hashed names", ()), ("plain names", ("--simple-md-filenames",))):
        with tempfile.TemporaryDirectory() as place:
            outcome = rehearse(
                Path(place), clients=asked.clients, generations=asked.generations, options=options, workers=2
            )
        print(f"{name}: {outcome}", flush=True)
        bad += outcome.mixed + outcome.failed.total()
    return 1 if bad else 0

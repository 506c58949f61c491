"""dnf that updates and downloads, over and over, while upstream publishes one generation after the other.

Nobody may ever get metadata or packages of two generations, whether metadata is named by its digest or plainly.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.addresses import Addresses
from tests.campaign.generations import WORKERS, Outcome, Round, publish_beside, show
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
HASHED, PLAIN = "hashed names, all behind one address", "plain names, an address each"
PLAIN_AT_ONE = "plain names, all behind one address"
"""dnf fetches metadata over several connections: which of them is whose, nobody can tell then."""
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

    def round(self) -> Round:
        """dnf compares each package with its metadata."""
        for words in (("makecache", "--refresh"), ("install", "--downloadonly", "base")):
            status, told = self.run(*words)
            if status:
                complaint = next(iter(_COMPLAINT.findall(told)), told[:200] or f"exit status {status}")
                return Round(failure=complaint, mixed=bool(_MIXED.search(told)))
        # Below the root of the installation, or beside it: versions of dnf differ.
        found = list(self.directory.rglob("*.rpm"))
        for path in found:
            path.unlink()
        return Round(editions=[path.name for path in found])


def rehearse(directory: Path, way: str, *, clients: int, generations: int, pause: float = 0.5) -> Outcome:
    """`pause` in seconds between two generations."""
    options = () if way == HASHED else ("--simple-md-filenames",)
    tree, numbers = Tree(directory / "tree", options=options), iter(range(generations))
    with Registry(decoded=True) as registry:

        def publish() -> None:
            """All at once; the metadata of before is gone, the packages are not."""
            tree.publish("base", f"1.{next(numbers)}")
            tree.index()
            registry.files = tree.files

        publish()
        config = CONFIG.format(url=registry.url)
        with Served(directory / "server", config, workers=WORKERS) as served, _ports(served, clients, way) as ports:
            machines = [
                Machine(directory=directory / f"machine{number}", url=f"http://127.0.0.1:{port}/rpm{tree.prefix}")
                for number, port in enumerate(ports)
            ]
            return publish_beside(machines, publish, generations=generations, pause=pause)


@contextmanager
def _ports(served: Served, clients: int, way: str) -> Iterator[list[int]]:
    """Where each client asks."""
    port = served.address[1]
    if way != PLAIN:
        yield [port] * clients
        return
    with Addresses(port, clients) as addresses:
        yield addresses.ports


def main(arguments: Sequence[str] = ()) -> int:
    return show("dnf", (HASHED, PLAIN, PLAIN_AT_ONE), _rehearse, arguments)


def _rehearse(way: str, clients: int, generations: int) -> Outcome:
    with tempfile.TemporaryDirectory() as place:
        return rehearse(Path(place), way, clients=clients, generations=generations)

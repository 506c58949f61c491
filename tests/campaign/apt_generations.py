"""apt-get that updates and installs, over and over, while upstream publishes one generation after the other.

Nobody may ever get files of two generations, whether the archive has names by hash or only plain ones.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.generations import WORKERS, Outcome, Round, publish_beside, show
from tests.clients.fixture_apt import Archive, Machine, new_signer
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed
from tests.faults.served import Served

CONFIG = """[repositories.deb]
ecosystem = "apt"
upstreams = ["{url}/"]
freshness = {{ mutable_ttl = "0s" }}
stale = {{ while_revalidate = "0s" }}
"""
BY_HASH, PLAIN = "by hash", "plain names"
_MIXED = re.compile(r"Hash Sum mismatch|unexpected size|BADSIG|Clearsigned file isn't valid")


@dataclass(frozen=True, slots=True)
class _Client:
    machine: Machine

    def round(self) -> Round:
        try:
            self.machine.update()
            return Round(editions=list(self.machine.install("base")))
        except ClientFailed as error:
            said = str(error)
            failure = next((line for line in said.splitlines() if line.startswith("E: ")), said[:200])
            return Round(failure=failure, mixed=bool(_MIXED.search(said)))
        finally:
            self.machine.forget_packages()


def rehearse(
    directory: Path, *, clients: int, generations: int, by_hash: bool, workers: int = 1, pause: float = 0.5
) -> Outcome:
    """`pause` in seconds between two generations."""
    with new_signer() as signer, Registry(decoded=True) as registry:
        archive = Archive(directory / "archive", signer, by_hash=by_hash)

        def publish() -> None:
            archive.publish("base", f"1.{archive.editions + 1}")
            archive.index()
            registry.files, registry.modified = archive.files, archive.modified

        publish()
        with Served(directory / "server", CONFIG.format(url=registry.url), workers=workers) as served:
            url = f"http://127.0.0.1:{served.address[1]}/deb{archive.prefix}"
            line = f"deb [signed-by={signer.keyring}] {url} stable main\n"
            machines = [_Client(Machine(directory / f"machine{number}", line)) for number in range(clients)]
            return publish_beside(machines, publish, generations=generations, pause=pause)


def main(arguments: Sequence[str] = ()) -> int:
    return show("apt", (BY_HASH, PLAIN), _rehearse, arguments)


def _rehearse(way: str, clients: int, generations: int) -> Outcome:
    with tempfile.TemporaryDirectory() as place:
        return rehearse(Path(place), clients=clients, generations=generations, by_hash=way == BY_HASH, workers=WORKERS)

"""An upstream that leads to names which resolve to addresses that are not public."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.faults.cases import Want
from tests.faults.served import Served
from tests.faults.shelf import Thing
from tests.faults.trial import Cell
from tests.rogue import Rogue, redirect
from tests.rogue.tls import authority, server_context

PLACES = ("127.0.0.1", "10.1.2.3", "192.168.7.7", "169.254.169.254", "100.64.0.1", "::1", "fe80::1", "::ffff:10.1.2.3")
# The file is another one in this server's view of the file system only.
_WITH_HOSTS = ("unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"')
_CONFIG = """
[fetch]
connect_timeout = "1s"
[upstreams.origin]
url = "{base}/"
ca_file = "{trusted}"
[repositories.files]
ecosystem = "generic"
upstreams = ["origin"]
rules = [{{ path = '.*', class = "immutable" }}]
"""


def resolved_astray(directory: Path) -> Mapping[str, Cell]:
    """No cells where this system allows no name space of its own."""
    directory.mkdir()
    hosts, trusted = directory / "hosts", directory / "authority.pem"
    hosts.write_text("".join(f"{place} inside{number}.example\n" for number, place in enumerate(PLACES)))
    authority().cert_pem.write_to_path(str(trusted))
    if not _can_have_hosts(hosts):
        print("left out: names that resolve to what is not public need a mount name space (unshare)")
        return {}
    cell = Cell()
    with Rogue() as rogue, Rogue(tls=server_context("inside0.example")) as bystander:
        bystander.serve("/x", b"never to be had")
        config = _CONFIG.format(base=rogue.base, trusted=trusted)
        with Served(directory, config, wrapper=(*_WITH_HOSTS, str(hosts))) as server:
            for number in range(len(PLACES)):
                target = f"https://inside{number}.example:{bystander.port}/x"
                rogue.disturb(f"/{number}", redirect(target))
                got = server.get(f"/files/{number}")
                thing = Thing(path=f"/files/{number}", upstream=f"/{number}")
                cell.add(thing, got, Want.ERROR, frozenset({502}))
                if "egress-refused" not in got.cache_status:
                    cell.complaints.append(f"{PLACES[number]}: {got.cache_status} {got.body!r}")
        if bystander.connections:
            cell.complaints.append("a server on this machine was contacted")
    return {"cold artifact": cell}


def _can_have_hosts(hosts: Path) -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*_WITH_HOSTS, str(hosts), "true"], capture_output=True, check=False).returncode == 0

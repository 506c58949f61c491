"""Where this machine's clients get their packages, and what to type to change it."""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from entrepot.cli.findings import Finding, fine, note, problem
from entrepot.config.addresses import addresses_in, is_ours
from entrepot.config.machine import Machine
from entrepot.config.settings import Server
from entrepot.contracts.ecosystem import Client

CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Pointer:
    """An address that a client uses, without credentials, and where it is set."""

    address: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ourselves:
    """How to tell our own addresses from others."""

    url: str
    """Where clients on this machine reach us, without trailing slash."""
    server: Server
    repositories: frozenset[str]

    def is_us(self, address: str) -> bool:
        return address.startswith(f"{self.url}/") or is_ours(address, self.server)


def examine_client(client: Client, repository: str, ourselves: Ourselves, machine: Machine) -> Iterator[Finding]:
    """Nothing at all for a client that is not installed and points nowhere."""
    pointer = find_pointer(client, machine)
    installed = shutil.which(client.command, path=machine.environment.get("PATH")) is not None
    if installed:
        yield _judge(client, repository, pointer, ourselves)
    for variable in client.further:
        if installed and machine.environment.get(variable):
            yield note(client.name, f"{variable} is set: what it names is asked besides us, and not through us")


def find_pointer(client: Client, machine: Machine) -> Pointer | None:
    """Variables first, then files, then what the client itself says; None where all are silent."""
    for address, source in _answers(client, machine):
        for found in addresses_in(address):
            return Pointer(found, source)
    return None


def _answers(client: Client, machine: Machine) -> Iterator[tuple[str, str]]:
    for variable, template in client.variables.items():
        if template.startswith("{url}"):
            yield machine.environment.get(variable, ""), f"the environment variable {variable}"
    for place in client.found_at:
        for path, text in machine.files(place.path):
            yield place.read(text) or "", str(path)
    for command in client.asks:
        if shutil.which(command[0], path=machine.environment.get("PATH")):
            yield machine.ask(command), f"`{' '.join(command)}`"


def _judge(client: Client, repository: str, pointer: Pointer | None, ourselves: Ourselves) -> Finding:
    url = f"{ourselves.url}/{repository}"
    place = urlsplit(url)
    setup = client.setup.format(url=url, host=place.hostname or "", registry=f"{place.netloc}{place.path}")
    if pointer is None:
        return note(client.name, "installed; goes past us, to where it goes by default", _advice(setup))
    where = f"{pointer.address} ({pointer.source})"
    if not ourselves.is_us(pointer.address):
        return note(client.name, f"goes past us, to {where}", _advice(setup))
    first, _, rest = urlsplit(pointer.address).path.strip("/").partition("/")
    name = rest.partition("/")[0] if first.startswith("~") else first
    if name and name not in ourselves.repositories:
        return problem(client.name, f"leads to {where}, where there is no repository {name!r}", _advice(setup))
    if not _answers_at(pointer.address):
        return problem(client.name, f"leads to {where}, where nobody answers", "start the server: entrepot serve")
    return fine(client.name, f"comes through us: {where}")


def _advice(setup: str) -> str:
    """`entrepot run` needs none of it."""
    if not setup:
        return ""
    return "to point it here for good (not needed for `entrepot run`):\n" + "\n".join(
        f"  {line}" for line in setup.splitlines()
    )


def _answers_at(address: str) -> bool:
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True

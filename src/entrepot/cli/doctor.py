"""`entrepot doctor`: are clients, upstreams and store in order, and what to do where they are not."""

import sys
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from entrepot.cli.context import ConfigOption, DataOption, resolve_upstreams, this_machine
from entrepot.cli.findings import Finding, Level, fine, lines_of, note, problem
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator
from entrepot.cli.pointers import Ourselves, examine_client
from entrepot.cli.premises import examine_premises, examine_server, ping
from entrepot.cli.tables import count_text
from entrepot.config.addresses import base_url
from entrepot.ecosystems import find_ecosystems
from entrepot.errors import EntrepotError

SAMPLES = 20
CLOCK_SECONDS = 300
"""By which our clock may differ from an upstream's."""
CREDENTIALS = (401, 407)

app = new_app()


class _Reached(msgspec.Struct, kw_only=True):
    repository: str
    url: str
    status: int = 0
    ms: int = 0
    ahead: int = 0
    error: str = ""


class _Inspected(msgspec.Struct, kw_only=True):
    problems: list[str]
    files: int
    read: int
    wrong: list[str]


class _Swept(msgspec.Struct, kw_only=True):
    read: int
    quarantined: int
    orphans: int


@app.command()
def doctor(
    config: ConfigOption = None,
    data: DataOption = None,
    full: Annotated[bool, typer.Option("--full", help="Read every stored file, not only a few.")] = False,
) -> int:
    """Say whether clients, upstreams and store are in order, and what to do where they are not. Exit status 1: there
    is a problem."""
    operator = Operator(config, data)
    worst = Level.FINE
    for title, findings in (
        ("server", _server(operator)),
        ("store", _store(operator, full=full)),
        ("upstreams", _upstreams(operator)),
        ("clients", _clients(operator)),
    ):
        print(title)
        listed = []
        for finding in findings:
            listed.append(finding)
            print("\n".join(lines_of([finding])), flush=True)
        if any(finding.level is Level.PROBLEM for finding in listed):
            worst = Level.PROBLEM
    if worst is Level.PROBLEM:
        print("there are problems", file=sys.stderr)
    return 1 if worst is Level.PROBLEM else 0


def _server(operator: Operator) -> Iterator[Finding]:
    yield from examine_premises(operator.data)
    yield examine_server(operator.data, ping(operator.data))


def _store(operator: Operator, *, full: bool) -> Iterator[Finding]:
    try:
        seen = msgspec.convert(operator.call("inspect", samples=0 if full else SAMPLES), _Inspected)
    except EntrepotError as error:
        yield problem("store", str(error), "mend what it names; with nothing else to be done, move the file away")
        return
    for text in seen.problems:
        yield problem("store", text, "mend the disk or its permissions; downloads work meanwhile, but are not kept")
    if not seen.problems:
        yield fine("store", f"takes and gives back; {count_text(seen.files, 'file')}")
    if full:
        yield _swept(msgspec.convert(operator.call("sweep"), _Swept))
    elif seen.wrong:
        yield problem("files", f"{len(seen.wrong)} of {seen.read} were changed on the disk", _QUARANTINED)
    elif seen.read:
        yield fine("files", f"{seen.read} were read again and are what they should be (--full reads all)")


_QUARANTINED = (
    "they are in quarantine and fetched again when they are asked for; look for a failing disk, "
    "and read the rest with --full"
)


def _swept(swept: _Swept) -> Finding:
    if swept.quarantined:
        whole = swept.read + swept.quarantined
        return problem("files", f"{swept.quarantined} of {whole} were changed on the disk", _QUARANTINED)
    text = f"all {swept.read} were read again and are what they should be"
    return fine("files", f"{text}; {swept.orphans} that nothing needs were removed" if swept.orphans else text)


def _upstreams(operator: Operator) -> Iterator[Finding]:
    for name, reason in resolve_upstreams(operator.loaded).unavailable.items():
        yield note(name, f"not served: {reason}")
    try:
        reached = msgspec.convert(operator.call("reach"), list[_Reached])
    except EntrepotError as error:
        yield problem("upstreams", f"they cannot be asked: {error}", "mend the store first")
        return
    yield from map(_reached, reached)
    off = max((one.ahead for one in reached), key=abs, default=0)
    if abs(off) > CLOCK_SECONDS:
        yield problem(
            "clock",
            f"it is {abs(off)} s {'ahead of' if off > 0 else 'behind'} the upstreams' clocks",
            "set it (timedatectl set-ntp true): what is fresh and what is too old is told by it",
        )
    elif reached:
        yield fine("clock", "agrees with the upstreams'")


def _reached(one: _Reached) -> Finding:
    answer = f"{one.url} answered {one.status} in {one.ms} ms"
    if one.error:
        remedy = "`entrepot config show` tells where the address comes from; check network, proxy and certificates"
        return problem(one.repository, one.error if one.url in one.error else f"{one.url}: {one.error}", remedy)
    if one.status in CREDENTIALS:
        return problem(one.repository, answer, "it wants credentials: give the upstream an `auth` in the configuration")
    if one.status >= 500:
        return problem(one.repository, answer, "what is stored goes on working; try again later")
    return fine(one.repository, answer)


def _clients(operator: Operator) -> Iterator[Finding]:
    settings, known, machine = operator.loaded.settings, find_ecosystems(), this_machine()
    about = ping(operator.data)
    url = str(about["url"]) if about is not None and not about["private"] else base_url(settings.server)
    ourselves = Ourselves(url=url, server=settings.server, repositories=frozenset(settings.repositories))
    for name, repository in settings.repositories.items():
        found = [
            finding
            for client in known[repository.ecosystem].clients
            if client.variables or client.found_at or client.asks
            for finding in examine_client(client, name, ourselves, machine)
        ]
        yield from found

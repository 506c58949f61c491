"""Which upstreams the repositories have: what the configuration names, else what this machine's clients use.

Addresses are taken, credentials never. Files and variables are read first; commands are run only where neither
they nor a public table know an answer, because some take a third of a second.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from entrepot.config.addresses import addresses_in, is_ours
from entrepot.config.checksums import find_database
from entrepot.config.load import Loaded
from entrepot.config.machine import Machine
from entrepot.config.repository import Repository
from entrepot.config.settings import Server
from entrepot.config.upstream import Upstream
from entrepot.config.version_control import BUILT_IN as VERSION_CONTROL
from entrepot.config.version_control import NAME as VERSION_CONTROL_NAME
from entrepot.contracts.ecosystem import Client, Ecosystem
from entrepot.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Found:
    """Addresses, in the order in which they are asked, and where they were found."""

    addresses: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedUpstream:
    """An upstream as it will be asked."""

    name: str
    """From [upstreams], or the URL itself, or `default:ECOSYSTEM`."""
    settings: Upstream
    source: str
    """Where the address came from."""
    discovered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    upstreams: Mapping[str, tuple[ResolvedUpstream, ...]]
    """By repository."""
    options: Mapping[str, Mapping[str, object]]
    """By repository: the configured options, and those that were found on this machine."""
    found_options: Mapping[str, Mapping[str, object]]
    """The latter alone."""
    unavailable: Mapping[str, str]
    """Built-in repositories that nobody asked for and that have no known upstream: the reason."""


def resolve(loaded: Loaded, ecosystems: Mapping[str, type[Ecosystem]], machine: Machine) -> Resolved:
    """Raises ConfigError where a configured repository has no known upstream."""
    repositories = loaded.settings.repositories
    found = _discover_all(loaded, ecosystems, machine)
    unavailable: dict[str, str] = {}
    upstreams: dict[str, tuple[ResolvedUpstream, ...]] = {}
    for name, repository in repositories.items():
        missing = "default" in repository.upstreams and not _explicit(loaded) and not found[repository.ecosystem]
        if not missing:
            upstreams[name] = tuple(_upstreams_of(name, repository, loaded, found))
        elif loaded.is_built_in(name):
            unavailable[name] = _unknown(name, repository)
        else:
            where = loaded.sources.nearest(("repositories", name, "upstreams"))
            raise ConfigError(f"{where}: {_unknown(name, repository)}")
    found_options = {
        name: find_database(
            set(ecosystems[repository.ecosystem].option_names) - set(repository.options),
            [upstream.settings.url for upstream in upstreams.get(name, ()) if upstream.settings.url],
            machine,
        )
        for name, repository in repositories.items()
    }
    options = {
        name: {**repository.options_for(ecosystems[repository.ecosystem].option_names), **found_options[name]}
        for name, repository in repositories.items()
    }
    return Resolved(upstreams=upstreams, options=options, found_options=found_options, unavailable=unavailable)


def _unknown(name: str, repository: Repository) -> str:
    return (
        f"unknown upstream for repository {name}: nothing on this machine tells where {repository.ecosystem} packages "
        f'come from; set repositories.{name}.upstreams = ["https://…"]'
    )


def _explicit(loaded: Loaded) -> bool:
    return "default" in loaded.settings.upstreams


def _discover_all(
    loaded: Loaded, ecosystems: Mapping[str, type[Ecosystem]], machine: Machine
) -> dict[str, Found | None]:
    wanted = sorted({
        repository.ecosystem
        for repository in loaded.settings.repositories.values()
        if "default" in repository.upstreams and not _explicit(loaded)
    })  # fmt: skip
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda name: discover(ecosystems[name], loaded.settings.server, machine), wanted)
        return dict(zip(wanted, found, strict=True))


def _upstreams_of(
    name: str, repository: Repository, loaded: Loaded, found: Mapping[str, Found | None]
) -> Iterator[ResolvedUpstream]:
    configured = loaded.settings.upstreams
    for upstream in repository.upstreams:
        if upstream in configured:
            source = loaded.origin(("upstreams", upstream, "url" if configured[upstream].url else "kind"))
            yield ResolvedUpstream(name=upstream, settings=configured[upstream], source=source)
        elif discovered := found.get(repository.ecosystem) if upstream == "default" else None:
            for position, url in enumerate(discovered.addresses):
                yield ResolvedUpstream(
                    name=url if position else f"default:{repository.ecosystem}",
                    settings=Upstream(url=url),
                    source=discovered.source,
                    discovered=True,
                )
        else:
            source = loaded.origin(("repositories", name, "upstreams"))
            settings = VERSION_CONTROL if upstream == VERSION_CONTROL_NAME else Upstream(url=upstream)
            yield ResolvedUpstream(name=upstream, settings=settings, source=source)


def discover(ecosystem: type[Ecosystem], server: Server, machine: Machine) -> Found | None:
    """Where this machine's clients get the ecosystem's packages; our own addresses do not count."""
    for text, source in _answers(ecosystem, machine):
        addresses = tuple(url for url in addresses_in(text) if not is_ours(url, server))
        if addresses:
            return Found(addresses, source)
    return None


def _answers(ecosystem: type[Ecosystem], machine: Machine) -> Iterator[tuple[str, str]]:
    """What may hold addresses, and its source; the first that does is taken."""
    yield from _in_variables(ecosystem.clients, machine)
    yield from _in_files(ecosystem.clients, machine)
    if public := ecosystem.default_upstream():
        yield public, "a public table"
    for client in ecosystem.clients:
        for command in client.asks:
            yield machine.ask(command), f"`{' '.join(command)}`"


def _in_variables(clients: Iterable[Client], machine: Machine) -> Iterator[tuple[str, str]]:
    for client in clients:
        for variable, template in client.variables.items():
            if template.startswith("{url}") and variable in machine.environment:
                yield machine.environment[variable], f"the environment variable {variable}"


def _in_files(clients: Iterable[Client], machine: Machine) -> Iterator[tuple[str, str]]:
    for client in clients:
        for place in client.found_at:
            for path, text in machine.files(place.path):
                if url := place.read(text):
                    yield url, str(path)

"""The environment that points every package manager at us."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from entrepot.cli.wrappers import put_in_front
from entrepot.contracts.ecosystem import Client, ConfigFile

PROXIES = ("HTTP_PROXY", "ALL_PROXY")
NO_PROXY = "NO_PROXY"


def environment_of(
    own: Mapping[str, str],
    clients: Mapping[str, Iterable[Client]],
    url_of: Callable[[str], str],
    directory: Path,
    hosts_of: Callable[[str], Sequence[str]] = lambda repository: (),
) -> dict[str, str]:
    """A person's own environment, with what the clients of each repository need in addition. Configuration files are
    written into `directory`. Of two repositories with the same clients the first has them, but for the hosts that each
    stands for (`hosts_of`)."""
    changed: dict[str, str] = {}
    for repository, known in clients.items():
        url = url_of(repository)
        host = urlsplit(url).hostname or ""
        for client in known:
            for variable, template in client.variables.items():
                changed.setdefault(variable, template.format(url=url, host=host))
            for file in client.files:
                if file.per_host:
                    changed |= _add_hosts(file, url, hosts_of(repository), directory)
                elif file.variable not in changed:
                    changed |= _write(file, url, directory, own)
            changed |= put_in_front(client, url, {**own, **changed}, directory / "bin")
        changed |= _around_proxies(own, changed, host)
    return {**own, **changed}


def _write(file: ConfigFile, url: str, directory: Path, own: Mapping[str, str]) -> dict[str, str]:
    """The variable that leads to it; nothing for a file that is there for an earlier repository."""
    path = directory / file.name
    if path.exists():
        return {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.content.replace("{url}", url), encoding="utf-8")
    value = file.value.format(path=path, folder=path.parent, own=own.get(file.variable, "")).strip()
    return {file.variable: value} if file.variable else {}


def _add_hosts(file: ConfigFile, url: str, hosts: Sequence[str], directory: Path) -> dict[str, str]:
    """The variable; nothing where the repository stands for no host."""
    path, place = directory / file.name, urlsplit(url)
    # What begins with a tilde cannot stand in the name of an image.
    registry = f"{place.netloc}{place.path}".replace("/~", "/session-")
    # A proxy has no path: who asks is told as its user.
    proxy = f"{place.scheme}://{place.path.partition('/~')[2].partition('/')[0]}@{place.netloc}"
    known = path.read_text(encoding="utf-8") if path.exists() else file.content
    for host in hosts:
        text = file.per_host.format(
            host=host,
            registry=registry,
            insecure=str(place.scheme == "http").lower(),
            name=host.rpartition(":")[0] or host,
            proxy=proxy,
        )
        known = known if text in known else known + text
    if not hosts:
        return {}
    path.write_text(known, encoding="utf-8")
    return {file.variable: str(path)}


def _around_proxies(own: Mapping[str, str], changed: Mapping[str, str], host: str) -> dict[str, str]:
    """Where requests go through a proxy, those to us must not: it could not reach us."""
    if not any(own.get(name) or own.get(name.lower()) for name in PROXIES):
        return {}
    found = {}
    for name in (NO_PROXY, NO_PROXY.lower()):
        exempt = [part for part in changed.get(name, own.get(name, "")).split(",") if part]
        if host not in exempt:
            found[name] = ",".join([*exempt, host])
    return found

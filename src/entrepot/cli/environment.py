"""The environment that points every package manager at us."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from entrepot.contracts.ecosystem import Client

PROXIES = ("HTTP_PROXY", "ALL_PROXY")
NO_PROXY = "NO_PROXY"


def environment_of(
    own: Mapping[str, str],
    clients: Mapping[str, Iterable[Client]],
    url_of: Callable[[str], str],
    directory: Path,
) -> dict[str, str]:
    """A person's own environment, with what the clients of each repository need in addition. Configuration files are
    written into `directory`. Of two repositories with the same clients the first has them."""
    changed: dict[str, str] = {}
    for repository, known in clients.items():
        url = url_of(repository)
        host = urlsplit(url).hostname or ""
        for client in known:
            for variable, template in client.variables.items():
                changed.setdefault(variable, template.format(url=url, host=host))
            for file in client.files:
                if file.variable not in changed:
                    path = directory / file.name
                    path.write_text(file.content.replace("{url}", url), encoding="utf-8")
                    changed[file.variable] = str(path)
        changed |= _around_proxies(own, changed, host)
    return {**own, **changed}


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

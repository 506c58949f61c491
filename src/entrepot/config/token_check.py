"""Which repositories may be read without a token, and tokens that are well formed and cannot work (policy §8)."""

import difflib
from collections import Counter
from collections.abc import Iterator

from entrepot.config.names import is_loopback, split_listener
from entrepot.config.policy_check import Problem
from entrepot.config.repository import Repository
from entrepot.config.settings import Settings
from entrepot.config.tokens import ALL


def open_repositories(settings: Settings) -> frozenset[str]:
    """Those that may be read without a token although there are tokens."""
    return frozenset(name for name, one in settings.repositories.items() if _is_open(one, settings))


def _is_open(repository: Repository, settings: Settings) -> bool:
    if repository.open is not None:
        return repository.open
    return settings.server.open and not _credentials_of(repository, settings)


def _credentials_of(repository: Repository, settings: Settings) -> list[str]:
    """The upstreams that are asked for it with credentials of ours."""
    names = {*repository.upstreams, *(rule.upstream for rule in repository.rules)}
    if ":" in repository.mode:
        # A download file may name any of them.
        names.update(settings.upstreams)
    return sorted(name for name in names if name in settings.upstreams and settings.upstreams[name].has_credentials)


def about_tokens(settings: Settings) -> Iterator[Problem]:
    """What cannot work, and what would show to everybody what is not meant for everybody."""
    names = Counter(token.name for token in settings.tokens)
    digests = Counter(token.sha256 for token in settings.tokens)
    for number, token in enumerate(settings.tokens):
        key, dotted = ("tokens", number), f"tokens.{number}"
        if names[token.name] > 1:
            yield (*key, "name"), f"{dotted}.name: {token.name!r} is the name of two tokens; rename one"
        if digests[token.sha256] > 1:
            remedy = "make another with `entrepot token new`"
            yield (*key, "sha256"), f"{dotted}.sha256: two tokens have this digest; {remedy}"
        for name in token.repositories:
            if name != ALL and name not in settings.repositories and name not in settings.build_caches:
                remedy = _nearest(name, settings)
                yield (*key, "repositories"), f"{dotted}.repositories: {name!r} is no repository; {remedy}"
    if not settings.tokens:
        yield from _about_strangers(settings)


def _nearest(name: str, settings: Settings) -> str:
    close = difflib.get_close_matches(name, settings.repositories, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(settings.repositories) or 'none'}"


def _about_strangers(settings: Settings) -> Iterator[Problem]:
    """Without tokens everybody who can reach us may read."""
    server = settings.server
    reachable = not is_loopback(split_listener(server.listen)[0])
    closed = [name for name, one in settings.repositories.items() if not _is_open(one, settings)]
    if reachable and closed and not server.open:
        complaint = "can be reached from other machines; add a token (`entrepot token new`), "
        remedy = "set server.open = true if all of them may read, or listen on 127.0.0.1"
        yield ("server", "listen"), f"server.listen: {server.listen!r} {complaint}{remedy}"
    for name, repository in settings.repositories.items():
        key = ("repositories", name)
        if repository.open is False:
            remedy = "add one (`entrepot token new`)"
            yield (*key, "open"), f"repositories.{name}.open: without tokens nobody could read it; {remedy}"
        elif reachable and server.open and name in closed:
            upstreams = ", ".join(_credentials_of(repository, settings))
            complaint = f"what the credentials for {upstreams} give us would be open to everybody"
            remedy = f"add a token (`entrepot token new`), or set repositories.{name}.open = true"
            yield key, f"repositories.{name}: {complaint}; {remedy}"

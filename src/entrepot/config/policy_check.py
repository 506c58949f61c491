"""Policy that is well formed and cannot work."""

from collections.abc import Iterator

from entrepot.config.addresses import is_ours
from entrepot.config.policy import REDIRECTS, Rule
from entrepot.config.positions import Key
from entrepot.config.repository import Repository
from entrepot.config.settings import Settings

Problem = tuple[Key, str]
"""Where, and a complaint with its remedy."""


def about_policy(key: Key, repository: Repository, settings: Settings) -> Iterator[Problem]:
    """Patterns are not looked at here: only the policy that they become can read them."""
    dotted = ".".join(map(str, key))
    if repository.mode in REDIRECTS and not repository.redirect_url:
        yield (*key, "mode"), f"{dotted}.mode: {repository.mode!r} has no target; set {dotted}.redirect_url"
    yield from _about_target((*key, "redirect_url"), repository.redirect_url, settings)
    for number, rule in enumerate(repository.rules):
        yield from _about_rule((*key, "rules", number), rule, repository, settings)


def _about_target(key: Key, url: str, settings: Settings) -> Iterator[Problem]:
    if url and is_ours(url, settings.server):
        yield key, f"{'.'.join(map(str, key))}: {url} is our own address; clients would be sent in a circle"


def _about_rule(key: Key, rule: Rule, repository: Repository, settings: Settings) -> Iterator[Problem]:
    dotted = ".".join(map(str, key))
    if rule.mode in REDIRECTS and not (rule.redirect_url or repository.redirect_url):
        yield (*key, "mode"), f"{dotted}.mode: {rule.mode!r} has no target; set redirect_url here or in the repository"
    if rule.names_download and not rule.mode and ":" in repository.mode:
        yield key, f"{dotted}: the repository's mode is a download file; say the rule's own mode too"
    known = {*settings.upstreams, *repository.upstreams}
    if rule.upstream and rule.upstream not in known:
        yield (
            (*key, "upstream"),
            f"{dotted}.upstream: {rule.upstream!r} is no name in [upstreams]; known here: {', '.join(sorted(known))}",
        )
    yield from _about_target((*key, "redirect_url"), rule.redirect_url, settings)

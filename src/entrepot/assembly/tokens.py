"""From the configured tokens to the guard at the door."""

from collections.abc import Callable
from math import inf

from entrepot.assembly.blueprint import Blueprint
from entrepot.config.token_check import open_repositories
from entrepot.config.tokens import ALL
from entrepot.config.tokens import Token as TokenSettings
from entrepot.web.tokens import Guard, Token


def guard_of(blueprint: Blueprint, is_session: Callable[[str], bool]) -> Guard | None:
    """None where nobody needs a token: none is configured, or the server is private and its sessions are as good."""
    settings = blueprint.settings
    if blueprint.private or not settings.tokens:
        return None
    repositories = frozenset(settings.repositories) | frozenset(settings.build_caches)
    return Guard(
        [_token(token, repositories) for token in settings.tokens],
        repositories=repositories,
        open_to_all=open_repositories(settings),
        is_session=is_session,
    )


def _token(settings: TokenSettings, repositories: frozenset[str]) -> Token:
    named = repositories if ALL in settings.repositories else frozenset(settings.repositories)
    return Token(
        name=settings.name,
        digest=bytes.fromhex(settings.sha256),
        reads=named if "read" in settings.rights else frozenset(),
        writes=named if "write" in settings.rights else frozenset(),
        triggers=named if "trigger" in settings.rights else frozenset(),
        admin="admin" in settings.rights,
        until=settings.until.timestamp() if settings.until else inf,
    )

"""Credentials by host, as a netrc file has them. Pure: the caller brings the text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from entrepot.errors import ConfigError

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\Z")
_KEYS = frozenset({"login", "password", "account"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How we identify ourselves to one host, whatever it is asked for."""

    machine: str
    login: str
    password: str = field(repr=False)


def parse_netrc(text: str, subject: str) -> tuple[Login, ...]:
    """The logins of a netrc file. Raises ConfigError, which names `subject` and the line, and repeats no word of the
    file: it holds secrets."""
    found: list[dict[str, str]] = []
    words = _words(text)
    for line, key in words:
        if key == "default":
            raise ConfigError(f"{subject}:{line}: `default` would show a password to every host; name each machine")
        if key != "machine" and (key not in _KEYS or not found):
            raise ConfigError(f"{subject}:{line}: write `machine HOST login USER password SECRET`, and nothing else")
        _, value = next(words, (line, ""))
        if not value or value.startswith('"') or (key == "machine" and not _HOST.match(value)):
            raise ConfigError(f"{subject}:{line}: `{key}` has no value that git and go both understand; no quotes")
        if key == "machine":
            found.append({})
        found[-1][key] = value
    return tuple(_login(one, subject) for one in found)


def _words(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.lstrip().startswith("#"):
            yield from ((number, word) for word in line.split())


def _login(found: dict[str, str], subject: str) -> Login:
    if not {"login", "password"} <= found.keys():
        raise ConfigError(f"{subject}: machine {found['machine']} has no login or no password; add it")
    return Login(machine=found["machine"].lower(), login=found["login"], password=found["password"])


def netrc_text(logins: Iterable[Login]) -> str:
    """What git and go read."""
    return "".join(f"machine {one.machine} login {one.login} password {one.password}\n" for one in logins)

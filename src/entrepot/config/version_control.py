"""Upstreams of kind `vcs`: what they need of this machine, and what is wrong with them."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from entrepot.config.policy_check import Problem
from entrepot.config.positions import Key
from entrepot.config.repository import Repository
from entrepot.config.upstream import Upstream
from entrepot.errors import ConfigError
from entrepot.model.netrc import Login, parse_netrc

NAME = "vcs"
"""In a repository's `upstreams`, where no [upstreams.vcs] says otherwise: version control of any public module."""
BUILT_IN = Upstream(kind="vcs")
ECOSYSTEM = "golang"


def read_logins(upstream: Upstream) -> tuple[Login, ...]:
    """The logins in its netrc file. Raises ConfigError."""
    if not upstream.netrc_file:
        return ()
    file = Path(upstream.netrc_file).expanduser()
    try:
        return parse_netrc(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}; make it readable for us") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8; save it as text") from error


def search_path(environment: Mapping[str, str]) -> str:
    """Where programs are."""
    return environment.get("PATH") or "/usr/local/bin:/usr/bin:/bin"


def about_version_control(key: Key, upstream: Upstream, environment: Mapping[str, str]) -> Iterator[Problem]:
    """What keeps an upstream of this kind from working; `key`: where it is named."""
    if upstream.kind != "vcs":
        return
    dotted = ".".join(map(str, key))
    for program, remedy in (
        (upstream.go_command, "install Go, or name it with go_command in [upstreams.NAME]"),
        ("git", "install git"),
    ):
        if shutil.which(program, path=search_path(environment)) is None:
            place = (*key, "go_command") if program != "git" and "go_command" in upstream.model_fields_set else key
            yield place, f"{dotted}: version control needs the command {program}, which is not on PATH; {remedy}"
    try:
        read_logins(upstream)
    except ConfigError as error:
        yield (*key, "netrc_file"), f"{dotted}.netrc_file: {error}"


def about_use(
    key: Key, repository: Repository, upstreams: Mapping[str, Upstream], environment: Mapping[str, str]
) -> Iterator[Problem]:
    """What is wrong with the upstreams of this kind that a repository names; `key`: the repository's list of them."""
    known = {NAME: BUILT_IN, **upstreams}
    named = [name for name in repository.upstreams if name in known and known[name].kind == "vcs"]
    if named and repository.ecosystem != ECOSYSTEM:
        yield key, f"{'.'.join(map(str, key))}: {named[0]!r} is version control, for {ECOSYSTEM} only; remove it"
    elif NAME in named and NAME not in upstreams:
        yield from about_version_control(key, BUILT_IN, environment)

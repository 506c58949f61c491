"""The checksum database of Go modules, as this machine's go command would use it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from entrepot.config.machine import Machine

SETTINGS: Final = ("GOSUMDB", "GONOSUMDB")
OPTIONS: Final = ("sumdb", "nosumdb")
"""Options of a repository that these settings fill."""


def with_database(
    options: Mapping[str, object], names: Iterable[str], upstreams: Sequence[str], machine: Machine
) -> dict[str, object]:
    """The options of a repository, those about the checksum database filled in where the ecosystem takes them.

    Without a go command, the database of a proxy `proxy.HOST` is `sum.HOST`.
    """
    wanted = [name for name in OPTIONS if name in set(names) - set(options)]
    if "sumdb" not in wanted:
        return dict(options)
    printed = machine.ask(("go", "env", *SETTINGS)).splitlines()
    if len(printed) != len(SETTINGS):
        return {**options, "sumdb": _sibling(upstreams)}
    found: dict[str, object] = {"sumdb": printed[0]}
    if globs := [glob for glob in printed[1].split(",") if glob]:
        found["nosumdb"] = globs
    return {**options, **{name: value for name, value in found.items() if name in wanted}}


def _sibling(upstreams: Sequence[str]) -> str:
    hosts = [urlsplit(url).hostname or "" for url in upstreams]
    return next((re.sub(r"^proxy\.", "sum.", host) for host in hosts if host.startswith("proxy.")), "off")

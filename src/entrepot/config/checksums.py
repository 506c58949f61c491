"""The checksum database of Go modules, as this machine's go command would use it."""

import re
from collections.abc import Sequence, Set
from typing import Final
from urllib.parse import urlsplit

from entrepot.config.machine import Machine

SETTINGS: Final = {"sumdb": "GOSUMDB", "nosumdb": "GONOSUMDB"}
"""Options of a repository, and the settings of the go command that fill them."""


def find_database(options: Set[str], upstreams: Sequence[str], machine: Machine) -> dict[str, object]:
    """Values for those of `options` that are about the checksum database.

    Without a go command, the database of a proxy `proxy.HOST` is `sum.HOST`.
    """
    if "sumdb" not in options:
        return {}
    printed = machine.ask(("go", "env", *SETTINGS.values())).splitlines()
    if len(printed) != len(SETTINGS):
        return {"sumdb": _sibling(upstreams)}
    globs = [glob for glob in printed[1].split(",") if glob]
    return {"sumdb": printed[0], **({"nosumdb": globs} if globs and "nosumdb" in options else {})}


def _sibling(upstreams: Sequence[str]) -> str:
    hosts = [urlsplit(url).hostname or "" for url in upstreams]
    return next((re.sub(r"^proxy\.", "sum.", host) for host in hosts if host.startswith("proxy.")), "off")

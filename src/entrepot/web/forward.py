"""Clients that use us as their HTTP proxy: what they ask of the hosts of upstreams, repositories answer.

The server hands over the path of an absolute URL and, as `Host`, its authority (RFC 9112 §3.2.2). So a name that we do
not have ourselves tells such a request.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from entrepot.cache.repository import Repository
from entrepot.errors import NotServed
from entrepot.web.mounts import Placed, Wanted, check_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What a host has that a repository serves."""

    repository: Repository
    path: str
    """Of its upstream's address, without slash at the end."""


class Forward:
    """A `Way`."""

    def __init__(self, archives: Mapping[str, Sequence[Archive]]) -> None:
        """By host, in lower case, with its port if that is not 80."""
        self._archives = archives

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(self._archives)

    def __call__(self, wanted: Wanted) -> Placed | None:
        """Raises NotServed, BadRequest."""
        archives = self._archives.get(wanted.host)
        if archives is None:
            return None
        for archive in archives:
            if wanted.raw.startswith(f"{archive.path}/"):
                session = check_session(wanted.proxy_user) if wanted.proxy_user else ""
                rest = wanted.raw[len(archive.path) + 1 :]
                return Placed(archive.repository, rest, archive.path, session=session)
        known = ", ".join(f"http://{wanted.host}{archive.path}/" for archive in archives)
        raise NotServed(f"as a proxy, Entrepot has of this host only {known}")


def proxy_user_of(field: str) -> str:
    """The user of a Proxy-Authorization field; empty where there is none that can be read."""
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(token.strip(), validate=True).decode("ascii").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""

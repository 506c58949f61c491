"""How apt is pointed at us, and how to find where it points today."""

import re
from urllib.parse import urlsplit, urlunsplit

from entrepot.contracts.ecosystem import Client, ConfigFile, FoundAt, Lockfile
from entrepot.ecosystems.apt_lists import read_package_list

_ONE_LINE = re.compile(r"^[ \t]*deb(?:-src)?[ \t]+(?:\[[^\]]*\][ \t]+)?(?P<url>\S+)", re.MULTILINE)
_DEB822 = re.compile(r"^URIs:[ \t]*(?P<url>\S+)", re.MULTILINE | re.IGNORECASE)


def read_sources(text: str) -> str | None:
    """The server of the first archive that a `sources.list` or `*.sources` names: other archives are at other paths of
    the same server. Credentials are left out."""
    for found in (*_ONE_LINE.finditer(text), *_DEB822.finditer(text)):
        try:
            parts = urlsplit(found["url"])
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and parts.hostname:
            return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/", "", ""))
    return None


_SOURCES = tuple(
    FoundAt(path=f"/etc/apt/{name}", read=read_sources)
    for name in ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")
)

CLIENTS = (
    Client(
        name="apt",
        command="apt-get",
        files=(
            ConfigFile(
                variable="APT_CONFIG",
                name="apt.conf",
                content="// Hosts of which Entrepot has the archives; all others are asked as before.\n",
                per_host='Acquire::http::Proxy::{name} "{proxy}";\n',
            ),
        ),
        found_at=_SOURCES,
        setup="replace the server in /etc/apt/sources.list by {url}, and keep the path behind it",
    ),
)

LOCKFILES = (Lockfile(name="apt-packages*", remedy="it names no addresses", read=read_package_list),)

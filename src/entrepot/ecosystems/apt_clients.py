"""How apt is pointed at us, and how to find where it points today."""

import re
from urllib.parse import urlsplit, urlunsplit

from entrepot.contracts.ecosystem import Client, ConfigFile, FoundAt, Lockfile
from entrepot.ecosystems.apt_lists import read_package_list

_ONE_LINE = re.compile(r"^[ \t]*deb(?:-src)?[ \t]+(?:\[[^\]]*\][ \t]+)?(?P<url>\S+)", re.MULTILINE)
_DEB822 = re.compile(r"^URIs:[ \t]*(?P<url>\S+)", re.MULTILINE | re.IGNORECASE)


def read_sources(text: str) -> str | None:
    """The first archive that a `sources.list` or `*.sources` names, without credentials. One right below a server's
    root (`/debian`) is taken for one of several of that server."""
    for found in (*_ONE_LINE.finditer(text), *_DEB822.finditer(text)):
        try:
            parts = urlsplit(found["url"])
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and parts.hostname:
            path = parts.path if parts.path.strip("/").count("/") else "/"
            return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
    return None


_SOURCES = tuple(
    FoundAt(path=f"/etc/apt/{name}", read=read_sources)
    for name in ("sources.list", "sources.list.d/*.sources", "sources.list.d/*.list")
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
        setup="replace the server in /etc/apt/sources.list or sources.list.d by {url}, and keep the path behind it",
    ),
)

LOCKFILES = (Lockfile(name="apt-packages*", remedy="it names no addresses", read=read_package_list),)

"""Where a registry's own index says that a file is."""

import json
import re
from html import unescape
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from bench.fixtures import MODULE, Item

_HREF = re.compile(r'href="([^"]+)"')


def file_url(index: str, item: Item) -> str:
    """`index`: base URL of the registry's index."""
    match item.ecosystem:
        case "pypi":
            return _linked_url(f"{index}/{item.project}/")
        case "npm":
            document = json.loads(fetch(f"{index}/{item.project}"))
            return str(document["versions"]["1.0.0"]["dist"]["tarball"])
    version = item.project.partition("@")[2]
    return f"{index}/{MODULE}/@v/{version}.zip"


def _linked_url(page: str) -> str:
    text = fetch(page, accept="text/html").decode()
    links = [unescape(link) for link in _HREF.findall(text) if ".whl" in link]
    return urljoin(page, links[0]).partition("#")[0]


def fetch(url: str, accept: str = "*/*") -> bytes:
    with urlopen(Request(url, headers={"Accept": accept}), timeout=300) as response:
        body: bytes = response.read()
        return body

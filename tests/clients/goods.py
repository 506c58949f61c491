"""One file of each local registry: where it is upstream, and where we serve it."""

import io
import zipfile
from dataclasses import dataclass

from tests.clients.fixture_golang import go_proxy
from tests.clients.fixture_npm import npm_registry
from tests.clients.fixture_pypi import distributions, pypi_index
from tests.clients.registry import Files
from tests.clients.shop import Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    ecosystem: str
    upstream: str
    """Path from the root of the registry."""
    path: str
    """Path below our repository."""
    index: str
    """Where upstream describes it."""
    later: Stock
    """What the registry has after one more version was published."""
    new: str
    """The path below our repository of a file of that version."""


def _later_npm(url: str) -> Files:
    return npm_registry(url, later=True)


def _later_pypi(url: str) -> Files:
    return pypi_index(url, later=True)


def _later_go(_: str) -> Files:
    return go_proxy(later=True)


_ONE = next(one for one in distributions() if one.project == "acme-app")
_NEW = distributions(later=True)[-1]

TARBALL = Good(
    ecosystem="npm",
    upstream="/left/-/left-1.1.0.tgz",
    path="left/-/left-1.1.0.tgz",
    index="/left",
    later=_later_npm,
    new="left/-/left-1.2.0.tgz",
)
WHEEL = Good(
    ecosystem="pypi",
    upstream=_ONE.path,
    path=f"files/acme-app{_ONE.path}",
    index="/simple/acme-app/",
    later=_later_pypi,
    new=f"files/acme-core{_NEW.path}",
)
MODULE = Good(
    ecosystem="golang",
    upstream="/go.example/hello/@v/v1.1.0.zip",
    path="go.example/hello/@v/v1.1.0.zip",
    index="/sumdb/sum.example/lookup/go.example/hello@v1.1.0",
    later=_later_go,
    new="go.example/hello/@v/v1.2.0.zip",
)
GOODS = (TARBALL, WHEEL, MODULE)


def forged(good: Good, body: bytes) -> bytes:
    """What an attacker would send instead: as sound a file, with something else in it."""
    if good is not MODULE:
        middle = len(body) // 2
        return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name) + (b"// evil\n" if name.endswith(".go") else b""))
    return packed.getvalue()

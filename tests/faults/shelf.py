"""What every origin of a stand offers: files whose digest is known in several ways or not at all, and indexes.

All bytes differ from origin to origin, so that nothing is found in the store because another origin had it.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.rogue import Page, Rogue, pattern

SMALL, BIG = 50_000, 1_300_000
"""A known digest holds the small one back as a whole; of the big one only the last piece."""
_COMMON = pattern(BIG)
SIZES = {"small": SMALL, "big": BIG}
STATES = ("warm", "cold")
PLAIN = ("pinned", "summed", "free")
"""Digest known from the configuration, from a side file, or not at all."""
VERSIONS = {"warm": "1.0.0", "cold": "1.1.0"}
_JSON = "application/json"
_SIMPLE = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that is asked of Entrepot, and where it is upstream."""

    path: str
    """Of the request to Entrepot."""
    upstream: str
    """At the origin."""
    known: bool = False
    """Whether its digest is."""
    sha256: str = ""
    """What it must be; empty for indexes."""
    parsed: bool = True
    """For an index: whether Entrepot reads it."""


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Shelf:
    """The things of one origin, and their names in Entrepot's repositories `…NUMBER`."""

    def __init__(self, number: int, rogue: Rogue) -> None:
        self.number, self._rogue = number, rogue
        self._bodies: dict[str, bytes] = {}
        self._digests: dict[str, str] = {}
        self.published: set[str] = set()
        """Every digest that was ever offered."""

    def stock(self) -> None:
        self._bodies.clear()
        for path in self._plain():
            self._offer(path, self.body(path))
            self._offer_sum(path)
        for state in STATES:
            for path in (self._wheel(state), self._tarball(state)):
                self._offer(path, self.body(path))
        self._offer("/lists/fresh.txt", f"list of {self.number}\n".encode())
        self.revise("first")

    def revise(self, note: str) -> None:
        """Publish the indexes anew; another `note` makes other documents."""
        self._offer("/acme-core/", self._page(note), _SIMPLE)
        self._offer("/left", self._packument(note), _JSON)
        self._offer("/lists/stale.txt", f"list of {self.number}: {note}\n".encode())

    def replace(self, paths: Iterable[str]) -> None:
        """Other bytes of the same size under the same names, and indexes and side files that agree with them."""
        for path in paths:
            self._bodies[path] = bytes(reversed(self.body(path)))
            self._offer(path, self._bodies[path])
            if path.startswith("/summed/"):
                self._offer_sum(path)
        self.revise("replaced")

    def withdraw(self) -> None:
        """Take back all files and every version."""
        for path in (*self._plain(), *map(self._wheel, STATES), *map(self._tarball, STATES)):
            self._rogue.withdraw(path)
        self._offer("/acme-core/", self._page("withdrawn", ()), _SIMPLE)
        self._offer("/left", self._packument("withdrawn", ()), _JSON)
        self._offer("/lists/stale.txt", b"nothing\n")

    def _offer_sum(self, path: str) -> None:
        self._offer(f"{path}.sha256", f"{digest_of(self.body(path))}  {path.rpartition('/')[2]}\n".encode())

    def _offer(self, path: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        digest = self._digests[path] = digest_of(body)
        self.published.add(digest)
        self._rogue.serve(path, Page(body=body, content_type=content_type, etag=f'"{digest[:16]}"'))

    def body(self, path: str) -> bytes:
        if path not in self._bodies:
            head = f"{self.number} {path}\n".encode()
            self._bodies[path] = head + _COMMON[len(head) : BIG if path.endswith("-big") else SMALL]
        return self._bodies[path]

    # --- where things are upstream ------------------------------------------------------------------------------------

    def _plain(self) -> Iterator[str]:
        return (f"/{group}/{state}-{size}" for group in PLAIN for state in STATES for size in SIZES)

    def _wheel(self, state: str) -> str:
        return f"/packages/acme_core-{VERSIONS[state]}-py3-none-any.whl"

    def _tarball(self, state: str) -> str:
        return f"/left/-/left-{VERSIONS[state]}.tgz"

    def _page(self, note: str, states: Iterable[str] = STATES) -> bytes:
        files = [
            {
                "filename": self._wheel(state).rpartition("/")[2],
                "url": self._rogue.url(self._wheel(state)),
                "hashes": {"sha256": digest_of(self.body(self._wheel(state)))},
                "requires-python": f">=3.8,!={len(note)}.{sum(note.encode())}",
            }
            for state in states
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": "acme-core", "files": files}).encode()

    def _packument(self, note: str, states: Iterable[str] = STATES) -> bytes:
        versions = {
            VERSIONS[state]: {
                "name": "left",
                "version": VERSIONS[state],
                "dist": {
                    "tarball": self._rogue.url(self._tarball(state)),
                    "integrity": f"sha512-{_sri(self.body(self._tarball(state)))}",
                },
            }
            for state in states
        }
        tags = {name: VERSIONS["warm"] for name in ("latest", note) if versions}
        return json.dumps({"name": "left", "dist-tags": tags, "versions": versions}).encode()

    # --- what clients ask for -----------------------------------------------------------------------------------------

    def file(self, group: str, state: str, size: str) -> Thing:
        path = f"/{group}/{state}-{size}"
        return self._artifact(f"/files{self.number}{path}", path, known=group != "free")

    def _artifact(self, path: str, upstream: str, *, known: bool) -> Thing:
        return Thing(path=path, upstream=upstream, known=known, sha256=digest_of(self.body(upstream)))

    def wheel(self, state: str) -> Thing:
        upstream = self._wheel(state)
        return self._artifact(f"/pypi{self.number}/files/acme-core{upstream}", upstream, known=True)

    def tarball(self, state: str) -> Thing:
        upstream = self._tarball(state)
        return self._artifact(f"/npm{self.number}{upstream}", upstream, known=True)

    def artifacts(self, state: str) -> list[Thing]:
        """Those that differ most come first."""
        free, pinned, summed = ([self.file(group, state, size) for size in SIZES] for group in ("free", *PLAIN[:2]))
        return [pinned[0], free[1], self.wheel(state), pinned[1], free[0], *summed, self.tarball(state)]

    def indexes(self, state: str) -> list[Thing]:
        """Of repositories where they are "fresh" for an hour, or "stale" at once."""
        prefix = "stale" if state == "stale" else ""
        lists = Thing(path=f"/files{self.number}/lists/{state}.txt", upstream=f"/lists/{state}.txt", parsed=False)
        return [
            Thing(path=f"/{prefix}pypi{self.number}/simple/acme-core/", upstream="/acme-core/"),
            Thing(path=f"/{prefix}npm{self.number}/left", upstream="/left"),
            lists,
        ]

    def stored(self, index: Thing) -> Thing:
        """An index with the digest of what is stored of it."""
        return replace(index, sha256=self._digests[index.upstream])

    def configuration(self, options: str = "") -> str:
        pinned = [path for path in self._plain() if path.startswith("/pinned/")]
        pins = ", ".join(f'"{path}" = "sha256:{digest_of(self.body(path))}"' for path in pinned)
        text = _FILES.format(number=self.number, base=self._rogue.base, options=options, pins=pins)
        for prefix, ttl in (("", "1h"), ("stale", "0")):
            for ecosystem in ("pypi", "npm"):
                text += _INDEXED.format(name=prefix + ecosystem, number=self.number, ecosystem=ecosystem, ttl=ttl)
        return text


_FILES = """
[upstreams.o{number}]
url = "{base}/"
download_hosts = ["[!e]*"]
{options}

[repositories.files{number}]
ecosystem = "generic"
upstreams = ["o{number}"]
rules = [
  {{ path = '/(pinned|summed|free)/.*', class = "immutable" }},
  {{ path = '/lists/fresh.*', class = "mutable", mutable_ttl = "1h" }},
  {{ path = '/lists/stale.*', class = "mutable", mutable_ttl = "0" }},
]
side_files = [{{ path = '/summed/[^.]*', file = '{{path}}.sha256' }}]
checksums = {{ {pins} }}
[repositories.files{number}.stale]
while_revalidate = "0"
"""
_INDEXED = """
[repositories.{name}{number}]
ecosystem = "{ecosystem}"
upstreams = ["o{number}"]
freshness = {{ mutable_ttl = "{ttl}" }}
stale = {{ while_revalidate = "0" }}
"""


def _sri(body: bytes) -> str:
    return base64.b64encode(hashlib.sha512(body).digest()).decode()

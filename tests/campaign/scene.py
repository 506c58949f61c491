"""A server, its origin, and the situations in which a fault is tried."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.campaign.server import Server, generic
from tests.campaign.store import StoreCheck
from tests.campaign.table import Table
from tests.rogue import Page, Rogue, pattern
from tests.waiting import eventually

SIZE = 3_000_000
"""Of an artifact: more than is held back whole, more than is kept in memory."""
FILES = 12
"""How many files the index names: one is warm, each probe takes a cold one."""
FRESH, STALE = "fresh", "stale"
SITUATIONS = ("cold, digest known", "cold, unknown", "warm", "fresh index", "stale index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    situation: str
    status: int
    right: bool
    seconds: float
    error: str = ""

    @property
    def wrong(self) -> bool:
        return self.status == 200 and not self.right and not self.error

    def __str__(self) -> str:
        if self.right:
            return f"{self.situation} ✓ {self.seconds:.2f} s"
        return f"{self.situation} **{'WRONG' if self.wrong else self.error or self.status}** {self.seconds:.2f} s"


class Scene:
    """A context manager. Two PyPI repositories on one index, whose index is fresh for an hour in one and expires at
    once in the other, and one of plain files."""

    def __init__(
        self,
        *,
        prefix: Sequence[str] = (),
        data: Path | None = None,
        settings: str = "",
        workers: int = 1,
        size: int = SIZE,
    ) -> None:
        self._stack = ExitStack()
        self.directory = Path(self._stack.enter_context(TemporaryDirectory(prefix="entrepot-local-")))
        self.origin = self._stack.enter_context(Rogue())
        self._size = size
        self._next = 1
        self.indexes: dict[str, bytes] = {}
        self._publish()
        self.server = self._stack.enter_context(
            Server(
                self.directory,
                self._pypi(FRESH, "1h"),
                self._pypi(STALE, "100ms"),
                generic("plain", self.origin.base),
                settings=settings,
                workers=workers,
                data=data,
                prefix=prefix,
            )
        )
        self.check = StoreCheck(self.server.data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- what is published ------------------------------------------------------------------------------------------

    def body(self, number: int) -> bytes:
        return pattern(self._size, seed=number)

    def _publish(self, files: int = FILES) -> None:
        lines = []
        for number in range(files):
            body = self.body(number)
            sha256 = hashlib.sha256(body).hexdigest()
            self.origin.serve(f"/files/pkg-{number}.tar.gz", body)
            lines.append(f'<a href="../../files/pkg-{number}.tar.gz#sha256={sha256}">pkg-{number}.tar.gz</a>')
        page = f"<!DOCTYPE html><html><body>{''.join(lines)}</body></html>"
        self.origin.serve("/simple/pkg/", Page(body=page.encode(), content_type="text/html"))

    def _pypi(self, name: str, ttl: str) -> str:
        return (
            f'[repositories.{name}]\necosystem = "pypi"\nupstreams = ["{self.origin.base}/simple/"]\n'
            f'freshness = {{ mutable_ttl = "{ttl}" }}\nstale = {{ while_revalidate = "0", error_backoff = "1s..1s" }}\n'
        )

    # --- what is asked ----------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the server and have the warm situations warm, and their three rows in the catalog: what is answered
        from the store can still be on its way there."""
        self.server.start()
        for name in (FRESH, STALE):
            status, self.indexes[name] = self.server.get(f"/{name}/simple/pkg/")
            assert status == 200, self.server.errors
        assert self.server.get(self.warm_path)[1] == self.body(0)
        assert self.check.wait_for_entries(3), self.server.errors
        assert self.is_stored(self.warm_path), self.server.errors
        return self

    @property
    def warm_path(self) -> str:
        return artifact_path(FRESH, 0)

    def wait_until_stored(self, path: str) -> bool:
        """Until the server answers it from the store."""
        return eventually(lambda: self.is_stored(path))

    def is_stored(self, path: str) -> bool:
        return self.server.get(path, headers={"Cache-Control": "only-if-cached"})[0] == 200

    def probe(self, situations: Iterable[str] = SITUATIONS) -> list[Finding]:
        """One request in each situation. Every cold one takes a file that was not asked for yet."""
        number, self._next = self._next, self._next + 1
        requests = {
            "cold, digest known": (artifact_path(FRESH, number), self.body(number)),
            "cold, unknown": (f"/plain/files/pkg-{number}.tar.gz", self.body(number)),
            "warm": (self.warm_path, self.body(0)),
            "fresh index": (f"/{FRESH}/simple/pkg/", self.indexes[FRESH]),
            "stale index": (f"/{STALE}/simple/pkg/", self.indexes[STALE]),
        }
        return [self._probe(situation, *requests[situation]) for situation in situations]

    def _probe(self, situation: str, path: str, wanted: bytes) -> Finding:
        return self._ask(situation, path, lambda body: body == wanted)

    def probe_changed_index(self) -> Finding:
        """A stale index whose upstream has a new one: with one more file."""
        self._publish(FILES + 1)
        path, name = f"/{STALE}/simple/pkg/", f"pkg-{FILES}.tar.gz"
        finding = self._ask("changed index", path, lambda body: name.encode() in body)
        self.indexes[STALE] = self.server.get(path)[1]
        return finding

    def probe_adopted(self) -> Finding:
        """The warm file through the other repository: its bytes are here, but nothing is known of this name."""
        wanted = self.body(0)
        return self._ask("bytes of another repository", artifact_path(STALE, 0), lambda body: body == wanted)

    @property
    def last_cold(self) -> tuple[str, str]:
        """The paths of the cold artifacts of the last probe."""
        number = self._next - 1
        return artifact_path(FRESH, number), f"/plain/files/pkg-{number}.tar.gz"

    def _ask(self, situation: str, path: str, is_right: Callable[[bytes], bool]) -> Finding:
        began, status, error, right = time.monotonic(), 0, "", False
        try:
            status, body = self.server.get(path, timeout=90)
            right = status == 200 and is_right(body)
        except (OSError, HTTPException) as failure:
            error = type(failure).__name__
        return Finding(situation=situation, status=status, right=right, seconds=time.monotonic() - began, error=error)


def artifact_path(repository: str, number: int) -> str:
    return f"/{repository}/files/pkg/files/pkg-{number}.tar.gz"


def judge(
    table: Table, fault: str, findings: Sequence[Finding], allowed: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """A row: right everywhere, or one of the statuses that are allowed in a situation. Never wrong, never 404."""
    allowed = allowed or {}
    ok = all(finding.right or finding.status in allowed.get(finding.situation, ()) for finding in findings)
    bar = "right body everywhere"
    if allowed:
        bar += ", or " + "; ".join(f"{name}: {'/'.join(map(str, codes))}" for name, codes in allowed.items())
    table.add(fault, bar, " · ".join(map(str, findings)), ok and not any(finding.wrong for finding in findings))

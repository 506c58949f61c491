"""A server in a process of its own, with tokens, in front of a registry on this machine: as programs meet it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.cli.house import House
from tests.cli.registry import Registry
from tests.clients.fixture_npm import npm_registry
from tests.clients.fixture_pypi import pypi_index
from tests.waiting import PATIENCE_SECONDS, wait_for

MOST_JOBS = 6
"""Open ones, of one token."""
TOKENS: Mapping[str, tuple[str, str]] = {
    "ci": ('["npm"]', '["trigger"]'),
    "nightly": ('["npm", "pypi"]', '["trigger"]'),
    "twin": ('["npm", "pypi"]', '["trigger"]'),
    "reader": ('["*"]', '["read"]'),
    "builder": ('["npm"]', '["read", "trigger"]'),
    "boss": ('["*"]', '["admin"]'),
}
"""Name to repositories and rights. The secret is the name."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    body: Any
    fields: Mapping[str, str] = field(default_factory=dict)
    """Of a refusal, as they came."""


@dataclass(frozen=True, kw_only=True)
class Served:
    url: str
    registry: Registry

    def ask(self, method: str, path: str, token: str = "", body: object = None) -> Reply:
        """`body`: bytes are sent as they are, else it is made JSON."""
        fields = {"content-type": "application/json"} if body is not None else {}
        if token:
            fields["authorization"] = f"Bearer {token}"
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=sent, headers=fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return Reply(status=answer.status, body=json.load(answer))
        except urllib.error.HTTPError as error:
            return Reply(status=error.code, body=json.load(error), fields=dict(error.headers))

    def get(self, path: str, token: str) -> Any:
        """The body of an answer that is a success."""
        reply = self.ask("GET", path, token)
        assert reply.status == 200, reply
        return reply.body

    def begin(self, token: str, **order: object) -> str:
        """A mirror job; its id."""
        reply = self.ask("POST", "/api/mirror", token, order)
        assert reply.status == 202, reply
        job: str = reply.body["id"]
        return job

    def ended(self, job: str, token: str) -> Any:
        """The job when it has ended."""
        running = ("queued", "planning", "running")

        def find() -> Any:
            told = self.get(f"/api/mirror/{job}", token)
            return None if told["state"] in running else told

        return wait_for(find)


@contextmanager
def serving(directory: Path) -> Iterator[Served]:
    with Registry().open() as registry:
        registry.files = pypi_index(registry.url) | npm_registry(f"{registry.url}/npm")
        house = House(directory=directory / "house", config=_config(registry.url), data=directory / "data")
        house.furnish()
        with house.serving("--workers", "1") as url:
            yield Served(url=url, registry=registry)


def _config(upstream: str) -> str:
    lines = [
        '[server]\naccess_log = "off"',
        f"[mirroring]\nper_token = {MOST_JOBS}",
        f'[repositories.npm]\necosystem = "npm"\nupstreams = ["{upstream}/npm/"]',
        f'[repositories.pypi]\necosystem = "pypi"\nupstreams = ["{upstream}/simple/"]',
    ]
    for name, (repositories, rights) in TOKENS.items():
        digest = sha256(name.encode()).hexdigest()
        lines.append(
            f'[[tokens]]\nname = "{name}"\nsha256 = "{digest}"\nrepositories = {repositories}\nrights = {rights}'
        )
    return "\n\n".join(lines) + "\n"

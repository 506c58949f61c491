"""Fixtures of the upstream layer."""

import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.rogue import Rogue
from tests.upstream.support import Outside


@pytest.fixture
def rogue() -> Iterator[Rogue]:
    with Rogue() as origin:
        yield origin


@pytest.fixture
def other() -> Iterator[Rogue]:
    with Rogue() as origin:
        yield origin


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    made = Outside()
    yield made
    await made.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secure:
    """An https origin, and the file with the authority that its certificate is from."""

    rogue: Rogue
    ca_file: str

    def url(self, host: str, path: str) -> str:
        return f"https://{host}:{self.rogue.port}{path}"


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "files.example").configure_cert(context)
    ca_file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(ca_file)
    with Rogue(tls=context) as origin:
        yield Secure(rogue=origin, ca_file=str(ca_file))

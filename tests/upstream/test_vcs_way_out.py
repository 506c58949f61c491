"""Where the real go and the real git can be led to."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from entrepot.contracts.fetcher import Ask
from entrepot.errors import EgressRefused, Unreachable
from entrepot.model.netrc import Login
from entrepot.upstream.health import Health
from entrepot.upstream.settings import ClientSettings
from entrepot.upstream.vcs import VcsFetcher
from entrepot.upstream.vcs_settings import VcsSettings
from tests.clients.githost import HOST, LOGIN, PASSWORD, GitHost
from tests.clients.room import missing
from tests.upstream.support import FakeClock, FakeOrigins

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(bool(missing("go", "git")), reason=missing("go", "git")),
]


class EverythingHere(AbstractResolver):
    """Every name is a port of this machine, but for the one that has no address."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host.startswith("nowhere."):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        here = ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=socket.AF_INET, proto=0, flags=0)
        return [here]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitHost]:
    with GitHost(directory=tmp_path / "git") as git:
        yield git


def fetcher(git: GitHost, directory: Path, *modules: str) -> VcsFetcher:
    clock = FakeClock()
    settings = VcsSettings(
        name="corp",
        modules=modules,
        logins=(Login(machine=HOST, login=LOGIN, password=PASSWORD),),
        ca_file=git.ca_file,
    )
    return VcsFetcher(
        {"corp": settings},
        ClientSettings(instance="abc"),
        Health(FakeOrigins(), clock),
        clock,
        directory,
        os.environ.get("PATH", os.defpath),
        resolver=EverythingHere(git.port),
    )


async def ask(fetcher: VcsFetcher, path: str) -> tuple[int, bytes]:
    reply = await fetcher.send(Ask(upstream="corp", url=f"vcs://corp/{path}"))
    body = b"".join([piece async for piece in reply.chunks()])
    await reply.close()
    return reply.status, body


@pytest.mark.parametrize("module", [f"{HOST}/team/lib.git", f"{HOST}/meta/lib"])
async def test_go_and_git_reach_the_host_that_the_operator_named(git: GitHost, tmp_path: Path, module: str) -> None:
    git.publish("team/lib", {"go.mod": f"module {module}\n"}, ["v1.0.0"], at=1_700_000_000)
    assert await ask(fetcher(git, tmp_path / "vcs", f"{HOST}/*"), f"{module}/@v/list") == (200, b"v1.0.0\n")


async def test_a_page_of_that_host_leads_nowhere_inside(git: GitHost, tmp_path: Path) -> None:
    git.leads_to = "https://inside.example/team/lib"
    with pytest.raises(EgressRefused, match=r"inside\.example:443: resolves to an address that is not public"):
        await ask(fetcher(git, tmp_path / "vcs", f"{HOST}/*"), f"{HOST}/meta/lib/@v/list")


@pytest.mark.parametrize("module", ["inside.example/team/lib.git", "inside.example/meta/lib"])
async def test_a_client_leads_nowhere_inside(git: GitHost, tmp_path: Path, module: str) -> None:
    with pytest.raises(EgressRefused, match=r"inside\.example:443: resolves to an address that is not public"):
        await ask(fetcher(git, tmp_path / "vcs"), f"{module}/@v/list")
    assert git.asked == []


@pytest.mark.parametrize("module", ["nowhere.example/team/lib.git", "nowhere.example/meta/lib"])
async def test_a_name_without_address_is_an_outage(git: GitHost, tmp_path: Path, module: str) -> None:
    with pytest.raises(Unreachable, match=r"nowhere\.example:443: its name does not resolve: no such name"):
        await ask(fetcher(git, tmp_path / "vcs"), f"{module}/@v/list")

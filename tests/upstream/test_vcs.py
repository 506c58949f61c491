"""Limits and surroundings of the go command, with a stand-in for it: what it says, tests/clients/test_go_vcs.py asks
of the real one."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.contracts.fetcher import Ask
from entrepot.errors import EgressRefused, StoreFailure, TooBig, UpstreamBusy, UpstreamFailure, UpstreamTimeout
from entrepot.model.netrc import Login
from entrepot.upstream.health import Health
from entrepot.upstream.kinds import FetcherOfKinds
from entrepot.upstream.settings import ClientSettings, UpstreamSettings
from entrepot.upstream.vcs import VcsFetcher
from entrepot.upstream.vcs_settings import VcsSettings
from tests.upstream.support import FakeClock, FakeOrigins, Outside

pytestmark = pytest.mark.anyio

LIST = "corp.example/lib/@v/list"
FOUND = """echo '{"Path": "corp.example/lib", "Versions": ["v1.0.0", "v1.1.0"]}'"""
SLOTS = ClientSettings(instance="abc", queue_timeout=0.2)
Maker = Callable[..., VcsFetcher]


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    """Makes a fetcher with one upstream, whose go command is a shell script."""
    clock, origins = FakeClock(), FakeOrigins()

    def make(script: str, **settings: object) -> VcsFetcher:
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        given: dict[str, object] = {"name": "corp", "modules": ("corp.example/*",), "go_command": str(program)}
        upstream = VcsSettings(**(given | settings))  # type: ignore[arg-type]
        path = os.environ.get("PATH", os.defpath)
        return VcsFetcher({"corp": upstream}, SLOTS, Health(origins, clock), clock, tmp_path / "vcs", path)

    return make


async def text_of(fetcher: VcsFetcher, path: str = LIST, method: str = "GET") -> tuple[int, str]:
    reply = await fetcher.send(Ask(upstream="corp", url=fetcher.base_url("corp") + path, method=method))
    body = b"".join([piece async for piece in reply.chunks()])
    await reply.close()
    return reply.status, body.decode()


class Witness:
    """Sees a command begin and end: the script holds one end of a pipe open as long as any part of it runs."""

    def __init__(self, directory: Path) -> None:
        self._pipe = directory / "pipe"
        os.mkfifo(self._pipe)
        self._opening = asyncio.ensure_future(asyncio.to_thread(self._pipe.open, "rb"))

    @property
    def script(self) -> str:
        return f"exec 9> {self._pipe}; sleep 20 & wait"

    async def sees_begin(self) -> None:
        async with asyncio.timeout(10):
            self._file = await self._opening

    async def sees_end(self) -> None:
        await self.sees_begin()
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(self._file.read) == b""
        self._file.close()


async def test_the_versions_of_a_module_are_a_list(made: Maker) -> None:
    fetcher = made(FOUND)
    assert await text_of(fetcher) == (200, "v1.0.0\nv1.1.0\n")
    assert await text_of(fetcher, method="HEAD") == (200, "")


async def test_nothing_of_our_environment_reaches_the_command(
    made: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    fetcher = made(f"env > {tmp_path}/seen; {FOUND}")
    await text_of(fetcher)
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert "SECRET_OF_OURS" not in seen
    wanted = {"GOPROXY": "direct", "GOSUMDB": "off", "GOVCS": "*:git", "GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw"}
    assert wanted.items() <= seen.items()
    assert {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https"}.items() <= seen.items()
    assert Path(seen["HOME"]).is_relative_to(tmp_path / "vcs")


async def test_logins_are_in_a_private_file_while_the_command_runs(made: Maker, tmp_path: Path) -> None:
    login = Login(machine="corp.example", login="robot", password="s3cret")
    fetcher = made(
        f"stat -c %a $HOME/.netrc > {tmp_path}/seen; cat $HOME/.netrc >> {tmp_path}/seen; {FOUND}", logins=(login,)
    )
    await text_of(fetcher)
    assert (tmp_path / "seen").read_text() == "600\nmachine corp.example login robot password s3cret\n"
    assert list((tmp_path / "vcs").iterdir()) == []


async def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(made: Maker, tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    with pytest.raises(UpstreamTimeout, match=r"no answer within 2 s"):
        await text_of(made(witness.script, timeout=2.0))
    await witness.sees_end()
    assert list((tmp_path / "vcs").iterdir()) == []


async def test_a_command_whose_asker_goes_away_is_ended(made: Maker, tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    asking = asyncio.create_task(text_of(made(witness.script)))
    await witness.sees_begin()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await witness.sees_end()


async def test_a_repository_that_takes_too_much_disk_is_given_up(made: Maker, tmp_path: Path) -> None:
    fetcher = made("head -c 3000000 /dev/zero > pack; sleep 600", max_bytes=1 << 20)
    with pytest.raises(TooBig, match="more than 1048576 bytes"):
        await text_of(fetcher)
    assert list((tmp_path / "vcs").iterdir()) == []


async def test_what_the_command_made_read_only_is_removed_too(made: Maker, tmp_path: Path) -> None:
    fetcher = made(f"mkdir -p mod/a/b; touch mod/a/b/c; chmod 0500 mod/a/b mod/a; {FOUND}")
    await text_of(fetcher)
    assert list((tmp_path / "vcs").iterdir()) == []


async def test_what_an_earlier_process_left_is_removed_at_the_start(made: Maker, tmp_path: Path) -> None:
    alive = tmp_path / "vcs" / f"{os.getppid()}-abc"
    gone = tmp_path / "vcs" / "999999999-abc"
    for left in (alive, gone):
        left.mkdir(parents=True)
    made(FOUND)
    assert list((tmp_path / "vcs").iterdir()) == [alive]


async def test_only_so_many_commands_run_at_once(made: Maker, tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    fetcher = made(witness.script, max_commands=1)
    first = asyncio.create_task(text_of(fetcher))
    await witness.sees_begin()
    with pytest.raises(UpstreamBusy, match="all go commands were in use"):
        await text_of(fetcher)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await witness.sees_end()


async def test_a_host_that_is_down_is_left_alone_for_a_while(made: Maker, tmp_path: Path) -> None:
    fetcher = made(f"echo >> {tmp_path}/calls; echo 'fatal: Could not resolve host: corp.example' >&2; exit 1")
    for _ in range(3):
        with pytest.raises(UpstreamFailure, match="Could not resolve host"):
            await text_of(fetcher)
    with pytest.raises(UpstreamBusy, match=r"corp/corp\.example"):
        await text_of(fetcher)
    assert (tmp_path / "calls").read_text().count("\n") == 3


async def test_a_missing_command_and_what_it_prints_that_nobody_understands_are_failures(made: Maker) -> None:
    with pytest.raises(UpstreamFailure, match="cannot be run"):
        await text_of(made(FOUND, go_command="no-such-command"))
    with pytest.raises(UpstreamFailure, match="cannot be read"):
        await text_of(made("echo surprise"))


async def test_a_full_or_missing_disk_is_no_fault_of_upstream(made: Maker, tmp_path: Path) -> None:
    fetcher = made(FOUND)
    (tmp_path / "vcs").rmdir()
    with pytest.raises(StoreFailure):
        await text_of(fetcher)


async def test_another_version_than_the_one_asked_for_is_none(made: Maker) -> None:
    status, text = await text_of(made("""echo '{"Version": "v1.0.1"}'"""), "corp.example/lib/@v/v1.0.0.info")
    assert (status, "v1.0.0 is v1.0.1" in text) == (404, True)


async def test_what_no_glob_names_and_what_is_no_question_starts_nothing(made: Maker, tmp_path: Path) -> None:
    fetcher = made(f"touch {tmp_path}/started")
    for path in ("other.example/x/@v/list", "sumdb/sum.example/supported", "corp.example/-json/@v/list"):
        assert (await text_of(fetcher, path))[0] == 404
    assert not (tmp_path / "started").exists()


async def test_a_private_address_as_a_host_is_refused_unless_it_is_configured(made: Maker) -> None:
    with pytest.raises(EgressRefused, match="not a public host"):
        await text_of(made(FOUND, modules=()), "10.0.0.1/x/@v/list")
    assert (await text_of(made(FOUND, modules=("10.0.0.1/x",)), "10.0.0.1/x/@v/list"))[0] == 200


async def test_the_module_file_that_came_with_the_description_is_not_fetched_again(made: Maker, tmp_path: Path) -> None:
    told = '{\\"Version\\": \\"v1.0.0\\", \\"Time\\": \\"2024-05-01T10:00:00Z\\", \\"GoMod\\": \\"$PWD/go.mod\\"}'
    fetcher = made(f'echo >> {tmp_path}/calls; echo "{told}"')
    info = await text_of(fetcher, "corp.example/lib/@v/v1.0.0.info")
    assert info == (200, '{"Version":"v1.0.0","Time":"2024-05-01T10:00:00Z"}')
    assert await text_of(fetcher, "corp.example/lib/@v/v1.0.0.mod") == (200, "module entrepot.invalid/question\n")
    assert (tmp_path / "calls").read_text().count("\n") == 1


async def test_the_identity_changes_with_the_credentials_and_tells_none(made: Maker) -> None:
    one = Login(machine="corp.example", login="robot", password="s3cret")
    identities = {made(FOUND, logins=logins).identity("corp") for logins in ((), (one,))}
    assert len(identities) == 2
    assert "s3cret" not in "".join(identities)


async def test_each_upstream_is_asked_by_the_client_of_its_kind(made: Maker, outside: Outside) -> None:
    http = outside.fetcher(UpstreamSettings(name="public", url="https://registry.example/go", owns=("acme.example/*",)))
    kinds = FetcherOfKinds({"public": http, "corp": made(FOUND)})
    assert kinds.base_url("public") == "https://registry.example/go/"
    assert kinds.base_url("corp") == "vcs://corp/"
    assert (kinds.owns("corp", "corp.example/x"), kinds.owns("public", "corp.example/x")) == (True, False)
    assert kinds.identity("public") == http.identity("public")
    reply = await kinds.send(Ask(upstream="corp", url=f"vcs://corp/{LIST}"))
    assert reply.status == 200
    await reply.close()
    await kinds.close()

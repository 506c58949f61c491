"""The control socket, over a real socket."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from entrepot.cli.control import Control
from entrepot.errors import NotServed
from entrepot.web.control import ControlSocket, socket_address

pytestmark = pytest.mark.anyio

Arguments = Mapping[str, object]


class Office:
    """A few verbs, and what became of them."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def echo(self, arguments: Arguments, connection: ExitStack) -> object:
        return dict(arguments)

    async def weigh(self, arguments: Arguments, connection: ExitStack) -> object:
        documents = arguments["documents"]
        assert isinstance(documents, list)
        return [[one["name"], len(one["body"]), one["body"][-1:].decode()] for one in documents]

    async def refuse(self, arguments: Arguments, connection: ExitStack) -> object:
        raise NotServed("there is no such thing")

    async def stay(self, arguments: Arguments, connection: ExitStack) -> object:
        connection.callback(self.left.set)
        return {}

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        control = ControlSocket(
            path, {"echo": self.echo, "refuse": self.refuse, "stay": self.stay, "weigh": self.weigh}
        )
        await control.open()
        try:
            yield
        finally:
            await control.close()


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def say(self, line: bytes, end: bytes = b"\n") -> dict[str, object]:
        self.writer.write(line + end)
        answer: dict[str, object] = json.loads(await self._reader.readline())
        return answer

    async def call(self, verb: str, **arguments: object) -> dict[str, object]:
        return await self.say(json.dumps({"verb": verb, "arguments": arguments}).encode())


@asynccontextmanager
async def calling(path: Path) -> AsyncIterator[Caller]:
    with socket_address(path) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


def held_paths() -> set[str]:
    """What this process has open."""
    return {os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()}


async def test_a_verb_is_answered_with_its_result(tmp_path: Path) -> None:
    async with Office().open(tmp_path / "control.sock"), calling(tmp_path / "control.sock") as caller:
        assert await caller.call("echo", a=1) == {"ok": True, "result": {"a": 1}}
        assert await caller.call("echo", b=2) == {"ok": True, "result": {"b": 2}}


async def test_an_error_of_ours_is_told_with_its_code(tmp_path: Path) -> None:
    async with Office().open(tmp_path / "control.sock"), calling(tmp_path / "control.sock") as caller:
        answer = await caller.call("refuse")
        assert answer == {"ok": False, "code": "not-served", "error": "there is no such thing"}


@pytest.mark.parametrize("line", [b"no JSON", b"[]", b"{}", b'{"verb": "dance"}', b'{"verb": ["echo"]}'])
async def test_what_cannot_be_understood_is_told_so_and_the_connection_stays(tmp_path: Path, line: bytes) -> None:
    async with Office().open(tmp_path / "control.sock"), calling(tmp_path / "control.sock") as caller:
        assert (await caller.say(line))["code"] == "bad-request"
        assert (await caller.call("echo"))["ok"] is True


async def test_bytes_that_follow_a_message_are_put_where_it_says(tmp_path: Path) -> None:
    documents: list[dict[str, object]] = [
        {"name": "small", "body": b"\n"},
        {"name": "none", "body": b""},
        {"name": "big", "body": b"\0" * 300_000 + b"a"},
    ]

    def call() -> object:
        with Control.connect(tmp_path) or pytest.fail("nobody answers") as control:
            return [control.call("weigh", documents=documents), control.call("echo", a=1)]

    async with Office().open(tmp_path / "control.sock"):
        weighed = [["small", 1, "\n"], ["none", 0, ""], ["big", 300_001, "a"]]
        assert await asyncio.to_thread(call) == [weighed, {"a": 1}]


@pytest.mark.parametrize("place", [["papers", 0], [0], ["documents", 3, "body"], ["documents", "body"]])
async def test_bytes_that_belong_nowhere_are_told_so_and_the_connection_stays(
    tmp_path: Path, place: list[object]
) -> None:
    message = {"verb": "weigh", "arguments": {"documents": [{}]}, "attached": [{"place": place, "size": 3}]}
    async with Office().open(tmp_path / "control.sock"), calling(tmp_path / "control.sock") as caller:
        answer = await caller.say(json.dumps(message).encode() + b"\nabc", end=b"")
        assert answer["code"] == "bad-request"
        assert (await caller.call("echo"))["ok"] is True


async def test_what_a_verb_ties_to_the_connection_ends_with_it(tmp_path: Path) -> None:
    office = Office()
    async with office.open(tmp_path / "control.sock"):
        async with calling(tmp_path / "control.sock") as caller:
            await caller.call("stay")
            assert not office.left.is_set()
        await asyncio.wait_for(office.left.wait(), 30)


async def test_closing_the_socket_ends_its_connections(tmp_path: Path) -> None:
    office = Office()
    async with office.open(tmp_path / "control.sock"), calling(tmp_path / "control.sock") as caller:
        await caller.call("stay")
        # Closed below, while the caller still holds its end.
        held = os.dup(caller.writer.get_extra_info("socket").fileno())
    try:
        await asyncio.wait_for(office.left.wait(), 30)
    finally:
        os.close(held)
    assert not (tmp_path / "control.sock").exists()


async def test_only_the_owner_may_connect(tmp_path: Path) -> None:
    async with Office().open(tmp_path / "control.sock"):
        assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600


async def test_the_socket_of_an_ended_server_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_bytes(b"")
    async with Office().open(tmp_path / "control.sock"), calling(tmp_path / "control.sock") as caller:
        assert (await caller.call("echo"))["ok"] is True


async def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 100) / ("e" * 100)
    directory.mkdir(parents=True)
    async with Office().open(directory / "control.sock"), calling(directory / "control.sock") as caller:
        assert (await caller.call("echo", a=1))["result"] == {"a": 1}
    assert not (directory / "control.sock").exists()
    assert str(directory) not in held_paths()

"""The validator hook on the wire: what is posted, and which answers count."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from entrepot.contracts.validator import Inquiry, Ruling
from entrepot.upstream.validator import HttpValidator
from tests.rogue import refused_port

pytestmark = pytest.mark.anyio
INQUIRY = Inquiry("go", "golang", "corp.example/Lib", "v1.0.0")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Service:
    url: str = ""
    bodies: list[object] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    answer: Answer | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(json.loads(await request.read()))
        self.types.append(request.content_type)
        assert self.answer is not None
        return await self.answer(request)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_post("/hook", service.handle)
    async with TestServer(app) as server:
        service.url = str(server.make_url("/hook"))
        yield service


async def ruling(url: str, timeout: float = 5.0) -> Ruling:
    validator = HttpValidator(url, timeout, "entrepot/test")
    try:
        return await validator.rule(INQUIRY)
    finally:
        await validator.close()


def saying(status: int, text: str | bytes = "", **fields: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        body = text.encode() if isinstance(text, str) else text
        return web.Response(status=status, body=body, headers=fields)

    return answer


async def test_a_version_is_posted_in_athenss_form(service: Service) -> None:
    service.answer = saying(200)
    assert await ruling(service.url) == Ruling(True)
    assert service.types == ["application/json"]
    (body,) = service.bodies
    assert body == {
        "Module": "corp.example/Lib",
        "Version": "v1.0.0",
        "Ecosystem": "golang",
        "Repository": "go",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("licence not approved\nsecond line", "licence not approved"),
        ("\n\n  too new \r\n", "too new"),
        ("a\x1b[31mb\x00c\td", "a [31mb c d"),
        ("x" * 5000, "x" * 300),
        (b"\xff\xfe", ""),
        ("", ""),
    ],
)
async def test_a_refusal_brings_its_first_line_cleaned(service: Service, text: str | bytes, shown: str) -> None:
    service.answer = saying(403, text)
    assert await ruling(service.url) == Ruling(False, shown)


async def test_a_refusal_without_end_is_read_for_its_beginning_only(service: Service) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=403)
        await response.prepare(request)
        while True:
            await response.write(b"no " * 1000)

    service.answer = answer
    assert (await ruling(service.url)).allowed is False


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 404, 429, 500, 503])
async def test_any_other_status_is_no_ruling(service: Service, status: int) -> None:
    service.answer = saying(status, "text", location=service.url)
    assert await ruling(service.url) == Ruling(None, f"it answered {status}")
    assert len(service.bodies) == 1


async def test_silence_is_no_ruling(service: Service) -> None:
    silent = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await silent.wait()
        return web.Response()

    service.answer = answer
    found = await ruling(service.url, timeout=0.05)
    silent.set()
    assert found == Ruling(None, "no answer within 0.05 s")


async def test_a_service_that_is_not_there_is_no_ruling_and_its_address_is_not_told() -> None:
    with refused_port() as port:
        found = await ruling(f"http://127.0.0.1:{port}/hook?secret=1")
    assert found.allowed is None
    assert "refused" in found.text.lower()
    assert "secret" not in found.text


async def test_an_answer_that_is_not_http_is_no_ruling() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        found = await ruling(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert found.allowed is None
    assert found.text

"""Who uses a server, and when the last of them has left."""

import asyncio

import pytest

from entrepot.errors import BadRequest, ServerEnding
from entrepot.web.sessions import Sessions

LONG = 30.0

pytestmark = pytest.mark.anyio


async def test_a_private_server_knows_open_sessions_only() -> None:
    sessions = Sessions(private=True)
    with sessions.open("abc"):
        assert sessions.knows("abc")
        assert not sessions.knows("def")
        assert not sessions.knows("")
    assert not sessions.knows("abc")


async def test_another_server_books_whatever_it_is_told_to() -> None:
    assert Sessions(private=False).knows("anything")
    assert Sessions(private=False).knows("")


async def test_waiting_ends_when_the_last_session_is_closed() -> None:
    sessions = Sessions(private=True)
    with sessions.open("b"):
        with sessions.open("a"):
            waiting = asyncio.create_task(sessions.wait_until_left(LONG))
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.wait_for(waiting, LONG)


async def test_waiting_ends_when_nobody_comes() -> None:
    await asyncio.wait_for(Sessions(private=True).wait_until_left(0.0), LONG)


async def test_waiting_goes_on_when_somebody_came_back() -> None:
    sessions = Sessions(private=True)
    with sessions.open("a"):
        pass
    with sessions.open("b"):
        waiting = asyncio.create_task(sessions.wait_until_left(LONG))
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.wait_for(waiting, LONG)


async def test_a_server_that_is_used_does_not_end() -> None:
    sessions = Sessions(private=True)
    with sessions.open("a"):
        assert not sessions.end()
        assert sessions.knows("a")
    assert sessions.end()


async def test_an_ending_server_takes_no_sessions() -> None:
    sessions = Sessions(private=True)
    assert sessions.end()
    with pytest.raises(ServerEnding), sessions.open("a"):
        pass


@pytest.mark.parametrize("name", ["", "a/b", "ä", "a b"])
async def test_a_name_that_cannot_stand_in_a_path_is_refused(name: str) -> None:
    with pytest.raises(BadRequest), Sessions(private=True).open(name):
        pass


async def test_nobody_gets_the_session_of_another() -> None:
    sessions = Sessions(private=True)
    with sessions.open("a"):
        with pytest.raises(BadRequest), sessions.open("a"):
            pass
        assert sessions.knows("a")

"""Our id in Via, and what comes back with it."""

import pytest

from entrepot.errors import LoopDetected
from tests.rogue import Page, Rogue
from tests.upstream.support import Outside, ask, fetch, upstream

pytestmark = pytest.mark.anyio


async def test_via_is_appended_to_what_was_there(rogue: Rogue, outside: Outside) -> None:
    await fetch(outside.fetcher(upstream(rogue)), ask(rogue.serve("/a", b"x"), ("via", "1.1 entrepot-first")))
    assert rogue.seen[0].headers["via"] == "1.1 entrepot-first, 1.1 entrepot-abc"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("1.1 entrepot-abc", True),
        ("1.0 fred, 1.1 entrepot-abc (comment)", True),
        ("HTTP/1.1 entrepot-abc", True),
        ("1.1 entrepot-abcd", False),
        ("1.1 entrepot-other", False),
        ("1.1 other (entrepot-abc)", False),
        ("", False),
    ],
)
async def test_our_own_via_is_known(outside: Outside, text: str, ours: bool) -> None:
    assert outside.fetcher().own_via(text) is ours


async def test_a_508_with_our_via_is_a_loop_and_says_what_to_do(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(status=508, headers=(("Via", "1.1 entrepot-abc"),)))
    with pytest.raises(LoopDetected, match=r"set the url of \[upstreams\.main\] to the registry itself"):
        await outside.fetcher(upstream(rogue)).send(ask(url))


async def test_somebody_elses_508_is_an_answer(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(status=508, headers=(("Via", "1.1 entrepot-other"),)))
    status, _ = await fetch(outside.fetcher(upstream(rogue)), ask(url))
    assert status == 508

"""Who may have what: tokens in every form that clients send, and what strangers get."""

from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from entrepot.web.sessions import Sessions
from entrepot.web.tokens import MOST_KNOWN, Guard, Token
from entrepot.web.visit import headers_of
from tests.cache.works import Works, page, works_in
from tests.fakes import NOON
from tests.web.front import HOST, Front, Got

pytestmark = pytest.mark.anyio
BODY = b"for those who may have it\n"
READER, IDLE, TRIGGER, ADMIN, LATE = (f"entrepot_{name}" for name in ("reader", "idle", "trigger", "admin", "late"))
SHELF = frozenset({"shelf"})
LIFE = 3600.0
"""Seconds that the late token counts from noon."""
CHALLENGE = 'Basic realm="Entrepot", Bearer'


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def token(secret: str, **rights: Any) -> Token:
    return Token(name=secret.removeprefix("entrepot_"), digest=sha256(secret.encode()).digest(), **rights)


def guard_with(sessions: Sessions, open_to_all: frozenset[str] = frozenset()) -> Guard:
    tokens = [
        token(READER, reads=SHELF),
        token(IDLE),
        token(TRIGGER, reads=SHELF, triggers=SHELF),
        token(ADMIN, admin=True),
        token(LATE, reads=SHELF, until=NOON.timestamp() + LIFE),
    ]
    return Guard(tokens, repositories=SHELF, open_to_all=open_to_all, is_session=sessions.is_open)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(private=False)


@pytest.fixture
async def closed(works: Works, tmp_path: Path, sessions: Sessions) -> AsyncIterator[Front]:
    """A front door with tokens, and a file behind it."""
    front = Front(works, tmp_path, guard=guard_with(sessions), metrics_open=False)
    front.sessions |= {"abc", "nightly"}
    works.fetcher.on("loose/a", page(BODY))
    yield front
    front.close()


async def heat(front: Front, authorization: str = f"Bearer {READER}") -> None:
    """The file is asked for until it is given from memory."""
    for _ in range(3):
        assert (await front.get("/shelf/loose/a", authorization=authorization)).body == BODY
        await front.works.settle()
    assert front.hot.find((b"/shelf/loose/a", b"", HOST.encode(), b"", b"")) is not None


def refused(got: Got) -> bool:
    return got.status == 401 and BODY not in got.body and got.fields["www-authenticate"] == CHALLENGE


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        f"Bearer {READER}",
        f"bearer  {READER} ",
        basic("me", READER),
        basic("", READER),
        basic("__token__", READER),
        basic("ä b", READER),
        basic("me", READER).replace("Basic", "BASIC"),
    ],
)
async def test_a_token_is_taken_in_every_form_that_clients_send(closed: Front, field: str) -> None:
    for _ in range(3):
        got = await closed.get("/shelf/loose/a", authorization=field)
        assert (got.status, got.body) == (200, BODY)
        await closed.works.settle()


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("", "a token is needed here; "),
        (f"Bearer {READER}x", "this token is not known here; "),
        (basic("me", "wrong"), "this token is not known here; "),
        (basic(READER, ""), "the credentials cannot be read; "),
        (basic(READER, "x"), "this token is not known here; "),
        (f"Basic {READER}", "the credentials cannot be read; "),
        ("Basic !!!!", "the credentials cannot be read; "),
        (f"Token {READER}", "the credentials cannot be read; "),
        ("Bearer", "the credentials cannot be read; "),
        (READER, "the credentials cannot be read; "),
    ],
)
async def test_whoever_has_none_is_told_what_is_wrong_and_what_to_do(closed: Front, field: str, told: str) -> None:
    await heat(closed)
    got = await closed.get("/shelf/loose/a", authorization=field)
    assert refused(got)
    assert told in got.body.decode()
    assert "as the Basic password of any user, or as a Bearer token" in got.body.decode()
    assert READER not in got.body.decode()
    assert got.fields["cache-control"] == "no-store"


async def test_two_authorization_fields_are_no_credentials(closed: Front) -> None:
    fields = [("host", HOST), ("authorization", f"Bearer {READER}"), ("authorization", f"Bearer {READER}")]
    assert refused(await closed.ask("/shelf/loose/a", fields))


async def test_a_token_without_the_right_is_told_so_and_not_asked_for_another(closed: Front) -> None:
    await heat(closed)
    got = await closed.get("/shelf/loose/a", authorization=f"Bearer {IDLE}")
    assert (got.status, BODY in got.body) == (403, False)
    assert "the token 'idle' has no right to read the repository 'shelf'" in got.body.decode()
    assert "www-authenticate" not in got.fields


# --- what is hot ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_hot_answers_are_not_given_to_strangers(closed: Front, method: str) -> None:
    await heat(closed)
    for field in ("", f"Bearer {READER}x", basic("me", "wrong")):
        got = await closed.get("/shelf/loose/a", method, authorization=field)
        assert (got.status, BODY in got.body) == (401, False)
    assert (await closed.get("/shelf/loose/a", authorization=f"Bearer {READER}")).body == BODY
    assert len(closed.works.fetcher.asks) == 1


async def test_a_stranger_makes_nothing_be_fetched(closed: Front) -> None:
    assert refused(await closed.get("/shelf/loose/a"))
    assert (await closed.get("/shelf/pass/x", "POST", body=b"{}")).status == 401
    assert closed.works.fetcher.asks == []


async def test_what_needs_a_token_is_kept_out_of_shared_caches(closed: Front) -> None:
    for _ in range(3):
        got = await closed.get("/shelf/loose/a", authorization=f"Bearer {READER}")
        assert got.fields["cache-control"] == "private, max-age=31536000, immutable"
        assert got.repeated == []
        await closed.works.settle()


async def test_what_is_open_needs_none_and_a_wrong_one_does_no_harm(
    works: Works, tmp_path: Path, sessions: Sessions
) -> None:
    front = Front(works, tmp_path, guard=guard_with(sessions, open_to_all=SHELF))
    works.fetcher.on("loose/a", page(BODY))
    for field in ("", f"Bearer {READER}x", f"Bearer {IDLE}", f"Bearer {READER}"):
        got = await front.get("/shelf/loose/a", authorization=field)
        assert (got.status, got.body) == (200, BODY)
        assert got.fields["cache-control"] == "public, max-age=31536000, immutable"
        await works.settle()


async def test_a_token_counts_until_its_end_and_not_a_moment_longer(closed: Front) -> None:
    await heat(closed, f"Bearer {LATE}")
    closed.works.clock.advance(LIFE - 1)
    assert (await closed.get("/shelf/loose/a", authorization=f"Bearer {LATE}")).body == BODY
    closed.works.clock.advance(1)
    got = await closed.get("/shelf/loose/a", authorization=f"Bearer {LATE}")
    assert refused(got)
    assert "the token 'late' was valid until 20" in got.body.decode()
    assert (await closed.get("/shelf/loose/a", authorization=f"Bearer {READER}")).body == BODY


async def test_after_a_restart_without_it_a_token_is_unknown(
    closed: Front, works: Works, tmp_path: Path, sessions: Sessions
) -> None:
    await heat(closed)
    rest = Guard([token(ADMIN, admin=True)], repositories=SHELF, open_to_all=frozenset(), is_session=sessions.is_open)
    later = Front(works, tmp_path / "later", guard=rest)
    assert refused(await later.get("/shelf/loose/a", authorization=f"Bearer {READER}"))


async def test_fields_that_were_seen_are_remembered_up_to_a_number(sessions: Sessions) -> None:
    guard = guard_with(sessions)
    for number in range(MOST_KNOWN + 10):
        assert guard.principal_of(basic(str(number), READER).encode(), 0.0).name == "reader"
    assert guard.principal_of(basic("0", READER).encode(), 0.0).name == "reader"


# --- what a stranger learns -------------------------------------------------------------------------------------------


async def test_strangers_are_not_told_which_repositories_there_are(closed: Front) -> None:
    unknown, known = await closed.get("/attic/loose/a"), await closed.get("/shelf/loose/a")
    assert refused(unknown)
    assert "shelf" not in unknown.body.decode()
    assert unknown.body == known.body
    assert "shelf" not in (await closed.get("/")).body.decode()
    assert "shelf" in (await closed.get("/", authorization=f"Bearer {READER}")).body.decode()
    assert (await closed.get("/attic/loose/a", authorization=f"Bearer {READER}")).status == 404


async def test_health_is_told_to_everybody(closed: Front) -> None:
    assert [(await closed.get(path)).status for path in ("/health", "/ready")] == [200, 200]


async def test_a_stranger_under_a_foreign_name_is_misdirected_first(closed: Front) -> None:
    assert (await closed.get("/shelf/loose/a", host="evil.example")).status == 421


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_session_that_was_opened_here_stands_for_a_token_as_long_as_it_lasts(
    closed: Front, sessions: Sessions
) -> None:
    with sessions.open("abc"):
        for _ in range(3):
            assert (await closed.get("/~abc/shelf/loose/a")).body == BODY
            await closed.works.settle()
        assert refused(await closed.get("/shelf/loose/a"))
    assert refused(await closed.get("/~abc/shelf/loose/a"))


async def test_a_session_that_somebody_made_up_only_books(closed: Front) -> None:
    assert refused(await closed.get("/~nightly/shelf/loose/a"))
    assert closed.works.counters.sessions == {}, "what is refused is booked to no session"
    assert (await closed.get("/~nightly/shelf/loose/a", authorization=f"Bearer {READER}")).body == BODY
    assert closed.works.counters.sessions["nightly"]["shelf"].requests == 1


async def test_workers_tell_one_another_which_sessions_are_open(tmp_path: Path) -> None:
    leader = Sessions(private=False, shared=tmp_path / "sessions")
    other = Sessions(private=False, shared=tmp_path / "sessions")
    assert not other.is_open("abc")
    with leader.open("abc"):
        assert other.is_open("abc")
        assert not other.is_open("")
        assert not other.is_open("..")
    assert not other.is_open("abc")
    assert not leader.is_open("abc")


async def test_without_tokens_nobody_needs_one(front: Front) -> None:
    front.works.fetcher.on("loose/a", page(BODY))
    for field in ("", "Bearer whatever"):
        got = await front.get("/shelf/loose/a", authorization=field)
        assert (got.status, got.body) == (200, BODY)
        assert got.fields["cache-control"].startswith("public")
        await front.works.settle()


# --- what goes on from here -------------------------------------------------------------------------------------------


async def test_credentials_of_clients_go_nowhere(closed: Front) -> None:
    closed.works.fetcher.on("pass/x", page(b"{}"))
    for path, method in (("/shelf/loose/a", "GET"), ("/shelf/loose/b", "HEAD"), ("/shelf/pass/x", "POST")):
        await closed.get(path, method, body=b"{}" if method == "POST" else b"", authorization=basic("me", READER))
    await closed.works.settle()
    asked = closed.works.fetcher.asks
    assert {ask.method for ask in asked} >= {"GET", "POST"}
    assert all("authorization" not in ask.headers and READER not in repr(ask) for ask in asked)


def test_nothing_behind_the_door_sees_credentials() -> None:
    told = headers_of({"headers": [(b"accept", b"a/b"), (b"authorization", b"Bearer x"), (b"authorization", b"y")]})
    assert list(told) == [("accept", "a/b")]


async def test_the_log_has_the_name_of_the_token_and_never_the_token(closed: Front) -> None:
    await heat(closed)
    await closed.get("/shelf/loose/a", authorization=basic("me", TRIGGER))
    await closed.get("/shelf/loose/a", authorization=basic("me", "entrepot_wrong"))
    await closed.get("/shelf/loose/a")
    lines = closed.lines()
    assert [line.get("token") for line in lines] == ["reader", "reader", "reader", "trigger", None, None]
    assert [line["status"] for line in lines] == [200, 200, 200, 200, 401, 401]
    assert {line["client"] for line in lines} == {"127.0.0.1"}
    text = closed.log_path.read_text()
    assert all(secret not in text for secret in (READER, TRIGGER, "entrepot_wrong", basic("me", TRIGGER)[6:]))


async def test_background_work_is_offered_in_the_name_of_the_token_and_of_its_right(
    tmp_path: Path, sessions: Sessions
) -> None:
    works = works_in(tmp_path / "behind", store="behind")
    front = Front(works, tmp_path, guard=guard_with(sessions))
    works.fetcher.on("loose/a", page(BODY))
    for secret in (READER, TRIGGER):
        assert (await front.get("/shelf/loose/a", authorization=f"Bearer {secret}")).body == BODY
    offered = [(trigger.client, trigger.authenticated) for trigger in works.triggers.offered]
    assert offered == [("reader", False), ("trigger", True)]

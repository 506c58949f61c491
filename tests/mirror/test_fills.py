"""What is taken of what requests trigger, what is told of it, and what operators do about it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.errors import Absent, BadRequest, TooBig, Unreachable
from entrepot.mirror.fills import MOST_UNWRITTEN
from entrepot.mirror.rules import FillRules
from tests.fakes import FakeClock
from tests.mirror.stand import Process, Upstream

pytestmark = pytest.mark.anyio

Ruled = Callable[[FillRules], Process]


@pytest.fixture
def ruled(process: Process) -> Ruled:
    """The same process under other rules."""

    def change(rules: FillRules) -> Process:
        process.fills.rules = rules
        return process

    return change


def open_paths(process: Process) -> list[str]:
    return [record.fill.path for record in process.fills.book.records(1000)]


async def test_a_miss_is_a_row_when_it_is_written_down(process: Process) -> None:
    process.miss("pkg/a", client="me")
    assert open_paths(process) == []
    assert process.fills.offered.is_set()
    await process.fills.write_down()
    fill = process.record("shelf/pkg/a").fill
    assert (fill.repository, fill.path, fill.client, fill.created_at) == ("shelf", "pkg/a", "me", process.clock.now())
    assert process.fills.added.is_set()
    assert not process.fills.offered.is_set()


async def test_lease_01_a_hundred_misses_of_two_processes_are_one_fill(process: Process) -> None:
    other = process.beside()
    for _ in range(50):
        process.miss()
        other.miss()
    await process.fills.write_down()
    await other.fills.write_down()
    assert open_paths(process) == ["loose/a"]
    assert process.results == {"duplicate": 49, "accepted": 1}
    assert other.results == {"duplicate": 50}
    await other.close()


@pytest.mark.parametrize("state", ["queued", "running", "done", "failed", "to be tried again"])
async def test_lease_02_a_miss_within_the_window_makes_no_fill(process: Process, state: str) -> None:
    errors: dict[str, list[BaseException]] = {
        "failed": [TooBig("loose/a")],
        "to be tried again": [Unreachable("loose/a")],
    }
    process.upstream.errors["loose/a"] = errors.get(state, [])
    await process.missed()
    match state:
        case "running":
            assert await process.leases.acquire("shelf/loose/a", "one", process.clock.now(), 60.0)
        case "done" | "failed" | "to be tried again":
            await process.run_due()
    before = process.record()
    process.clock.advance(10)
    await process.missed()
    assert process.results == {"accepted": 1, "duplicate": 1}
    assert process.record() == before


@pytest.mark.parametrize(
    ("allow", "authenticated", "result"),
    [
        ("any", False, "accepted"),
        ("authenticated", False, "not-allowed"),
        ("authenticated", True, "accepted"),
        ("none", True, "not-allowed"),
    ],
)
async def test_lease_05_who_may_not_trigger_starts_nothing(
    ruled: Ruled, allow: str, authenticated: bool, result: str
) -> None:
    process = ruled(FillRules(allow_trigger=allow))  # type: ignore[arg-type]
    process.miss(authenticated=authenticated)
    await process.fills.write_down()
    assert process.results == {result: 1}
    assert open_paths(process) == ["loose/a"] * (result == "accepted")


@pytest.mark.parametrize(
    ("rules", "full"),
    [
        (FillRules(per_client=2), {"me": 1, "you": 0}),
        (FillRules(per_repository=2), {"me": 1, "you": 1}),
        (FillRules(total=2), {"me": 1, "you": 1}),
    ],
    ids=["per client", "per repository", "total"],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_lease_06_what_is_over_a_cap_is_dropped_and_counted(
    ruled: Ruled, rules: FillRules, full: dict[str, int], at_once: bool
) -> None:
    process = ruled(rules)
    for client, path in (("me", "a"), ("me", "b"), ("me", "c"), ("you", "d")):
        process.miss(f"loose/{path}", client=client)
        if not at_once:
            await process.fills.write_down()
    await process.fills.write_down()
    assert process.results == {"accepted": 4 - sum(full.values()), "full": sum(full.values())}
    assert set(open_paths(process)) == {"loose/a", "loose/b"} | ({"loose/d"} if not full["you"] else set())


async def test_caps_of_a_repository_leave_others_alone(path: Path, clock: FakeClock, upstream: Upstream) -> None:
    process = Process(path, clock, upstream, rules=FillRules(per_repository=1), repositories=("shelf", "other"))
    for repository in ("shelf", "shelf", "other"):
        process.miss(f"loose/{repository}", repository=repository)
        process.miss("loose/more", repository=repository)
    await process.fills.write_down()
    assert process.results == {"duplicate": 2, "accepted": 2, "full": 2}
    await process.close()


async def test_what_is_done_makes_room(ruled: Ruled) -> None:
    process = ruled(FillRules(total=1))
    await process.missed("loose/a", "loose/b")
    await process.run_due()
    await process.missed("loose/b")
    assert process.results == {"accepted": 2, "full": 1}


async def test_lease_06_memory_is_bounded_too(ruled: Ruled) -> None:
    process = ruled(FillRules(per_client=10_000))
    for number in range(MOST_UNWRITTEN + 5):
        process.miss(f"loose/{number}")
    assert process.results == {"full": 5}
    await process.fills.write_down()
    assert process.results == {"full": 5, "accepted": MOST_UNWRITTEN}


async def test_what_cannot_be_written_is_counted_and_taken_the_next_time(process: Process) -> None:
    process.miss()
    await process.close()
    await process.fills.write_down()
    assert process.results == {"lost": 1}
    again = process.beside()
    await again.missed()
    assert again.results == {"accepted": 1}
    await again.close()


# --- for operators ----------------------------------------------------------------------------------------------------


async def test_what_is_told_of_fills_is_their_state_and_why(process: Process) -> None:
    process.upstream.errors |= {"loose/b": [Unreachable("no connection")], "loose/c": [TooBig("too big")]}
    process.upstream.errors["loose/d"] = [Absent("loose/d")]
    await process.missed("loose/a", "loose/b", "loose/c", "loose/d")
    await process.run_due()
    await process.missed("loose/e", "loose/f")
    assert await process.leases.acquire("shelf/loose/f", "one", process.clock.now(), 60.0)
    told = {str(one["key"]): one for one in await process.fills.told()}
    assert {key: (one["state"], one["failures"], one["error"], one["next_try_at"]) for key, one in told.items()} == {
        "shelf/loose/a": ("done", 0, "", None),
        "shelf/loose/b": ("queued", 1, "no connection", "2026-11-20T12:00:30+00:00"),
        "shelf/loose/c": ("failed", 1, "too big", "2026-11-21T12:00:00+00:00"),
        "shelf/loose/d": ("failed", 1, "loose/d: upstream says it does not exist", "2026-11-20T12:00:30+00:00"),
        "shelf/loose/e": ("queued", 0, "", None),
        "shelf/loose/f": ("running", 0, "", None),
    }
    assert told["shelf/loose/e"]["client"] == "127.0.0.1"


async def test_what_was_cleared_is_fetched_when_it_is_asked_for_again(process: Process) -> None:
    process.upstream.errors["loose/a"] = [TooBig("too big")]
    await process.missed()
    await process.run_due()
    assert await process.fills.clear("shelf/loose/a") == ["shelf/loose/a"]
    assert await process.fills.told() == []
    await process.missed()
    await process.run_due()
    assert process.state() == "done"


async def test_what_is_not_there_cannot_be_cleared(process: Process) -> None:
    with pytest.raises(BadRequest, match="there is no fill 'shelf/loose/a'"):
        await process.fills.clear("shelf/loose/a")


async def test_all_that_failed_is_cleared_at_once(process: Process) -> None:
    process.upstream.errors |= {f"loose/{name}": [TooBig("too big")] for name in "ab"}
    await process.missed("loose/a", "loose/b", "loose/c")
    await process.run_due()
    assert sorted(await process.fills.clear_failed()) == ["shelf/loose/a", "shelf/loose/b"]
    assert [one["key"] for one in await process.fills.told()] == ["shelf/loose/c"]
    assert process.leases.find("shelf/loose/a") is None

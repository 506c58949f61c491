"""Fetching behind answers with a whole server: two processes, restarts, and clients that go away."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrepot.cli.control import Control
from tests.faults.served import Served
from tests.faults.wire import Got, Talk
from tests.rogue import Rogue, answers, pattern, silence
from tests.waiting import eventually

BODY = pattern(64 << 10)
CONFIG = """
[server]
access_log = "off"
shutdown_timeout = "100ms"
[metrics]
open = true
[fetch]
retries = 0
[fills]
backoff = "30s..1h"
{fills}
[repositories.late]
ecosystem = "generic"
upstreams = ["{base}/late"]
mode = "async"
rules = [{{ path = '/immutable/.*', class = "immutable" }}]
[repositories.sent]
ecosystem = "generic"
upstreams = ["{base}/sent"]
mode = "async_redirect"
redirect_url = "https://files.example/base"
rules = [{{ path = '/immutable/.*', class = "immutable" }}]
[repositories.behind]
ecosystem = "generic"
upstreams = ["{base}/behind"]
store = "behind"
rules = [{{ path = '/immutable/.*', class = "immutable" }}]
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[Rogue]:
    with Rogue() as origin:
        yield origin


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def served(request: pytest.FixtureRequest, origin: Rogue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("fills")
    config = CONFIG.format(base=origin.base, fills="")
    with Served(directory, config, workers=request.param) as served:
        yield served
        assert "defect" not in served.log()


@pytest.fixture
def alone(origin: Rogue, tmp_path: Path) -> Iterator[Callable[[str], Served]]:
    """A server of the test's own, with other rules for fills."""
    started: list[Served] = []

    def start(fills: str) -> Served:
        served = Served(tmp_path, CONFIG.format(base=origin.base, fills=fills))
        started.append(served)
        served.start()
        return served

    yield start
    for served in started:
        served.stop()


def publish(origin: Rogue, path: str, rate: float | None = None) -> None:
    """Anew: nobody has asked for it yet, and no server has it."""
    origin.calm()
    origin.forget()
    origin.serve(path, BODY, rate=rate)


def stored(served: Served, path: str) -> Got:
    """The answer, when it comes from the store."""
    answer = Got()

    def is_there() -> bool:
        nonlocal answer
        answer = served.get(path, [("cache-control", "only-if-cached")])
        return answer.status == 200

    assert eventually(is_there), answer
    return answer


def triggers(served: Served) -> dict[str, int]:
    """What became of those that there were so far."""
    lines = re.findall(r'entrepot_triggers_total\{result="([a-z-]+)"\} (\d+)', served.get("/metrics").body.decode())
    return {result: int(count) for result, count in lines}


def fills(served: Served) -> dict[str, dict[str, object]]:
    """By path: what the server tells of its fills."""
    control = Control.connect(served.data)
    assert control is not None
    with control:
        told = control.call("fills")
    assert isinstance(told, list)
    return {one["key"]: one for one in told}


def test_ath_06_what_is_not_there_now_is_there_after_its_fill(served: Served, origin: Rogue) -> None:
    publish(origin, "/late/immutable/one")
    missed = served.get("/late/immutable/one")
    assert (missed.status, b"being fetched" in missed.body) == (404, True)
    assert stored(served, "/late/immutable/one").body == BODY
    # What one worker answers from the store may still be on its way to where the other finds it.
    assert all(eventually(lambda: served.get("/late/immutable/one").body == BODY) for _ in range(8))
    assert origin.count("/late/immutable/one") == 1


def test_ath_06_a_redirected_client_finds_it_here_the_next_time(served: Served, origin: Rogue) -> None:
    publish(origin, "/sent/immutable/one")
    sent = served.get("/sent/immutable/one")
    assert (sent.status, sent.headers.get("location")) == (302, "https://files.example/base/immutable/one")
    assert stored(served, "/sent/immutable/one").body == BODY
    assert origin.count("/sent/immutable/one") == 1


def test_ath_07_and_lease_01_a_hundred_misses_at_once_are_one_fetch(served: Served, origin: Rogue) -> None:
    publish(origin, "/late/immutable/herd", rate=128 << 10)
    with ThreadPoolExecutor(50) as pool:
        missed = list(pool.map(lambda _: served.get("/late/immutable/herd"), range(100)))
    assert {answer.status for answer in missed} <= {404, 200}
    assert stored(served, "/late/immutable/herd").body == BODY
    assert origin.count("/late/immutable/herd") == 1


def test_ath_07_who_leaves_at_once_has_it_fetched_all_the_same(served: Served, origin: Rogue) -> None:
    publish(origin, "/late/immutable/left", rate=128 << 10)
    with Talk(served.address) as talk:
        host = "{}:{}".format(*served.address)
        talk.send(f"GET /late/immutable/left HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert eventually(lambda: origin.count("/late/immutable/left") == 1)
    assert stored(served, "/late/immutable/left").body == BODY
    assert origin.count("/late/immutable/left") == 1


def test_what_upstream_does_not_have_is_asked_for_once(served: Served, origin: Rogue) -> None:
    origin.forget()
    for _ in range(3):
        assert served.get("/late/immutable/none").status == 404
    assert eventually(lambda: fills(served).get("late/immutable/none", {}).get("state") == "failed")
    assert served.get("/late/immutable/none").status == 404
    assert origin.count("/late/immutable/none") == 1


def test_lease_02_a_second_miss_within_the_window_is_served_live_and_makes_no_fill(
    alone: Callable[[str], Served], origin: Rogue
) -> None:
    served = alone("")
    publish(origin, "/behind/immutable/one")
    assert served.get("/behind/immutable/one").body == BODY
    stored(served, "/behind/immutable/one")
    assert eventually(lambda: fills(served).get("behind/immutable/one", {}).get("state") == "done")
    control = Control.connect(served.data)
    assert control is not None
    with control:
        control.call("purge", target="behind/immutable/one")
    assert served.get("/behind/immutable/one").body == BODY
    assert eventually(lambda: triggers(served) == {"accepted": 1, "duplicate": 1})
    assert origin.count("/behind/immutable/one") == 3


def test_lease_03_what_failed_is_tried_again_after_its_pause_also_by_the_next_server(
    alone: Callable[[str], Served], origin: Rogue
) -> None:
    served = alone("")
    publish(origin, "/late/immutable/one")
    origin.disturb("/late/immutable/one", answers(500))
    assert served.get("/late/immutable/one").status == 404
    assert eventually(lambda: fills(served).get("late/immutable/one", {}).get("failures") == 1)
    told = fills(served)["late/immutable/one"]
    assert (told["state"], "500" in str(told["error"])) == ("queued", True)
    served.stop()
    origin.calm()
    served.start(offset=31.0)
    assert eventually(lambda: fills(served)["late/immutable/one"]["state"] == "done")
    assert served.get("/late/immutable/one").body == BODY
    assert origin.count("/late/immutable/one") == 2


def test_a_fill_that_was_running_when_the_server_ended_goes_on_with_the_next(
    alone: Callable[[str], Served], origin: Rogue
) -> None:
    served = alone("")
    publish(origin, "/late/immutable/one")
    origin.disturb("/late/immutable/one", silence())
    assert served.get("/late/immutable/one").status == 404
    assert eventually(lambda: origin.count("/late/immutable/one") == 1)
    served.stop()
    origin.calm()
    served.start()
    assert stored(served, "/late/immutable/one").body == BODY


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ('allow_trigger = "authenticated"', "not-allowed"),
        ('allow_trigger = "none"', "not-allowed"),
        ("total = 1", "full"),
    ],
    ids=["lease_05 anonymous", "lease_05 nobody", "lease_06 full"],
)
def test_lease_05_and_06_who_starts_no_fill_is_served_all_the_same(
    alone: Callable[[str], Served], origin: Rogue, rules: str, result: str
) -> None:
    served = alone(rules)
    publish(origin, "/behind/immutable/one")
    origin.disturb("/late/immutable/slow", silence())
    # Where there is room for one, this has it.
    assert served.get("/late/immutable/slow").status == 404
    assert eventually(lambda: sum(triggers(served).values()) == 1)
    assert served.get("/behind/immutable/one").body == BODY
    assert eventually(lambda: sum(triggers(served).values()) == 2)
    assert triggers(served) == ({"not-allowed": 2} if result == "not-allowed" else {"accepted": 1, "full": 1})
    assert served.get("/behind/immutable/one", [("cache-control", "only-if-cached")]).status == 504
    assert origin.count("/behind/immutable/one") == 1

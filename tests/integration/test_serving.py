"""`entrepot serve` on the wire, with one worker and with two: what only a real server and real sockets can show."""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.campaign.store import StoreCheck
from tests.faults.served import Served
from tests.faults.wire import Got, Talk
from tests.rogue import Page, Rogue, pattern, reset_at, stall_at
from tests.waiting import eventually

MIB = 1 << 20
BIG = pattern(3 * MIB)
CONFIG = """
[server]
access_log = "stdout"
[fetch]
retry_delay = "20ms"
[repositories.files]
ecosystem = "generic"
upstreams = ["{base}"]
rules = [{{ path = '/immutable/.*', class = "immutable" }}, {{ path = '/signed/.*', class = "mutable" }}]
"""


@dataclass(slots=True)
class Entrepot:
    """A running server and the origin behind it."""

    served: Served
    origin: Rogue

    def get(self, path: str, *, method: str = "GET", **fields: str) -> Got:
        told = [(name.replace("_", "-"), value) for name, value in fields.items()]
        return self.served.get(f"/files{path}", told, method=method)

    def stores(self, path: str) -> bool:
        """Whether it is stored before long."""
        return eventually(lambda: self.get(path, cache_control="only-if-cached").status == 200)

    def talk(self) -> Talk:
        return Talk(self.served.address)

    def lines(self) -> list[dict[str, object]]:
        """The access log so far."""
        return [json.loads(line) for line in self.served.log().splitlines() if line.startswith('{"time"')]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def entrepot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrepot]:
    directory = tmp_path_factory.mktemp("serving")
    with Rogue() as origin, Served(directory, CONFIG.format(base=origin.base), workers=request.param) as served:
        yield Entrepot(served, origin)
        assert "defect" not in served.log()


def test_many_cold_clients_cost_one_request(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/immutable/herd", BIG, rate=8 * MIB)
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: entrepot.get("/immutable/herd"), range(40)))
    assert all(answer.is_whole and answer.body == BIG for answer in answers)
    assert entrepot.origin.count("/immutable/herd") == 1


def test_the_first_byte_does_not_wait_for_the_last(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/immutable/slow", BIG)
    entrepot.origin.disturb("/immutable/slow", stall_at(2 * MIB), times=1)
    with closing(HTTPConnection(*entrepot.served.address, timeout=30)) as connection:
        connection.request("GET", "/files/immutable/slow")
        answer = connection.getresponse()
        first = answer.read(1)
        assert entrepot.origin.count("/immutable/slow") == 1, "nothing but the first two thirds has come"
        entrepot.origin.hangs_up()
        assert first + answer.read() == BIG


def test_a_cut_body_is_resumed_unnoticed(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/immutable/cut", BIG)
    entrepot.origin.disturb("/immutable/cut", reset_at(MIB), times=1)
    got = entrepot.get("/immutable/cut")
    assert (got.is_whole, got.body == BIG) == (True, True)
    assert entrepot.origin.sent("/immutable/cut") < len(BIG) + 2 * MIB


def test_a_body_that_breaks_for_good_ends_without_its_end(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/immutable/broken", Page(body=BIG, ranges=False, etag="", last_modified=""))
    entrepot.origin.disturb("/immutable/broken", reset_at(2 * MIB))
    got = entrepot.get("/immutable/broken")
    entrepot.origin.calm("/immutable/broken")
    assert (got.status, got.complete) == (200, False)
    assert BIG.startswith(got.body)


def test_one_connection_carries_every_kind_of_answer(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/signed/kinds", Page(body=b"0123456789"))
    whole = entrepot.get("/signed/kinds")
    assert entrepot.stores("/signed/kinds")
    etag = entrepot.get("/signed/kinds").headers.get("etag")
    host = "{}:{}".format(*entrepot.served.address)

    def ask(talk: Talk, method: str, *fields: str) -> Got:
        lines = [f"{method} /files/signed/kinds HTTP/1.1", f"Host: {host}", *fields, "", ""]
        talk.send("\r\n".join(lines).encode())
        return talk.read(head_only=method == "HEAD")

    with entrepot.talk() as talk:
        for _ in range(2):
            head = ask(talk, "HEAD")
            assert (head.status, head.headers.get("content-length")) == (200, "10")
            unchanged = ask(talk, "GET", f"If-None-Match: {etag}")
            assert (unchanged.status, unchanged.headers.get("etag")) == (304, etag)
            assert unchanged.headers.get("content-length") in ("", "10")
            assert ask(talk, "GET", "Range: bytes=2-4").body == b"234"
            assert ask(talk, "GET", "Range: bytes=20-").status == 416
            refused = ask(talk, "DELETE")
            assert (refused.status, refused.headers.get("allow")) == (405, "GET, HEAD")
            assert ask(talk, "GET").body == whole.body == b"0123456789"


def test_every_answer_has_one_date_and_no_field_twice(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/signed/fields", b"x")
    for path in ("/signed/fields", "/signed/fields", "/signed/missing"):
        headers = entrepot.get(path).headers
        names = [name for name, _ in headers]
        assert sorted(names) == sorted(set(names)), path
        assert parsedate_to_datetime(headers.get("date")).tzinfo is not None


def test_who_leaves_half_way_stops_nothing_and_is_no_defect(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/immutable/left", BIG, rate=4 * MIB)
    with entrepot.talk() as talk:
        host = "{}:{}".format(*entrepot.served.address)
        talk.send(f"GET /files/immutable/left HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert eventually(lambda: entrepot.origin.count("/immutable/left") == 1)
    assert entrepot.stores("/immutable/left")
    assert entrepot.get("/immutable/left").body == BIG
    assert entrepot.origin.count("/immutable/left") == 1
    assert "Traceback" not in entrepot.served.log()


def test_what_one_worker_replaced_no_worker_serves(entrepot: Entrepot) -> None:
    check = StoreCheck(entrepot.served.data)
    entrepot.origin.serve("/signed/news", Page(body=b"old"))
    for _ in range(20):
        assert entrepot.get("/signed/news").body == b"old"
    # What one worker answers from the store may still be on its way to where the others find it.
    assert eventually(lambda: "/signed/news" in {f"/{key}" for _, key, *_ in check.entries()})
    entrepot.origin.serve("/signed/news", Page(body=b"new"))
    control(entrepot, "invalidate", "files/signed/news")
    for _ in range(20):
        assert entrepot.get("/signed/news").body == b"new"


def test_what_is_invalidated_while_it_comes_is_asked_for_again(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/signed/coming", BIG, rate=3 * MIB)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(entrepot.get, "/signed/coming")
        assert eventually(lambda: entrepot.origin.sent("/signed/coming") > 0)
        entrepot.origin.serve("/signed/coming", Page(body=b"new"))
        control(entrepot, "invalidate", "files/signed/coming")
        assert coming.result().body == BIG
    # Whoever asks until it is stored gets what is on its way.
    assert eventually(lambda: entrepot.get("/signed/coming").body == b"new")
    for _ in range(20):
        assert entrepot.get("/signed/coming").body == b"new"


def control(entrepot: Entrepot, verb: str, target: str) -> None:
    """What `entrepot VERB TARGET` says to the server."""
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(entrepot.served.data / "control.sock"))
        plain.sendall(json.dumps({"verb": verb, "arguments": {"target": target}}).encode() + b"\n")
        answer = json.loads(plain.makefile().readline())
    assert answer["ok"], answer


def test_requests_leave_no_file_open(entrepot: Entrepot) -> None:
    bodies = [pattern(3 * MIB, seed=seed) for seed in (2, 3)]
    entrepot.origin.serve("/immutable/open", bodies[0])
    entrepot.origin.serve("/signed/open", Page(body=bodies[1]))

    def everything() -> None:
        for path in ("/immutable/open", "/signed/open", "/signed/none"):
            for fields in ({}, {"range": "bytes=1-2"}, {"range": "bytes=99999999-"}, {"if_none_match": "*"}):
                entrepot.get(path, **fields)
            entrepot.get(path, method="HEAD")

    for _ in range(15):
        everything()
    # A worker may keep a file that it sends again and again: once, and as it is stored.
    digests = [hashlib.sha256(body).hexdigest() for body in bodies]
    assert eventually(lambda: leaks(entrepot, digests) == [])


def leaks(entrepot: Entrepot, digests: list[str]) -> list[str]:
    """Temporary files, and more than one of the stored ones, that a process of its holds open."""
    found = []
    for process in entrepot.served.processes():
        targets = [_target(descriptor) for descriptor in Path(f"/proc/{process}/fd").glob("*")]
        found += [target for target in targets if "/incoming/" in target]
        for digest in digests:
            found += [target for target in targets if digest[2:] in target][1:]
    return found


def _target(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:
        return ""


def test_each_request_has_its_line(entrepot: Entrepot) -> None:
    entrepot.origin.serve("/signed/line", b"four")
    entrepot.get("/signed/line")
    assert entrepot.stores("/signed/line")
    entrepot.get("/signed/line")

    def mine() -> list[dict[str, object]]:
        return [line for line in entrepot.lines() if line["path"] == "/files/signed/line"]

    assert eventually(lambda: {"miss", "hit"} <= {line["cache"] for line in mine()})
    (miss,) = [line for line in mine() if line["cache"] == "miss"]
    hits = [line for line in mine() if line["cache"] == "hit"]
    assert (miss["bytes"], miss["upstream_bytes"], miss["upstream_status"]) == (4, 4, 200)
    assert {(line["bytes"], "upstream_status" in line) for line in hits} == {(4, False)}

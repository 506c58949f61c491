"""What every file of every ecosystem can rely on, whatever client asks."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.clients.conftest import StreetOpener
from tests.clients.goods import GOODS, TARBALL, WHEEL, Good, forged
from tests.clients.shop import HOUR, Shop
from tests.faults.wire import Got, Talk

CLIENTS = 20
BEYOND_RECENT = 20.0
"""Seconds. A stored index is fresh still, but was not asked for just now."""


def _body(shop: Shop, good: Good) -> bytes:
    return shop.registry.files[good.upstream][1]


def test_head_of_what_is_not_stored_tells_its_size_and_fetches_nothing(opened_street: StreetOpener) -> None:
    street = opened_street()
    for good in GOODS:
        shop = street[good.ecosystem]
        body = _body(shop, good)

        got = shop.get(good.path, method="HEAD")

        assert (got.status, got.headers.get("content-length"), got.body) == (200, str(len(body)), b""), good
        assert shop.registry.asked(good.upstream) == []
        assert shop.registry.asked(good.upstream, "HEAD") == [good.upstream]
        assert hashlib.sha256(body).hexdigest() not in shop.served.blobs()


def test_a_range_of_what_is_not_stored_brings_the_whole_file_once(opened_street: StreetOpener) -> None:
    street = opened_street()
    for good in GOODS:
        shop = street[good.ecosystem]
        body = _body(shop, good)

        middle = shop.get(good.path, ("range", "bytes=10-99"))
        end = shop.get(good.path, ("range", "bytes=-22"))
        whole = shop.get(good.path)

        assert (middle.status, middle.body) == (206, body[10:100]), good
        assert middle.headers.get("content-range") == f"bytes 10-99/{len(body)}"
        assert (end.status, end.body) == (206, body[-22:])
        assert (whole.status, whole.body) == (200, body)
        assert shop.registry.asked(good.upstream) == [good.upstream]


def test_twenty_clients_of_two_workers_cause_one_request(opened_street: StreetOpener) -> None:
    street = opened_street(workers=2)
    for good in GOODS:
        shop = street[good.ecosystem]
        got = _fetch_at_once(shop, good)
        assert {(one.status, one.body) for one in got} == {(200, _body(shop, good))}, good
        assert shop.registry.asked(good.upstream) == [good.upstream]


def _fetch_at_once(shop: Shop, good: Good) -> list[Got]:
    """Upstream answers only after all have asked."""
    all_asked = threading.Barrier(CLIENTS + 1, timeout=30)

    def fetch(_: int) -> Got:
        with Talk(shop.served.address) as talk:
            talk.send(f"GET /{good.ecosystem}/{good.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            all_asked.wait()
            return talk.read()

    with shop.registry.held_back(), ThreadPoolExecutor(CLIENTS) as pool:
        coming = pool.map(fetch, range(CLIENTS))
        all_asked.wait()
        shop.registry.open.set()
        return list(coming)


def test_other_bytes_than_the_index_promises_are_refused_and_leave_nothing(opened_street: StreetOpener) -> None:
    street = opened_street()
    for good in GOODS:
        shop = street[good.ecosystem]
        body = _body(shop, good)
        evil = forged(good, body)
        shop.registry.instead = {good.upstream: evil}

        bad = shop.get(good.path)

        assert (bad.status, bad.headers.get("cache-status")) == (502, "entrepot; detail=digest-mismatch"), good
        assert hashlib.sha256(evil).hexdigest() not in shop.served.blobs()
        assert shop.served.leftovers() == []

        shop.registry.instead = {}
        assert shop.get(good.path).body == body, "what was wrong is not remembered"


def test_a_file_that_was_published_just_now_is_had_at_once(opened_street: StreetOpener) -> None:
    street = opened_street()
    for good in GOODS:
        street[good.ecosystem].get(good.path)
    street["pypi"].get("simple/acme-core/")
    street["npm"].restart(later=BEYOND_RECENT)
    for good in GOODS:
        shop = street[good.ecosystem]
        shop.registry.files = good.later(shop.registry.url)
        assert shop.get(good.new).status == 200, good


def test_a_file_that_no_index_lists_costs_one_look_at_the_index(opened_street: StreetOpener) -> None:
    street = opened_street()
    looks = (
        (TARBALL, "left/-/left-9.9.8.tgz", "left/-/left-9.9.9.tgz"),
        (WHEEL, "files/acme-app/packages/acme_app-8-py3-none-any.whl", "files/acme-app/acme_app-9-py3-none-any.whl"),
    )
    for good, *_ in looks:
        street[good.ecosystem].get(good.path)
    street["npm"].restart(later=BEYOND_RECENT)
    for good, one, other in looks:
        shop = street[good.ecosystem]
        shop.registry.forget()
        assert [shop.get(path).status for path in (one, one, other)] == [404, 404, 404], good
        assert shop.registry.asked(good.index) == [good.index]


def test_an_index_that_upstream_cannot_confirm_is_served_stale(opened_street: StreetOpener) -> None:
    street = opened_street()
    paths = {
        "npm": {500: "left", 503: "old", 429: "odd"},
        "pypi": {500: "simple/acme-app/", 503: "simple/acme-core/", 429: "simple/acme-source/"},
        "golang": {
            500: "go.example/hello/@v/list",
            503: "go.example/world/@latest",
            429: "sumdb/sum.example/latest",
        },
    }
    fresh = {(name, path): street[name].get(path) for name in paths for path in paths[name].values()}
    street["npm"].restart(later=HOUR)
    for name, path_of in paths.items():
        for status, path in path_of.items():
            street[name].registry.failure = status, {"retry-after": "60"} if status == 429 else {}
            stale = street[name].get(path)
            assert (stale.status, stale.body) == (200, fresh[name, path].body), (path, status)
            assert "; fwd=stale" in stale.headers.get("cache-status"), (path, status)
            assert int(stale.headers.get("age")) >= HOUR


def test_an_outage_is_never_spelled_404(opened_street: StreetOpener) -> None:
    street = opened_street()
    for good in GOODS:
        shop = street[good.ecosystem]
        shop.registry.go_dark()
        assert shop.get(good.path).status == 502, good
        assert shop.get(good.index.lstrip("/")).status == 502

"""A group of files on the wire, with one worker and with two: what clients get while upstream moves on."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.faults.served import Served
from tests.integration.test_serving import Entrepot, control
from tests.rogue import Page, Rogue, answers
from tests.waiting import eventually

CONFIG = """
[server]
access_log = "stdout"
[fetch]
retries = 0
[repositories.files]
ecosystem = "generic"
upstreams = ["{base}"]
freshness.mutable_ttl = "0"
stale = {{ error_backoff = "1ms..1ms", patience = "1m" }}
groups = [{{ root = '(?P<base>.*)/repodata/repomd\\.xml', members = '{{base}}/repodata/.*' }}]
"""
ROOT, MEMBER = "/f/repodata/repomd.xml", "/f/repodata/primary.xml.gz"
ALONE = "/f/read.me"


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def entrepot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Entrepot]:
    with Rogue() as origin, Served(tmp_path, CONFIG.format(base=origin.base), workers=request.param) as served:
        yield Entrepot(served, origin)
        assert "defect" not in served.log()


def test_mut_13_clients_see_a_new_root_with_its_members_or_the_old_ones(entrepot: Entrepot) -> None:
    for path in (ROOT, MEMBER):
        entrepot.origin.serve(path, Page(body=b"old"))
        assert entrepot.get(path).body == b"old"
        assert entrepot.stores(path)
    for path in (ROOT, MEMBER):
        entrepot.origin.serve(path, Page(body=b"new"))
    entrepot.origin.disturb(MEMBER, answers(500))
    for _ in range(10):
        assert [entrepot.get(path).body for path in (ROOT, MEMBER)] == [b"old", b"old"]
    entrepot.origin.calm(MEMBER)
    assert eventually(lambda: entrepot.get(ROOT).body == b"new")
    entrepot.origin.disturb(MEMBER, answers(500))
    for _ in range(10):
        assert [entrepot.get(path).body for path in (ROOT, MEMBER)] == [b"new", b"new"]


def test_what_was_touched_on_the_disk_still_stands_in_for_what_upstream_does_not_give(entrepot: Entrepot) -> None:
    for path in (ROOT, MEMBER, ALONE):
        entrepot.origin.serve(path, Page(body=path.encode()))
        assert entrepot.get(path).status == 200
        assert entrepot.stores(path)
    for blob in (entrepot.served.data / "blobs").glob("??/*"):
        blob.touch()
    for path in (ROOT, ALONE):
        entrepot.origin.disturb(path, answers(500))
    assert [entrepot.get(path).body for path in (ROOT, ALONE)] == [ROOT.encode(), ALONE.encode()]


def get_from(address: str, served: Served, path: str) -> bytes:
    """What a client of this address gets."""
    connection = HTTPConnection(*served.address, source_address=(address, 0), timeout=30)
    try:
        connection.request("GET", f"/files{path}")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_mut_13_each_client_reads_on_in_the_generation_it_began(tmp_path: Path) -> None:
    config = CONFIG.replace('mutable_ttl = "0"', 'mutable_ttl = "1h"')
    first, second = "127.0.0.2", "127.0.0.3"
    with Rogue() as origin, Served(tmp_path, config.format(base=origin.base)) as served:
        entrepot = Entrepot(served, origin)
        for path in (ROOT, MEMBER):
            origin.serve(path, Page(body=b"old"))
            assert entrepot.get(path).body == b"old"
            assert entrepot.stores(path)
        for path in (ROOT, MEMBER):
            origin.serve(path, Page(body=b"new"))
        assert get_from(first, served, ROOT) == b"old"
        control(entrepot, "invalidate", f"files{ROOT}")
        assert get_from(second, served, ROOT) == b"new"
        for _ in range(3):
            assert get_from(first, served, MEMBER) == b"old"
            assert get_from(second, served, MEMBER) == b"new"
        assert get_from(first, served, ROOT) == b"new"
        assert get_from(first, served, MEMBER) == b"new"

"""A group of files on the wire, with one worker and with two: what clients get while upstream moves on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.served import Served
from tests.integration.test_serving import Entrepot, eventually
from tests.rogue import Page, Rogue, answers

CONFIG = """
[server]
access_log = "stdout"
[fetch]
retries = 0
[repositories.files]
ecosystem = "generic"
upstreams = ["{base}"]
freshness.mutable_ttl = "0"
stale.error_backoff = "1ms..1ms"
groups = [{{ root = '(?P<base>.*)/repodata/repomd\\.xml', members = '{{base}}/repodata/.*' }}]
"""
ROOT, MEMBER = "/f/repodata/repomd.xml", "/f/repodata/primary.xml.gz"


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

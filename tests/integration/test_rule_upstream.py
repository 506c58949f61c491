"""A rule sends some packages to an upstream that is asked for nothing else."""

from contextlib import ExitStack
from pathlib import Path

from tests.clients.fixture_golang import dated_go
from tests.clients.registry import Registry
from tests.faults.served import Served

DATE = "2024-05-01T10:00:00Z"
CONFIG = """
[upstreams.corp]
url = "{corp}/"

[repositories.go]
ecosystem = "golang"
upstreams = ["{public}/"]
sumdb = "off"
rules = [{{ package = "corp.example", upstream = "corp" }}]
"""
OURS, THEIRS = "/corp.example/a/@v/v1.0.0.mod", "/public.example/a/@v/v1.0.0.mod"


def test_only_the_upstream_that_a_rule_names_is_asked(tmp_path: Path) -> None:
    with ExitStack() as stack:
        public, corp = (stack.enter_context(Registry(decoded=True)) for _ in range(2))
        for registry in (public, corp):
            registry.files = dated_go({name: {"v1.0.0": DATE} for name in ("corp.example/a", "public.example/a")})
        served = stack.enter_context(Served(tmp_path, CONFIG.format(corp=corp.url, public=public.url)))
        assert [served.get(f"/go{path}").status for path in (OURS, THEIRS)] == [200, 200]
        assert (corp.asked(), public.asked()) == ([OURS], [THEIRS])

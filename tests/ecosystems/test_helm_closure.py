"""What helm asks for of a chart."""

from collections.abc import Iterator, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.helm import Helm
from entrepot.errors import Absent, BadRequest, DigestMismatch
from entrepot.model.digest import Digest
from entrepot.model.selection import Depth, Extent, Selection
from tests.ecosystems.closures import close, close_all

HELM = Helm()
STOCK = {
    "index.yaml": b"""\
apiVersion: v1
entries:
  web:
  - name: web
    version: 1.10.0
    urls: [web-1.10.0.tgz]
    digest: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    dependencies:
    - {name: db, version: ^2.1, repository: "https://registry.example/base"}
    - {name: far, version: 1.x, repository: "https://elsewhere.example/"}
    - {name: inside, version: 1.0.0, repository: ""}
    - {name: beside, version: 1.0.0, repository: "file://../beside"}
  - {name: web, version: 1.9.0, urls: [web-1.9.0.tgz]}
  - {name: web, version: 2.0.0-rc.1, urls: [web-2.0.0-rc.1.tgz]}
  db:
  - {name: db, version: 2.0.9, urls: [db-2.0.9.tgz]}
  - {name: db, version: 2.1.0, urls: [db-2.1.0.tgz]}
  - {name: db, version: 2.9.1, urls: [db-2.9.1.tgz]}
  - {name: db, version: 3.0.0, urls: [db-3.0.0.tgz]}
"""
}


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes]]]:
    yield HELM, Selection(package="web", version="1.10.0", extent=Extent(depth=Depth.RUNTIME)), STOCK


def archives(selection: Selection) -> list[str]:
    found = close_all(HELM, selection, STOCK).values()
    keys = [key for closed in found for key in closed.keys if key.endswith(".tgz")]
    return [key.rpartition("/")[2] for key in keys]


def test_a_version_comes_with_the_index_and_perhaps_a_signature() -> None:
    closed = close(HELM, Selection(package="web", version="1.10.0"), STOCK)
    assert closed.keys == ["index.yaml", "charts/web/base/web-1.10.0.tgz", "charts/web/base/web-1.10.0.tgz.prov"]
    assert closed.probes == {"charts/web/base/web-1.10.0.tgz.prov": "maybe"}


def test_dependencies_of_the_same_repository_come_where_they_are_wanted_and_others_are_told() -> None:
    deep = Selection(package="web", version="v1.10.0", extent=Extent(depth=Depth.RUNTIME))
    assert archives(deep) == ["web-1.10.0.tgz", "db-2.9.1.tgz"]
    closed = close(HELM, deep, STOCK)
    assert [(one.subject, one.reason) for one in closed.skipped] == [
        ("far 1.x", "web takes it from https://elsewhere.example/")
    ]


@pytest.mark.parametrize(
    ("within", "found"),
    [
        ("", ["3.0.0", "2.9.1", "2.1.0", "2.0.9"]),
        ("*", ["3.0.0", "2.9.1", "2.1.0", "2.0.9"]),
        ("^2.1", ["2.9.1", "2.1.0"]),
        ("~2.1.0", ["2.1.0"]),
        ("~2", ["2.9.1", "2.1.0", "2.0.9"]),
        ("2.x", ["2.9.1", "2.1.0", "2.0.9"]),
        ("2.1", ["2.1.0"]),
        (">= 2.1.0 < 3", ["2.9.1", "2.1.0"]),
        (">2.1.0, <=3.0.0", ["3.0.0", "2.9.1"]),
        ("2.0.9 || ^3", ["3.0.0", "2.0.9"]),
        ("!=2.9.1", ["3.0.0", "2.1.0", "2.0.9"]),
    ],
)
def test_ranges_are_read_as_helm_reads_them(within: str, found: list[str]) -> None:
    assert archives(Selection(package="db", within=within)) == [f"db-{version}.tgz" for version in found]


def test_only_the_newest_are_taken_where_that_is_ordered() -> None:
    assert archives(Selection(package="web", extent=Extent(latest=2))) == ["web-2.0.0-rc.1.tgz", "web-1.10.0.tgz"]


def test_what_policy_hides_is_not_chosen() -> None:
    hidden = {"index.yaml": frozenset({"charts/db/base/db-3.0.0.tgz"})}
    closed = close(HELM, Selection(package="db", extent=Extent(latest=1)), STOCK, hidden=hidden)
    assert "charts/db/base/db-2.9.1.tgz" in closed.keys


@pytest.mark.parametrize("order", [{"package": "none"}, {"package": "web", "version": "9.9.9"}])
def test_what_the_repository_has_not_fails(order: dict[str, str]) -> None:
    with pytest.raises(Absent):
        close(HELM, Selection(**order), STOCK)  # type: ignore[arg-type]


def test_a_range_that_is_none_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        close(HELM, Selection(package="web", within="1.0 - 2.0"), STOCK)


def test_an_archive_that_is_listed_with_another_digest_is_not_what_was_ordered() -> None:
    wanted = Selection(package="web", version="1.10.0", digests=(Digest("sha256", "b" * 64),))
    with pytest.raises(DigestMismatch):
        close(HELM, wanted, STOCK)

"""Everything that was ordered, read by the helper process."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.cache.scribe import Scribe
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.npm import Npm
from entrepot.ecosystems.pypi import Pypi
from entrepot.mirror.parsing import PaperFile, ParseJob, RepositoryFacts
from entrepot.mirror.sources.parsed import Parsed, all_parsed, read_parsed
from entrepot.model.order import PaperKind
from entrepot.model.selection import Depth, Extent
from tests.mirror.sources.bills import PACKAGES, spdx3_json

KINDS: Mapping[str, type[Ecosystem]] = {"npm": Npm, "pypi": Pypi, "go": Golang}
SUMS = b"example.org/a v1.0.0 h1:%s=\nexample.org/a v1.0.0/go.mod h1:%s=\n" % (b"A" * 43, b"A" * 43)


@pytest.fixture
def job(tmp_path: Path) -> ParseJob:
    """With nothing to do yet."""
    repositories = (
        RepositoryFacts(name=name, kind=kind, options={}, upstreams=(f"https://{name}.example",))
        for name, kind in KINDS.items()
    )
    return ParseJob(
        purls=(),
        papers=(),
        extent=Extent(depth=Depth.RUNTIME, platforms=("linux/amd64",)),
        repositories=tuple(repositories),
        output=str(tmp_path / "parsed"),
    )


def with_papers(job: ParseJob, **papers: bytes) -> ParseJob:
    """Named as they are told, with `_` for a dot; bills of materials end in `_json`."""
    files = []
    for told, body in papers.items():
        path = Path(job.output).with_name(told)
        path.write_bytes(body)
        kind = PaperKind.SBOM if told.endswith("_json") else PaperKind.LOCKFILE
        files.append(PaperFile(kind=kind, name=told.replace("_", "."), path=str(path)))
    return replace(job, papers=tuple(files))


def run(job: ParseJob) -> list[Parsed]:
    count = job.run()
    with open(job.output, "rb") as file:
        found = list(all_parsed(file))
    assert len(found) == count
    return found


def pages_of(job: ParseJob) -> list[list[Parsed]]:
    with open(job.output, "rb") as file:
        return [read_parsed(file, 3) for _ in range(4)]


@pytest.mark.anyio
async def test_the_helper_reads_bills_lock_files_and_purls_of_one_order(job: ParseJob) -> None:
    order = replace(with_papers(job, bom_json=spdx3_json(), go_sum=SUMS), purls=("pkg:npm/lodash@>=4.17",))
    scribe = Scribe()
    try:
        assert await scribe.run(order) == 1 + len(PACKAGES) + 2
    finally:
        await scribe.close()
    pages = pages_of(order)
    assert [len(page) for page in pages] == [3, 3, 2, 0]
    found = [one for page in pages for one in page]
    assert sorted(one.repository for one in found) == ["", "go", "go", "go", "npm", "npm", "npm", "pypi"]
    assert all(one.selection.extent == order.extent for one in found if one.selection)


def test_one_that_cannot_be_read_fails_alone(job: ParseJob) -> None:
    found = run(replace(with_papers(job, broken_json=b"{", bom_json=spdx3_json()), purls=("nonsense", "pkg:npm/a@1")))
    assert [(one.place, one.code) for one in found if one.error] == [
        ("nonsense", "bad-request"),
        ("broken.json", "unreadable-bill"),
    ]
    assert len([one for one in found if one.selection]) == 1 + len(PACKAGES) - 1


def test_an_entry_of_a_lock_file_that_cannot_be_read_fails_alone(job: ParseJob) -> None:
    lock = b'version = 1\n[[package]]\nname = "a"\nversion = "1"\n[[package]]\nname = "b c"\nversion = "2"\n'
    good, bad = run(with_papers(job, uv_lock=lock))
    assert good.selection is not None
    assert (bad.place, bad.code) == ("uv.lock: b c 2", "unreadable-lock")
    assert bad.error.startswith("uv.lock: line 5: ")


def test_an_unknown_type_is_listed_with_its_place(job: ParseJob) -> None:
    [skipped] = [one for one in run(with_papers(job, bom_json=spdx3_json())) if one.skipped]
    assert skipped.place.startswith("bom.json: @graph[")
    assert skipped.place.endswith("'Alamofire'")
    assert skipped.skipped.startswith("no repository here serves packages of type swift: pkg:swift/")


def test_what_two_papers_name_is_told_once(job: ParseJob) -> None:
    once = run(with_papers(job, one_json=spdx3_json()))
    twice = run(with_papers(job, one_json=spdx3_json(), two_json=spdx3_json()))
    assert len([one for one in twice if one.selection]) == len([one for one in once if one.selection])


def test_comments_and_empty_lines_among_purls_are_nothing(job: ParseJob) -> None:
    [found] = run(replace(job, purls=("# tools", "", "  pkg:npm/left-pad@1.3.0 ")))
    assert (found.place, found.repository) == ("pkg:npm/left-pad@1.3.0", "npm")


def test_a_lock_file_that_nobody_knows_is_told_the_names_there_are(job: ParseJob) -> None:
    [found] = run(with_papers(job, Gemfile_lock=b"GEM\n"))
    assert found.code == "unreadable-lock"
    assert found.error.startswith("Gemfile.lock: is no lock file that is known by this name; known are: ")
    assert "package-lock.json" in found.error
    assert "go.sum" in found.error


def test_a_lock_file_is_known_by_the_last_part_of_its_path(job: ParseJob) -> None:
    order = with_papers(job, go_sum=SUMS)
    found = run(replace(order, papers=(replace(order.papers[0], name="service/api/go.sum"),)))
    assert {one.repository for one in found} == {"go"}
    assert all(one.place.startswith("service/api/go.sum: ") for one in found)


def test_a_lock_file_of_an_ecosystem_that_may_not_be_used_is_listed(job: ParseJob) -> None:
    found = run(replace(with_papers(job, go_sum=SUMS), only=("npm",)))
    assert {one.skipped for one in found} == {"none of the repositories npm is of the ecosystem golang"}


def test_a_bill_that_is_too_large_is_refused_unread(job: ParseJob) -> None:
    order = with_papers(job, bom_json=b"")
    with open(order.papers[0].path, "wb") as file:
        file.truncate((64 << 20) + 1)
    [found] = run(order)
    assert found.error == "bom.json: has 67,108,865 bytes; up to 67,108,864 are read"

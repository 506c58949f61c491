"""What a mirror of Python packages holds, told by pages and metadata out of a table."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec
import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.pypi import Pypi
from entrepot.errors import Absent, BadRequest, DigestMismatch, EntrepotError, PolicyRefused
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.selection import Depth, Extent, Selection
from tests.clients.fixture_pypi import make_sdist, make_wheel
from tests.ecosystems.closures import Closed, close, close_all

PYPI = Pypi()
DIGEST = Digest("sha256", "ab" * 32)
OTHER = Digest("sha256", "cd" * 32)
Documents = dict[str, bytes | Document]


def listed(filename: str, **more: object) -> dict[str, object]:
    return {"filename": filename, "url": f"/p/{filename}", "hashes": {}, **more}


def page(project: str, *files: dict[str, object] | str) -> bytes:
    entries = [listed(one) if isinstance(one, str) else one for one in files]
    return msgspec.json.encode({"meta": {"api-version": "1.0"}, "name": project, "files": entries})


def pages(**projects: tuple[dict[str, object] | str, ...]) -> Documents:
    return {f"simple/{project}/": page(project, *files) for project, files in projects.items()}


def names(closed: Closed) -> list[str]:
    """Of the files that are mirrored."""
    return [key.rpartition("/")[2] for key in dict.fromkeys(closed.keys) if not key.startswith("simple/")]


def wheels(*versions: str) -> tuple[dict[str, object] | str, ...]:
    return tuple(f"demo-{version}-py3-none-any.whl" for version in versions)


def demo(*files: dict[str, object] | str, hidden: frozenset[str] = frozenset(), **wanted: object) -> list[str]:
    """The names of files that a selection of the project means."""
    extent = Extent(platforms=wanted.pop("platforms", ()), latest=wanted.pop("latest", None))  # type: ignore[arg-type]
    selection = Selection(package="demo", extent=extent, **wanted)  # type: ignore[arg-type]
    return names(close(PYPI, selection, pages(demo=files), hidden={"simple/demo/": hidden}))


def versions(*files: dict[str, object] | str, **wanted: object) -> list[str]:
    return [unquote(name).split("-")[1] for name in demo(*files, **wanted)]  # type: ignore[arg-type]


def refusal(*files: dict[str, object] | str, **wanted: object) -> EntrepotError:
    with pytest.raises(EntrepotError) as raised:
        demo(*files, **wanted)  # type: ignore[arg-type]
    return raised.value


# ------------------------------------------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["2.0", "1.10", "1.9"]),
        ({"version": "1.10"}, ["1.10"]),
        ({"version": "2"}, ["2.0"]),
        ({"version": "v2.0.0"}, ["2.0"]),
        ({"version": "3.0rc1"}, ["3.0rc1"]),
        ({"within": ">=1.9,<2"}, ["1.10", "1.9"]),
        ({"within": "~=1.9"}, ["1.10", "1.9"]),
        ({"within": "==1.*"}, ["1.10", "1.9"]),
        ({"within": "=1.9"}, ["1.9"]),
        ({"within": ">=3.0rc1"}, ["3.0rc1"]),
        ({"within": ">2.0"}, ["3.0rc1"]),
        ({"latest": 1}, ["2.0"]),
        ({"latest": 2}, ["2.0", "1.10"]),
        ({"within": "<2", "latest": 1}, ["1.10"]),
        ({"version": "1.9", "latest": 1}, ["1.9"]),
    ],
    ids=str,
)
def test_versions_are_chosen_as_pep_440_has_it(wanted: Mapping[str, object], found: list[str]) -> None:
    assert versions(*wheels("1.9", "2.0", "3.0rc1", "1.10"), **wanted) == found


def test_pre_releases_count_where_there_is_nothing_else() -> None:
    assert versions(*wheels("1.0a1", "1.0b1"), latest=1) == ["1.0b1"]


def test_a_build_of_a_version_is_that_version() -> None:
    assert versions(*wheels("2.0", "2.0+cpu", "2.0.1"), version="2.0") == ["2.0+cpu", "2.0"]
    assert versions(*wheels("2.0", "2.0+cpu"), version="2.0+cpu") == ["2.0+cpu"]


def test_a_yanked_file_is_taken_only_by_who_names_the_version() -> None:
    files = (listed("demo-1.0-py3-none-any.whl"), listed("demo-1.1-py3-none-any.whl", yanked="broken"))
    assert versions(*files) == ["1.0"]
    assert versions(*files, within=">=1") == ["1.0"]
    assert versions(*files, version="1.1") == versions(*files, within="==1.1") == ["1.1"]
    assert "yanked" in str(refusal(*files, within=">1.0"))


def test_what_policy_would_refuse_is_not_chosen() -> None:
    files = wheels("1.0", "1.1")
    assert versions(*files, latest=1, hidden=frozenset({"demo-1.1-py3-none-any.whl"})) == ["1.0"]
    assert versions(*files, hidden=frozenset({"1.0"})) == ["1.1"]
    assert isinstance(refusal(*files, hidden=frozenset({"1.0", "1.1"})), PolicyRefused)


def test_a_refused_version_that_is_named_is_asked_for_so_that_the_rule_is_told() -> None:
    assert versions(*wheels("1.0", "1.1"), version="1.1", hidden=frozenset({"1.1"})) == ["1.1"]


def test_an_absent_version_is_told_with_those_that_there_are() -> None:
    problem = refusal(*wheels("1.0", "1.1", "1.2", "1.3", "1.4", "1.5"), version="9.9")
    assert isinstance(problem, Absent)
    assert "demo 9.9 (there are 1.5, 1.4, 1.3, 1.2, 1.1 and 1 more)" in str(problem)


def test_a_project_that_upstream_has_not_fails_the_selection() -> None:
    with pytest.raises(Absent):
        close(PYPI, Selection(package="demo"), {})


def test_comparisons_that_are_none_are_a_bad_request() -> None:
    assert isinstance(refusal(*wheels("1.0"), within="^1.0"), BadRequest)


def test_other_spellings_of_a_name_mean_the_same_project() -> None:
    closed = close(PYPI, Selection(package="My_Demo.x", version="1"), pages(**{"my-demo-x": ("my_demo_x-1.tar.gz",)}))
    assert names(closed) == ["my_demo_x-1.tar.gz"]


def test_a_quarantined_project_and_files_out_of_reach_offer_nothing() -> None:
    bad = {**listed("demo-1.0.tar.gz"), "url": "http://files.example/demo-1.0.tar.gz"}
    assert isinstance(refusal(bad), Absent)


# ---------------------------------------------------------------------------------------------------------- files

FILES = (
    "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "demo-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "demo-1.0-cp38-abi3-musllinux_1_1_aarch64.whl",
    "demo-1.0-cp311-cp311-macosx_11_0_universal2.whl",
    "demo-1.0-cp311-cp311-win_amd64.whl",
    "demo-1.0-cp27-cp27m-manylinux1_x86_64.whl",
    "demo-1.0.tar.gz",
)
SDIST = "demo-1.0.tar.gz"


@pytest.mark.parametrize(
    ("platforms", "found"),
    [
        ((), FILES),
        (("linux/amd64",), FILES[:2]),
        (("linux/amd64/glibc",), FILES[:2]),
        (("linux/arm64",), FILES[2:3]),
        (("linux/arm64/musl",), FILES[2:3]),
        (("linux/arm64/glibc",), (SDIST,)),
        (("darwin/arm64",), FILES[3:4]),
        (("darwin/amd64",), FILES[3:4]),
        (("windows/amd64",), FILES[4:5]),
        (("windows/386",), (SDIST,)),
        (("windows/amd64", "darwin/arm64"), FILES[3:5]),
        (("windows/amd64", "linux/s390x"), (FILES[4], SDIST)),
        (("cp311",), (FILES[0], *FILES[2:5])),
        (("linux/amd64", "cp311"), FILES[:1]),
        (("linux/amd64", "cp313"), (SDIST,)),
        (("linux/arm64", "cp313"), FILES[2:3]),
        (("linux/arm64", "pp310"), (SDIST,)),
        (("cp27",), FILES[5:6]),
        (("cp311-*-manylinux*_x86_64",), FILES[:1]),
        (("cp311-*-manylinux*_x86_64", "windows/amd64"), (FILES[0], FILES[4])),
        (("*_universal2",), FILES[3:4]),
    ],
    ids=str,
)
def test_platforms_leave_what_can_be_used_there(platforms: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert demo(*FILES, platforms=platforms) == list(found)


@pytest.mark.parametrize("platform", ["linux/amd64", "windows/arm64", "cp313", "cp311-*-manylinux*_x86_64", "pp310"])
def test_a_pure_wheel_fits_everywhere(platform: str) -> None:
    assert demo("demo-1.0-py2.py3-none-any.whl", SDIST, platforms=(platform,)) == ["demo-1.0-py2.py3-none-any.whl"]


def test_a_wheel_for_python_2_stands_in_for_nothing() -> None:
    assert demo("demo-1.0-py2-none-any.whl", SDIST, platforms=("linux/amd64",)) == [SDIST]


def test_the_newest_version_is_one_that_the_named_interpreter_can_use() -> None:
    files = (
        listed("demo-1.0-py3-none-any.whl", **{"requires-python": ">=3.8.1"}),
        listed("demo-2.0-py3-none-any.whl", **{"requires-python": ">=3.12"}),
    )
    assert versions(*files, latest=1, platforms=("cp311",)) == ["1.0"]
    assert versions(*files, latest=1, platforms=("linux/amd64",)) == ["2.0"]


def test_a_version_without_a_file_for_the_platform_tells_what_there_is() -> None:
    problem = refusal("demo-1.0-py3-none-win_amd64.whl", version="1.0", platforms=("linux/amd64",))
    assert "demo 1.0 for linux/amd64 (there are demo-1.0-py3-none-win_amd64.whl)" in str(problem)


def test_only_files_that_are_named_are_taken() -> None:
    assert demo(*FILES, files=(SDIST,), version="1.0") == [SDIST]
    assert demo(*FILES, *wheels("2.0"), files=(SDIST,)) == [SDIST]
    assert "demo-9.tar.gz (there are" in str(refusal(*FILES, files=("demo-9.tar.gz",)))
    assert "demo-9.tar.gz (there are" in str(refusal(*FILES, files=(SDIST, "demo-9.tar.gz")))


def test_a_purl_can_name_a_file() -> None:
    selection = PYPI.select(parse_purl(f"pkg:pypi/Demo@1.0?file_name={SDIST}"), Extent())
    assert (selection.package, selection.version, selection.qualifiers) == ("demo", "1.0", ())
    assert names(close(PYPI, selection, pages(demo=FILES))) == [SDIST]


def test_a_purl_may_have_comparisons() -> None:
    assert PYPI.select(parse_purl("pkg:pypi/demo@>=1,<2"), Extent()).within == ">=1,<2"


def test_digests_choose_files_and_one_that_is_not_listed_is_an_error() -> None:
    files = (
        listed("demo-1.0-py3-none-any.whl", hashes={"sha256": DIGEST.value}),
        listed(SDIST, hashes={"sha256": "ef" * 32}),
    )
    assert demo(*files, version="1.0", digests=(DIGEST, OTHER)) == ["demo-1.0-py3-none-any.whl"]
    assert isinstance(refusal(*files, version="1.0", digests=(OTHER,)), DigestMismatch)
    assert isinstance(refusal(*files, files=(SDIST,), digests=(DIGEST,)), DigestMismatch)


def test_a_page_without_hashes_contradicts_no_digest() -> None:
    assert demo(SDIST, version="1.0", digests=(DIGEST,)) == [SDIST]


def test_metadata_beside_a_file_is_mirrored_with_it() -> None:
    told = listed("demo-1.0-py3-none-any.whl", **{"core-metadata": {"sha256": "ab" * 32}})
    assert demo(told, SDIST) == ["demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl.metadata", SDIST]


def test_metadata_of_wheels_that_are_left_out_is_mirrored_for_resolvers() -> None:
    """uv reads that of any wheel when it resolves for all platforms, and before it builds."""
    told = [listed(name, **{"core-metadata": True}) for name in FILES]
    told[1]["yanked"] = True
    hidden = frozenset({FILES[3]})
    closed = close(
        PYPI,
        Selection(package="demo", version="1.0", files=(SDIST,)),
        pages(demo=(*told, listed("demo-0.9-py3-none-any.whl", **{"core-metadata": True}))),
        hidden={"simple/demo/": hidden},
    )
    beside = {f"files/demo/p/{name}.metadata": "maybe" for name in FILES if name not in (SDIST, FILES[3])}
    assert closed.probes == beside
    assert names(closed)[:2] == [SDIST, f"{SDIST}.metadata"]


def test_files_on_another_host_are_named_by_it() -> None:
    file = {**listed(SDIST), "url": f"https://files.example/p/{SDIST}"}
    closed = close(PYPI, Selection(package="demo"), pages(demo=(file,)))
    assert closed.keys == ["simple/demo/", f"-/files.example/demo/p/{SDIST}"]


# --------------------------------------------------------------------------------------------------- dependencies


def sdist_of(pyproject: str | None, metadata: str = "", kind: str = "gz") -> bytes:
    members = {"demo-1.0/PKG-INFO": metadata, "demo-1.0/src/pyproject.toml": "not = 'at the top'"}
    members |= {} if pyproject is None else {"demo-1.0/pyproject.toml": pyproject}
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as packed:
            for name, text in members.items():
                packed.writestr(name, text)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def requiring(*requires: str, extras: tuple[str, ...] = ()) -> bytes:
    lines = ["Metadata-Version: 2.1", "Name: demo", "Version: 1.0"]
    lines += [f"Provides-Extra: {extra}" for extra in extras] + [f"Requires-Dist: {one}" for one in requires]
    return "\n".join([*lines, "", "A text with\nRequires-Dist: nothing"]).encode()


def needed(
    *requires: str, depth: Depth = Depth.RUNTIME, platforms: tuple[str, ...] = (), parts: tuple[str, ...] = ()
) -> Closed:
    """What follows from a wheel with these requirements."""
    wheel = "demo-1.0-py3-none-any.whl"
    documents = pages(demo=(listed(wheel, **{"core-metadata": True}),))
    documents[f"files/demo/p/{wheel}.metadata"] = requiring(*requires, extras=("fast", "all"))
    extent = Extent(depth=depth, platforms=platforms)
    return close(PYPI, Selection(package="demo", version="1.0", parts=parts, extent=extent), documents)


def packages(closed: Closed) -> list[str]:
    return [one.package for one in closed.selections]


def test_dependencies_are_followed_to_the_newest_version_that_is_admitted() -> None:
    closed = needed("Acme_Core[x,Y_z] (>=1,<2)", "other")
    assert closed.selections == [
        Selection(
            package="acme-core", within="<2,>=1", parts=("x", "y-z"), extent=Extent(depth=Depth.RUNTIME, latest=1)
        ),
        Selection(package="other", extent=Extent(depth=Depth.RUNTIME, latest=1)),
    ]
    assert closed.read == ["simple/demo/", "files/demo/p/demo-1.0-py3-none-any.whl.metadata"]
    assert packages(needed("other", depth=Depth.NONE)) == []


@pytest.mark.parametrize(
    ("marker", "platforms", "counts"),
    [
        ('sys_platform == "win32"', (), True),
        ('sys_platform == "win32"', ("linux/amd64",), False),
        ('sys_platform == "win32"', ("linux/amd64", "windows/amd64"), True),
        ('platform_machine == "aarch64"', ("linux/arm64",), True),
        ('platform_machine == "x86_64"', ("linux/arm64",), False),
        ('python_version < "3.11"', ("linux/amd64",), True),
        ('python_version < "3.11"', ("cp312",), False),
        ('python_full_version < "3.11.4"', ("cp311",), True),
        ('python_version < "3.10"', ("cp311-*-manylinux*_x86_64",), False),
        ('implementation_name == "pypy"', ("cp312",), False),
        ('implementation_name == "pypy"', (), True),
        ('python_version < "3"', (), False),
        ('platform_release >= "6"', ("linux/amd64",), True),
        ('extra == "fast"', (), False),
    ],
)
def test_a_marker_leaves_out_what_no_asked_platform_needs(
    marker: str, platforms: tuple[str, ...], counts: bool
) -> None:
    assert packages(needed(f"other; {marker}", platforms=platforms)) == (["other"] if counts else [])


def test_extras_are_followed_where_they_are_wanted() -> None:
    requires = ('one; extra == "fast"', 'two; extra == "other"', 'demo[fast]; extra == "all"')
    assert packages(needed(*requires, parts=("Fast",))) == ["one"]
    assert packages(needed(*requires, parts=("all",))) == ["one"]
    assert packages(needed(*requires)) == []
    assert packages(needed(*requires, depth=Depth.ALL)) == ["one"]


def test_what_no_index_has_or_nobody_understands_is_told() -> None:
    closed = needed("other @ https://files.example/other.zip", "@@ what", "a" * 300)
    assert [one.subject.split()[0] for one in closed.skipped] == ["other", "a" * 300, "@@"]
    assert packages(closed) == []


def test_a_wheel_without_metadata_beside_it_is_read_itself() -> None:
    wheel = make_wheel("acme-app", "2.0", uploaded="", requires=("acme-core>=1.0",))
    documents = pages(**{"acme-app": (listed(wheel.filename),)})
    documents[f"files/acme-app/p/{wheel.filename}"] = wheel.body
    closed = close(PYPI, Selection(package="acme-app", extent=Extent(depth=Depth.RUNTIME)), documents)
    assert [(one.package, one.within) for one in closed.selections] == [("acme-core", ">=1.0")]


def _of_sdist(body: bytes, name: str = SDIST, depth: Depth = Depth.RUNTIME, *more: str) -> Closed:
    documents = pages(demo=(name, *more)) | {f"files/demo/p/{name}": body}
    documents |= {f"files/demo/p/{one}": make_wheel("demo", "1.0", uploaded="").body for one in more}
    return close(PYPI, Selection(package="demo", version="1.0", extent=Extent(depth=depth)), documents)


@pytest.mark.parametrize(("name", "kind"), [(SDIST, "gz"), ("demo-1.0.zip", "zip")])
def test_what_must_be_built_brings_what_its_build_needs(name: str, kind: str) -> None:
    pyproject = '[build-system]\nrequires = ["builder>=3", "old; python_version < \'3\'"]\n'
    body = sdist_of(pyproject, "Metadata-Version: 2.2\nRequires-Dist: other\n", kind)
    assert packages(_of_sdist(body, name)) == ["other", "builder"]


def test_without_a_word_on_the_build_it_is_setuptools() -> None:
    assert packages(_of_sdist(sdist_of(None))) == ["setuptools"]
    assert packages(_of_sdist(sdist_of("[project]\n"))) == ["setuptools"]
    assert packages(_of_sdist(make_sdist().body)) == []


def test_beside_a_wheel_a_source_distribution_is_read_only_for_everything() -> None:
    wheel, body = "demo-1.0-py3-none-any.whl", sdist_of(None)
    assert packages(_of_sdist(body, SDIST, Depth.RUNTIME, wheel)) == []
    assert packages(_of_sdist(body, SDIST, Depth.ALL, wheel)) == ["setuptools"]


@pytest.mark.parametrize(
    "body",
    [
        b"no archive",
        gzip.compress(b"no archive"),
        sdist_of("")[:60],
        sdist_of("x" * (5 << 20)),
        gzip.compress(b"\0" * (40 << 20)),
    ],
    ids=["text", "packed-text", "cut", "too-long", "zeros"],
)
def test_an_archive_that_cannot_be_read_leaves_the_package_and_says_so(body: bytes) -> None:
    closed = _of_sdist(body)
    assert names(closed) == [SDIST]
    told = [one for one in closed.skipped if "not known" in one.reason]
    assert told or packages(closed) == ["setuptools"]


def test_a_wheel_that_is_no_wheel_leaves_the_package_and_says_so() -> None:
    wheel = "demo-1.0-py3-none-any.whl"
    documents = pages(demo=(wheel,)) | {f"files/demo/p/{wheel}": b"PK\x05\x06 nothing"}
    closed = close(PYPI, Selection(package="demo", extent=Extent(depth=Depth.RUNTIME)), documents)
    assert names(closed) == [wheel]
    assert ["not known" in one.reason for one in closed.skipped] == [True]


def test_a_circle_of_dependencies_comes_to_an_end() -> None:
    one = listed("one-1.0-py3-none-any.whl", **{"core-metadata": True})
    two = listed("two-1.0-py3-none-any.whl", **{"core-metadata": True})
    documents = pages(one=(one,), two=(two,))
    documents["files/one/p/one-1.0-py3-none-any.whl.metadata"] = requiring("two")
    documents["files/two/p/two-1.0-py3-none-any.whl.metadata"] = requiring("one", "two[x]")
    done = close_all(PYPI, Selection(package="one", extent=Extent(depth=Depth.RUNTIME, latest=1)), documents)
    assert sorted(one.package for one in done) == ["one", "two"]


def closure_samples() -> list[tuple[Ecosystem, Selection, Mapping[str, bytes | Document]]]:
    wheel = make_wheel("acme-app", "2.0", uploaded="", requires=("acme-core>=1.0",))
    odd = {**listed("acme_core-1.0+cpu.zip"), "url": "https://files.example:8443/a%20b/acme_core-1.0+cpu.zip?x=1"}
    documents = pages(**{"acme-app": (listed(wheel.filename, **{"core-metadata": True}),), "acme-core": (odd,)})
    documents[f"files/acme-app/p/{wheel.filename}.metadata"] = wheel.metadata
    documents["-/files.example:8443/acme-core/a%20b/acme_core-1.0%2Bcpu.zip?x=1"] = sdist_of(None, kind="zip")
    documents["simple/setuptools/"] = page("setuptools", "setuptools-80.0-py3-none-any.whl")
    documents["files/setuptools/p/setuptools-80.0-py3-none-any.whl"] = make_wheel("setuptools", "80", uploaded="").body
    return [(PYPI, Selection(package="acme-app", extent=Extent(depth=Depth.RUNTIME)), documents)]

"""Lock files of Python: those in the corpus were written by uv 0.13, Poetry 2.5 and PDM 2.22 for one little project."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import LockText, Skipped, Unread
from entrepot.ecosystems.pypi_clients import LOCKFILES
from entrepot.errors import UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.selection import Depth, Extent, Selection

CORPUS = Path(__file__).parent.parent / "corpus" / "locks" / "python"
NAMED = ("uv.lock", "pylock.toml", "poetry.lock", "pdm.lock")
ALL = (*NAMED, "requirements.txt")
ABC = "abc0" * 16
PINNED = {("acme-app", "2.0"), ("acme-core", "1.1"), ("acme-fast", "3.1"), ("acme-win", "0.5")}
FAST = {
    "acme_fast-3.1-cp311-cp311-macosx_11_0_arm64.whl",
    "acme_fast-3.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "acme_fast-3.1-cp311-cp311-musllinux_1_2_aarch64.whl",
    "acme_fast-3.1-cp311-cp311-win_amd64.whl",
    "acme_fast-3.1.tar.gz",
}


def _reader(name: str) -> Callable[[LockText], Iterable[Selection | Skipped | Unread]]:
    found = next(one.read for one in LOCKFILES if fnmatchcase(name, one.name))
    assert found
    return found


def read(
    name: str, body: bytes | str, *platforms: str, depth: Depth = Depth.NONE
) -> list[Selection | Skipped | Unread]:
    text = body.encode() if isinstance(body, str) else body
    return list(_reader(name)(LockText(name=name, body=text, extent=Extent(platforms=platforms, depth=depth))))


def corpus(name: str, *platforms: str) -> list[Selection | Skipped | Unread]:
    return read(name, (CORPUS / name).read_bytes(), *platforms)


def selections(found: Iterable[Selection | Skipped | Unread]) -> dict[str, Selection]:
    return {one.package: one for one in found if isinstance(one, Selection)}


def skipped(found: Iterable[Selection | Skipped | Unread]) -> dict[str, str]:
    return {one.subject: one.reason for one in found if isinstance(one, Skipped)}


def requirements(*lines: str, platforms: tuple[str, ...] = ()) -> list[Selection | Skipped | Unread]:
    return read("requirements.txt", "\n".join(lines), *platforms)


# ------------------------------------------------------------------------------------------------- what is pinned


@pytest.mark.parametrize("name", ALL)
def test_each_tool_pins_the_same_versions(name: str) -> None:
    found = selections(corpus(name))
    assert {(one.package, one.version) for one in found.values()} == PINNED


@pytest.mark.parametrize("name", NAMED)
def test_files_and_their_digests_are_those_of_the_lock(name: str) -> None:
    fast = selections(corpus(name))["acme-fast"]
    assert set(fast.files) == FAST
    assert len(fast.digests) == len(FAST)
    assert Digest("sha256", "90f41f24738e7d98f19ee60618afca28734e0388ac96ff04536f094ec1ce4e5b") in fast.digests


@pytest.mark.parametrize("name", NAMED)
def test_only_files_for_the_platforms_are_wanted(name: str) -> None:
    found = corpus(name, "linux/amd64")
    fast = selections(found)["acme-fast"]
    assert fast.files == ("acme_fast-3.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",)
    assert len(fast.digests) == 1
    assert "linux/amd64" in skipped(found)["acme-win 0.5"]


def test_a_platform_without_a_wheel_gets_the_source_distribution() -> None:
    fast = selections(corpus("uv.lock", "linux/amd64", "linux/s390x"))["acme-fast"]
    assert [name for name in fast.files if name.endswith(".tar.gz")] == ["acme_fast-3.1.tar.gz"]
    assert len(fast.files) == 2


def test_hashes_of_a_requirements_file_are_kept_and_its_markers_are_heeded() -> None:
    found = corpus("requirements.txt", "linux/amd64")
    assert len(selections(found)["acme-fast"].digests) == len(FAST)
    assert list(skipped(found)) == [
        "--index-url https://index.example/simple/",
        'acme-win==0.5; sys_platform == "win32"',
    ]


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml"])
def test_a_local_path_is_skipped_and_says_why(name: str) -> None:
    [(subject, reason)] = skipped(corpus(name)).items()
    assert subject.startswith("acme-local")
    assert reason == "it is a local path"


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "poetry.lock"])
def test_the_index_that_a_lock_names_is_told(name: str) -> None:
    [(key, url)] = selections(corpus(name))["acme-core"].qualifiers
    assert key == "repository_url"
    assert url.rstrip("/") == "https://index.example/simple"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", 'version = 1\n[[package]]\nname = "a"\nversion = "1"\nsource = {{ {} }}\n'),
        ("poetry.lock", 'metadata = {{}}\n[[package]]\nname = "a"\nversion = "1"\nsource = {{ type = "git", {} }}\n'),
        ("pdm.lock", 'metadata = {{}}\n[[package]]\nname = "a"\nversion = "1"\n{}\n'),
        ("pylock.toml", 'lock-version = "1.0"\n[[packages]]\nname = "a"\nvcs = {{ {} }}\n'),
    ],
)
def test_what_comes_from_version_control_is_skipped(name: str, text: str) -> None:
    [(_, reason)] = skipped(read(name, text.format('git = "https://git.example/a"'))).items()
    assert reason == "it comes from version control"


def test_an_index_on_the_disk_is_no_registry() -> None:
    text = 'version = 1\n[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "../wheels" }\n'
    assert skipped(read("uv.lock", text)) == {"a 1": "it comes from a local index"}


def test_credentials_of_an_index_go_nowhere() -> None:
    text = (
        'version = 1\n[[package]]\nname = "a"\nversion = "1"\nsource = {registry = "https://me:pw@index.example/s/"}\n'
    )
    found = read("uv.lock", text) + requirements("--extra-index-url https://me:pw@index.example/s/")
    assert "pw" not in repr(found)


def test_files_that_older_tools_wrote_into_one_table_are_found() -> None:
    head = '[[package]]\nname = "a"\nversion = "1"\n[metadata.files]\n'
    poetry = read("poetry.lock", f'{head}a = [{{file = "a-1.tar.gz", hash = "sha256:{ABC}"}}]\n')
    pdm = read("pdm.lock", f'{head}"a 1" = [{{url = "https://files.example/x/a-1.tar.gz", hash = "sha256:{ABC}"}}]\n')
    assert selections(poetry)["a"].files == selections(pdm)["a"].files == ("a-1.tar.gz",)


def test_one_file_without_digest_takes_the_others_theirs() -> None:
    files = f'{{file = "a-1.tar.gz"}}, {{file = "a-1-py3-none-any.whl", hash = "sha256:{ABC}"}}'
    [one] = read("poetry.lock", f'metadata = {{}}\n[[package]]\nname = "a"\nversion = "1"\nfiles = [{files}]\n')
    assert isinstance(one, Selection)
    assert (len(one.files), one.digests) == (2, ())


def test_a_lock_file_is_complete_so_runtime_dependencies_are_not_looked_for() -> None:
    text = (CORPUS / "uv.lock").read_bytes()
    assert {one.extent.depth for one in selections(read("uv.lock", text, depth=Depth.RUNTIME)).values()} == {Depth.NONE}
    assert {one.extent.depth for one in selections(read("uv.lock", text, depth=Depth.ALL)).values()} == {Depth.ALL}
    plain = selections(read("requirements.txt", "a==1", depth=Depth.RUNTIME))
    assert plain["a"].extent.depth is Depth.RUNTIME


# -------------------------------------------------------------------------------------------- requirements files


def test_a_line_without_an_exact_version_means_the_newest_that_it_admits() -> None:
    found = selections(requirements("a >= 1, < 2", "b", "c[x,y]==1.*", "d===1.0"))
    assert {name: (one.version, one.within, one.extent.latest) for name, one in found.items()} == {
        "a": ("", "<2,>=1", 1),
        "b": ("", "", 1),
        "c": ("", "==1.*", 1),
        "d": ("1.0", "", None),
    }
    assert found["c"].parts == ("x", "y")


def test_lines_are_joined_and_comments_left_out_as_pip_does_it() -> None:
    lines = [
        "# of these:",
        "a==1 \\",
        "  --hash=sha256:" + ABC + " \\",
        "# in the middle",
        "b==2  # via a",
        "",
        "c==3 \\",
    ]
    found = selections(requirements(*lines))
    assert {name: (one.version, len(one.digests)) for name, one in found.items()} == {
        "a": ("1", 1), "b": ("2", 0), "c": ("3", 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-r other.txt", "give that file, too"),
        ("-rother.txt", "give that file, too"),
        ("--requirement=other.txt", "give that file, too"),
        ("-c constraints.txt", "constraints"),
        ("-e .", "edited"),
        ("-f https://files.example/", "configuration"),
        ("a @ https://files.example/a-1.tar.gz", "URL"),
        ("a@https://files.example/a-1.tar.gz", "URL"),
        ("git+https://git.example/a.git#egg=a", "version control"),
        ("./wheels/a-1-py3-none-any.whl", "local path"),
        ("a-1-py3-none-any.whl", "local path"),
        ("..\\a", "local path"),
    ],
)
def test_what_is_in_no_index_is_skipped_with_the_reason(line: str, reason: str) -> None:
    [found] = requirements(line)
    assert isinstance(found, Skipped)
    assert reason in found.reason


def test_options_that_select_nothing_are_passed_over() -> None:
    assert requirements("--require-hashes", "--no-binary :all:", "--pre", "--trusted-host index.example") == []


def test_what_shells_of_windows_write_is_read() -> None:
    assert "a" in selections(read("requirements.txt", "a==1\r\n".encode("utf-16")))
    assert "a" in selections(read("requirements-dev.txt", "a==1\r\n".encode("utf-8-sig")))
    assert "a" in selections(read("dev-requirements.txt", "a==1\r\n"))


# -------------------------------------------------------------------------------------------------------- broken


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("uv.lock", "version = 1\n[[package]]\nname = \n", ["uv.lock: line 3", "no TOML", "begun before: 1"]),
        ("uv.lock", '{"lockfileVersion": 3}', ["line 1", "no TOML"]),
        ("uv.lock", "", ["no uv.lock", "'version'", "none"]),
        ("uv.lock", "version = 2\n", ["version 2", "only 1"]),
        ("pylock.toml", 'lock-version = "2.0"\n', ["version 2.0"]),
        ("poetry.lock", '[project]\nname = "a"\n', ["no poetry.lock", "project"]),
        ("uv.lock", 'version = 1\n\n[[package]]\nname = "a"\n[[package]]\nname = 7\n', ["line 5", "`int`"]),
        ("pylock.toml", 'lock-version = "1.0"\npackages = "x"\n', ["pylock.toml", "packages"]),
        ("requirements.txt", "a==1\n\nfoo bar\n", ["requirements.txt: line 3", "'foo bar'"]),
        ("requirements.txt", "a==1 --hash=sha256:12\n", ["line 1", "no hash"]),
        ("requirements.txt", b"a==1\n\xff\xff\xff", ["line 2", "utf-8"]),
    ],
)
def test_a_broken_lock_is_told_with_file_line_and_what_was_found(name: str, text: str, told: list[str]) -> None:
    with pytest.raises(UnreadableLock) as refusal:
        read(name, text)
    assert [part for part in told if part not in str(refusal.value)] == []


@pytest.mark.parametrize(
    "broken",
    [
        'name = "a b"\nversion = "1"',
        'name = "b"\nversion = "1"\nwheels = [{url = "https://[files.example/b-1.whl"}]',
        'name = "b"\nversion = "1"\nsource = {registry = "https://[index.example/simple"}',
    ],
    ids=["name", "file", "index"],
)
@pytest.mark.parametrize(
    ("name", "head", "table"),
    [("uv.lock", "version = 1", "package"), ("pylock.toml", 'lock-version = "1.0"', "packages")],
)
def test_a_broken_entry_fails_alone_with_its_line(name: str, head: str, table: str, broken: str) -> None:
    entries = ['name = "a"\nversion = "1"', broken, 'name = "c"\nversion = "2"']
    found = read(name, "\n".join([head, *(f"[[{table}]]\n{entry}" for entry in entries)]))
    assert set(selections(found)) == {"a", "c"}
    (unread,) = [one for one in found if isinstance(one, Unread)]
    assert unread.subject.split()[0] in broken
    assert str(unread.error).startswith(f"{name}: line 5: package 2: ")


_HOSTILE = {
    "numbers": f"name = {'9' * 5000}",
    "a_version": f'metadata = {{}}\n[[package]]\nname = "a"\nversion = "{"9" * 5000}"',
    "a_marker": f'metadata = {{}}\n[[package]]\nname = "a"\nversion = "1"\nmarker = "{"(" * 5000}"',
    "a_type": 'metadata = {}\n[[package]]\nname = "a"\nversion = "1"\nsource = {type = ["x"]}',
    "a_url": 'metadata = {}\n[[package]]\nname = "a"\nversion = "1"\nfiles = [{url = "http://[x"}]',
    "depth": f"a = {'[' * 5000}",
    "keys": "a" + ".a" * 5000 + " = 1\nmetadata = {}",
    "parentheses": "a; " + "(" * 5000,
    "digits": f"a=={'9' * 5000}; python_version > '{'9' * 5000}'",
}


@pytest.mark.parametrize("text", _HOSTILE.values(), ids=list(_HOSTILE))
@pytest.mark.parametrize("name", ALL)
def test_a_hostile_lock_is_unreadable_at_worst(name: str, text: str) -> None:
    try:
        read(name, text, "linux/amd64")
    except UnreadableLock as refusal:
        assert name in str(refusal)  # noqa: PT017 (either way is right)


_PIECES = ["[[package]]", "[[packages]]", "[metadata]", 'name = "a"', "version = 1", 'version = "1"', "source = {", "}"]
_PIECES += ['git = "x"', "files = [", "]", '{file = "a-1.tar.gz"}', "hash = 5", "lock-version = '1.0'"] + ["\n"] * 4
_PIECES += ["a==1", "--hash=", "sha256:", "\\\n", " -r ", "; ", "python_version", ">=", "'3'", "@", "[x]", "#", "\x00"]


@pytest.mark.parametrize("name", ALL)
@given(pieces=st.lists(st.sampled_from(_PIECES), max_size=25))
def test_no_lock_raises_anything_but_unreadable_lock(name: str, pieces: list[str]) -> None:
    try:
        read(name, "".join(pieces), "linux/amd64", "cp312")
    except UnreadableLock:
        return


def test_a_key_of_very_many_parts_is_refused_before_it_takes_minutes() -> None:
    with pytest.raises(UnreadableLock, match=r"line 2: .* more than 64 parts"):
        read("uv.lock", "version = 1\n" + "a . 'b'." * 50_000 + "c = 1\n")

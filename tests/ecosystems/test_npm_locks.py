"""Lock files of npm, pnpm and yarn: those in the corpus were written by npm 11, pnpm 7, 8 and 10, yarn 1.22 and 4.18
for one little project."""

import json
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import LockText, Skipped, Unread
from entrepot.ecosystems.npm import Npm
from entrepot.errors import UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.selection import Depth, Extent, Selection

CORPUS = Path(__file__).parents[1] / "corpus" / "locks" / "npm"
NPM_LOCKS = ("package-lock-1.json", "package-lock-2.json", "package-lock-3.json")
PNPM_LOCKS = ("pnpm-lock-5.4.yaml", "pnpm-lock-6.yaml", "pnpm-lock-9.yaml")
YARN_LOCKS = ("yarn-1.lock", "yarn-berry.lock")
NAMES = dict.fromkeys(NPM_LOCKS, "package-lock.json") | dict.fromkeys(PNPM_LOCKS, "pnpm-lock.yaml")
BASIC = {
    "@acme/foo@1.0.0", "bag@1.0.0", "fast@1.0.0", "left@1.1.0", "left@2.0.0", "odd@1.0.0", "old@0.1.0",
}  # fmt: skip
BINARIES = {"fast-linux-arm64-musl@1.0.0", "fast-linux-x64-gnu@1.0.0", "fast-unix@1.0.0", "fast-win32@1.0.0"}
HOST, NEWER, BUNDLED = "host@3.0.0", "@acme/foo@1.1.0", "inside@9.0.0"
FURTHER = {
    **{name: {HOST, NEWER} for name in NPM_LOCKS},
    "pnpm-lock-6.yaml": {HOST},
    "pnpm-lock-9.yaml": {HOST},
    # Yarn asks for what is bundled, too.
    **{name: {NEWER, BUNDLED} for name in YARN_LOCKS},
}
SHA512 = "sha512-" + "A" * 86 + "=="
ZERO = Digest("sha512", "0" * 128)


def read(name: str, body: str | bytes, *platforms: str) -> list[Selection | Skipped | Unread]:
    reader: Callable[[LockText], Iterable[Selection | Skipped | Unread]] | None = next(
        one.read for one in Npm.lockfiles if fnmatchcase(name, one.name)
    )
    assert reader
    extent = Extent(depth=Depth.ALL, platforms=platforms, latest=3)
    return list(reader(LockText(name=name, body=body.encode() if isinstance(body, str) else body, extent=extent)))


def corpus(name: str, *platforms: str) -> list[Selection | Skipped | Unread]:
    return read(NAMES.get(name, "yarn.lock"), (CORPUS / name).read_bytes(), *platforms)


def pinned(found: Iterable[Selection | Skipped | Unread]) -> dict[str, Selection]:
    selections = [one for one in found if isinstance(one, Selection)]
    named = {f"{one.package}@{one.version}": one for one in selections}
    assert len(named) == len(selections), "each once"
    return named


def skipped(found: Iterable[Selection | Skipped | Unread]) -> dict[str, str]:
    return {one.subject: one.reason for one in found if isinstance(one, Skipped)}


# --- what real tools wrote --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, *YARN_LOCKS])
def test_a_lock_file_pins_what_its_tool_would_fetch_from_a_registry(name: str) -> None:
    found = corpus(name)
    assert set(pinned(found)) == BASIC | BINARIES | FURTHER.get(name, set())
    assert skipped(found).get("far") == "it comes from an address of its own"
    assert skipped(found)["local"] == "it comes from a folder or file of its own project"
    if name not in ("pnpm-lock-6.yaml", "yarn-berry.lock"):
        git = next(reason for subject, reason in skipped(found).items() if "gitdep" in subject)
        assert git == "it comes from a git repository"
    assert "secret" not in str(found)


@pytest.mark.parametrize("name", [*NPM_LOCKS, *PNPM_LOCKS, "yarn-berry.lock"])
def test_parts_of_the_project_itself_are_told_of(name: str) -> None:
    assert skipped(corpus(name))["util"] == "it comes from a folder or file of its own project"


@pytest.mark.parametrize("name", [*NAMES, "yarn-1.lock"])
def test_digests_are_those_of_the_tarballs(name: str) -> None:
    found = pinned(corpus(name))
    assert [digest.algorithm for digest in found["left@1.1.0"].digests] == ["sha512"]
    assert str(found["left@1.1.0"].digests[0]).startswith("sha512:d22e84727d175b0f")
    assert [str(digest) for digest in found["old@0.1.0"].digests] == ["sha1:e7ea490d087d9437bddaed2075c89baefa662733"]


def test_checksums_of_yarn_4_are_not_those_of_tarballs() -> None:
    assert all(one.digests == () for one in pinned(corpus("yarn-berry.lock")).values())


@pytest.mark.parametrize("name", [*NAMES, *YARN_LOCKS])
def test_a_lock_file_needs_no_dependencies_followed(name: str) -> None:
    extents = {one.extent for one in pinned(corpus(name, "linux/amd64")).values()}
    assert extents == {Extent(depth=Depth.NONE, platforms=("linux/amd64",), latest=None)}


@pytest.mark.parametrize("name", [*NPM_LOCKS[1:], *PNPM_LOCKS, "yarn-berry.lock"])
@pytest.mark.parametrize(
    ("platforms", "binaries"),
    [
        (("linux/amd64/glibc",), {"fast-linux-x64-gnu", "fast-unix"}),
        (("linux/arm64/musl",), {"fast-linux-arm64-musl", "fast-unix"}),
        (("windows/386", "darwin/arm64"), {"fast-win32", "fast-unix"}),
    ],
)
def test_binaries_for_other_platforms_are_left_out_and_told_of(
    name: str, platforms: tuple[str, ...], binaries: set[str]
) -> None:
    found = corpus(name, *platforms)
    assert {one.package for one in pinned(found).values()} & {one.partition("@")[0] for one in BINARIES} == binaries
    left_out = BINARIES - pinned(found).keys()
    assert {skipped(found)[one] for one in left_out} == {f"it does not run on {' or '.join(platforms)}"}


# --- npm --------------------------------------------------------------------------------------------------------------


def package_lock(**packages: Mapping[str, object]) -> list[Selection | Skipped | Unread]:
    entries = {f"node_modules/{name}": value for name, value in packages.items()}
    return read("npm-shrinkwrap.json", json.dumps({"lockfileVersion": 3, "packages": entries}))


def test_npm_records_no_address_when_it_was_told_not_to() -> None:
    assert pinned(package_lock(left={"version": "1.0.0", "integrity": SHA512}))["left@1.0.0"].digests == (ZERO,)


def test_an_address_on_another_registry_is_no_reason_to_leave_a_package_out() -> None:
    resolved = "https://other.example/repo/left/-/left-1.0.0.tgz"
    assert set(pinned(package_lock(left={"version": "1.0.0", "resolved": resolved}))) == {"left@1.0.0"}


def test_an_entry_without_a_version_is_told_of() -> None:
    assert skipped(package_lock(left={"optional": True})) == {"left": "the lock file has no version of it"}


@pytest.mark.parametrize(("name", "version"), [("not a name", "1.0.0"), ("left", "first")])
def test_what_no_registry_can_have_is_told_of(name: str, version: str) -> None:
    told = skipped(package_lock(**{name: {"version": version}}))
    assert told == {f"{name}@{version}": "this is no name and version of a package of npm's"}


def test_a_package_inside_another_folder_is_found() -> None:
    body = {"lockfileVersion": 2, "packages": {"app/node_modules/a/node_modules/@acme/foo": {"version": "1.0.0"}}}
    assert set(pinned(read("package-lock.json", json.dumps(body)))) == {"@acme/foo@1.0.0"}


# --- pnpm -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "key", "pin"),
    [
        ("5.3", "/left/1.0.0_host@3.0.0", "left@1.0.0"),
        ("5.1", "/left/1.0.0/host@3.0.0", "left@1.0.0"),
        ("5.4", "/@acme/foo/1.0.0_react@17.0.2+a_b@1.0.0", "@acme/foo@1.0.0"),
        ("5.4", "registry.example/@acme/foo/1.0.0-rc.1", "@acme/foo@1.0.0-rc.1"),
        ("5.4-inlineSpecifiers", "/left/1.0.0", "left@1.0.0"),
        ("6.0", "/@acme/foo@1.0.0(react@17.0.2)(@acme/x@1.0.0)", "@acme/foo@1.0.0"),
        ("6.1", "registry.example/left@1.0.0", "left@1.0.0"),
        ("9.0", "left@1.0.0-rc.1", "left@1.0.0-rc.1"),
        ("9.0", "@acme/foo@1.0.0", "@acme/foo@1.0.0"),
    ],
)
def test_keys_of_pnpm_name_packages(version: str, key: str, pin: str) -> None:
    body = f"lockfileVersion: '{version}'\npackages:\n  '{key}':\n    resolution: {{integrity: {SHA512}}}\n"
    found = pinned(read("pnpm-lock.yaml", body))
    assert set(found) == {pin}
    assert found[pin].digests == (ZERO,)


@pytest.mark.parametrize(
    ("version", "key", "resolution", "reason"),
    [
        ("5.4", "github.com/acme/left/0123456789", "{tarball: 'https://codeload.example/x'}", "an address of its own"),
        ("6.0", "github.com/acme/left/0123456789", "{type: git, repo: x, commit: y}", "a git repository"),
        ("6.0", "file:../left", "{directory: ../left, type: directory}", "a folder or file of its own project"),
        ("9.0", "left@file:left.tgz", "{tarball: 'file:left.tgz'}", "a folder or file of its own project"),
        ("9.0", "left@https://u:p@files.example/left.tgz", "{tarball: 'https://u:p@x'}", "an address of its own"),
    ],
)
def test_what_pnpm_takes_from_elsewhere_is_told_of(version: str, key: str, resolution: str, reason: str) -> None:
    body = f"lockfileVersion: '{version}'\npackages:\n  '{key}':\n    resolution: {resolution}\n    name: left\n"
    assert skipped(read("pnpm-lock.yaml", body)) == {"left": f"it comes from {reason}"}


def test_a_lock_of_pnpms_own_parts_may_stand_before_that_of_the_project() -> None:
    body = "".join(f"---\nlockfileVersion: '9.0'\npackages:\n  {name}@1.0.0: {{}}\n" for name in ("pnpm", "left"))
    assert set(pinned(read("pnpm-lock.yaml", body))) == {"pnpm@1.0.0", "left@1.0.0"}


# --- yarn -------------------------------------------------------------------------------------------------------------


def test_an_entry_of_yarn_1_may_have_many_names() -> None:
    body = f'"@acme/foo@^1", "@acme/foo@>= 1, <2", aka@npm:@acme/foo@1:\n  version "1.0.0"\n  integrity {SHA512}\n'
    assert set(pinned(read("yarn.lock", body.replace("\n", "\r\n")))) == {"@acme/foo@1.0.0"}


def test_an_empty_lock_of_yarn_pins_nothing() -> None:
    assert read("yarn.lock", "# yarn lockfile v1\n\n\n") == []


@pytest.mark.parametrize(
    ("resolution", "pins", "told"),
    [
        ("left@patch:left@npm%3A1.0.0#~/x.patch::version=1.0.0&hash=1", {"left@1.0.0"}, {}),
        ("left@patch:left@patch%3Aleft@npm%253A1.0.0%23y#x", {"left@1.0.0"}, {}),
        ("@acme/foo@virtual:0123#npm:1.0.0", {"@acme/foo@1.0.0"}, {}),
        ("left@https://u:p@git.example/x.git#commit=1", set(), {"left": "it comes from a git repository"}),
        ("left@portal:../x::locator=y", set(), {"left": "it comes from a folder or file of its own project"}),
        ("mine@workspace:.", set(), {}),
    ],
)
def test_resolutions_of_yarn_4_say_where_a_package_is(resolution: str, pins: set[str], told: dict[str, str]) -> None:
    found = read(
        "yarn.lock", f'__metadata:\n  version: 8\n\n"left@x":\n  version: 1.0.0\n  resolution: "{resolution}"\n'
    )
    assert (set(pinned(found)), skipped(found)) == (pins, told)


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("package-lock.json", '{\n"packages": {\n,}}', "package-lock.json:3: this is no JSON"),
        ("package-lock.json", "null", ":1: expected an object, found nothing"),
        ("package-lock.json", "[]", "package-lock.json:1: expected an object, found a list"),
        ("package-lock.json", "{}", "package-lock.json:1: this is no lock file of npm"),
        ("package-lock.json", '{\n"lockfileVersion": 4}', "package-lock.json:2: lockfileVersion: versions 1 to 3"),
        (
            "package-lock.json",
            '{"lockfileVersion": 3,\n"packages": []}',
            ":2: .packages.: expected a mapping, found a list",
        ),
        (
            "npm-shrinkwrap.json",
            '{"lockfileVersion": 3, "packages": {\n\n"node_modules/a": {"version": 7}}}',
            "npm-shrinkwrap.json:3: .node_modules/a.: expected a text, found 7",
        ),
        (
            "package-lock.json",
            '{"dependencies": {"a": {\n"version": {}}}}',
            ":1: .a.: expected a text, found a mapping",
        ),
        ("package-lock.json", '{"dependencies": {\n"a": "1"}}', ":2: .a.: expected a mapping, found '1'"),
        ("package-lock.json", b"\xff", ":1: this is no JSON"),
        ("package-lock.json", '{"a":' * 200_000, ":1: this is no JSON"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages: [", "pnpm-lock.yaml:2: this is no YAML"),
        ("pnpm-lock.yaml", "a: &b []\nc: *b", ":2: this is no YAML of a lock file: an alias"),
        ("pnpm-lock.yaml", "a: 1\n? [b]\n: c", ":2: this is no YAML of a lock file: expected the name of a member"),
        ("pnpm-lock.yaml", "", ":1: this is no lock file of pnpm: it is empty"),
        ("pnpm-lock.yaml", "- a", ":1: expected a mapping, found a list"),
        ("pnpm-lock.yaml", "a: 1\nlockfileVersion: 3.1", ":2: lockfileVersion: versions 5, 6 and 9 are understood"),
        ("pnpm-lock.yaml", "lockfileVersion: 9.0\npackages:\n  a@1.0.0: 7", ":3: a@1.0.0: expected a mapping"),
        ("pnpm-lock.yaml", b"a: \xff", ":1: this is no YAML"),
        ("pnpm-lock.yaml", "\n" + "[" * 100_000, ":2: this is no YAML of a lock file: this is nested"),
        ("yarn.lock", 'left@1:\n  version "1.0.0"\nwhat is this', "yarn.lock:3: expected the name of a package"),
        ("yarn.lock", "<<<<<<< HEAD\nleft@1:\n", "yarn.lock:1: expected the name of a package and a colon, found '<<"),
        ("yarn.lock", '  version "1.0.0"', ":1: expected the name of a package, found"),
        ("yarn.lock", "\nleft@1:\n  resolved x\n", ":2: left@1: there is no version of it"),
        ("yarn.lock", b"left@1:\n\xff", ":2: this is no UTF-8"),
        ("yarn.lock", "__metadata:\n  version: 8\nleft:\n  version: 1", ":3: left: its resolution is no package"),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_line(name: str, body: str | bytes, words: str) -> None:
    with pytest.raises(UnreadableLock, match=words):
        read(name, body)


ODD_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["packages", "dependencies", "node_modules/a", "version", "name", "os", "resolved", "link"]
            ),
            inner,
            max_size=5,
        )
    ),
)


@given(ODD_JSON, st.sampled_from([1, 2, 3, "9.0", None]))
def test_no_structure_raises_anything_else(value: object, version: object) -> None:
    for name in ("package-lock.json", "pnpm-lock.yaml", "yarn.lock"):
        body = json.dumps({"lockfileVersion": version, "packages": value, "__metadata": {}, "a": value})
        for text in (body, json.dumps(value)):
            _read_or_refuse(name, text.encode())


@given(st.binary(max_size=80) | st.text(alphabet="ab@:\"'#/-*&<![]{}|>% \n\\1.", max_size=80).map(str.encode))
def test_no_text_raises_anything_else(body: bytes) -> None:
    for name in ("package-lock.json", "pnpm-lock.yaml", "yarn.lock"):
        for before in (b"", b"lockfileVersion: 9.0\npackages:\n  ", b"__metadata: 1\n"):
            _read_or_refuse(name, before + body)


def _read_or_refuse(name: str, body: bytes) -> None:
    try:
        found = read(name, body, "linux/amd64")
    except UnreadableLock as error:
        told = str(error)
    else:
        assert all(isinstance(one, Selection | Skipped) for one in found)
        return
    assert told.startswith(f"{name}:")

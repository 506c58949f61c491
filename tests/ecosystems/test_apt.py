"""Debian's archives: paths, roots, indexes, versions."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from backports import zstd

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.apt import Apt
from entrepot.ecosystems.apt_clients import read_sources
from entrepot.ecosystems.apt_versions import debian_key
from entrepot.errors import Absent, BadContent, BadRequest, ConfigError, NotServed, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource

UPSTREAM = "http://deb.example/base/"
CASES = sorted((Path(__file__).parents[1] / "corpus" / "apt").glob("*.case"))
SHA256 = "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"
SHA512 = SHA256 * 2
SIGNED = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

Origin: Tests
Date: Sat, 21 Nov 2026 08:00:00 UTC
Valid-Until: Sat, 28 Nov 2026 08:00:00 UTC
Acquire-By-Hash: yes
Components: main
SHA256:
 {SHA256} 1234 main/binary-amd64/Packages.xz
 {SHA256} 99 ../../escape
- -dashed: x
SHA512:
 {SHA512} 1234 main/binary-amd64/Packages.xz
-----BEGIN PGP SIGNATURE-----

SHA256:
 {SHA256} 1 main/forged
-----END PGP SIGNATURE-----
"""


def route(path: str, options: dict[str, object] | None = None) -> Resource:
    found = Apt(options).route(Request(method="GET", path=path))
    assert isinstance(found, Resource)
    return found


def document(place: str, body: bytes) -> Document:
    return Document(body=io.BytesIO(body), content_type="", url=f"{UPSTREAM}{place}", upstream=UPSTREAM, key=place)


def read_case(case: Path) -> tuple[Document, str]:
    place, body, expected = case.read_text().split("----\n")
    return document(place.strip(), body.encode()), expected


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    for case in CASES:
        yield Apt(), read_case(case)[0]


# --- paths ------------------------------------------------------------------------------------------------------------

POOL = "debian/pool/main/t/tool/tool_1.0%2bb1_amd64.deb"
ROOT, ELSE = "debian/dists/stable/InRelease", "debian/dists/stable/Release"


@pytest.mark.parametrize("path", [ROOT, ELSE, "InRelease", "./InRelease", "repo/Release"])
def test_a_root_is_the_root_of_its_own_group(path: str) -> None:
    resource = route(path)
    assert resource.is_root
    assert (resource.kind, resource.key) == (Kind.SIGNED, path.removeprefix("./"))


@pytest.mark.parametrize(
    ("path", "root", "otherwise"),
    [
        ("debian/dists/stable/main/binary-amd64/Packages.xz", ROOT, ELSE),
        ("debian/dists/stable/main/binary-amd64/Release", ROOT, ELSE),
        ("debian/dists/stable/main/binary-amd64/Packages.diff/Index", ROOT, ELSE),
        ("debian/dists/stable/main/i18n/Translation-en.bz2", ROOT, ELSE),
        ("debian/dists/stable/Contents-amd64.gz", ROOT, ELSE),
        ("debian/dists/stable/Release.gpg", ELSE, ""),
        ("./Packages.gz", "InRelease", "Release"),
        ("repo/Sources", "repo/InRelease", "repo/Release"),
        ("debian/README", "", ""),
    ],
)
def test_an_index_belongs_to_the_root_of_its_suite(path: str, root: str, otherwise: str) -> None:
    resource = route(path)
    assert (resource.kind, resource.snapshot, resource.snapshot_else) == (Kind.SIGNED, root, otherwise)
    assert not resource.is_root


def test_a_suite_whose_name_has_a_slash_is_told_by_the_configuration() -> None:
    path = "debian/dists/stable/updates/main/binary-amd64/Packages.xz"
    assert route(path).snapshot == ROOT
    assert route(path, {"suites": ["stable/updates"]}).snapshot == "debian/dists/stable/updates/InRelease"


def test_a_name_by_hash_tells_the_digest_and_never_changes() -> None:
    resource = route(f"debian/dists/stable/main/binary-amd64/by-hash/SHA256/{SHA256}")
    assert (resource.kind, resource.digest) == (Kind.ARTIFACT, Digest("sha256", SHA256))
    assert resource.lists
    assert not route(f"debian/dists/stable/main/i18n/by-hash/SHA256/{SHA256}").lists


@pytest.mark.parametrize("path", [POOL, "tool_1.0%2Bb1_amd64.deb", "dists/stable/pool/x/tool_1.0%2Bb1_amd64.deb"])
def test_a_package_is_looked_up_in_whatever_lists_it(path: str) -> None:
    resource = route(path)
    assert (resource.kind, resource.about, resource.version) == (Kind.ARTIFACT, "tool", "1.0+b1")
    assert (resource.listed_anywhere, resource.must_be_listed) == (True, False)
    assert route(path, {"unlisted": "refuse"}).must_be_listed


@pytest.mark.parametrize("name", ["chrome-stable.deb", "tool_1.0.deb", "tool_1.0_amd64.v2.deb", "TOOL.DEB"])
def test_a_package_with_an_unusual_name_has_the_rules_of_packages(name: str) -> None:
    resource = route(f"pool/{name}", {"unlisted": "refuse"})
    assert (resource.kind, resource.listed_anywhere, resource.must_be_listed) == (Kind.ARTIFACT, True, True)
    assert (resource.about, resource.version) == (name[: -len(".deb")], "")
    purl = Apt().purl_of(resource, "1")
    assert purl is not None
    assert not purl.qualifiers


def test_a_name_that_no_disk_can_have_is_no_source_package() -> None:
    assert route(f"pool/a_1{'.orig-' * 1_000_000}").kind is Kind.SIGNED


@pytest.mark.parametrize("path", ["pool/tool_1.0_amd64.deb;x=1", "pool/tool_1.0_amd64.deb%3bx", "pool;x/a_1_all.deb"])
def test_what_some_servers_cut_off_is_no_second_name_of_a_package(path: str) -> None:
    with pytest.raises(BadRequest, match="semicolon"):
        route(path)


def test_two_spellings_of_a_package_are_one() -> None:
    assert route("pool/a%7eb_1%2b2_all.deb").key == route("pool/a~b_1%2B2_all.deb").key


def test_patches_of_an_index_are_looked_up_and_need_not_be_listed() -> None:
    resource = route("dists/stable/main/binary-amd64/Packages.diff/T-1-F-0.gz", {"unlisted": "refuse"})
    assert (resource.kind, resource.listed_anywhere, resource.must_be_listed) == (Kind.ARTIFACT, True, False)


@pytest.mark.parametrize("path", ["", "debian/", "debian/dists/"])
def test_directories_are_not_served(path: str) -> None:
    with pytest.raises(NotServed):
        route(path)


@pytest.mark.parametrize("options", [{"unlisted": "perhaps"}, {"suites": "stable"}, {"architectures": [1]}])
def test_an_option_that_does_not_fit_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Apt(options)


# --- roots ------------------------------------------------------------------------------------------------------------


def test_a_root_names_its_members_by_plain_names_and_by_hash() -> None:
    members = {one.role: one for one in Apt().members(document(ROOT, SIGNED.encode()))}
    assert list(members) == ["main/binary-amd64/Packages.xz", "main/binary-amd64/Packages.xz by-hash"]
    plain, named = members.values()
    folder = "debian/dists/stable/main/binary-amd64"
    assert (plain.resource.key, plain.digest) == (f"{folder}/Packages.xz", Digest("sha256", SHA256))
    assert (named.resource.key, named.digest) == (f"{folder}/by-hash/SHA512/{SHA512}", Digest("sha512", SHA512))
    assert plain.also == named.resource
    assert plain.size_bytes == named.size_bytes == 1234


def test_without_by_hash_only_plain_names_are_told() -> None:
    body = SIGNED.replace("Acquire-By-Hash: yes\n", "").encode()
    (member,) = Apt().members(document(ROOT, body))
    assert (member.role, member.also) == ("main/binary-amd64/Packages.xz", None)


def test_what_stands_outside_of_the_signature_is_not_believed() -> None:
    roles = [one.role for one in Apt().members(document(ROOT, SIGNED.encode()))]
    assert not any("forged" in role for role in roles)


def test_a_root_says_until_when_it_is_valid() -> None:
    assert Apt().expires(document(ROOT, SIGNED.encode())) == datetime(2026, 11, 28, 8, tzinfo=UTC)
    assert Apt().expires(document(ROOT, b"Suite: stable\n")) is None


@pytest.mark.parametrize("body", [b"", b"<html>Log in: please</html>", b"\x00\xff"])
def test_what_is_no_root_is_not_taken_for_one(body: bytes) -> None:
    with pytest.raises(UnreadableIndex):
        list(Apt().members(document(ROOT, body)))


def test_a_root_that_names_files_without_end_is_none() -> None:
    lines = "".join(f" {SHA256} 1 a{number}\n" for number in range(50_001))
    with pytest.raises(UnreadableIndex, match="more than 50000"):
        list(Apt().members(document(ROOT, f"Suite: x\nSHA256:\n{lines}".encode())))


def test_a_file_that_is_named_twice_has_its_first_digest_as_apt_has_it() -> None:
    body = f"Suite: x\nSHA256:\n {SHA256} 5 Packages\n {'0' * 64} 6 Packages\n"
    [member] = Apt().members(document("InRelease", body.encode()))
    assert (member.digest.value, member.size_bytes) == (SHA256, 5)


def test_a_web_page_is_no_signature() -> None:
    resource = route("dists/stable/Release.gpg")
    assert resource.examined
    with pytest.raises(BadContent, match="web page"):
        Apt().examine(resource, document(resource.key, b"<html>Log in</html>"))
    for signature in (b"-----BEGIN PGP SIGNATURE-----\n", b"\x89\x02"):
        Apt().examine(resource, document(resource.key, signature))


# --- indexes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_indexes_say_where_files_are_and_what_digests_they_have(case: Path) -> None:
    read, expected = read_case(case)
    lines = []
    for release in Apt().releases(read):
        (file,) = release.files
        words = [Apt().link(release.package, file), str(file.size_bytes), *map(str, file.digests)]
        lines.append(f"{release.package} {release.version} {' '.join(words)}\n")
        assert file.location.path == f"/base/{words[0]}"
    assert "".join(lines) == expected


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstd.compress])
def test_an_index_is_read_in_each_coding_that_archives_use(pack: Callable[[bytes], bytes]) -> None:
    body = b"Package: a\nVersion: 1\nFilename: pool/a_1_all.deb\nSize: 3\n"
    read = list(Apt().releases(document("dists/x/main/binary-amd64/Packages", pack(body))))
    assert [one.package for one in read] == ["a"]


def test_an_index_that_cannot_be_unpacked_is_none() -> None:
    broken = lzma.compress(b"Package: a\n" * 100)[:-20]
    with pytest.raises(UnreadableIndex):
        list(Apt().releases(document("dists/x/main/binary-amd64/Packages.xz", broken)))


@pytest.mark.parametrize(
    "body",
    [
        b"Package: a\nDescription: " + bytes(40 << 20),
        b"Package: a\n" + (b" " * 9999 + b"\n") * 1700,
        (b"Package: a\nFilename: a_1_all.deb\nDescription: " + bytes(99_999) + b"\n\n") * 200,
    ],
    ids=["a line", "a package", "packages"],
)
def test_an_index_that_expands_without_end_is_none(body: bytes) -> None:
    with pytest.raises(UnreadableIndex, match=r"a bomb|too great a length"):
        for _ in Apt().releases(document("dists/x/main/binary-amd64/Packages.gz", gzip.compress(body))):
            pass


# --- versions ---------------------------------------------------------------------------------------------------------

VERSIONS = [
    "1.0",
    "1.0~rc1",
    "1.0-1",
    "1.0-1+b1",
    "1:0.9",
    "2",
    "10",
    "1.0a",
    "1.0+a",
    "1.0-1~bpo",
    "0",
    "1.00",
    "1.0-0",
]


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="not installed here: dpkg")
def test_versions_follow_each_other_as_dpkg_has_it() -> None:
    wrong = []
    for one, other in product(VERSIONS, VERSIONS):
        done = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False)
        mine, its = debian_key(one), debian_key(other)
        assert mine is not None
        assert its is not None
        if (done.returncode == 0) != (mine < its):
            wrong.append((one, other))
    assert wrong == []


@pytest.mark.parametrize("text", ["", "stable", "1.0 ", "a:1", "1" * 300])
def test_what_is_no_version_has_no_place(text: str) -> None:
    assert debian_key(text) is None


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_refusal_is_one_line_of_text() -> None:
    reply = Apt().problem(Absent("deb/x\ny"))
    assert reply.status == 404
    assert reply.body.count(b"\n") == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# deb http://no.example/ x\ndeb [arch=amd64] http://deb.example/debian stable main\n", "http://deb.example/"),
        ("Types: deb\nURIs: http://u:p@deb.example:81/debian\n", "http://deb.example:81/"),
        ("deb http://127.0.0.1:8080/apt/debian stable main\n", "http://127.0.0.1:8080/apt/debian"),
        ("deb cdrom:[disc]/ stable main\n", None),
        ("", None),
    ],
)
def test_the_sources_of_a_machine_tell_its_archive(text: str, found: str | None) -> None:
    assert read_sources(text) == found

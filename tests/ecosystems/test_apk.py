"""Alpine's packages."""

import gzip
import io
import itertools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.apk import Apk
from entrepot.ecosystems.apk_clients import base_in
from entrepot.ecosystems.apk_index import MAX_INDEX_BYTES, MAX_PACKAGES, MAX_RECORD_BYTES
from entrepot.ecosystems.apk_package import MAX_CONTROL_BYTES
from entrepot.ecosystems.apk_versions import APK
from entrepot.errors import BadContent, BadRequest, ConfigError, EntrepotError, NotServed, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource
from entrepot.model.selection import Extent
from tests.clients.fixture_apk import (
    COMMUNITY,
    MAIN,
    MUSL,
    OTHER_NAME,
    PLAIN,
    TLS,
    TOOL,
    Package,
    index,
    mirror,
    pack,
    public_pem,
    signed,
)

UPSTREAM = "https://mirror.example/alpine/"
CASES = sorted((Path(__file__).parents[1] / "corpus" / "apk").glob("*.case"))
INDEX = f"{MAIN}/APKINDEX.tar.gz"
PLAINLY = Apk()
SIGNED = Apk({"keys": [public_pem()]})


def route(path: str, ecosystem: Apk = PLAINLY) -> Resource:
    return ecosystem.route(Request(method="GET", path=path))


def document(body: bytes, place: str = INDEX) -> Document:
    return Document(body=io.BytesIO(body), content_type="", url=f"{UPSTREAM}{place}", upstream=UPSTREAM, key=place)


def packed_index(text: str) -> bytes:
    return pack({"DESCRIPTION": b"", "APKINDEX": text.encode()})


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    for path, (_, body) in mirror().files.items():
        if path.endswith("APKINDEX.tar.gz"):
            yield SIGNED, document(body, path[1:])
    for case in CASES:
        place, text, _ = case.read_text().split("----\n")
        yield PLAINLY, document(packed_index(text), place.strip())


# ------------------------------------------------------------------------------------------------------------ paths


def test_an_index_is_the_root_of_its_own_group_and_lists_files() -> None:
    resource = route(INDEX)
    assert (resource.kind, resource.snapshot, resource.lists) == (Kind.SIGNED, INDEX, True)


def test_a_package_is_kept_for_ever_and_named_by_the_index_beside_it() -> None:
    resource = route(f"{COMMUNITY}/acme-tool-2.0.1-r3.apk")
    assert (resource.kind, resource.about, resource.version) == (Kind.ARTIFACT, "acme-tool", "2.0.1-r3")
    assert resource.listed_in == route(f"{COMMUNITY}/APKINDEX.tar.gz")
    assert resource.listed_anywhere
    assert resource.must_be_listed


@pytest.mark.parametrize(
    ("file", "name", "version"),
    [
        ("gtk+3.0-3.24.42-r0.apk", "gtk+3.0", "3.24.42-r0"),
        ("a-1-2-r3.apk", "a-1", "2-r3"),
        ("font-7-0.5_alpha1-r12.apk", "font-7", "0.5_alpha1-r12"),
        ("plain-1.0.apk", "plain", "1.0"),
        ("r-r-4.4.0-r1.apk", "r-r", "4.4.0-r1"),
    ],
)
def test_a_file_name_tells_name_and_version(file: str, name: str, version: str) -> None:
    resource = route(f"edge/main/x86_64/{file}")
    assert (resource.about, resource.version) == (name, version)


@pytest.mark.parametrize(
    "path",
    ["", "APKINDEX.tar.gz", "a-1-r0.apk", f"{MAIN}/", f"{MAIN}/readme.txt", f"{MAIN}/musl.apk", f"{MAIN}/musl-r0.apk",
     "v3.20/releases/x86_64/alpine-3.20.iso", "keys/a/b.pub", "MIRRORS.txt", f"{MAIN}/APKINDEX.tar.gz.sig"],
)  # fmt: skip
def test_whatever_apk_never_asks_for_is_not_served(path: str) -> None:
    with pytest.raises((NotServed, BadRequest)):
        route(path)


def test_who_asks_for_other_files_of_a_mirror_is_told_what_to_do() -> None:
    with pytest.raises(NotServed, match="generic"):
        route("v3.20/releases/x86_64/alpine-3.20.iso")


def test_an_index_of_apk_3_and_keys_are_passed_on_as_they_are() -> None:
    assert (route(f"{MAIN}/Packages.adb").kind, route(f"{MAIN}/Packages.adb").lists) == (Kind.SIGNED, False)
    assert route("keys/builder@alpine.example.rsa.pub").kind is Kind.SIGNED
    assert list(PLAINLY.members(document(b"ADBd rest", f"{MAIN}/Packages.adb"))) == []
    with pytest.raises(UnreadableIndex):
        PLAINLY.members(document(b"<html>", f"{MAIN}/Packages.adb"))


def test_where_keys_are_configured_an_index_that_cannot_be_checked_is_not_served() -> None:
    with pytest.raises(NotServed, match="apk 3"):
        route(f"{MAIN}/Packages.adb", SIGNED)


def test_unlisted_packages_are_served_where_configuration_says_so() -> None:
    assert not route(f"{MAIN}/a-1-r0.apk", Apk({"unlisted": "allow"})).must_be_listed


@pytest.mark.parametrize(
    "options",
    [{"unlisted": "maybe"}, {"branches": "v3.20"}, {"repositories": [".."]}, {"architectures": ["a//b"]},
     {"keys": public_pem()}, {"keys": ["no key"]}, {"distribution": 3}],
)  # fmt: skip
def test_an_option_that_cannot_be_meant_stops_the_start(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="apk"):
        Apk(options)


# ---------------------------------------------------------------------------------------------------------- indexes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_an_index_says_what_its_golden_case_says(case: Path) -> None:
    place, text, expected = case.read_text().split("----\n")
    lines = []
    for release in PLAINLY.releases(document(packed_index(text), place.strip())):
        [file] = release.files
        dated = file.published.isoformat() if file.published else None
        parts = [release.package, release.version, file.location.path, file.size_bytes, dated, *file.digests]
        lines.append(" ".join(map(str, parts)))
    assert lines == expected.splitlines()


@pytest.mark.parametrize("kind", ["RSA", "RSA256"])
def test_an_index_that_a_configured_key_signed_is_good(kind: str) -> None:
    assert list(SIGNED.members(document(index([MUSL], kind=kind)))) == []


@pytest.mark.parametrize(
    "body",
    [index([MUSL], by=None), index([MUSL], by=OTHER_NAME), index([MUSL]) + pack({"more": b""}),
     signed(index([MUSL], by=None), by=OTHER_NAME), pack({".SIGN.RSA.x": b"1"}, ended=False) + index([MUSL], by=None)],
    ids=["nobody", "a stranger", "with more behind it", "a stranger again", "a signature that is none"],
)  # fmt: skip
def test_an_index_that_no_configured_key_signed_is_none(body: bytes) -> None:
    with pytest.raises(UnreadableIndex, match="not signed by a key"):
        SIGNED.members(document(body))
    assert list(PLAINLY.members(document(body))) == [], "without keys nobody asks who signed"


def test_any_of_several_keys_and_signatures_will_do() -> None:
    both = Apk({"keys": [public_pem(OTHER_NAME), public_pem()]})
    assert list(both.members(document(index([MUSL])))) == []
    assert list(both.members(document(index([MUSL], by=OTHER_NAME)))) == []


def test_every_flipped_byte_behind_the_signature_is_found() -> None:
    body = index([MUSL, TLS])
    start = len(body) - len(index([MUSL, TLS], by=None))
    for place in range(start, len(body), 7):
        broken = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(UnreadableIndex):
            SIGNED.members(document(broken))


def cut(body: bytes) -> bytes:
    return body[: len(body) * 2 // 3]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>no index</html>", gzip.compress(b"no tar"), pack({"OTHER": b""}), cut(index([MUSL])),
     packed_index("P:no-version\n\n"), gzip.compress(b"x" * 600), packed_index(f"P:{'x' * (2 * MAX_RECORD_BYTES)}")],
    ids=["empty", "a page", "no tar", "another tar", "cut off", "no version", "no header", "endless line"],
)  # fmt: skip
def test_what_is_no_index_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableIndex):
        PLAINLY.members(document(body))
    with pytest.raises(UnreadableIndex):
        list(PLAINLY.releases(document(body)))


def bomb(size: int, head: bytes = b"") -> bytes:
    """A gzip member of so many zeros, made without having them."""
    packer = zlib.compressobj(9, wbits=31)
    pieces = [packer.compress(piece) for piece in itertools.chain([head], itertools.repeat(bytes(1 << 20), size >> 20))]
    return b"".join([*pieces, packer.flush()])


@pytest.mark.parametrize(
    "body",
    [
        lambda: packed_index("P:a\nV:1\n\n" * (MAX_PACKAGES + 1)),
        lambda: packed_index("P:a\nV:1\n") + gzip.compress(bytes(MAX_INDEX_BYTES // 4)) * 5,
        lambda: gzip.compress(bytes(pack_header("APKINDEX", 0)).replace(b"00000000000", b"-0000000001")),
    ],
    ids=["packages", "parts", "a size below zero"],
)
def test_an_index_that_means_to_keep_us_busy_is_none(body: Callable[[], bytes]) -> None:
    with pytest.raises(UnreadableIndex, match=r"more than|no tar archive"):
        PLAINLY.members(document(body()))


def test_an_index_that_is_not_kept_is_checked_as_well() -> None:
    resource = route(INDEX, SIGNED)
    assert resource.examined
    with pytest.raises(UnreadableIndex, match="not signed by a key"):
        SIGNED.examine(resource, document(index([MUSL], by=None)))


def test_an_index_that_unpacks_without_end_is_unreadable() -> None:
    header = bytearray(pack_header("APKINDEX", 1 << 33))
    with pytest.raises(UnreadableIndex):
        PLAINLY.members(document(bomb(MAX_INDEX_BYTES + (2 << 20), bytes(header))))


def pack_header(name: str, size: int) -> bytes:
    return name.encode().ljust(124, b"\0") + f"{size:011o}\0".encode().ljust(388, b"\0")


@given(st.binary(max_size=300))
def test_whatever_arrives_as_an_index_is_refused_in_our_own_words(body: bytes) -> None:
    with pytest.raises(UnreadableIndex):
        PLAINLY.members(document(body))


# --------------------------------------------------------------------------------------------------------- packages


def published(package: Package, checksum: str = "Q1") -> Digest:
    [release] = PLAINLY.releases(document(index([package], checksum=checksum)))
    return release.files[0].digests[0]


def check(package: Package, body: bytes | None = None, checksum: str = "Q1") -> Digest | None:
    resource = route(f"{MAIN}/{package.file}")
    file = io.BytesIO(package.body if body is None else body)
    return PLAINLY.check(resource, file, published(package, checksum))


@pytest.mark.parametrize("checksum", ["Q1", "Q2"])
@pytest.mark.parametrize("package", [MUSL, TOOL, PLAIN, Package(name="old", version="1-r0", old=True)], ids=str)
def test_a_package_has_the_digest_that_its_index_tells(package: Package, checksum: str) -> None:
    assert check(package, checksum=checksum) == published(package, checksum)


def test_the_signature_of_a_package_is_no_part_of_its_digest() -> None:
    other = Package(name=MUSL.name, version=MUSL.version, provides=MUSL.provides, signed_by=OTHER_NAME)
    assert other.body != MUSL.body
    assert check(MUSL, other.body) == published(MUSL)
    assert check(MUSL, MUSL.control + MUSL.data) == published(MUSL)


@pytest.mark.parametrize("old", [False, True])
def test_a_flipped_bit_in_control_or_data_is_always_found(old: bool) -> None:
    package = Package(name="a", version="1-r0", size=400, old=old)
    body, wanted = package.body, published(package)
    start = len(body) - len(package.control) - len(package.data)
    for place, bit in itertools.product(range(start, len(body), 5), (0x01, 0x80)):
        broken = body[:place] + bytes([body[place] ^ bit]) + body[place + 1 :]
        try:
            found = check(package, broken)
        except BadContent:
            continue
        assert found != wanted, f"byte {place} of {len(body)}"


@pytest.mark.parametrize("part", ["control", "data"])
def test_parts_of_another_package_are_found(part: str) -> None:
    other = Package(name="other", version="1-r0")
    body = signed(other.control) + MUSL.data if part == "control" else signed(MUSL.control) + other.data
    with pytest.raises(BadContent, match="its data are not those"):
        check(MUSL, body)


@pytest.mark.parametrize(
    "body",
    [b"", b"ADBd", MUSL.body[:-1], MUSL.body + b"x", MUSL.body[:200], signed(b""), MUSL.data,
     signed(pack({".OTHER": b""}, ended=False)) + MUSL.data,
     signed(pack({".PKGINFO": b"datahash = short\n"}, ended=False)) + MUSL.data],
    ids=["empty", "of apk 3", "cut", "longer", "cut in front", "signature alone", "data alone", "no description",
         "no datahash that can be read"],
)  # fmt: skip
def test_what_is_no_package_is_refused(body: bytes) -> None:
    with pytest.raises(BadContent):
        check(MUSL, body)


def test_a_control_part_that_unpacks_without_end_is_refused() -> None:
    with pytest.raises(BadContent, match="unpacks to more"):
        check(MUSL, bomb(MAX_CONTROL_BYTES + (2 << 20), pack_header(".post-install", 1 << 33)))


@given(st.binary(max_size=300))
def test_whatever_arrives_as_a_package_is_refused_in_our_own_words(body: bytes) -> None:
    with pytest.raises(EntrepotError):
        check(MUSL, body)


def test_digests_of_other_ecosystems_mean_nothing_here() -> None:
    assert PLAINLY.check(route(f"{MAIN}/{MUSL.file}"), io.BytesIO(MUSL.body), Digest("h1", "x")) is None


# --------------------------------------------------------------------------------------------------------- versions

ASCENDING = [
    "0.9", "1.0_alpha", "1.0_alpha2", "1.0_alpha10", "1.0_beta_p1", "1.0_pre1", "1.0_rc", "1.0_rc1-r0", "1.0_rc1-r1",
    "1.0", "1.0-r0", "1.0-r2", "1.0-r10", "1.0~0a1b", "1.0~0a1c-r1", "1.0_cvs1", "1.0_svn", "1.0_git20240101", "1.0_hg",
    "1.0_p1", "1.0_p2-r1", "1.0_p10", "1.0a", "1.0b_rc1", "1.0b", "1.0.0", "1.0.01", "1.0.05", "1.0.1", "1.0.10",
    "1.01", "1.1", "1.10", "2", "010", "20240101",
]  # fmt: skip


def test_versions_are_ordered_as_apk_orders_them() -> None:
    keys = [APK.key(version) for version in ASCENDING]
    assert None not in keys
    assert sorted(ASCENDING, key=lambda version: APK.key(version) or ()) == ASCENDING
    assert all(one != other for one, other in itertools.pairwise(keys))


@pytest.mark.parametrize("version", ["", "a", "1.0bc", "1.0_foo", "1.0-1", "1..0", "1.0-r", "1.0_alpha~x", "9" * 300])
def test_what_apk_takes_for_no_version_has_no_place(version: str) -> None:
    assert APK.key(version) is None


# --------------------------------------------------------------------------------------------- package URLs, clients


def test_a_package_url_tells_branch_and_architecture() -> None:
    resource = route(f"{COMMUNITY}/acme-tool-2.0.1-r3.apk")
    purl = PLAINLY.purl_of(resource, resource.version)
    assert str(purl) == "pkg:apk/alpine/acme-tool@2.0.1-r3?arch=x86_64&distro=3.20"
    assert purl is not None
    selection = PLAINLY.select(purl, Extent())
    assert (selection.package, selection.version) == ("acme-tool", "2.0.1-r3")
    assert dict(selection.qualifiers) == {"arch": "x86_64", "distro": "3.20"}


def test_packages_of_another_distribution_are_not_looked_for_here() -> None:
    with pytest.raises(BadRequest, match="alpine"):
        PLAINLY.select(parse_purl("pkg:apk/wolfi/acme@1.0-r0"), Extent())
    assert Apk({"distribution": "wolfi"}).select(parse_purl("pkg:apk/wolfi/acme@1.0-r0"), Extent()).package == "acme"


def test_files_are_billed_by_their_place_and_indexes_not_at_all() -> None:
    assert PLAINLY.billed_as(route(f"{COMMUNITY}/a%2B-1-r0.apk")) == f"{COMMUNITY}/a+-1-r0.apk"
    assert PLAINLY.billed_as(route(INDEX)) == ""


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://mirror.example/alpine/v3.20/main\nhttps://other.example/alpine/v3.20/community\n",
         "https://mirror.example/alpine/"),
        ("# a comment\n\n@edge https://me:secret@mirror.example:8443/a/b/edge/testing/\n",
         "https://mirror.example:8443/a/b/"),
        ("/media/cdrom/apks\nhttp://mirror.example/v3.20/main\n", "http://mirror.example/"),
        ("https://own.example/packages\n", None),
        ("ftp://mirror.example/alpine/v3.20/main\n", None),
        ("https://${HOST}/alpine/v3.20/main\nhttps://[::bad/alpine/v3.20/main\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_list_of_repositories_tells_the_mirror(text: str, base: str | None) -> None:
    assert base_in(text) == base

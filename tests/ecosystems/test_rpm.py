"""RPM repositories."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import Ecosystem, View
from entrepot.ecosystems.rpm import Rpm
from entrepot.ecosystems.rpm_clients import read_repo
from entrepot.ecosystems.rpm_repomd import place
from entrepot.ecosystems.rpm_versions import RPM
from entrepot.errors import BadContent, BadRequest, ConfigError, UnreadableIndex
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource
from tests.ecosystems.zchunks import make_zchunk, zchunk_that_promises

UPSTREAM = "https://mirror.example/base"
CORPUS = Path(__file__).parents[1] / "corpus" / "rpm"
LISTS = ("primary", "deltas")
SHA256 = "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"
COMMON = 'xmlns="http://linux.duke.edu/metadata/common"'


def route(path: str, query: str = "", options: dict[str, object] | None = None) -> Resource:
    return Rpm(options).route(Request(method="GET", path=path, query=query))


def document(place: str, body: bytes) -> Document:
    return Document(body=io.BytesIO(body), content_type="", url=f"{UPSTREAM}/{place}", upstream=UPSTREAM, key=place)


def read_case(name: str) -> tuple[str, bytes, str]:
    where, body, expected = (CORPUS / f"{name}.case").read_text().split("\n----\n")
    return where, body.encode(), expected


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    for name in LISTS:
        where, body, _ = read_case(name)
        yield Rpm(), document(where, body)


# --- what paths are ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind", "digest", "snapshot"),
    [
        ("repodata/repomd.xml", Kind.SIGNED, "", "repodata/repomd.xml"),
        ("40/os/repodata/repomd.xml", Kind.SIGNED, "", "40/os/repodata/repomd.xml"),
        ("40/os/repodata/repomd.xml.asc", Kind.SIGNED, "", "40/os/repodata/repomd.xml"),
        ("40/os/repodata/repomd.xml.key", Kind.SIGNED, "", "40/os/repodata/repomd.xml"),
        ("40/os/repodata/primary.xml.gz", Kind.SIGNED, "", "40/os/repodata/repomd.xml"),
        (f"repodata/{SHA256}-primary.xml.gz", Kind.ARTIFACT, f"sha256:{SHA256}", ""),
        (f"repodata/{SHA256}-primary.xml.zck", Kind.ARTIFACT, f"sha256:{SHA256}", ""),
        (f"repodata/{SHA256[:40]}-other.xml.gz", Kind.ARTIFACT, f"sha1:{SHA256[:40]}", ""),
        (f"repodata/{SHA256[:32]}-other.xml.gz", Kind.SIGNED, "", "repodata/repomd.xml"),
        (f"Packages/{SHA256}-primary.xml.gz", Kind.SIGNED, "", ""),
        ("Packages/b/bash-5.2-1.fc40.x86_64.rpm", Kind.ARTIFACT, "", ""),
        ("RPM-GPG-KEY-fedora", Kind.SIGNED, "", ""),
        ("metalink", Kind.INDEX, "", ""),
        ("mirrorlist/9/baseos", Kind.INDEX, "", ""),
        ("9/mirror.list", Kind.INDEX, "", ""),
        ("pub/mirrors/RPM-GPG-KEY", Kind.SIGNED, "", ""),
        ("Packages/HELLO.RPM", Kind.ARTIFACT, "", ""),
    ],
)
def test_what_a_path_is(path: str, kind: Kind, digest: str, snapshot: str) -> None:
    found = route(path)
    assert (found.kind, str(found.digest or ""), found.snapshot) == (kind, digest, snapshot)


@pytest.mark.parametrize(
    ("name", "about", "version"),
    [
        ("gcc-c%2B%2B-14.1%5Egit5-0.fc40.x86_64.rpm", "gcc-c++", "14.1^git5-0.fc40"),
        ("java-17-openjdk-headless-17.0.9.0.9-3.fc40.aarch64.rpm", "java-17-openjdk-headless", "17.0.9.0.9-3.fc40"),
        ("hello-1.0-1.src.rpm", "hello", "1.0-1"),
        ("hello-1.0-1_1.1-2.noarch.drpm", "hello", "1.1-2"),
        ("setup.rpm", "setup", ""),
    ],
)
def test_a_package_is_told_by_the_name_of_its_file(name: str, about: str, version: str) -> None:
    found = route(f"Packages/{name}")
    assert (found.about, found.version, found.listed_anywhere, found.must_be_listed) == (about, version, True, False)


def test_a_package_that_nothing_names_is_refused_where_the_repository_says_so() -> None:
    refuses: dict[str, object] = {"unlisted": "refuse"}
    assert route("Packages/hello-1.0-1.src.rpm", options=refuses).must_be_listed
    assert not route("repodata/repomd.xml", options=refuses).must_be_listed


@pytest.mark.parametrize(
    "path", ["Packages/a-1-1.noarch.rpm;x=1", "Packages/a-1-1.noarch.rpm%3B", "a;x/a-1-1.noarch.rpm"]
)
def test_what_some_servers_cut_off_is_no_second_name_of_a_package(path: str) -> None:
    with pytest.raises(BadRequest, match="semicolon"):
        route(path)


def test_a_root_that_names_files_without_end_is_none() -> None:
    data = f'<data type="a"><checksum type="sha256">{SHA256}</checksum><location href="repodata/a"/></data>'
    with pytest.raises(UnreadableIndex, match="more than 10000"):
        list(Rpm().members(document("repodata/repomd.xml", f"<repomd>{data * 10_001}</repomd>".encode())))


def test_a_web_page_is_no_signature() -> None:
    one = route("repodata/repomd.xml.asc")
    assert one.examined
    with pytest.raises(BadContent, match="web page"):
        Rpm().examine(one, document(one.key, b"<html>Log in</html>"))
    Rpm().examine(one, document(one.key, b"-----BEGIN PGP SIGNATURE-----\n"))


def test_who_counts_people_asks_for_the_same_thing() -> None:
    plain = route("metalink", "repo=fedora-40&arch=x86_64")
    assert route("metalink", "countme=3&repo=fedora-40&arch=x86_64").stored_key == plain.stored_key
    assert plain.query == "repo=fedora-40&arch=x86_64"
    assert route("metalink", "repo=epel-9&arch=x86_64").stored_key != plain.stored_key
    assert route("repodata/repomd.xml", "countme=1").is_root
    assert not route("repodata/repomd.xml", "token=1").is_root
    with pytest.raises(BadRequest):
        route("metalink", "repo=a b")


@given(st.text("ab.~^-_+1/", min_size=1).filter(lambda text: "//" not in text.strip("/")))
def test_what_is_named_is_where_clients_ask_for_it(href: str) -> None:
    found = place("40/os/", href)
    if found:
        assert route(found).key == found


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("a+b.rpm", "40/os/a%2Bb.rpm"),
        ("a%2Bb.rpm", "40/os/a%2Bb.rpm"),
        ("a b%.rpm", "40/os/a%20b%25.rpm"),
        ("./x//y.rpm", "40/os/x/y.rpm"),
        ("../../y.rpm", "y.rpm"),
        ("../../../y.rpm", ""),
        ("a/%2e%2e/y.rpm", ""),
        ("a\\b.rpm", ""),
        pytest.param("%41" * 300_000 + "%", f"40/os/{'%2541' * 300_000}%25", id="too long to try all meanings"),
    ],
)
def test_names_of_places_have_one_spelling(href: str, expected: str) -> None:
    assert place("40/os/", href) == expected


# --- what documents say -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_golden_lists_of_packages(name: str) -> None:
    where, body, expected = read_case(name)
    lines = [
        f"{release.package} {release.version} {file.location.path} {file.digests[0]} {file.size_bytes}\n"
        for release in Rpm().releases(document(where, body))
        for file in release.files
    ]
    assert "".join(lines) == expected


def test_golden_root() -> None:
    where, body, expected = read_case("root")
    lines = [
        f"{one.role} {one.resource.key} {one.resource.kind.value} {one.digest} {one.size_bytes}\n"
        for one in Rpm().members(document(where, body))
    ]
    assert "".join(lines) == expected


def test_members_are_what_their_keys_are_routed_to() -> None:
    where, body, _ = read_case("root")
    for member in Rpm().members(document(where, body)):
        assert route(member.resource.key) == member.resource


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstd.compress,
    "zck": make_zchunk,
    "plain": bytes,
}


@pytest.mark.parametrize("kind", PACKED)
def test_packages_are_read_however_the_list_is_packed(kind: str) -> None:
    where, body, expected = read_case("primary")
    packed = document(where, PACKED[kind](body))
    assert len(list(Rpm().releases(packed))) == expected.count("\n")


@pytest.mark.parametrize("kind", [kind for kind in PACKED if kind != "plain"])
def test_a_damaged_list_is_unreadable(kind: str) -> None:
    where, body, _ = read_case("primary")
    packed = PACKED[kind](body)
    for wrong in (packed[: len(packed) // 2], packed[:-30]):
        with pytest.raises(UnreadableIndex, match="primary"):
            list(Rpm().releases(document(where, wrong)))


def test_a_zchunk_file_with_a_dictionary_is_read() -> None:
    where, body, expected = read_case("primary")
    packed = make_zchunk(body, dictionary=body[:400])
    assert len(list(Rpm().releases(document(where, packed)))) == expected.count("\n")


@pytest.mark.parametrize(
    "damage", [b"\0ZCK1", b"\0ZCK1\x89\x80", b"\0ZCK1\x81" + b"\x7f" * 12, b"\0ZCK1\x81" + b"\x7f" * 4 + b"\xff"]
)
def test_what_only_begins_like_a_zchunk_file_is_unreadable(damage: bytes) -> None:
    with pytest.raises(UnreadableIndex, match="zchunk"):
        list(Rpm().releases(document("repodata/primary.xml.zck", damage + b"x" * 100)))


@pytest.mark.parametrize("sizes", [(65 << 20, 9), (9, 65 << 20)], ids=["packed", "plain"])
def test_a_zchunk_file_with_a_chunk_too_large_for_the_memory_is_unreadable(sizes: tuple[int, int]) -> None:
    with pytest.raises(UnreadableIndex, match="68,157,440 bytes"):
        list(Rpm().releases(document("repodata/primary.xml.zck", zchunk_that_promises(*sizes))))


def test_a_list_that_expands_without_end_is_unreadable() -> None:
    one = route("repodata/primary.xml.gz")
    bomb = gzip.compress(b"<a>" + b"<b/>" * (5 << 20))
    with pytest.raises(UnreadableIndex, match="a bomb"):
        Rpm().examine(one, document(one.key, bomb))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not here",
        b"<html/>",
        b"<repomd><data></repomd>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><metadata>&b;</metadata>',
        b"<repomd>" + b" " * (17 << 20) + b"</repomd>",
    ],
)
def test_what_is_no_metadata_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableIndex, match="repomd"):
        list(Rpm().members(document("repodata/repomd.xml", body)))
    with pytest.raises(UnreadableIndex, match="primary"):
        list(Rpm().releases(document("repodata/primary.xml", body)))


# --- packages elsewhere -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "refused"),
    [
        ('xml:base="http://far.example/" href="a.rpm"', True),
        ("href='a.rpm' xml:base = '//far.example/x'", True),
        ('href="https://far.example/a.rpm"', True),
        ('href="https:&#47;/far.example/a.rpm"', True),
        ('href=" //far.example/a.rpm"', True),
        ('other=">" href="https://far.example/a.rpm"', True),
        ('href="a.rpm"', False),
        ('xml:base="sub/" href="a.rpm"', False),
    ],
)
def test_packages_at_other_addresses_are_refused(place: str, refused: bool) -> None:
    told = "&lt;location xml:base=&quot;http://text.example/&quot;"
    packages = f"<package><name>a</name><summary>{told}</summary><location {place}/></package>"
    filler = f"<package><summary>{'x' * 300_000}</summary></package>"
    body = gzip.compress(f"<metadata {COMMON}>{filler * 4}{packages}{filler}</metadata>".encode())
    one = route(f"repodata/{SHA256}-primary.xml.gz")
    assert one.examined
    if refused:
        with pytest.raises(UnreadableIndex, match=r"far\.example"):
            Rpm().examine(one, document(one.key, body))
        with pytest.raises(UnreadableIndex, match=r"far\.example"):
            list(Rpm().releases(document(one.key, body)))
    else:
        Rpm().examine(one, document(one.key, body))


@pytest.mark.parametrize(
    "told",
    [
        '<location xml:base="http://far.example/" href="repodata/a"/>',
        '<location href="//far.example/a"/>',
        '<location href="repodata/a"/></data></repomd>',
    ],
    ids=["base", "address", "document type"],
)
def test_a_root_that_leads_elsewhere_is_none(told: str) -> None:
    head = '<!DOCTYPE repomd [<!ATTLIST location xml:base CDATA "//far.example">]>' if "repomd" in told else ""
    body = f"{head}<repomd><data type='primary'><checksum type='sha256'>{SHA256}</checksum>{told}"
    whole = body if head else f"{body}</data></repomd>"
    with pytest.raises(UnreadableIndex, match=r"far\.example|document type"):
        list(Rpm().members(document("repodata/repomd.xml", whole.encode())))


@pytest.mark.parametrize(
    "told",
    [
        f'<metadata xmlns:c={COMMON[6:]}><c:package><c:location xml:base="http://far.example"/></c:package></metadata>',
        f'<!DOCTYPE metadata [<!ATTLIST location xml:base CDATA "//far.example">]><metadata {COMMON}/>',
        f'<?xml version="1.0" encoding="UTF-7"?><metadata {COMMON}/>',
        f'<?xml version="1.0" encoding="UTF-16"?><metadata {COMMON}/>'.encode("utf-16"),
    ],
    ids=["prefix", "document type", "another code", "two bytes a letter"],
)
def test_places_elsewhere_cannot_be_disguised(told: str | bytes) -> None:
    one = route("repodata/primary.xml")
    with pytest.raises(UnreadableIndex):
        Rpm().examine(one, document(one.key, told if isinstance(told, bytes) else told.encode()))


# --- lists of mirrors -------------------------------------------------------------------------------------------------

OURS = "http://127.0.0.1:8080/rpm"
METALINK = """<?xml version="1.0"?><metalink version="3.0" xmlns="http://www.metalinker.org/"><files>
<file name="repomd.xml"><verification><hash type="sha256">0</hash></verification><resources>
<url protocol="rsync">rsync://one.example/linux/40/os/repodata/repomd.xml</url>
<url protocol="https">{0}/repodata/repomd.xml</url></resources></file></files></metalink>"""


def rendered(body: str, mirrors: list[str] | None = None) -> str:
    ecosystem = Rpm({"mirrors": mirrors} if mirrors else None)
    one = route("metalink", "repo=a")
    assert ecosystem.names_our_address(one.form)
    shown = ecosystem.render(one, [document("metalink", body.encode())], View(form=one.form, base=OURS))
    assert shown is not None
    return shown.body.decode()


def test_a_metalink_names_only_us_and_no_digest_of_a_root_that_we_may_not_serve() -> None:
    told = rendered(METALINK.format(f"{UPSTREAM}/40/os"))
    assert f">{OURS}/40/os/repodata/repomd.xml<" in told
    assert "hash" not in told
    assert "mirror.example" not in told


def test_a_list_of_mirrors_names_only_us() -> None:
    listed = "# comment\nhttp://two.example/pub/linux/40/os/\nhttp://three.example/40/os/\n"
    assert rendered(listed, [r"https?://[^/]+/pub/linux/(?P<path>.*)"]) == f"{OURS}/40/os/\n"
    assert rendered(f"{UPSTREAM}/\n") == f"{OURS}/\n"


@pytest.mark.parametrize(
    "body",
    [
        "http://two.example/40/os/\n",
        "",
        METALINK.format("https://two.example/40/os"),
        "<html>log in</html>",
        f"{UPSTREAM}/../../x\n",
        f"{UPSTREAM}/$releasever/\n",
    ],
)
def test_a_list_that_names_nothing_of_this_upstream_is_never_shown_as_it_is(body: str) -> None:
    with pytest.raises(UnreadableIndex):
        rendered(body)


# --- options and clients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"paths": "40"}, "paths"),
        ({"paths": []}, "paths"),
        ({"paths": ["a/../b"]}, "paths"),
        ({"mirrors": "x"}, "mirrors"),
        ({"mirrors": ["("]}, "mirrors"),
        ({"mirrors": ["https://.*"]}, "group of the name path"),
        ({"vendor": 1}, "vendor"),
        ({"unlisted": "perhaps"}, "unlisted"),
    ],
)
def test_a_mistake_in_an_option_is_told(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Rpm(options)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("[a]\nbaseurl=https://m.example/linux/releases/$releasever/os/\n", "https://m.example/linux/releases/"),
        ("[a]\nbaseurl = https://m.example/el$releasever/\n", "https://m.example/"),
        ("[a]\nenabled=0\nbaseurl=https://a.example/\n[b]\nbaseurl=https://b.example/x", "https://b.example/x"),
        ("[a]\nbaseurl=file:///x\n  https://u:p@c.example/x/\n", "https://c.example/x/"),
        ("[a]\nmetalink=https://m.example/metalink?repo=a\n", None),
        ("[a]\nbaseurl=https://$mirror/x\n", None),
        ("[a]\nbaseurl=http://[x/\n", None),
        ("nothing", None),
    ],
)
def test_where_a_machine_gets_its_packages_is_read_from_its_repo_files(text: str, url: str | None) -> None:
    assert read_repo(text) == url


def test_a_bill_names_a_package_by_vendor_architecture_and_epoch() -> None:
    ecosystem = Rpm({"vendor": "fedora"})
    one = ecosystem.route(Request(method="GET", path="Packages/gcc-c%2B%2B-14.1-1.fc40.x86_64.rpm"))
    assert str(ecosystem.purl_of(one, "2:14.1-1.fc40")) == "pkg:rpm/fedora/gcc-c%2B%2B@14.1-1.fc40?arch=x86_64&epoch=2"
    assert ecosystem.billed_as(one) == "gcc-c++-14.1-1.fc40.x86_64.rpm"
    root = ecosystem.route(Request(method="GET", path="repodata/repomd.xml"))
    assert (ecosystem.purl_of(root, ""), ecosystem.billed_as(root)) == (None, "")


# --- versions ---------------------------------------------------------------------------------------------------------

# The pairs are those of rpm's own tests (tests/rpmvercmp.at), each with the smaller one first.
SMALLER = [
    ("1.0", "2.0"), ("2.0", "2.0.1"), ("2.0.1", "2.0.1a"), ("5.5p1", "5.5p2"), ("5.5p1", "5.5p10"),
    ("10xyz", "10.1xyz"), ("xyz10", "xyz10.1"), ("xyz.4", "8"), ("xyz.4", "2"), ("5.5p2", "5.6p1"),
    ("5.6p1", "6.5p1"), ("6.0", "6.0.rc1"), ("10a2", "10b2"), ("1.0a", "1.0aa"), ("10.0001", "10.0039"),
    ("4.999.9", "5.0"), ("20101121", "20101122"), ("1.0~rc1", "1.0"), ("1.0~rc1", "1.0~rc2"),
    ("1.0~rc1~git123", "1.0~rc1"), ("1.0", "1.0^"), ("1.0^", "1.0^git1"), ("1.0^git1", "1.0^git2"),
    ("1.0^git1", "1.01"), ("1.0^20160101", "1.0.1"), ("1.0^20160101^git1", "1.0^20160102"),
    ("1.0~rc1", "1.0~rc1^git1"), ("1.0^git1~pre", "1.0^git1"), ("1-1", "1-2"), ("1-1~a", "1-1"),
    ("9-1", "1:1-1"), ("1:1-1", "2:0.1-1"), ("1.0", "1.0-1"),
]  # fmt: skip
SAME = [("1.0", "1.0"), ("10.0001", "10.1"), ("2_0", "2.0"), ("a+b", "a_b"), ("1.0010", "1.10"), ("0:1-1", "1-1")]


@pytest.mark.parametrize(("smaller", "greater"), SMALLER)
def test_versions_are_ordered_as_rpm_does(smaller: str, greater: str) -> None:
    one, other = RPM.key(smaller), RPM.key(greater)
    assert one is not None
    assert other is not None
    assert one < other


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_rpm_takes_for_the_same_version_is_the_same(one: str, other: str) -> None:
    assert RPM.key(one) == RPM.key(other) is not None


@pytest.mark.parametrize("text", ["", "-1", "x:1-1", "1 2", "é", "1" * 300, ":1"])
def test_what_is_no_version_has_no_place(text: str) -> None:
    assert RPM.key(text) is None

"""The Go module proxy protocol."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.golang_env import database_name, proxies_of, proxy_in, read_go_env
from entrepot.ecosystems.golang_hash import MAX_DIRECTORY_BYTES, MAX_MEMBERS, MAX_MOD_BYTES, hash_zip
from entrepot.ecosystems.golang_names import escape, is_module_path, unescape
from entrepot.errors import (
    Absent,
    BadContent,
    BadRequest,
    ConfigError,
    EntrepotError,
    MethodRefused,
    NotServed,
    Refused,
    UnreadableIndex,
    UpstreamStatus,
)
from entrepot.model.digest import Digest
from entrepot.model.headers import Headers
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource
from tests.clients.fixture_golang import DATABASE, GOSUMDB, go_proxy, h1

UPSTREAM = "https://registry.example/base"
CASES = sorted((Path(__file__).parents[1] / "corpus" / "golang").glob("*.case"))
CHECKED = Golang({"sumdb": GOSUMDB, "nosumdb": ["corp.example/secret", "*.corp.example"]})


def route(path: str, *, ecosystem: Golang = CHECKED, header: str = "") -> Resource:
    headers = Headers([("Disable-Module-Fetch", header)] if header else [])
    return ecosystem.route(Request(method="GET", path=path, headers=headers))


def document(place: str, body: bytes, *, key: str = "") -> Document:
    return Document(body=io.BytesIO(body), content_type="", url=f"{UPSTREAM}/{place}", upstream=UPSTREAM, key=key)


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    for path, (_, body) in go_proxy().items():
        if "/lookup/" in path:
            yield CHECKED, document(path[1:], body)


# ------------------------------------------------------------------------------------------------- names and paths


@pytest.mark.parametrize(
    ("path", "kind", "about", "version"),
    [
        ("a.example/m/@v/list", Kind.INDEX, "a.example/m", ""),
        ("a.example/m/@latest", Kind.INDEX, "a.example/m", ""),
        ("a.example/m/@v/v1.2.3.info", Kind.ARTIFACT, "a.example/m", "v1.2.3"),
        ("a.example/m/@v/v1.2.3.mod", Kind.ARTIFACT, "a.example/m", "v1.2.3"),
        ("a.example/m/@v/v1.2.3.zip", Kind.ARTIFACT, "a.example/m", "v1.2.3"),
        ("a.example/m/v2/@v/v2.0.0-rc.1.zip", Kind.ARTIFACT, "a.example/m/v2", "v2.0.0-rc.1"),
        ("a.example/m/@v/v2.0.0+incompatible.zip", Kind.ARTIFACT, "a.example/m", "v2.0.0+incompatible"),
        ("a.example/m/@v/v2.0.0%2Bincompatible.zip", Kind.ARTIFACT, "a.example/m", "v2.0.0+incompatible"),
        ("a.example/m/@v/v0.0.0-20240501100000-0123456789ab.info", Kind.ARTIFACT, "a.example/m",
         "v0.0.0-20240501100000-0123456789ab"),
        ("gopkg.in/yaml.v3/@v/v3.0.1.mod", Kind.ARTIFACT, "gopkg.in/yaml.v3", "v3.0.1"),
        ("gopkg.in/check.v1/@v/v0.0.0-20161208181325-20d25e280405.mod", Kind.ARTIFACT, "gopkg.in/check.v1",
         "v0.0.0-20161208181325-20d25e280405"),
        ("golang.org/toolchain/@v/v0.0.1-go1.21.0.linux-amd64.zip", Kind.ARTIFACT, "golang.org/toolchain",
         "v0.0.1-go1.21.0.linux-amd64"),
        ("a.example/m/@v/main.info", Kind.INDEX, "a.example/m", "main"),
        ("a.example/m/@v/latest.info", Kind.INDEX, "a.example/m", "latest"),
        ("a.example/m/@v/v1.info", Kind.INDEX, "a.example/m", "v1"),
        ("a.example/m/@v/0123456789abcdef.info", Kind.INDEX, "a.example/m", "0123456789abcdef"),
        ("a.example/m/@v/v1.2.3+meta.info", Kind.INDEX, "a.example/m", "v1.2.3+meta"),
        # Upstream answers these by its tags, and may answer otherwise when a go.mod is added.
        ("a.example/m/@v/v2.0.0.info", Kind.INDEX, "a.example/m", "v2.0.0"),
        ("a.example/m/v2/@v/v1.0.0.info", Kind.INDEX, "a.example/m/v2", "v1.0.0"),
    ],
)  # fmt: skip
def test_only_canonical_versions_are_kept_for_ever(path: str, kind: Kind, about: str, version: str) -> None:
    resource = route(path)
    assert (resource.kind, resource.about, resource.version) == (kind, about, version)


@pytest.mark.parametrize("version", ["main", "v1", "latest", "0123456789ab", "v2.0.0", "v1.0.0+meta"])
@pytest.mark.parametrize("extension", ["mod", "zip"])
def test_gop_03_a_query_has_no_files(version: str, extension: str) -> None:
    with pytest.raises(NotServed, match="canonical"):
        route(f"a.example/m/@v/{version}.{extension}")


@pytest.mark.parametrize("spelling", ["!masterminds/!x", "%21masterminds/%21x", "%21%6Dasterminds/!%78"])
def test_gop_01_every_spelling_of_a_capital_is_one_key(spelling: str) -> None:
    resource = route(f"git.example/{spelling}/@v/v1.0.0-%21r!c1.zip")
    assert resource.key == resource.path == "git.example/!masterminds/!x/@v/v1.0.0-!r!c1.zip"
    assert (resource.about, resource.version) == ("git.example/Masterminds/X", "v1.0.0-RC1")


@pytest.mark.parametrize(
    "path",
    ["", "a", "a.example", "a.example/m", "a.example/m/@v", "a.example/m/@v/", "@v/list", "@latest", "nodot/m/@v/list",
     "A.example/m/@v/list", "a.example/M/@v/list", "a.example/!M/@v/list", "a.example/m!/@v/list",
     "a.example/!1/@v/list",
     "-a.example/m/@v/list", ".a.example/m/@v/list", "a.example/.m/@v/list", "a.example/m./@v/list",
     "a.example/con/@v/list", "a.example/!n!u!l.x/@v/list", "a.example/m~1/@v/list", "a.example/m+x/@v/list",
     "a.example/%C3%A9/@v/list", "a.example/m/v1/@v/list", "a.example/m/v0/@v/list", "a.example/m/v02/@v/list",
     "a.example/m/v1.2/@v/list", "gopkg.in/yaml/@v/list", "gopkg.in/yaml.v01/@v/list", "a.example/m/@v/v1.0.0.tar",
     "a.example/m/@v/v1.0.0", "a.example/m/@v/.info", "a.example/m/@v/V1.0.0.info", "a.example/m/@v/nul.info",
     "a.example/m/@v/a*b.info", "a.example/m/@v/a:b.info", "a.example/m/@v/main..info", "cached-only",
     "cached-only/cached-only/a.example/m/@v/list", "sumdb", "sumdb/sum.example", "sumdb/sum.example/other"],
)  # fmt: skip
def test_gop_01_what_go_would_never_ask_is_not_served(path: str) -> None:
    with pytest.raises((NotServed, BadRequest)):
        route(path)


@pytest.mark.parametrize("segment", ["..", "%2e%2e", "a%2fb", "a%5cb", "%00", "", "%zz"])
def test_a_path_with_two_meanings_is_a_bad_request(segment: str) -> None:
    with pytest.raises(BadRequest):
        route(f"a.example/{segment}/@v/list")


@pytest.mark.parametrize(
    "path", ["a.example", "a.example/B-_.~c/d9", "a.example/m/v2", "gopkg.in/x.v0", "gopkg.in/a/b.v2-unstable"]
)
def test_a_proper_module_path_is_served(path: str) -> None:
    assert is_module_path(path)
    assert route(f"{escape(path)}/@v/list").about == path


@given(st.text("abzABZ019.-_~/", max_size=30))
def test_gop_01_escaping_survives_a_round_trip(text: str) -> None:
    assert unescape(escape(text)) == text


def spell(text: str, choices: list[int]) -> str:
    """The text with some of its characters percent-encoded, in either case of hex."""
    forms = ["{}", "%{:02x}", "%{:02X}"]
    chosen = [forms[choices[place % len(choices)]] for place in range(len(text))]
    return "".join(
        letter if letter == "/" or form == "{}" else form.format(ord(letter))
        for letter, form in zip(text, chosen, strict=True)
    )


@given(
    st.sampled_from([path[1:] for path in go_proxy()]),
    st.lists(st.integers(0, 2), min_size=1, max_size=20),
    st.lists(st.integers(0, 2), min_size=1, max_size=20),
)
def test_all_spellings_of_a_path_name_one_resource(path: str, one: list[int], other: list[int]) -> None:
    assert route(spell(path, one)) == route(spell(path, other)) == route(path)
    assert route(path).key == path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_is_written_here(method: str) -> None:
    with pytest.raises(MethodRefused):
        CHECKED.route(Request(method=method, path="a.example/m/@v/list"))


# -------------------------------------------------------------------------------------------------- stored content


@pytest.mark.parametrize("path", ["cached-only/a.example/m/@v/v1.0.0.zip", "cached-only/sumdb/sum.example/latest"])
def test_gop_07_the_prefix_cached_only_asks_for_the_same_thing_without_contact(path: str) -> None:
    resource = route(path)
    assert resource.cached_only
    assert resource.key == path.removeprefix("cached-only/")
    assert resource.listed_in is None or resource.listed_in.cached_only


@pytest.mark.parametrize(
    ("word", "stored_only"), [("true", True), ("1", True), ("T", True), ("0", False), ("no", False)]
)
def test_gop_07_the_header_disable_module_fetch_is_read_as_go_reads_it(word: str, stored_only: bool) -> None:
    assert route("a.example/m/@v/v1.0.0.zip", header=word).cached_only is stored_only


# ---------------------------------------------------------------------------------------------- checksum database


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("supported", Kind.SIGNED),
        ("latest", Kind.SIGNED),
        ("lookup/a.example/!m@v1.0.0", Kind.SIGNED),
        ("lookup/a.example/m@v2.0.0+incompatible", Kind.SIGNED),
        ("tile/8/0/000", Kind.ARTIFACT),
        ("tile/8/0/x001/x234/067", Kind.ARTIFACT),
        ("tile/8/3/001.p/255", Kind.ARTIFACT),
        ("tile/8/data/x001/000.p/1", Kind.ARTIFACT),
    ],
)
def test_gop_08_a_checksum_database_is_passed_on_byte_for_byte(question: str, kind: Kind) -> None:
    resource = route(f"sumdb/{DATABASE}/{question}")
    assert (resource.kind, resource.path) == (kind, f"sumdb/{DATABASE}/{question}")


@pytest.mark.parametrize(
    "question",
    ["tile/8/0/0", "tile/8/0/1000", "tile/8/0/x000/001", "tile/08/0/000", "tile/31/0/000", "tile/8/64/000",
     "tile/8/-1/000", "tile/8/0/000.p/0", "tile/8/0/000.p/256", "tile/8/0/000.p/01", "tile/8/0", "tile/0/0/000",
     "tile/8/0/" + "x001/" * 7 + "000", "lookup/a.example/m", "lookup/a.example/m@main", "lookup/a.example/M@v1.0.0",
     "lookup/m@v1.0.0", "lookup/a.example/m@v1.0.0/go.mod", "supported/x", "latest/"],
)  # fmt: skip
def test_a_malformed_question_to_a_checksum_database_is_refused(question: str) -> None:
    with pytest.raises((NotServed, BadRequest)):
        route(f"sumdb/{DATABASE}/{question}")


def test_only_the_configured_checksum_database_is_passed_on() -> None:
    with pytest.raises(NotServed, match=r"other\.example"):
        route("sumdb/other.example/supported")
    assert route("sumdb/other.example/x/supported", ecosystem=Golang()).about == "other.example/x"


def test_a_download_is_listed_in_the_lookup_that_tells_its_digest() -> None:
    for extension in ("zip", "mod"):
        lookup = route(f"a.example/!m/@v/v1.0.0-!r!c1.{extension}").listed_in
        assert lookup == route(f"sumdb/{DATABASE}/lookup/a.example/!m@v1.0.0-!r!c1")
    assert not route("a.example/m/@v/v1.0.0.zip").must_be_listed
    assert route("a.example/m/@v/v1.0.0.info").listed_in is None


@pytest.mark.parametrize("module", ["corp.example/secret/part", "git.corp.example/a"])
def test_gop_08_the_name_of_a_private_module_never_reaches_a_checksum_database(module: str) -> None:
    assert route(f"{module}/@v/v1.0.0.zip").listed_in is None
    with pytest.raises(Refused, match=module):
        route(f"sumdb/{DATABASE}/lookup/{module}@v1.0.0")


@pytest.mark.parametrize("value", ["", "off"])
def test_without_a_checksum_database_nothing_is_looked_up(value: str) -> None:
    assert route("a.example/m/@v/v1.0.0.zip", ecosystem=Golang({"sumdb": value})).listed_in is None


@pytest.mark.parametrize(
    "options", [{"sumdb": 1}, {"sumdb": "../x"}, {"sumdb": "a/../b+1+x"}, {"nosumdb": "a"}, {"nosumdb": ["["]}]
)
def test_an_option_that_cannot_work_stops_the_start(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"golang: (no)?sumdb"):
        Golang(options)


# -------------------------------------------------------------------------------------------------------- documents


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_an_index_says_what_its_golden_case_says(case: Path) -> None:
    place, body, expected = case.read_text().split("----\n")
    releases = list(CHECKED.releases(document(place.strip(), body.encode())))
    lines = [
        " ".join([release.package, release.version, *rest])
        for release in releases
        for rest in (
            [[file.location.path, *map(str, file.digests)] for file in release.files]
            or [[release.published.isoformat()] if release.published else []]
        )
    ]
    assert lines == expected.splitlines()


def test_an_index_that_a_redirect_led_elsewhere_is_known_by_its_key() -> None:
    moved = document("elsewhere/123", b"v1.0.0\n", key="a.example/!m/@v/list")
    assert [release.package for release in CHECKED.releases(moved)] == ["a.example/M"]


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("a.example/m/@v/list", b"<!doctype html><title>Log in</title>"),
        ("a.example/m/@v/list", b"\xff\xfe"),
        ("a.example/m/@latest", b"<html>"),
        ("a.example/m/@latest", b"{}"),
        ("a.example/m/@latest", b'{"Version": "main"}'),
        ("a.example/m/@latest", b'{"Version": "v1.0.0", "Time": "yesterday"}'),
        ("a.example/m/@v/main.info", b'{"Version": 1}'),
        (f"sumdb/{DATABASE}/lookup/a.example/m@v1.0.0", b"<html>"),
        (f"sumdb/{DATABASE}/lookup/a.example/m@v1.0.0", b"1\na.example/m v1.0.0 h1:short\n\nx"),
        (f"sumdb/{DATABASE}/lookup/a.example/m@v1.0.0", b"1\n../m v1.0.0 h1:" + b"A" * 43 + b"=\n\nx"),
        (f"sumdb/{DATABASE}/lookup/a.example/m@v1.0.0", b"1\na.example/m v1.0.0 h1:" + b"A" * 43 + b"=\n"),
    ],
)
def test_what_is_no_index_is_never_taken_for_an_empty_one(place: str, body: bytes) -> None:
    with pytest.raises(UnreadableIndex):
        list(CHECKED.releases(document(place, body)))


@given(
    st.sampled_from(["a.example/m/@v/list", "a.example/m/@latest", "sumdb/d/lookup/a.example/m@v1.0.0"]), st.binary()
)
def test_any_bytes_are_an_index_or_an_unreadable_one(place: str, body: bytes) -> None:
    try:
        list(CHECKED.releases(document(place, body)))
    except UnreadableIndex:
        return


# ---------------------------------------------------------------------------------------------------------- digests


def check(key: str, body: bytes) -> Digest | None:
    return CHECKED.check(route(key), io.BytesIO(body), Digest("h1", ""))


def test_every_file_of_the_fixture_has_the_digest_that_its_lookup_publishes() -> None:
    files = go_proxy()
    published = {
        CHECKED.link(release.package, file): file.digests[0]
        for ecosystem, lookup in contract_samples()
        for release in ecosystem.releases(lookup)
        for file in release.files
    }
    computed = {key: check(key, files[f"/{key}"][1]) for key in published}
    assert len(computed) == 12
    assert computed == published


def test_digests_are_those_that_the_go_command_writes_into_go_sum() -> None:
    files = go_proxy()
    hello = "go.example/hello/@v/v1.1.0"
    assert str(check(f"{hello}.zip", files[f"/{hello}.zip"][1])) == "h1:8uwIbynZ3eyzw8+9O4YGz/OhV/4QmEYdBOSGAOOm1hk="
    assert str(check(f"{hello}.mod", files[f"/{hello}.mod"][1])) == "h1:7iQaQnTt3jZ3fMtTvyGahoDhWwv306NbT4xsbcp2Yco="


def test_a_digest_of_bytes_is_none_of_ours() -> None:
    assert CHECKED.check(route("a.example/m/@v/v1.0.0.zip"), io.BytesIO(b""), Digest("sha256", "")) is None


def pack(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return packed.getvalue()


ZIP = "a.example/m/@v/v1.0.0.zip"


def test_names_beyond_ascii_are_hashed_as_their_bytes_stand_in_the_archive() -> None:
    assert str(check(ZIP, pack(("é", b"x")))) == h1({"é": b"x"})
    # Without the UTF-8 flag, Python reads names as code page 437; Go takes the bytes as they are.
    unflagged = pack(("xx", b"x")).replace(b"xx", "é".encode())
    assert str(check(ZIP, unflagged)) == h1({"é": b"x"})


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", pack(("a", b"x"), ("b", b"y")).replace(b"b", b"a"), pack(("a\nb", b"x")),
     pack(("a", b"x" * 99))[:-30], pack(("a", b"x"), method=zipfile.ZIP_LZMA),
     pack(("a", b"x"), method=zipfile.ZIP_BZIP2),
     pack(("a", b"x" * 99), method=zipfile.ZIP_STORED).replace(b"x" * 99, b"y" * 99)],
    ids=["empty", "page", "twice", "newline", "cut", "lzma", "bzip2", "crc"],
)  # fmt: skip
def test_what_is_no_module_archive_is_bad_content(body: bytes) -> None:
    with pytest.raises(BadContent):
        check(ZIP, body)


def test_an_archive_that_unpacks_to_more_than_is_allowed_is_bad_content() -> None:
    archive = pack(("a", bytes(1 << 20)), ("b", bytes(2 << 20)))
    assert hash_zip(io.BytesIO(archive), ZIP, max_bytes=3 << 20) == check(ZIP, archive)
    with pytest.raises(BadContent, match="unpacks"):
        hash_zip(io.BytesIO(archive), ZIP, max_bytes=(3 << 20) - 1)


@pytest.mark.parametrize("directory", [(b"PK\x01\x02" + bytes(42)) * (MAX_MEMBERS + 1), bytes(MAX_DIRECTORY_BYTES + 1)])
def test_an_archive_with_an_absurd_directory_is_bad_content_before_it_is_parsed(directory: bytes) -> None:
    end = b"PK\x05\x06" + bytes(8) + len(directory).to_bytes(4, "little") + bytes(6)
    with pytest.raises(BadContent, match="directory"):
        check(ZIP, directory + end)


def test_a_go_mod_over_gos_limit_is_bad_content() -> None:
    with pytest.raises(BadContent, match=r"go\.mod"):
        check("a.example/m/@v/v1.0.0.mod", bytes(MAX_MOD_BYTES + 1))


@given(st.integers(0, 10**6), st.integers(1, 255), st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_archive_is_read_otherwise_or_refused(at: int, change: int, there: int, value: int) -> None:
    body = bytearray(pack(("go.mod", b"module a.example/m\n"), ("m.go", b"package m\n" * 50)))
    body[at % len(body)] ^= change
    body[there % len(body)] = value
    try:
        check(ZIP, bytes(body))
    except BadContent:
        return


# ----------------------------------------------------------------------------------------------- words and settings


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotServed("a\nb"), 404),
        (Absent("m"), 404),
        (Absent("m", gone=True), 410),
        (Refused("m"), 403),
        (UpstreamStatus("é" * 2000, 500), 502),
    ],
)
def test_a_refusal_is_one_line_that_the_go_command_shows(error: EntrepotError, status: int) -> None:
    reply = CHECKED.problem(error)
    assert reply.status == status
    assert reply.content_type.startswith("text/plain")
    assert reply.body.count(b"\n") == 1
    assert len(reply.body) <= 648
    assert reply.body.decode().rstrip("\n").isprintable()


def test_the_settings_of_go_are_read_from_its_files_and_from_what_it_prints() -> None:
    assert read_go_env("# GOPROXY=no\n\nGOPROXY=https://a.example,direct\nGOSUMDB=sum.example\n") == {
        "GOPROXY": "https://a.example,direct",
        "GOSUMDB": "sum.example",
    }
    assert read_go_env("GOPROXY='https://a.example'\nset GOSUMDB=off\n") == {
        "GOPROXY": "https://a.example",
        "GOSUMDB": "off",
    }
    assert read_go_env('{"GOPROXY": "https://a.example", "N": 1}') == {"GOPROXY": "https://a.example"}
    assert read_go_env("{broken") == {}


@pytest.mark.parametrize(
    ("goproxy", "proxies"),
    [
        ("https://a.example|http://b.example/x,direct,https://c.example", ("https://a.example", "http://b.example/x")),
        ("off", ()),
        ("direct", ()),
        ("a.example/go", ("https://a.example/go",)),
        ("https://user:word@a.example:8443/go", ("https://a.example:8443/go",)),
        ("file:///srv/go,https://a.example", ("https://a.example",)),
        ("https://[broken,https://a.example", ("https://a.example",)),
        ("", ()),
    ],
)
def test_the_proxies_of_a_list_end_where_go_goes_direct(goproxy: str, proxies: tuple[str, ...]) -> None:
    assert proxies_of(goproxy) == proxies
    assert proxy_in(f"GOPROXY={goproxy}\n") == (proxies[0] if proxies else None)


@pytest.mark.parametrize(
    ("gosumdb", "name"),
    [(GOSUMDB, DATABASE), ("sum.example https://other.example", "sum.example"), ("off", ""), ("", "")],
)
def test_the_name_of_the_checksum_database_is_read_from_gosumdb(gosumdb: str, name: str) -> None:
    assert database_name(gosumdb) == name


def test_the_default_upstream_comes_from_the_public_table() -> None:
    default = Golang.default_upstream()
    assert default
    assert default.startswith("https://")
    assert "@v" not in default


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        ((), None),
        (("v1.9.0", "v1.10.0"), "v1.10.0"),
        (("v1.9.0", "v1.10.0-rc.1"), "v1.9.0"),
        (("v1.10.0-rc.1", "v1.10.0-rc.2"), "v1.10.0-rc.2"),
        (("v1.9.0", "v2.0.0+incompatible"), "v1.9.0"),
        (("v2.0.0+incompatible", "v3.0.0+incompatible"), "v3.0.0+incompatible"),
        (("v1", "main"), None),
    ],
)
def test_the_newest_of_some_versions_is_the_one_that_go_would_take(
    versions: tuple[str, ...], newest: str | None
) -> None:
    assert Golang().newest_of(versions) == newest


@pytest.mark.parametrize(
    ("version", "listed"),
    [
        ("v1.2.0", True),
        ("v1.2.0-rc.1", True),
        ("v2.0.0+incompatible", True),
        ("v0.0.0-20260101000000-0123456789ab", False),
        ("v1.2.1-0.20260101000000-0123456789ab", False),
        ("v1.2.0-rc.1.0.20260101000000-0123456789ab", False),
        ("v2.0.1-0.20260101000000-0123456789ab+incompatible", False),
    ],
)
def test_versions_appear_in_the_list_and_untagged_commits_do_not(version: str, listed: bool) -> None:
    place = Golang().announced_in("go.example/m", version)
    assert (place.key if place else None) == ("go.example/m/@v/list" if listed else None)


def test_a_version_is_dated_by_its_own_description() -> None:
    described = Golang().dated_by("go.example/Capital", "v1.0.0")
    assert described is not None
    assert described.key == "go.example/!capital/@v/v1.0.0.info"
    assert Golang().dated_by("go.example/m", "v2.0.0") is None

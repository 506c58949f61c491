"""Plain files."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.generic import Generic
from entrepot.errors import BadRequest, ConfigError, MethodRefused, Refused, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.paths import is_segment
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource

UPSTREAM = "https://files.example/base"
CASES = sorted((Path(__file__).parents[1] / "corpus" / "generic").glob("*.case"))
SHA256 = "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"

RULES: dict[str, object] = {
    "rules": [
        {"path": r"/nightly/.*", "class": "mutable", "mutable_ttl": "1d"},
        {"path": r"/api/.*", "class": "uncacheable"},
        {"path": r".*\.tar\.gz", "class": "immutable"},
        {"path": r"/nightly/fixed\.iso", "class": "immutable"},
        {"path": r"/docs/.*", "class": "mutable", "mutable_ttl": 30},
        {"path": r"/pool/.*", "class": "immutable"},
    ]
}


def route(path: str, options: dict[str, object] | None = None, query: str = "") -> Resource:
    return Generic(options).route(Request(method="GET", path=path, query=query))


def document(place: str, body: bytes, *, key: str = "") -> Document:
    return Document(body=io.BytesIO(body), content_type="", url=f"{UPSTREAM}/{place}", upstream=UPSTREAM, key=key)


def read_case(case: Path) -> tuple[Generic, Document, str]:
    head, body, expected = case.read_text().split("\n----\n")
    template, place = head.split()
    return Generic({"side_files": [template]}), document(place, body.encode()), expected


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    for case in CASES:
        ecosystem, sums, _ = read_case(case)
        yield ecosystem, sums


# ------------------------------------------------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("path", "kind", "ttl"),
    [
        ("nightly/a.tar.gz", Kind.SIGNED, 86400),
        ("nightly/fixed.iso", Kind.SIGNED, 86400),
        ("a/b.tar.gz", Kind.ARTIFACT, None),
        ("a/b%2etar.gz", Kind.ARTIFACT, None),
        ("api/now", Kind.PASS, None),
        ("docs/a", Kind.SIGNED, 30),
        ("other", Kind.SIGNED, None),
        ("a/b.tar.gz.asc", Kind.SIGNED, None),
        ("x/nightly/a", Kind.SIGNED, None),
        ("", Kind.SIGNED, None),
    ],
)
def test_the_first_rule_that_matches_the_whole_path_decides(path: str, kind: Kind, ttl: float | None) -> None:
    resource = route(path, RULES)
    assert (resource.kind, resource.mutable_ttl) == (kind, ttl)


def test_a_listing_is_never_immutable() -> None:
    assert route("pool/a", RULES).kind is Kind.ARTIFACT
    assert route("pool/a/", RULES).kind is Kind.SIGNED
    assert route("", {"rules": [{"path": ".*", "class": "immutable"}]}).kind is Kind.SIGNED


def test_a_path_that_nothing_names_is_refused_where_the_repository_says_so() -> None:
    options = {**RULES, "unmatched": "deny", "checksums": {"/pinned": f"sha256:{SHA256}"}, "side_files": ["{dir}/SUMS"]}
    with pytest.raises(Refused, match="/other"):
        route("other", options)
    assert route("docs/a", options).kind is Kind.SIGNED
    assert route("pinned", options).kind is Kind.ARTIFACT
    assert route("a/SUMS", options).kind is Kind.SIGNED


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"rules": {}}, "rules"),
        ({"rules": ["x"]}, r"rules\[0\]"),
        ({"rules": [{"path": "(", "class": "mutable"}]}, r"rules\[0\].*RE2"),
        ({"rules": [{"path": "/a(?!b)", "class": "mutable"}]}, r"rules\[0\].*look-around"),
        ({"rules": [{"path": "/a", "class": "mutable"}, {"path": "a/.*", "class": "mutable"}]}, r"rules\[1\].*slash"),
        ({"rules": [{"class": "mutable"}]}, r"rules\[0\].*path"),
        ({"rules": [{"path": "/a"}]}, r"rules\[0\].*class"),
        ({"rules": [{"path": "/a", "class": "eternal"}]}, "immutable, mutable, uncacheable"),
        ({"rules": [{"path": "/a", "class": "mutable", "ttl": 1}]}, "unknown key 'ttl'"),
        ({"rules": [{"path": "/a", "class": "immutable", "mutable_ttl": 1}]}, "mutable_ttl"),
        ({"rules": [{"path": "/a", "class": "mutable", "mutable_ttl": "soon"}]}, "no duration"),
        ({"rules": [{"path": "/a", "class": "mutable", "mutable_ttl": True}]}, "no duration"),
        ({"rules": [{"path": "/a", "class": "mutable", "mutable_ttl": -1}]}, "no duration"),
        ({"unmatched": "maybe"}, "unmatched"),
        ({"checksums": ["a"]}, "checksums"),
        ({"checksums": {"/a": "sha256:12"}}, "'/a'"),
        ({"checksums": {"/a": "md5:d41d8cd98f00b204e9800998ecf8427e"}}, "pins nothing"),
        ({"checksums": {"/a": 1}}, "pins nothing"),
        ({"checksums": {"/[a": f"sha256:{SHA256}"}}, "glob"),
        ({"side_files": "{path}.sha256"}, "side_files"),
        ({"side_files": ["SHA256SUMS"]}, r"side_files\[0\]"),
        ({"side_files": ["{path}"]}, r"side_files\[0\]"),
        ({"side_files": ["{dir}/"]}, r"side_files\[0\]"),
        ({"side_files": ["{name}.sha256"]}, r"side_files\[0\]"),
        ({"side_files": ["{path}.{host}"]}, r"side_files\[0\]"),
        ({"side_files": ["{path!r}.sha256"]}, r"side_files\[0\]"),
        ({"side_files": ["{dir}/../SHA256SUMS"]}, "leaves the tree"),
        ({"side_files": ["/sums{path}.sha256"]}, "leaves the tree"),
        ({"side_files": ["{path}.sha256", "{dir}/SHA256SUMS"]}, "never reached"),
        ({"side_files": [{"path": "/a", "template": "{path}.x"}]}, "unknown key"),
        ({"side_files": [1]}, r"side_files\[0\]"),
        ({"groups": {}}, "groups"),
        ({"groups": [{"root": "/a"}]}, r"groups\[0\]: members = None"),
        ({"groups": [{"root": "/a", "members": "/b", "ttl": 1}]}, "unknown key 'ttl'"),
        ({"groups": [{"root": "/(a", "members": "/b"}]}, r"groups\[0\]: root: .*RE2"),
        ({"groups": [{"root": "/a", "members": "/b("}]}, r"groups\[0\]: members: .*RE2"),
        ({"groups": [{"root": "/a", "members": "/b(?!c)"}]}, "look-around"),
        ({"groups": [{"root": "a/root", "members": "/b"}]}, "paths begin with a slash"),
        ({"groups": [{"root": "/a.xml", "members": "/b"}]}, r"'\.xml' of '/a\.xml' is no plain text"),
        ({"groups": [{"root": "/(a|b)/root", "members": "/a/.*"}]}, "no plain text"),
        ({"groups": [{"root": r"/\w+/root", "members": "/a/.*"}]}, "no plain text"),
        ({"groups": [{"root": "(?P<base>.*)/root", "members": "/b"}]}, "once in braces; that is {base}"),
        ({"groups": [{"root": "(?P<base>.*)/root", "members": "{bas}/b"}]}, "once in braces; that is {base}"),
        ({"groups": [{"root": "(?P<base>.*)/root", "members": "{base}/{base}/b"}]}, "once in braces"),
        ({"groups": [{"root": "/root", "members": "{base}/b"}]}, "root has no named group"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start_and_is_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Generic(options)


@pytest.mark.parametrize(
    ("written", "seconds"), [(0, 0), ("0", 0), (1.5, 1.5), ("90s", 90), ("1.5h", 5400), ("2w", 1209600)]
)
def test_a_lifetime_is_seconds_or_a_duration(written: object, seconds: float) -> None:
    options: dict[str, object] = {"rules": [{"path": "/a", "class": "mutable", "mutable_ttl": written}]}
    assert route("a", options).mutable_ttl == seconds


# ----------------------------------------------------------------------------------------------------------- groups

RPM: dict[str, object] = {"root": r"(?P<base>.*)/repodata/repomd\.xml", "members": "{base}/repodata/.*"}
APT: dict[str, object] = {
    "root": r"(?P<base>/[^/]+)/dists/(?P<suite>[a-z()\])]+)/InRelease",
    "members": r"{base}/dists/{suite}/[\x{61}-z]{4,9}/.*\p{L}",
}


@pytest.mark.parametrize(
    ("path", "snapshot"),
    [
        ("f/41/repodata/repomd.xml", "f/41/repodata/repomd.xml"),
        ("f/41/repodata/primary.xml.gz", "f/41/repodata/repomd.xml"),
        ("f/a%20b/repodata/primary.xml.gz", "f/a%20b/repodata/repomd.xml"),
        ("repodata/primary.xml.gz", "repodata/repomd.xml"),
        ("f/repodata/", ""),
        ("f/repodata/repomdxxml", "f/repodata/repomd.xml"),
        ("f/packages/a.rpm", ""),
        ("debian/dists/stable/main/Packages", "debian/dists/stable/InRelease"),
        ("debian/dists/stable/abc/Packages", ""),
        ("debian/dists/stable/main/Packages.1", ""),
        ("debian/pool/a.deb", ""),
    ],
)
def test_a_member_tells_its_root_by_its_path(path: str, snapshot: str) -> None:
    resource = route(path, {"groups": [RPM, APT]})
    assert resource.snapshot == snapshot
    assert resource.is_root == (snapshot == path)


@pytest.mark.parametrize(
    "options",
    [
        {"rules": [{"path": r".*/primary\.xml\.gz", "class": "immutable"}]},
        {"rules": [{"path": r".*/primary\.xml\.gz", "class": "uncacheable"}]},
        {"rules": [{"path": r".*/repomd\.xml", "class": "immutable"}]},
        {"rules": [{"path": r".*/primary\.xml\.gz", "class": "mutable"}], "unmatched": "deny"},
        {"checksums": {"/f/repodata/repomd.xml": f"sha256:{SHA256}"}},
        {"side_files": ["{dir}/repomd.xml"]},
        {"side_files": ["{dir}/primary.xml.gz"]},
    ],
)
def test_only_what_changes_together_with_its_root_is_in_its_group(options: dict[str, object]) -> None:
    member = "f/repodata/primary.xml.gz"
    assert route(member, {**options, "groups": [RPM]}).snapshot == ""
    assert route(member, {"groups": [RPM]}).snapshot == "f/repodata/repomd.xml"


def test_a_path_with_a_query_is_in_no_group() -> None:
    assert route("f/repodata/primary.xml.gz", {"groups": [RPM]}, "a=1").snapshot == ""


def test_members_keep_the_lifetime_of_their_rule_for_when_their_root_is_not_stored() -> None:
    rules = [{"path": "/f/.*", "class": "mutable", "mutable_ttl": "1h"}]
    resource = route("f/repodata/primary.xml.gz", {"rules": rules, "groups": [RPM]})
    assert (resource.snapshot, resource.mutable_ttl) == ("f/repodata/repomd.xml", 3600.0)


# ---------------------------------------------------------------------------------------------------------- digests


@pytest.mark.parametrize("name", ["/a/tool.bin", "a/tool.bin", "/a/*.bin", "/?/tool.*"])
def test_a_pinned_file_has_its_digest_and_never_changes(name: str) -> None:
    options: dict[str, object] = {"checksums": {name: f"sha256:{SHA256.upper()}"}}
    resource = route("a/tool.bin", options)
    assert (resource.kind, resource.digest) == (Kind.ARTIFACT, Digest("sha256", SHA256))
    assert route("a/b/tool.bin", options).digest is None


def test_an_immutable_file_is_listed_in_its_side_file() -> None:
    options = RULES | {"side_files": ["{dir}/SHA256SUMS"]}
    resource = route("a/b%20c.tar.gz", options)
    assert resource.listed_in == route("a/SHA256SUMS", options)
    assert not resource.must_be_listed
    assert route("b.tar.gz", options).listed_in == route("SHA256SUMS", options)
    assert route("docs/a", options).listed_in is None


def test_the_first_side_file_that_applies_is_asked() -> None:
    options = RULES | {"side_files": [{"path": r"/pool/.*", "file": "{dir}/sums/{name}.md5"}, "{path}.sha256"]}
    listed = [route(path, options).listed_in for path in ("pool/x/a.bin", "a.tar.gz")]
    assert [side.key if side else None for side in listed] == ["pool/x/sums/a.bin.md5", "a.tar.gz.sha256"]


def test_a_side_file_is_asked_for_anew_also_where_a_broad_rule_makes_everything_immutable() -> None:
    options: dict[str, object] = {"rules": [{"path": ".*", "class": "immutable"}], "side_files": ["{path}.sha256"]}
    side = route("a.bin.sha256", options)
    assert (side.kind, side.listed_in) == (Kind.SIGNED, None)
    assert route("a.bin", options).listed_in == side


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_checksum_file_says_what_its_golden_case_says(case: Path) -> None:
    ecosystem, sums, expected = read_case(case)
    lines = [
        " ".join([file.location.path, *map(str, file.digests)])
        for release in ecosystem.releases(sums)
        for file in release.files
    ]
    assert lines == expected.splitlines()


def test_a_checksum_file_that_a_redirect_led_elsewhere_is_known_by_its_key() -> None:
    moved = document("objects/123", f"{SHA256}  b.bin\n".encode(), key="a/SHA256SUMS")
    releases = list(Generic({"side_files": ["{dir}/SHA256SUMS"]}).releases(moved))
    assert [release.package for release in releases] == ["a/b.bin"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>Log in</html>", b"\xff\xfe", f"{SHA256}  other.bin".encode(), b"deadbeef"]
)
def test_a_checksum_file_that_says_nothing_of_its_file_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableIndex):
        list(Generic({"side_files": ["{path}.sha256"]}).releases(document("a.bin.sha256", body)))


@given(st.text(max_size=300))
def test_any_text_is_a_checksum_file_or_an_unreadable_one(text: str) -> None:
    ecosystem = Generic({"side_files": ["{dir}/SHA256SUMS"]})
    try:
        found = list(
            ecosystem.releases(document("a/SHA256SUMS", f"{text}\n{SHA256}  {text}\n".encode(errors="replace")))
        )
    except UnreadableIndex:
        return
    for release in found:
        assert ecosystem.link(release.package, release.files[0]).startswith("a/")


# ------------------------------------------------------------------------------------------------------------ paths

characters = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\")
segments = st.text(characters, min_size=1, max_size=12).filter(is_segment)
paths = st.lists(segments, min_size=1, max_size=5)


def spell(text: str, choices: list[int]) -> str:
    """A segment with its bytes percent-encoded by choice where they need not be, in either case of hex."""
    plain = "ABCXYZabcxyz0189-._~!$&'()*+,;=:@"
    forms = [
        chr(byte) if chr(byte) in plain and choices[place % len(choices)] == 0 else
        (f"%{byte:02x}" if choices[place % len(choices)] == 1 else f"%{byte:02X}")
        for place, byte in enumerate(text.encode())
    ]  # fmt: skip
    return "".join(forms)


choices = st.lists(st.integers(0, 2), min_size=1, max_size=12)


@given(paths, choices, choices, st.sampled_from(["", "/"]))
def test_all_spellings_of_a_path_are_one_key_and_one_upstream_path(
    path: list[str], one: list[int], other: list[int], end: str
) -> None:
    first = route("/".join(spell(segment, one) for segment in path) + end)
    assert first == route("/".join(spell(segment, other) for segment in path) + end)
    assert first == route(first.key)
    assert first.path == first.key


@given(paths, paths)
def test_different_paths_have_different_keys(one: list[str], other: list[str]) -> None:
    keys = [route("/".join(spell(segment, [2]) for segment in path)).key for path in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a+b", "a%2Bb"),
        ("a%20b", "a%20b"),
        ("%7euser/%41", "~user/A"),
        ("caf%c3%a9", "caf%C3%A9"),
        ("%252e%252e/a", "%252e%252e/a"),
        ("mailto:x", "mailto%3Ax"),
        ("a%3fb%23c", "a%3Fb%23c"),
    ],
)
def test_a_path_has_one_spelling(path: str, key: str) -> None:
    assert route(path).key == key


@pytest.mark.parametrize(
    "path", ["/", "//", "/a", "a//b", "a//", "a/../b", "a/%2e%2e/b", "a/..;/b", "a%2f..%2fb", "a\\..\\b"]
)
def test_a_path_with_two_meanings_is_a_bad_request(path: str) -> None:
    with pytest.raises(BadRequest):
        route(path)


def test_a_query_is_part_of_the_key_as_it_was_written() -> None:
    resource = route("a.tar.gz", RULES | {"side_files": ["{path}.sha256"]}, query="x=%2f&y")
    assert (resource.query, resource.stored_key) == ("x=%2f&y", "a.tar.gz?x=%2f&y")
    assert resource.stored_key != route("a.tar.gz", RULES).stored_key
    for query in ("a b", "a#b", "a\n", "é"):
        with pytest.raises(BadRequest):
            route("a", query=query)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
def test_nothing_is_written_here(method: str) -> None:
    with pytest.raises(MethodRefused):
        Generic().route(Request(method=method, path="a"))

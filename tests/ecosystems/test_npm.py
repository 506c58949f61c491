"""What npm's clients ask for, and what they get. Golden documents are in tests/corpus/npm."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import View
from entrepot.ecosystems.npm import Npm, form_of
from entrepot.ecosystems.npm_clients import (
    CLIENTS,
    address_of,
    read_bunfig,
    read_npmrc,
    read_yarnrc,
    read_yarnrc_yml,
)
from entrepot.errors import BadRequest, EntrepotError, MethodRefused, NotServed, UnreadableIndex
from entrepot.model.digest import Digest, parse_sri
from entrepot.model.release import Document, Location, Release
from entrepot.model.resource import BASE, Kind, Reply, Request, Resource
from tests.clients.fixture_npm import npm_registry

CORPUS = Path(__file__).parents[1] / "corpus" / "npm"
BASE_URL = "http://proxy.example/npm"
UPSTREAM = "https://registry.example/"
ABBREVIATED = "application/vnd.npm.install-v1+json"
PACKAGES = ["left-pad", "JSONStream", "~tilde", "a", "x" * 214, "@acme/foo", "@acme/_private", "@a.b/c-d", "it's(ok)!*"]

npm = Npm()


def get(path: str, accept: str = "", method: str = "GET", query: str = "") -> Resource:
    answer = npm.route(Request(method=method, path=path, accept=accept, query=query))
    assert isinstance(answer, Resource)
    return answer


def document(body: str | bytes, url: str = "https://registry.example/tool", upstream: str = UPSTREAM) -> Document:
    raw = body.encode() if isinstance(body, str) else body
    return Document(body=io.BytesIO(raw), content_type="application/json", url=url, upstream=upstream)


def packument(name: str, **versions: object) -> str:
    return json.dumps({"name": name, "versions": {key.replace("_", "."): value for key, value in versions.items()}})


def releases(body: str, upstream: str = UPSTREAM) -> list[Release]:
    return list(npm.releases(document(body, upstream=upstream)))


def contract_samples() -> Iterator[tuple[Npm, Document]]:
    base = "https://packages.example/api/npm"
    for path, (content_type, body) in npm_registry(base).items():
        if content_type == "application/json" and "/-/" not in path:
            url = f"https://packages.example{path}"
            yield npm, Document(body=io.BytesIO(body), content_type=content_type, url=url, upstream=f"{base}/")
    yield npm, document(read_case(CORPUS / "tarballs-at-unusual-addresses.case").upstream_body)


# --- golden documents -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    path: str
    settings: dict[str, str]
    upstream_body: str
    status: int
    content_type: str
    body: str


def read_case(file: Path) -> Case:
    asked, _, seen = file.read_text().partition("\n" + "-" * 80 + "\n")
    head, _, upstream_body = asked.partition("\n\n")
    first, *settings = head.splitlines()
    status, _, content_type = seen.partition("\n\n")[0].partition(" ")
    return Case(
        path=first.removeprefix("GET "),
        settings={name: value for name, _, value in (line.partition(": ") for line in settings)},
        upstream_body=upstream_body,
        status=int(status),
        content_type=content_type,
        body=seen.partition("\n\n")[2],
    )


def answer(case: Case) -> Reply:
    """What the client gets, when the engine finds nothing to object to."""
    resource = get(case.path, case.settings.get("accept", ""))
    upstream = case.settings.get("upstream", UPSTREAM)
    source = document(case.upstream_body, url=upstream + resource.path, upstream=upstream)
    hidden = frozenset(case.settings.get("hidden", "").split())
    try:
        list(npm.releases(replace(source, body=io.BytesIO(case.upstream_body.encode()))))
        rendered = npm.render(resource, [source], View(form=resource.form, base=BASE_URL, hidden=hidden))
    except EntrepotError as error:
        return npm.problem(error)
    assert rendered is not None
    return Reply(status=200, body=rendered.body, content_type=rendered.content_type)


def in_order(text: str | bytes) -> object:
    """JSON with the order of its members, and with numbers as they are written."""
    return json.loads(text, object_pairs_hook=list, parse_float=str, parse_int=str)


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.case")), ids=lambda file: file.stem)
def test_a_client_sees_what_the_golden_case_says(file: Path) -> None:
    case = read_case(file)
    reply = answer(case)
    assert (reply.status, reply.content_type) == (case.status, case.content_type)
    assert in_order(reply.body) == in_order(case.body)


def test_a_document_whose_links_are_right_already_is_sent_as_the_same_bytes() -> None:
    body = (
        b'{"name":"tool","readme":"\\u00e9 caf\xc3\xa9 \\/","x":[1.50e2, -0,{"a" : null}],'
        b'"versions":{"1.0.0":{"n":1E400,"dist":{"shasum":"00","tarball":"http://proxy.example/npm/tool/-/tool-1.0.0.tgz"}}}}'
    )
    rendered = npm.render(get("tool"), [document(body)], View(form="full", base=BASE_URL))
    assert rendered is not None
    assert rendered.body == body


# --- names and paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["@acme/foo", "@acme%2ffoo", "@acme%2Ffoo", "%40acme%2ffoo", "%40acme/f%6fo"])
def test_every_spelling_of_a_scoped_package_is_one_thing(path: str) -> None:
    resource = get(path)
    assert (resource.key, resource.path, resource.about) == ("@acme/foo", "@acme%2ffoo", "@acme/foo")
    assert get(f"{path}/-/foo-1.0.0.tgz").key == "@acme/foo/-/foo-1.0.0.tgz"
    assert get(f"{path}/1.0.0").form == "version:1.0.0"
    assert get(f"-/package/{path}/dist-tags").about == "@acme/foo"
    assert get(f"-/npm/v1/attestations/{path}@1.0.0").path == "-/npm/v1/attestations/@acme%2ffoo@1.0.0"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_npm_ever_allowed_is_a_package(package: str) -> None:
    resource = get(package)
    assert (resource.kind, resource.key, resource.about) == (Kind.INDEX, package, package)


@pytest.mark.parametrize(
    "path",
    [
        "..", ".", "%2e%2e", "a/..", "../a", "a//b", "a/", ".hidden", "_private", "-x", "node_modules", "favicon.ico",
        "a%00", "a%0a", "a\\b", "a%5cb", "a%zz", "a%", "a b", "é", "%ff", "a%2fb", "a%252fb", "%2e%2e%2fa", "x" * 215,
        "@acme", "@acme%2f", "@acme%2f..%2ffoo", "@acme%2f%2e%2e", "@../foo", "@.acme/foo", "@/foo", "@acme/.foo",
        "a/-/..%2fb.tgz", "a/-/%2e%2e", "-/npm/v1/attestations/..@1.0.0", "-/npm/v1/attestations/a@..", "a" * 5000,
        "-/npm/v1/attestations/a", "-/npm/v1/attestations/a/b@1.0.0", "-/package/a/b/dist-tags",
    ],
)  # fmt: skip
def test_what_cannot_be_a_name_is_a_bad_request(path: str) -> None:
    with pytest.raises(BadRequest):
        npm.route(Request(method="GET", path=path))


@pytest.mark.parametrize(
    "path",
    [
        "", "a/-/b.tar.gz", "a/-/.tgz", "a/-", "a/-/b.tgz/-rev/1", "a/1.0.0/x", "a/-rev", "a/..1", "-/all",
        "-/v1/login",
        "-/npm/v1/user", "-/npm/v1/security/advisories/bulk", "-/package/a/access", "-/package/dist-tags",
        "-/files.example/a",
        f"a/{'1' * 257}", f"a/-/{'b' * 500}.tgz",
    ],
)  # fmt: skip
def test_what_is_not_on_the_closed_list_is_not_served(path: str) -> None:
    with pytest.raises(NotServed):
        npm.route(Request(method="GET", path=path))


def test_a_tarball_names_the_document_that_knows_its_digest() -> None:
    tarball = get("@acme/foo/-/foo-1.0.0.tgz", query="cache=0")
    assert tarball.kind is Kind.ARTIFACT
    assert tarball.must_be_listed
    assert tarball.path == "@acme/foo/-/foo-1.0.0.tgz"
    assert tarball.query == ""
    assert tarball.listed_in == get("@acme/foo")
    assert tarball.content_type == "application/octet-stream"


def test_all_forms_of_a_package_share_one_stored_document() -> None:
    forms = [
        get("tool", ABBREVIATED), get("tool", "application/json"), get("tool/latest"), get("-/package/tool/dist-tags"),
        get("tool", query="write=true"), get("tool", method="HEAD"),
    ]  # fmt: skip
    assert [form.form for form in forms] == ["abbreviated", "full", "version:latest", "dist-tags", "full", "full"]
    assert {(form.stored_key, form.path, form.accept) for form in forms} == {
        ("tool application/json", "tool", "application/json")
    }


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "full"),
        ("*/*", "full"),
        ("application/json", "full"),
        ("application/*", "full"),
        ("text/html, */*;q=0.8", "full"),
        ("application/json; q=1.0, */*", "full"),
        (ABBREVIATED, "abbreviated"),
        (f"{ABBREVIATED}; q=1.0, application/json; q=0.8, */*", "abbreviated"),
        (f"application/json;q=0.8,{ABBREVIATED.upper()} ; charset=utf-8; Q=0.9", "abbreviated"),
        (f"{ABBREVIATED}, application/json", "abbreviated"),
        (f"{ABBREVIATED};q=0.5, application/json", "full"),
        (f"{ABBREVIATED};q=0.5, */*", "full"),
        (f"{ABBREVIATED};q=0", "full"),
        (f"{ABBREVIATED};q=nonsense, application/json;q=0.1", "full"),
    ],
)
def test_the_form_follows_the_accept_header(accept: str, form: str) -> None:
    assert form_of(accept) == form


# --- the closed list ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "-/v1/search"),
        ("HEAD", "-/v1/search"),
        ("POST", "-/npm/v1/security/advisories/bulk"),
        ("POST", "-/npm/v1/security/audits"),
        ("POST", "-/npm/v1/security/audits/quick"),
    ],
)
def test_search_and_audit_are_passed_on(method: str, path: str) -> None:
    resource = get(path, method=method, query="text=left%20pad&size=20")
    assert (resource.kind, resource.method, resource.path) == (Kind.PASS, method, path)
    assert resource.query == "text=left%20pad&size=20"


@pytest.mark.parametrize("query", ["a b", "a\r\nx: y", "é", "x" * 4097])
def test_a_query_that_is_no_query_is_not_passed_on(query: str) -> None:
    with pytest.raises(BadRequest):
        npm.route(Request(method="GET", path="-/v1/search", query=query))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "tool"),
        ("PUT", "-/user/org.couchdb.user:me"),
        ("POST", "-/v1/login"),
        ("POST", "-/npm/v1/security/advisories/bulk/x"),
        ("POST", "-/v1/search"),
        ("DELETE", "tool/-/tool-1.0.0.tgz/-rev/1"),
        ("PUT", "-/package/tool/dist-tags/latest"),
        ("OPTIONS", "tool"),
    ],
)
def test_what_would_change_a_registry_is_refused_in_words_that_npm_prints(method: str, path: str) -> None:
    with pytest.raises(MethodRefused) as refusal:
        npm.route(Request(method=method, path=path))
    reply = npm.problem(refusal.value)
    assert (reply.status, reply.content_type) == (405, "application/json")
    assert "Entrepot does not publish" in json.loads(reply.body)["error"]


def test_ping_is_answered_here_and_there_is_nobody_to_be() -> None:
    ping, whoami = (npm.route(Request(method="GET", path=f"-/{name}")) for name in ("ping", "whoami"))
    assert isinstance(ping, Reply)
    assert isinstance(whoami, Reply)
    assert (ping.status, ping.body) == (200, b"{}")
    assert whoami.status == 401
    assert "no accounts" in json.loads(whoami.body)["error"]


def test_keys_and_attestations_reach_the_client_as_they_are() -> None:
    assert get("-/npm/v1/keys").kind is Kind.SIGNED
    attestations = get("-/npm/v1/attestations/tool@1.0.0-rc.1")
    assert (attestations.kind, attestations.about, attestations.version) == (Kind.SIGNED, "tool", "1.0.0-rc.1")


# --- what documents say ---------------------------------------------------------------------------------------------


def test_a_release_has_date_digests_and_place() -> None:
    sri = "sha512-vg4Xo7cnYVpfhbmIn5Zv6AhVaYyHNnvTz4IyVVQYK3AuOQQtZYmHOhSTY7pAgL3Gx8mO8ZVp0LqVVF6fHE0tCQ=="
    dist = {"tarball": "https://registry.example/npm/tool/-/tool-1.0.0.tgz", "integrity": sri, "shasum": "0" * 40}
    body = {"name": "tool", "versions": {"1.0.0": {"dist": dist}}, "time": {"1.0.0": "2024-12-05T00:02:50.774Z"}}
    (release,) = releases(json.dumps(body), upstream="https://registry.example/npm/")
    (file,) = release.files
    assert (release.package, release.version, release.yanked) == ("tool", "1.0.0", False)
    assert release.published == file.published == datetime(2024, 12, 5, 0, 2, 50, 774000, UTC)
    assert file.location == Location(BASE, "/npm/tool/-/tool-1.0.0.tgz")
    assert file.digests == parse_sri(sri) != ()
    assert file.size_bytes is None


def test_an_old_release_has_its_sha1() -> None:
    sha1 = "bbf102d5ae73afe2c553295e0fb02230216f65b1"
    for integrity in ({}, {"integrity": None}, {"integrity": "md9-????"}):
        dist = {"tarball": "https://registry.example/a/-/a-1.0.0.tgz", "shasum": sha1, **integrity}
        (release,) = releases(packument("a", **{"1_0_0": {"dist": dist}}))
        assert release.files[0].digests == (Digest("sha1", sha1),)


@pytest.mark.parametrize("time", [{}, {"1.0.0": "yesterday"}, {"1.0.0": 7}, {"1.0.0": None}])
def test_an_unreadable_date_is_an_unknown_date(time: dict[str, object]) -> None:
    dist = {"tarball": "https://registry.example/a/-/a-1.0.0.tgz"}
    (release,) = releases(json.dumps({"name": "a", "versions": {"1.0.0": {"dist": dist}}, "time": time}))
    assert release.published is None


def test_a_date_without_a_zone_is_utc() -> None:
    dist = {"tarball": "https://registry.example/a/-/a-1.0.0.tgz"}
    body = {"name": "a", "versions": {"1.0.0": {"dist": dist}}, "time": {"1.0.0": "2024-01-01T00:00:00"}}
    (release,) = releases(json.dumps(body))
    assert release.published == datetime(2024, 1, 1, tzinfo=UTC)


def test_tarballs_are_fetched_from_where_the_document_says() -> None:
    case = read_case(CORPUS / "tarballs-at-unusual-addresses.case")
    found = {release.version: file.location for release in releases(case.upstream_body) for file in release.files}
    assert found == {
        "1.0.0": Location(BASE, "/download/@acme/foo/1.0.0/0a1b2c?token=x%2Fy"),
        "1.1.0": Location("files.example:8443", "/any/where.tar.gz"),
        "1.2.0": Location("files.example", "/npm/@acme%2ffoo/-/foo-1.2.0-final.tgz"),
        "1.3.0": Location(BASE, "/relative/archive.tgz"),
        "1.4.0": Location(BASE, "/@acme/foo/-/@acme/foo-1.4.0.tgz"),
    }


@pytest.mark.parametrize(
    "link",
    [
        "https://registry.example/../x.tgz",
        "https://registry.example/a/./x.tgz",
        "https://registry.example/a/.%2E/x.tgz",
        "https://registry.example/a%00.tgz",
        "https://registry.example/a%0d%0ax.tgz",
        "https://registry.example/a%5cx.tgz",
        "https://registry.example/a b.tgz",
        "https://registry.example/a\nb.tgz",
        "https://registry.example\\@evil.example/x.tgz",
        "https://registry.example//evil.example/%zz",
        "https://[::1/x.tgz",
        "https://files.example:port/x.tgz",
        "ftp://registry.example/x.tgz",
        "https://registry.example/" + "x" * 5000,
        "",
    ],
)
def test_a_hostile_link_is_never_a_file(link: str) -> None:
    (release,) = releases(packument("a", **{"1_0_0": {"dist": {"tarball": link}}}))
    assert release.files == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html></html>",
        "[]",
        "{}",
        '{"name": "../../etc"}',
        '{"name": 7}',
        '{"name": "a", "versions": []}',
        '{"name": "a", "versions": {"1.0.0": null}}',
        '{"name": "a", "versions": {"1.0.0": {"dist": []}}}',
        '{"name": "a", "versions": {"1.0.0": {"dist": {"tarball": 7}}}}',
        '{"name": "a", "versions": {"1.0.0": {"dist": {"tarball": "x"}}}',
        '{"name": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"error": "not_found"}',
    ],
    ids=lambda body: body[:40],
)
def test_what_is_not_a_package_document_is_an_unreadable_index(body: str) -> None:
    with pytest.raises(UnreadableIndex):
        releases(body)
    for form in ("full", "abbreviated"):
        with pytest.raises(UnreadableIndex):
            npm.render(get("a"), [document(body)], View(form=form, base=BASE_URL))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_document_or_an_unreadable_index(body: bytes) -> None:
    for form in ("full", "abbreviated", "dist-tags", "version:1.0.0"):
        with pytest.raises(UnreadableIndex):
            npm.render(get("a"), [document(body)], View(form=form, base=BASE_URL))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_version = st.fixed_dictionaries({}, optional={"dist": _json, "scripts": _json, "name": _json})


@given(
    st.fixed_dictionaries(
        {"name": st.just("a")},
        optional={
            "versions": st.dictionaries(st.sampled_from(["1.0.0", "2.0.0", "x y", "<"]), _version | _json, max_size=3),
            "time": st.dictionaries(st.sampled_from(["1.0.0", "modified"]), _json, max_size=2) | _json,
            "dist-tags": st.dictionaries(st.text(max_size=5), st.sampled_from(["1.0.0", "2.0.0"]), max_size=3) | _json,
        },
    ),
    st.sampled_from(["full", "abbreviated", "dist-tags", "version:1.0.0"]),
    st.frozensets(st.sampled_from(["1.0.0", "2.0.0", "x y"])),
)
def test_no_document_makes_anything_but_our_own_errors(
    body: dict[str, object], form: str, hidden: frozenset[str]
) -> None:
    text = json.dumps(body)
    try:
        listed = releases(text)
        rendered = npm.render(get("a"), [document(text)], View(form=form, base=BASE_URL, hidden=hidden))
    except EntrepotError:
        return
    assert rendered is not None
    assert all(re.fullmatch(r"[A-Za-z0-9.+_-]+", release.version) for release in listed)
    if form in ("full", "abbreviated"):
        assert hidden.isdisjoint(json.loads(rendered.body).get("versions") or ())


@given(st.sampled_from(PACKAGES), st.from_regex(r"(?:/[a-zA-Z0-9@%.~-]{1,12}){1,5}(?:\?[a-z=%]{0,6})?", fullmatch=True))
def test_every_listed_file_routes_back_to_its_link(package: str, path: str) -> None:
    body = packument(package, **{"1_0_0": {"dist": {"tarball": f"https://files.example{path}"}}})
    for release in releases(body):
        if not release.files:
            continue
        (file,) = release.files
        link = npm.link(release.package, file)
        assert (get(link).key, get(link).about) == (link, package)


# --- clients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("registry=https://registry.example/", "https://registry.example/"),
        ('  registry = "https://registry.example/npm" ; ours\n', "https://registry.example/npm"),
        ("; registry=https://a.example\n#registry=https://b.example\n", None),
        ("registry=https://a.example\nregistry=https://b.example/", "https://b.example/"),
        ("@acme:registry=https://a.example\n//a.example/:_authToken=secret\n", None),
        ("registry=https://me:secret@registry.example/", "https://registry.example/"),
        ("registry=${NPM_REGISTRY}/npm", None),
        ("registry=", None),
        ("[other]\nregistry=https://a.example", None),
        ("my-registry=https://a.example", None),
        ("", None),
    ],
)
def test_an_npmrc_names_a_registry_without_its_credentials(text: str, registry: str | None) -> None:
    assert read_npmrc(text) == registry


def test_the_files_of_yarn_and_bun_name_a_registry() -> None:
    assert read_yarnrc('# yarn\nregistry "https://a.example"\n') == "https://a.example"
    assert read_yarnrc('"@acme:registry" "https://a.example"\n') is None
    assert read_yarnrc_yml('npmRegistryServer: "https://a.example/npm"\n') == "https://a.example/npm"
    assert read_yarnrc_yml("npmScopes:\n  acme:\n    npmRegistryServer: https://a.example\n") is None
    assert read_bunfig('[install]\nregistry = "https://a.example/"') == "https://a.example/"
    assert read_bunfig('[install]\nregistry = { url = "https://a.example/", token = "x" }') == "https://a.example/"
    assert read_bunfig("install = 1") is None
    assert read_bunfig("[install") is None


@pytest.mark.parametrize("text", [None, 7, "ftp://a.example", "a.example", "https://", "https://[::1", "https://$H/"])
def test_what_is_not_an_address_is_none(text: object) -> None:
    assert address_of(text) is None


def test_every_client_is_pointed_at_us_and_none_of_them_contradicts_another() -> None:
    seen: dict[str, str] = {}
    for client in CLIENTS:
        assert any("{url}" in value for value in client.variables.values())
        for name, value in client.variables.items():
            assert seen.setdefault(name, value) == value
    assert seen["npm_config_omit_lockfile_registry_resolved"] == "true"


def test_the_default_upstream_is_the_root_of_a_public_registry() -> None:
    assert re.fullmatch(r"https://[a-z.]+/", Npm.default_upstream() or "")

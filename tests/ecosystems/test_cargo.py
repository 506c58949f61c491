"""What cargo asks for, and what it gets. Golden documents are in tests/corpus/cargo."""

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import View
from entrepot.ecosystems.cargo import Cargo
from entrepot.ecosystems.cargo_clients import read_config
from entrepot.ecosystems.cargo_index import yanked
from entrepot.errors import BadRequest, ConfigError, EntrepotError, MethodRefused, NotServed, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document, Location, Release
from entrepot.model.resource import BASE, Kind, Reply, Request, Resource
from entrepot.model.selection import Extent
from tests.clients.fixture_cargo import cargo_registry

CORPUS = Path(__file__).parents[1] / "corpus" / "cargo"
BASE_URL = "http://proxy.example/cargo"
UPSTREAM = "https://registry.example/index/"
SHA = "ab" * 32

cargo = Cargo()


def get(path: str, method: str = "GET", ecosystem: Cargo = cargo) -> Resource:
    answer = ecosystem.route(Request(method=method, path=path, accept="text/plain"))
    assert isinstance(answer, Resource)
    return answer


def document(body: str | bytes, key: str = "he/ll/hello", upstream: str = UPSTREAM) -> Document:
    raw = body.encode() if isinstance(body, str) else body
    return Document(body=io.BytesIO(raw), content_type="text/plain", url=upstream + key, upstream=upstream, key=key)


def line(version: str, name: str = "hello", **more: object) -> str:
    content = {"name": name, "vers": version, "deps": [], "cksum": SHA, "features": {}, "yanked": False, **more}
    return json.dumps(content, separators=(",", ":"))


def releases(*lines: str, key: str = "he/ll/hello") -> list[Release]:
    return list(cargo.releases(document("\n".join(lines) + "\n", key)))


def contract_samples() -> Iterator[tuple[Cargo, Document]]:
    for path, (content_type, body) in cargo_registry("https://registry.example").items():
        if path.startswith("/index/"):
            key = path.removeprefix("/index/")
            url = f"https://registry.example{path}"
            yield (
                cargo,
                Document(body=io.BytesIO(body), content_type=content_type, url=url, upstream=UPSTREAM, key=key),
            )


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
        settings={name: value for name, _, value in (one.partition(": ") for one in settings)},
        upstream_body=upstream_body + "\n",
        status=int(status),
        content_type=content_type,
        body=seen.partition("\n\n")[2],
    )


def answer(case: Case) -> Reply:
    """What the client gets, when the engine finds nothing to object to."""
    options = {name: value == "true" if value in ("true", "false") else value for name, value in case.settings.items()}
    hidden = str(options.pop("hidden", "")).split()
    untold = str(options.pop("untold", "")).split()
    ecosystem = Cargo(options)
    resource = get(case.path, ecosystem=ecosystem)
    reasons = tuple((version, "it is too young") for version in hidden)
    base = BASE_URL if ecosystem.names_our_address(resource.form) else ""
    view = View(form=resource.form, base=base, hidden=frozenset(hidden + untold), reasons=reasons)
    try:
        list(ecosystem.releases(document(case.upstream_body, resource.key)))
        rendered = ecosystem.render(resource, [document(case.upstream_body, resource.key)], view)
    except EntrepotError as error:
        return ecosystem.problem(error)
    if rendered is None:
        return Reply(status=200, body=case.upstream_body.encode(), content_type="text/plain")
    return Reply(status=200, body=rendered.body, content_type=rendered.content_type)


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.case")), ids=lambda file: file.stem)
def test_a_client_sees_what_the_golden_case_says(file: Path) -> None:
    case = read_case(file)
    reply = answer(case)
    assert (reply.status, reply.content_type) == (case.status, case.content_type)
    assert reply.body.decode().rstrip("\n") == case.body.rstrip("\n")


# --- names and paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", "1/a"),
        ("ab", "2/ab"),
        ("abc", "3/a/abc"),
        ("abcd", "ab/cd/abcd"),
        ("Inflector", "in/fl/inflector"),
        ("a-b_c", "a-/b_/a-b_c"),
        ("con", "3/c/con"),
    ],
)
def test_an_index_file_is_where_cargo_looks_for_it(name: str, path: str) -> None:
    index = cargo.index_of(name)
    assert (index.key, index.path, index.about, index.kind) == (path, path, name.lower(), Kind.INDEX)
    assert get(path) == index


def test_capitals_in_the_path_of_an_index_file_make_no_difference() -> None:
    assert get("In/Fl/Inflector") == get("in/fl/inflector")


@pytest.mark.parametrize(
    "path",
    ["hello", "1/ab", "2/abc", "3/b/abc", "he/llo/hello", "xx/yy/hello", "he/ll/hello/x", "1/-", "ab/cd/abc.d", "x/y"],
)
def test_what_cannot_be_the_path_of_a_crate_is_told_so_without_asking_anyone(path: str) -> None:
    with pytest.raises(NotServed):
        get(path)


def test_a_crate_is_listed_by_its_index_file_and_located_by_the_configuration() -> None:
    crate = get(f"crates/Inflector/0.11.4/{SHA}")
    assert (crate.kind, crate.about, crate.version) == (Kind.ARTIFACT, "inflector", "0.11.4")
    assert crate.listed_in == get("in/fl/inflector")
    assert crate.located_by == get("config.json")
    assert crate.digest is None


@pytest.mark.parametrize("version", ["1.0.0+build.5", "1.0.0%2Bbuild.5"])
def test_build_metadata_has_one_key_however_it_is_spelled(version: str) -> None:
    assert get(f"crates/dash-ed/{version}/{SHA}").key == f"crates/dash-ed/1.0.0%2Bbuild.5/{SHA}"


@pytest.mark.parametrize(
    "path",
    [
        f"crates/hello/1.0.0/{SHA[:-1]}",
        f"crates/hello/1.0.0/{SHA.upper()}",
        f"crates/hello/latest/{SHA}",
        "crates/hello",
    ],
)
def test_what_names_no_crate_with_version_and_digest_is_not_served(path: str) -> None:
    with pytest.raises(NotServed):
        get(path)


def test_the_web_api_is_not_served_and_publishing_is_told_where_to_go() -> None:
    with pytest.raises(NotServed, match="no web API"):
        get("api/v1/crates")
    with pytest.raises(MethodRefused) as refusal:
        get("api/v1/crates/new", method="PUT")
    assert b"cargo publish --registry" in cargo.problem(refusal.value).body


@given(st.text(max_size=40))
def test_any_path_is_answered_or_refused(path: str) -> None:
    with contextlib.suppress(BadRequest, NotServed):
        get(path)


# --- what an index says ---------------------------------------------------------------------------------------------


def test_a_line_tells_digest_and_date_but_no_place() -> None:
    [release] = releases(line("1.2.3", name="Hello", pubtime="2024-05-01T10:00:00Z", yanked=True))
    [file] = release.files
    assert (release.package, release.version, release.yanked) == ("hello", "1.2.3", True)
    assert release.published == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert (file.name, file.digests) == ("Hello-1.2.3.crate", (Digest("sha256", SHA),))
    assert file.location == Location(BASE, "")
    assert cargo.link("hello", file) == f"crates/Hello/1.2.3/{SHA}"


@pytest.mark.parametrize("pubtime", [None, "", "2024-05-01", "2024-05-01T10:00:00+00:00", "2024-13-01T10:00:00Z"])
def test_a_date_that_cannot_be_read_is_none(pubtime: str | None) -> None:
    [release] = releases(line("1.0.0", pubtime=pubtime))
    assert release.published is None


@pytest.mark.parametrize(
    "odd",
    [
        "<html>",
        "{}",
        "[1]",
        line("1.0.1", name="other"),
        line("1.0.1", cksum="00"),
        line("../1", cksum=SHA),
        line("", cksum=SHA),
        f'{{"name":"hello","vers":1,"cksum":"{SHA}"}}',
        "",
        "\ud800".encode(errors="replace").decode() + "{" * 2000,
    ],
)
def test_a_line_that_describes_no_version_of_the_crate_is_passed_over(odd: str) -> None:
    assert [release.version for release in releases(line("1.0.0"), odd, line("1.0.2"))] == ["1.0.0", "1.0.2"]
    with pytest.raises(UnreadableIndex):
        releases(odd)


# --- where crates are -----------------------------------------------------------------------------------------------


def located(dl: object, name: str = "Hello", version: str = "1.0.0+b") -> Location:
    config = document(json.dumps({"dl": dl, "api": "https://registry.example"}), "config.json")
    return cargo.locate(get(f"crates/{name}/{version}/{SHA}"), config)


@pytest.mark.parametrize(
    ("dl", "place"),
    [
        ("https://registry.example/api", Location(BASE, "/api/Hello/1.0.0+b/download")),
        ("https://files.example", Location("files.example", "/Hello/1.0.0+b/download")),
        ("https://files.example:8443/x", Location("files.example:8443", "/x/Hello/1.0.0+b/download")),
        ("https://files.example/{crate}-{version}.crate", Location("files.example", "/Hello-1.0.0+b.crate")),
        ("https://files.example/{prefix}/{crate}", Location("files.example", "/He/ll/Hello")),
        ("https://files.example/{lowerprefix}/{crate}", Location("files.example", "/he/ll/Hello")),
        ("https://files.example/{sha256-checksum}", Location("files.example", f"/{SHA}")),
        ("https://files.example/get?c={crate}", Location("files.example", "/get?c=Hello")),
    ],
)
def test_crates_are_where_the_template_says(dl: str, place: Location) -> None:
    assert located(dl) == place


@pytest.mark.parametrize(
    "dl",
    [
        "http://files.example/x",
        "ftp://files.example/x",
        "https://me:secret@files.example/x",
        "/api/v1",
        "https:///x",
        "https://files.example/../{crate}",
        "https://files.example/a b/{crate}",
        "https://files.example/%2e%2e/{crate}",
        "https://files.example:port/x",
        "",
        None,
        7,
    ],
)
def test_a_template_that_leads_elsewhere_is_unreadable(dl: object) -> None:
    with pytest.raises(UnreadableIndex):
        located(dl)


def test_a_login_page_is_no_configuration_of_a_registry() -> None:
    with pytest.raises(UnreadableIndex):
        list(cargo.releases(document("<html>", "config.json")))


# --- versions that are hidden ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "marked"),
    [
        (b'{"vers":"1","yanked":false}', b'{"vers":"1","yanked":true}'),
        (b'{"yanked" : false, "x": [1.0]}', b'{"yanked":true, "x": [1.0]}'),
        (b'{"yanked":true}', b'{"yanked":true}'),
        (b'{"t":"\\"yanked\\":false","yanked":false}', b'{"t":"\\"yanked\\":false","yanked":true}'),
        (b'{"x":{"yanked":false},"yanked":false}', None),
        (b'{"x":{"yanked":false}}', None),
        (b'{"yanked":null}', None),
        (b"{}", None),
        # What no parser takes is not shown, and costs no other version.
        (b'{"yanked":false,"x":"\xff"}', None),
        (b'{"yanked":false,"x":1e999}', None),
        (b'{"yanked":false,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
    ],
)
def test_a_line_is_yanked_by_this_one_word_or_not_at_all(raw: bytes, marked: bytes | None) -> None:
    assert yanked(raw) == marked


@pytest.mark.parametrize("v", [None, 1, 2])
def test_a_line_need_not_name_its_format(v: int | None) -> None:
    assert [release.version for release in releases(line("1.0.0", v=v))] == ["1.0.0"]


# --- options, purls, clients ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"auth_required": "yes"}, {"refused": "hidden"}, {"refused": 1}])
def test_an_option_with_a_value_that_does_not_fit_stops_the_start(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"expected"):
        Cargo(options)


def test_a_purl_keeps_the_capitals_that_the_registry_knows() -> None:
    crate = get(f"crates/Inflector/0.11.4/{SHA}")
    assert str(cargo.purl_of(crate, crate.version)) == "pkg:cargo/Inflector@0.11.4"
    assert cargo.billed_as(crate) == "Inflector-0.11.4.crate"
    assert cargo.billed_as(get("in/fl/inflector")) == ""
    assert cargo.package_of("", "Inflector") == crate.about


@pytest.mark.parametrize(
    ("purl", "wanted"),
    [
        ("pkg:cargo/serde@1.0.1", ("1.0.1", "")),
        ("pkg:cargo/serde@1.0.1%2Bb", ("1.0.1+b", "")),
        ("pkg:cargo/serde@^1.2", ("", "^1.2")),
        ("pkg:cargo/serde@1.*", ("", "1.*")),
        ("pkg:cargo/serde@>=1,<3", ("", ">=1,<3")),
        ("pkg:cargo/serde@>=1,!=1.5.0", ("", ">=1,!=1.5.0")),
        ("pkg:cargo/serde", ("", "")),
    ],
)
def test_a_purl_names_a_version_or_a_requirement(purl: str, wanted: tuple[str, str]) -> None:
    selection = cargo.select(parse_purl(purl), Extent())
    assert (selection.version, selection.within) == wanted


@pytest.mark.parametrize("purl", ["pkg:cargo/serde@>>1", "pkg:cargo/a.b", "pkg:cargo/name/space"])
def test_a_purl_that_means_nothing_here_is_refused(purl: str) -> None:
    with pytest.raises(BadRequest):
        cargo.select(parse_purl(purl), Extent())


def test_the_default_upstream_is_an_index_beside_the_registry() -> None:
    upstream = cargo.default_upstream()
    assert upstream is not None
    assert upstream.startswith("https://index.")


REPLACED = '[source.crates-io]\nreplace-with = "a"\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (REPLACED + '[source.a]\nregistry = "sparse+https://gate.example/crates/"\n', "https://gate.example/crates/"),
        (REPLACED + '[registries.a]\nindex = "sparse+https://gate.example/c/"\n', "https://gate.example/c/"),
        (
            REPLACED + '[source.a]\nreplace-with = "b"\nregistry = "sparse+https://first.example/"\n'
            '[source.b]\nregistry = "sparse+https://second.example/"\n',
            "https://second.example/",
        ),
        (REPLACED + '[source.a]\nregistry = "sparse+https://me:pw@gate.example/"\n', "https://gate.example/"),
        (REPLACED + '[source.a]\nregistry = "https://gate.example/git-index"\n', None),
        (REPLACED + '[source.a]\ndirectory = "vendor"\n', None),
        (REPLACED + '[source.a]\nreplace-with = "crates-io"\n', None),
        ('[registries.mine]\nindex = "sparse+https://mine.example/"\n', None),
        ("[build]\njobs = 1\n", None),
        ("not toml", None),
        ("", None),
    ],
)
def test_the_configuration_of_cargo_tells_what_replaces_the_default_registry(text: str, found: str | None) -> None:
    assert read_config(text) == found

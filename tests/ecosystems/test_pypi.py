import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from entrepot.contracts.ecosystem import Client, Ecosystem, View
from entrepot.ecosystems.pypi import LEGACY, Pypi
from entrepot.ecosystems.pypi_clients import CLIENTS, LOCKFILES
from entrepot.ecosystems.pypi_forms import ASK_JSON, HTML, JSON, choose_form
from entrepot.ecosystems.pypi_html import read_html, write_html
from entrepot.ecosystems.pypi_names import version_of
from entrepot.ecosystems.pypi_pages import ListedFile, Meta, Page, Status
from entrepot.ecosystems.pypi_places import Places
from entrepot.errors import BadRequest, EntrepotError, MethodRefused, NotServed, UnreadableIndex, UpstreamBusy
from entrepot.model.digest import Digest
from entrepot.model.release import Document, Location, Release
from entrepot.model.resource import BASE, Kind, Reply, Request, Resource
from tests.clients.fixture_pypi import distributions, pypi_index

CORPUS = Path(__file__).parent.parent / "corpus" / "pypi"
UPSTREAM = "https://index.example/simple/"
PYPI = Pypi()


def ask(path: str, accept: str = JSON, query: str = "", method: str = "GET") -> Resource | Reply:
    return PYPI.route(Request(method=method, path=path, accept=accept, query=query))


def resource(path: str, accept: str = JSON, query: str = "") -> Resource:
    answer = ask(path, accept, query)
    assert isinstance(answer, Resource)
    return answer


def reply(path: str, accept: str = JSON, query: str = "") -> Reply:
    answer = ask(path, accept, query)
    assert isinstance(answer, Reply)
    return answer


def document(body: bytes, content_type: str = JSON, url: str = f"{UPSTREAM}demo/", key: str = "") -> Document:
    return Document(body=io.BytesIO(body), content_type=content_type, url=url, upstream=UPSTREAM, key=key)


def page_of(*files: dict[str, object], **more: object) -> bytes:
    return msgspec.json.encode({"meta": {"api-version": "1.4"}, "name": "demo", "files": list(files), **more})


def listed(filename: str, **more: object) -> dict[str, object]:
    return {"filename": filename, "url": f"https://files.example/p/{filename}", "hashes": {}, **more}


def releases(body: bytes, **more: str) -> list[Release]:
    return list(PYPI.releases(document(body, **more)))


# ------------------------------------------------------------------------------------------------- golden cases


def golden(case: str) -> tuple[dict[str, str], bytes, str]:
    """The fields of a case, the bytes of upstream, and what the client must see."""
    given_text, _, wanted = (CORPUS / case).read_text().partition("--------\n")
    head, _, body = given_text.partition("\n\n")
    first, *lines = head.splitlines()
    fields = dict(line.split(": ", 1) for line in lines)
    return fields | {"path": first.removeprefix("GET ")}, body.lstrip("\n").encode(), wanted


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    """The golden cases that are readable lists of projects' files."""
    for path in sorted(CORPUS.glob("*.txt")):
        fields, body, _ = golden(path.name)
        key = resource(fields["path"], fields["accept"]).key
        given = Document(
            body=io.BytesIO(body),
            content_type=fields["content-type"],
            url=fields["url"],
            upstream=fields["upstream"],
            key=key,
        )
        with contextlib.suppress(UnreadableIndex):
            list(PYPI.releases(given))
            given.body.seek(0)
            yield PYPI, given


def seen_by_client(case: str) -> str:
    fields, body, _ = golden(case)
    wanted = resource(fields["path"], fields["accept"])
    base = "http://proxy.example/pypi" if PYPI.names_our_address(wanted.form) else fields.get("base", "")
    view = View(form=wanted.form, base=base, hidden=frozenset(fields.get("hidden", "").split()))
    source = Document(
        body=io.BytesIO(body),
        content_type=fields["content-type"],
        url=fields["url"],
        upstream=fields["upstream"],
        key=wanted.key,
    )
    try:
        rendered = PYPI.render(wanted, [source], view)
    except EntrepotError as error:
        return f"{type(error).__name__}\n"
    assert rendered is not None
    text = msgspec.json.format(rendered.body, indent=2) if "json" in rendered.content_type else rendered.body
    return f"content-type: {rendered.content_type}\n\n{text.decode().rstrip()}\n"


@pytest.mark.parametrize("case", sorted(path.name for path in CORPUS.glob("*.txt")))
def test_a_client_sees_what_the_golden_case_says(case: str) -> None:
    assert seen_by_client(case) == golden(case)[2]


# ------------------------------------------------------------------------------------------------------- routes


def test_a_project_page_is_an_index_whose_forms_share_one_stored_document() -> None:
    json, html = resource("simple/demo/", JSON), resource("simple/demo/", "text/html")
    assert (json.kind, json.path, json.about, json.form, html.form) == (Kind.INDEX, "demo/", "demo", "json", "html")
    assert json.stored_key == html.stored_key
    assert json.accept == ASK_JSON


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("simple", "simple/"),
        ("simple/demo", "demo/"),
        ("simple/My_Project.x", "my-project-x/"),
        ("simple/My_Project.x/", "../my-project-x/"),
        ("simple/fl%61sk/", "../flask/"),
        ("simple/a--b/", "../a-b/"),
    ],
)
def test_other_spellings_of_a_project_are_redirected_without_asking_upstream(path: str, target: str) -> None:
    answer = reply(path)
    assert (answer.status, dict(answer.headers)["location"]) == (301, target)
    # Wherever we are mounted, the client lands on a path that we serve.
    landed = urlsplit(urljoin(f"http://proxy.example/~s/pypi/{path}", target)).path
    assert isinstance(ask(landed.removeprefix("/~s/pypi/")), Resource)


def test_a_redirect_keeps_the_query() -> None:
    assert dict(reply("simple/Demo/", query="format=text/html").headers)["location"] == "../demo/?format=text/html"


def test_the_list_of_all_names_is_passed_on_in_the_representation_that_was_asked_for() -> None:
    json, html = resource("simple/", JSON), resource("simple/", "text/html")
    assert (json.kind, json.path, json.key) == (Kind.SIGNED, "", "simple/")
    assert json.stored_key != html.stored_key


def test_a_file_of_the_upstreams_own_origin_is_listed_in_its_projects_index() -> None:
    file = resource("files/Demo/packages/aa/demo-1.0-py3-none-any.whl")
    assert (file.kind, file.origin, file.path) == (Kind.ARTIFACT, BASE, "/packages/aa/demo-1.0-py3-none-any.whl")
    assert (file.key, file.about, file.version) == ("files/demo" + file.path, "demo", "1.0")
    index = resource("simple/demo/")
    assert file.must_be_listed
    assert file.listed_in is not None
    assert file.listed_in.stored_key == index.stored_key


def test_a_file_of_a_learned_host_says_which_host() -> None:
    file = resource("-/Files.example%3A8443/demo/p/demo-1.0.tar.gz.metadata")
    assert (file.origin, file.path, file.version) == ("files.example:8443", "/p/demo-1.0.tar.gz.metadata", "1.0")
    assert file.key == "-/files.example:8443/demo/p/demo-1.0.tar.gz.metadata"
    assert resource("-/files.example:443/demo/p/x").key == "-/files.example/demo/p/x"


def test_the_spellings_that_clients_make_of_a_link_are_one_file() -> None:
    spellings = [
        "demo-1.0+cu118.tar.gz",
        "demo-1.0%2Bcu118.tar.gz",
        "demo-1.0%2bcu118.tar.gz",
        "d%65mo-1.0+cu118.tar.gz",
    ]
    found = {(file.key, file.path) for file in (resource(f"files/demo/p/{name}") for name in spellings)}
    assert found == {("files/demo/p/demo-1.0%2Bcu118.tar.gz", "/p/demo-1.0%2Bcu118.tar.gz")}


def test_the_older_json_api_is_looked_for_beside_the_simple_index() -> None:
    whole, one = resource("pypi/Demo/json"), resource("pypi/demo/1.0/json")
    assert (whole.kind, whole.form, whole.key) == (Kind.INDEX, LEGACY, "pypi/demo/json")
    assert urljoin(UPSTREAM, whole.path) == "https://index.example/pypi/demo/json"
    assert urljoin(UPSTREAM, one.path) == "https://index.example/pypi/demo/1.0/json"


def test_only_the_older_json_api_names_our_address() -> None:
    assert [form for form in ("json", "html", "v1-html", LEGACY) if PYPI.names_our_address(form)] == [LEGACY]


@pytest.mark.parametrize(
    "path",
    ["", "demo/", "simple/demo/1.0/", "files/demo", "files/demo/", "pypi/demo", "pypi/demo/xml", "-/h/demo", "x/y"],
)
def test_other_paths_are_not_served(path: str) -> None:
    with pytest.raises(NotServed):
        ask(path)


@pytest.mark.parametrize("name", ["-demo", "demo-", "de mo", "dé", "de%20mo", ".", "a" * 300, "demo!"])
def test_what_is_no_name_of_a_project_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        ask(f"simple/{name}/")


@pytest.mark.parametrize("host", ["ho st", "-h", "h/..", "[::1]", "h:0", "h:99999", "user@h", "h:443:1", "%5B%5D"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(BadRequest):
        ask(f"-/{quote(host, safe='%')}/demo/x.whl")


DOTS = st.sampled_from(
    ["..", ".", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%00", "%2e%2e%2f", "..%5c", "..\\", "%c0%ae", ""]
)
ROUTES = st.sampled_from(["simple", "files/demo", "files/demo/p", "-/files.example/demo", "-", "pypi", "pypi/demo", ""])


@given(route=ROUTES, dots=st.lists(DOTS, min_size=1, max_size=4), tail=st.sampled_from(["x.whl", "json", "demo/"]))
def test_a_path_that_climbs_is_never_routed(route: str, dots: list[str], tail: str) -> None:
    with pytest.raises((BadRequest, NotServed)):
        ask("/".join([route, *dots, tail]))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_uploads_are_refused_in_words(method: str) -> None:
    with pytest.raises(MethodRefused) as raised:
        ask("simple/", method=method)
    answer = PYPI.problem(raised.value)
    assert answer.status == 405
    assert b"takes no uploads" in answer.body
    assert dict(answer.headers) == {"allow": "GET, HEAD"}


def test_a_problem_is_written_in_the_form_that_uv_shows() -> None:
    answer = PYPI.problem(UpstreamBusy("https://index.example", 12, "too many requests"))
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert msgspec.json.decode(answer.body) == {
        "title": "upstream-busy",
        "status": 503,
        "detail": "https://index.example: too many requests; next try in 12 s",
    }


# --------------------------------------------------------------------------------------------------------- forms

PIP_ACCEPT = f"{JSON}, {HTML}; q=0.1, text/html; q=0.01"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PIP_ACCEPT, "json"),
        (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", "json"),  # uv
        (f"{JSON}, */*;q=0.1", "json"),  # Poetry
        ("application/vnd.pypi.simple.latest+json", "json"),
        ("text/html", "html"),  # pip before 22.2
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),  # a browser
        ("*/*", "html"),  # curl
        ("", "html"),
        (HTML, "v1-html"),
        (f"{JSON};q=0.5, text/html;q=0.5", "json"),
        (f"{JSON};q=0.4, text/html;q=0.5", "html"),
        (f"{JSON};q=0, */*", "html"),
        ("application/*", "json"),
        (f"{JSON};q=nonsense, text/html;q=0.1", "html"),
        (f"{JSON};q=7", None),
        ("application/json", None),
        ("text/html;q=0", None),
        ("application/vnd.pypi.simple.v2+json", None),
    ],
)
def test_the_form_is_negotiated(accept: str, form: str | None) -> None:
    assert choose_form(accept, "") == form


def test_the_format_parameter_wins_over_accept() -> None:
    assert resource("simple/demo/", "text/html", "format=application/vnd.pypi.simple.v1+json").form == "json"
    assert resource("simple/demo/", JSON, "format=application%2Fvnd.pypi.simple.v1%2Bhtml").form == "v1-html"
    assert reply("simple/demo/", JSON, "format=text/plain").status == 406


@pytest.mark.parametrize("path", ["simple/", "simple/demo/"])
def test_what_no_form_satisfies_is_not_acceptable(path: str) -> None:
    answer = reply(path, "image/png")
    assert answer.status == 406
    assert JSON.encode() in answer.body


# ------------------------------------------------------------------------------------------------------ releases

SHA = {name: Digest("sha256", name * 64) for name in "abcd"}


def test_a_release_has_the_files_of_its_version_with_their_digests_dates_and_side_files() -> None:
    body = page_of(
        listed(
            "demo-1.0-py3-none-any.whl",
            hashes={"md5": "1" * 32, "sha256": "A" * 64, "blake2b": "x"},
            **{"core-metadata": {"sha256": "b" * 64}, "upload-time": "2024-01-02T03:04:05Z"},
            size=7,
            provenance="https://index.example/integrity/demo/provenance",
        ),
        listed("demo-1.0.tar.gz", **{"core-metadata": True, "gpg-sig": True}),
        listed("Demo-2.0.zip", **{"dist-info-metadata": False}),
    )
    first, second = releases(body)
    assert [(file.name, file.digests) for file in first.files] == [
        ("demo-1.0-py3-none-any.whl", (SHA["a"], Digest("md5", "1" * 32))),
        ("demo-1.0-py3-none-any.whl.metadata", (SHA["b"],)),
        ("demo-1.0-py3-none-any.whl.provenance", ()),
        ("demo-1.0.tar.gz", ()),
        ("demo-1.0.tar.gz.metadata", ()),
        ("demo-1.0.tar.gz.asc", ()),
    ]
    wheel, sidecar, provenance, *_ = first.files
    assert (wheel.size_bytes, sidecar.size_bytes) == (7, None)
    assert wheel.published is not None
    assert wheel.published.isoformat() == "2024-01-02T03:04:05+00:00"
    assert sidecar.published == wheel.published
    assert sidecar.location == Location("files.example", wheel.location.path + ".metadata")
    assert provenance.location == Location(BASE, "/integrity/demo/provenance")
    assert (first.version, second.version, second.package) == ("1.0", "2.0", "demo")
    assert first.files[3].published is None


def test_a_release_is_yanked_only_when_all_its_files_are() -> None:
    body = page_of(
        listed("demo-1.0.tar.gz", yanked=True),
        listed("demo-1.0.zip", yanked="why not"),
        listed("demo-2.0.tar.gz", yanked=True),
        listed("demo-2.0.zip", yanked=False),
    )
    assert {one.version: one.yanked for one in releases(body)} == {"1.0": True, "2.0": False}


def test_files_that_are_never_fetched_are_in_no_release() -> None:
    body = page_of(listed("demo-1.0.tar.gz") | {"url": "http://elsewhere.example/demo-1.0.tar.gz"})
    assert releases(body) == []


@pytest.mark.parametrize(
    ("url", "key", "content_type"),
    [
        ("https://index.example/simple/demo/", "", "text/html"),
        ("https://index.example/root/+simple/demo/", "", "text/html"),
        ("https://cdn.example/x/page.html", "simple/demo/", "text/html"),
        ("https://index.example/simple/demo", "", "application/octet-stream"),
    ],
)
def test_the_project_of_an_html_page_is_told_by_its_place(url: str, key: str, content_type: str) -> None:
    body = b'<a href="https://files.example/demo-1.0.tar.gz">demo-1.0.tar.gz</a>'
    (found,) = releases(body, url=url, key=key, content_type=content_type)
    assert (found.package, found.version) == ("demo", "1.0")


def test_the_older_json_api_tells_releases_too() -> None:
    path = "pypi/acme-core/json"
    _, body = pypi_index("https://index.example")[f"/{path}"]
    found = releases(body, url=f"https://index.example/{path}", content_type="application/json")
    assert [(one.version, one.yanked, len(one.files)) for one in found] == [
        ("1.0", False, 1),
        ("1.1", False, 1),
        ("1.2", True, 1),
    ]


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("my_demo-1.0-py3-none-any.whl", "1.0"),
        ("my_demo-1.0.0-1-cp311-cp311-linux_x86_64.whl.metadata", "1.0.0"),
        ("my-demo-1.0.tar.gz", "1.0"),
        ("My.Demo-1.0rc1.zip.asc", "1.0rc1"),
        ("my-demo-1.0-1.tar.gz", "1.0.post1"),
        ("my-demo-1.0-beta2.tar.bz2", "1.0b2"),
        ("my_demo-1.0-py2.7.egg", "1.0"),
        ("my-demo-1.0+local.1.tar.gz", "1.0+local.1"),
        ("my-demo-latest.tar.gz", ""),
        ("other-1.0.tar.gz", ""),
        ("my-demo-1.0.win32-py2.7.exe", ""),
        ("my_demo-1.0.whl", ""),
        ("noise", ""),
        ("", ""),
    ],
)
def test_the_version_is_read_from_the_name_of_a_file(filename: str, version: str) -> None:
    assert version_of(filename, "my-demo") == version


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"meta": {}, "name": "demo", "files": []}',
        b'{"meta": {"api-version": "1.0"}, "name": "demo", "files": [{"filename": 1}]}',
        b'{"meta": {"api-version": "1.0"}, "name": "demo", "files": [], "x": ' + b"[" * 100_000,
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("content_type", [JSON, "application/json", "text/html", "", "image/png"])
def test_an_unreadable_index_is_called_so(body: bytes, content_type: str) -> None:
    with pytest.raises(UnreadableIndex):
        releases(body, content_type=content_type)


@given(body=st.binary(max_size=300), content_type=st.sampled_from([JSON, "text/html", "", "text/html; charset=no"]))
@example(body=b"<a href='http://[/x.whl'>x</a>", content_type="text/html")
@example(body=b"<base href='http://['><a href='x.whl'>x</a>", content_type="text/html")
def test_no_input_makes_the_reader_fail_otherwise(body: bytes, content_type: str) -> None:
    try:
        releases(body, content_type=content_type)
    except UnreadableIndex:
        return


def test_the_index_of_nobody_can_be_read_by_nobody() -> None:
    with pytest.raises(UnreadableIndex):
        releases(page_of(), url="https://index.example/!/")


def test_a_broken_description_in_the_older_json_api_is_unreadable() -> None:
    with pytest.raises(UnreadableIndex):
        releases(b'{"info": {}}', key="pypi/demo/json")


def test_what_is_hidden_is_not_in_the_older_json_api_either() -> None:
    files = [listed("demo-1.0.tar.gz"), listed("demo-1.0.zip"), listed("demo-2.0.zip"), listed("demo-3.0.zip")]
    wanted = resource("pypi/demo/3.0/json")
    view = View(form=LEGACY, base="http://proxy.example/pypi", hidden=frozenset({"demo-1.0.zip", "2.0"}))
    rendered = PYPI.render(wanted, [document(msgspec.json.encode({"urls": files}), "application/json")], view)
    assert rendered is not None
    assert [file["url"] for file in msgspec.json.decode(rendered.body)["urls"]] == [
        f"http://proxy.example/pypi/-/files.example/demo/p/{name}" for name in ("demo-1.0.tar.gz", "demo-3.0.zip")
    ]


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("x.whl", Location(BASE, "/simple/demo/x.whl")),
        ("./x.whl", Location(BASE, "/simple/demo/x.whl")),
        ("a/../x.whl", Location(BASE, "/simple/demo/x.whl")),
        ("../../../../x.whl", Location(BASE, "/x.whl")),
        ("/x.whl#sha256=1", Location(BASE, "/x.whl")),
        ("//files.example/x.whl", Location("files.example", "/x.whl")),
        ("HTTPS://Index.Example:443/x.whl", Location(BASE, "/x.whl")),
        ("https://index.example:444/x.whl", Location("index.example:444", "/x.whl")),
        ("http://index.example/x.whl", None),
        ("javascript:x.whl", None),
        ("https:x.whl", None),
        ("https:///x.whl", None),
        ("///files.example/x.whl", None),
        ("https://index.example@evil.example/x.whl", None),
        ("https://evil.example\\@index.example/x.whl", None),
        ("https://files.example", None),
        ("https://files.example/x.whl?a b", None),
        ("directory/", None),
        ("", None),
    ],
)
def test_a_link_is_resolved_against_its_page_or_never_fetched(url: str, location: Location | None) -> None:
    assert Places(f"{UPSTREAM}demo/", UPSTREAM).find(url) == location


# --------------------------------------------------------------------------------------------------- properties

SEGMENT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\%"), min_size=1, max_size=12)
PATH = st.lists(SEGMENT.filter(lambda text: text not in (".", "..")), min_size=1, max_size=4)
HOST = st.sampled_from(["https://index.example", "https://files.example", "https://files.example:8443", "", "../.."])


def spelled(segment: str, how: int) -> str:
    """One of the ways to write a segment: as little quoted as a URL allows, as pip does it, or wholly quoted."""
    if how == 2:
        return "".join(f"%{byte:02x}" for byte in segment.encode())
    return quote(segment, safe="" if how else "!$&'()*+,;=:@")


@given(host=HOST, path=PATH, how=st.integers(0, 2), query=st.sampled_from(["", "?sig=a%2Fb&x=1"]), side=st.booleans())
def test_every_listed_file_is_routed_to_the_key_of_its_link(
    host: str, path: list[str], how: int, query: str, side: bool
) -> None:
    url = "/".join([host, *(spelled(segment, how) for segment in path)]) + query
    body = page_of(listed("demo-1.0.tar.gz", **{"core-metadata": side}) | {"url": url})
    files = [file for one in releases(body) for file in one.files]
    assert len(files) == 1 + side
    for file in files:
        link = PYPI.link("demo", file)
        routed = resource(link)
        assert routed.key == link
        assert Location(routed.origin, routed.path) == file.location
        assert resource(routed.key) == routed


@given(path=PATH, first=st.integers(0, 2), second=st.integers(0, 2))
def test_two_spellings_with_one_key_have_one_upstream_path(path: list[str], first: int, second: int) -> None:
    one, other = (resource("files/demo/" + "/".join(spelled(part, how) for part in path)) for how in (first, second))
    assert (one.key, one.path) == (other.key, other.path)


@given(one=PATH, other=PATH, how=st.integers(0, 2))
def test_different_files_have_different_keys(one: list[str], other: list[str], how: int) -> None:
    assume(one != other)
    keys = {resource("files/demo/" + "/".join(spelled(part, how) for part in path)).key for path in (one, other)}
    assert len(keys) == 2


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
WORD = st.text(st.characters(categories=["Ll", "Nd"], max_codepoint=127), min_size=1, max_size=8)
HEX = st.sampled_from([name * 64 for name in "abcdef"])


@st.composite
def listed_files(draw: st.DrawFn) -> ListedFile:
    filename = f"demo-{draw(WORD)}.tar.gz"
    return ListedFile(
        filename=filename,
        url=f"../../files/demo/{filename}",
        hashes=draw(st.sampled_from([{}, {"sha256": "a" * 64}, {"sha512": "b" * 128}])),
        requires_python=draw(st.none() | TEXT),
        core_metadata=draw(st.none() | st.just(True) | st.builds(lambda value: {"sha256": value}, HEX)),
        upload_time=draw(st.none() | TEXT),
        yanked=draw(st.none() | st.just(True) | TEXT.filter(bool)),
        provenance=draw(st.none() | st.just("../../files/demo/p?a=1&b=2")),
        gpg_sig=draw(st.none() | st.booleans()),
    )


@given(files=st.lists(listed_files(), max_size=3), reason=TEXT, tracks=st.lists(TEXT.map(str.strip), max_size=2))
def test_the_html_form_loses_nothing_that_html_can_say(files: list[ListedFile], reason: str, tracks: list[str]) -> None:
    page = Page(
        meta=Meta(api_version="1.4", tracks=tracks),
        name="",
        files=files,
        alternate_locations=["https://index.example/simple/demo/?<&>"],
        project_status=Status(status="archived", reason=reason or None),
    )
    assert read_html(write_html(page), "text/html", f"{UPSTREAM}demo/") == page


def test_the_one_hash_that_html_has_room_for_is_the_one_that_every_client_knows() -> None:
    hashes = {"md5": "1" * 32, "sha256": "a" * 64, "sha512": "b" * 128}
    wanted = resource("simple/demo/", "text/html")
    rendered = PYPI.render(
        wanted, [document(page_of(listed("demo-1.0.zip", hashes=hashes)))], View(form="html", base="")
    )
    assert rendered is not None
    assert f'demo-1.0.zip#sha256={"a" * 64}"'.encode() in rendered.body


# --------------------------------------------------------------------------------------------- the local index


@pytest.mark.parametrize("html_only", [False, True])
@pytest.mark.parametrize("metadata", [False, True])
def test_every_link_of_a_rendered_page_leads_to_the_bytes_that_the_index_lists(html_only: bool, metadata: bool) -> None:
    index = pypi_index("https://index.example", html_only=html_only, metadata=metadata)
    seen = set()
    for project in ("acme-core", "acme-app", "acme-source"):
        content_type, body = index[f"/simple/{project}/"]
        wanted = resource(f"simple/{project}/")
        source = document(body, content_type, f"{UPSTREAM}{project}/", wanted.key)
        rendered = PYPI.render(wanted, [source], View(form=wanted.form, base=""))
        assert rendered is not None
        for file in msgspec.json.decode(rendered.body, type=Page).files:
            link = urljoin(f"http://proxy.example/pypi/simple/{project}/", file.url)
            found = resource(urlsplit(link).path.removeprefix("/pypi/"))
            wheel = next(one for one in distributions() if one.filename == file.filename)
            assert index[found.path][1] == wheel.body
            assert file.hashes == {"sha256": wheel.sha256}
            assert file.has_metadata == (metadata and file.filename.endswith(".whl"))
            seen.add(file.filename)
    assert seen == {one.filename for one in distributions()}


# ------------------------------------------------------------------------------------------------------- clients


def client(name: str) -> Client:
    return next(one for one in CLIENTS if one.name == name)


def found(name: str, path: str, text: str) -> str | None:
    return next(place for place in client(name).found_at if place.path.endswith(path)).read(text)


@pytest.mark.parametrize(
    ("name", "path", "text", "url"),
    [
        ("pip", "pip.conf", "[global]\nindex-url = https://index.example/simple/\n", "https://index.example/simple/"),
        (
            "pip",
            "pip.conf",
            "[global]\nindex-url=https://a.example/\n[install]\nindex_url=https://b.example/\n",
            "https://b.example/",
        ),
        (
            "pip",
            "pip.conf",
            "[global]\nindex-url = https://me:secret@index.example/simple\n",
            "https://index.example/simple",
        ),
        ("pip", "pip.conf", "[global]\nindex-url = https://${TOKEN}.example/\n", None),
        ("pip", "pip.conf", "[global]\nextra-index-url = https://index.example/\n", None),
        ("pip", "pip.conf", "not a configuration", None),
        (
            "uv",
            "uv.toml",
            '[[index]]\nurl = "https://a.example/"\n[[index]]\nurl = "https://b.example/"\ndefault = true\n',
            "https://b.example/",
        ),
        ("uv", "uv.toml", 'index-url = "https://a.example/"\n', "https://a.example/"),
        ("uv", "uv.toml", 'index-url = "', None),
        (
            "uv",
            "pyproject.toml",
            '[[tool.uv.index]]\nname = "x"\nurl = "https://a.example/"\ndefault = true\n',
            "https://a.example/",
        ),
        ("uv", "pyproject.toml", '[[tool.uv.index]]\nname = "x"\nurl = "https://a.example/"\n', None),
        (
            "poetry",
            "pyproject.toml",
            '[[tool.poetry.source]]\nname = "x"\nurl = "https://a.example/"\npriority = "primary"\n',
            "https://a.example/",
        ),
        (
            "poetry",
            "pyproject.toml",
            '[[tool.poetry.source]]\nname = "x"\nurl = "https://a.example/"\npriority = "explicit"\n',
            None,
        ),
        ("poetry", "pyproject.toml", '[project]\nname = "x"\n', None),
        ("poetry", "pyproject.toml", "[[", None),
        (
            "pdm",
            "pyproject.toml",
            '[[tool.pdm.source]]\nname = "pypi"\nurl = "https://a.example/"\n',
            "https://a.example/",
        ),
        ("pdm", "pdm.toml", '[pypi]\nurl = "https://a.example/"\n', "https://a.example/"),
        ("pdm", "pdm.toml", "", None),
        ("pdm", "pdm.toml", "= 1", None),
        ("pip", "pip.conf", "[global]\nindex-url = https://[/\n", None),
    ],
)
def test_the_index_that_a_client_uses_today_is_found(name: str, path: str, text: str, url: str | None) -> None:
    assert found(name, path, text) == url


@pytest.mark.parametrize("one", CLIENTS, ids=lambda one: one.name)
def test_every_client_is_pointed_at_the_simple_index_and_keeps_its_own_further_ones(one: Client) -> None:
    assert set(one.variables.values()) == {"{url}/simple/"}
    assert "{url}/simple/" in one.setup
    assert not any("EXTRA" in name for name in one.variables)


def test_every_lock_file_comes_with_a_remedy() -> None:
    assert {one.name for one in LOCKFILES} >= {"uv.lock", "poetry.lock", "pdm.lock", "*requirements*.txt"}
    assert all(one.remedy for one in LOCKFILES)


def test_the_default_upstream_is_a_simple_index() -> None:
    url = Pypi.default_upstream()
    assert url is not None
    parts = urlsplit(url)
    assert (parts.scheme, parts.path) == ("https", "/simple/")
    assert parts.hostname

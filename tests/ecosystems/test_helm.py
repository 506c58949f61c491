"""Chart repositories: what an index lists, what clients are shown of it, and what is no index."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.contracts.ecosystem import Ecosystem, LockText, View
from entrepot.ecosystems.helm import Helm, read_repositories
from entrepot.ecosystems.helm_closure import read_chart_lock
from entrepot.ecosystems.helm_yaml import DEEPEST, MOST_NODES
from entrepot.errors import BadRequest, EntrepotError, MethodRefused, NotServed, UnreadableIndex, UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource
from entrepot.model.selection import Extent, Selection

CORPUS = Path(__file__).parents[1] / "corpus" / "helm"
HELM = Helm()


def get(path: str) -> Resource:
    found = HELM.route(Request(method="GET", path=path))
    assert isinstance(found, Resource)
    return found


def document(body: str | bytes, base: str = "https://charts.example/") -> Document:
    raw = body.encode() if isinstance(body, str) else body
    return Document(
        body=io.BytesIO(raw), content_type="text/yaml", url=f"{base}index.yaml", upstream=base, key="index.yaml"
    )


class Case:
    """What upstream has, what is learned of it, and what a client sees."""

    def __init__(self, file: Path) -> None:
        upstream, learned, self.seen = file.read_text().split(f"{'-' * 80}\n")
        head, _, self.body = upstream.partition("\n\n")
        fields = dict(line.split(":", 1) for line in head.splitlines())
        self.base, self.hidden = fields["base"].strip(), frozenset(fields["hidden"].split())
        self.learned = learned.split("\n")[:-1]

    @property
    def document(self) -> Document:
        return document(self.body, self.base)


CASES = [pytest.param(Case(file), id=file.stem) for file in sorted(CORPUS.glob("*.case"))]


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    for file in CORPUS.glob("*.case"):
        yield HELM, Case(file).document


@pytest.mark.parametrize("case", CASES)
def test_an_index_says_what_the_golden_case_says(case: Case) -> None:
    learned = []
    for release in HELM.releases(case.document):
        for file in release.files:
            digest = file.digests[0] if file.digests else "-"
            day = f"{release.published:%Y-%m-%d}" if release.published else "-"
            learned.append(f"{HELM.link(release.package, file)} {digest} {day}")
    assert learned == case.learned


@pytest.mark.parametrize("case", CASES)
def test_a_client_sees_what_the_golden_case_says(case: Case) -> None:
    view = View(form="", base="", hidden=case.hidden)
    rendered = HELM.render(get("index.yaml"), [case.document], view)
    assert rendered is not None
    assert rendered.content_type == "application/yaml"
    assert json.loads(rendered.body) == json.loads(case.seen)


def test_links_of_a_dated_view_lead_to_undated_archives() -> None:
    body = "apiVersion: v1\nentries: {web: [{name: web, version: 1.0.0, urls: [web-1.0.0.tgz]}]}"
    rendered = HELM.render(get("index.yaml"), [document(body)], View(form="", base="http://x/helm"))
    assert rendered is not None
    assert json.loads(rendered.body)["entries"]["web"][0]["urls"] == ["http://x/helm/charts/web/web-1.0.0.tgz"]


def test_a_json_index_is_read_too() -> None:
    body = json.dumps(
        {
            "apiVersion": "v1",
            "entries": {"web": [{"version": "1.0", "urls": ["w.tgz"], "digest": "sha256:" + "b" * 64}]},
        }
    )
    found = next(HELM.releases(document(body)))
    assert (found.version, found.files[0].digests) == ("1.0", (Digest("sha256", "b" * 64),))


def test_an_index_without_charts_is_one() -> None:
    rendered = HELM.render(get("index.yaml"), [document("apiVersion: v1\nentries: {}\n")], View(form="", base=""))
    assert rendered is not None
    assert json.loads(rendered.body) == {"apiVersion": "v1", "entries": {}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>log in</body></html>",
        b"- a\n- b\n",
        b"entries: {}\n",
        b"apiVersion: v1\nentries: [a]\n",
        b"apiVersion: v1\nentries: {web: nothing}\n",
        b"apiVersion: v1\nentries: {web: [\n",
        b"apiVersion: v1\n? [a, b]\n: c\n",
        b"apiVersion: v1\nentries: \xff\xfe\n",
        b"apiVersion: v1\nx: " + b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b"{" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_index_is_told_from_one(body: bytes) -> None:
    with pytest.raises(UnreadableIndex):
        list(HELM.releases(document(body)))


def test_aliases_do_not_make_a_small_document_a_big_one() -> None:
    """A billion laughs: ten times nine levels."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]
    body = "apiVersion: v1\nentries: {}\n" + "\n".join(lines)
    with pytest.raises(UnreadableIndex, match=f"more than {MOST_NODES} values"):
        list(HELM.releases(document(body)))


def test_aliases_do_not_make_a_long_text_many_long_texts() -> None:
    body = f"apiVersion: v1\nentries: {{}}\na: &a {'x' * 1_000_000}\nb:\n" + "- *a\n" * 2_000
    with pytest.raises(UnreadableIndex, match=f"more than {MOST_NODES} values"):
        list(HELM.releases(document(body)))


def test_json_that_is_nested_too_deeply_is_no_index() -> None:
    with pytest.raises(UnreadableIndex, match="nested too deeply"):
        list(HELM.releases(document(f'{{"apiVersion": "v1", "entries": {"[" * 9999}{"]" * 9999}}}')))


def test_a_date_that_no_calendar_has_is_none() -> None:
    body = "apiVersion: v1\nentries: {a: [{version: 1.0.0, urls: [a.tgz], created: '9999-12-31T23:59:59-14:00'}]}"
    assert [found.published for found in HELM.releases(document(body))] == [None]


def test_versions_whose_archives_have_one_file_name_are_told_apart() -> None:
    """As releases of a forge have them: the folder tells the version. What hides one hides no other, and what was known
    of one says nothing of another."""
    body = (
        "apiVersion: v1\nentries: {web: [{version: 2.0.0, urls: [v2/web.tgz]}, {version: 1.0.0, urls: [v1/web.tgz]}]}"
    )
    young, old = HELM.releases(document(body))
    assert {file.name for file in young.files}.isdisjoint({file.name for file in old.files})
    hidden = frozenset({young.files[0].name})
    rendered = HELM.render(get("index.yaml"), [document(body)], View(form="", base="", hidden=hidden))
    assert rendered is not None
    assert [one["version"] for one in json.loads(rendered.body)["entries"]["web"]] == ["1.0.0"]


def test_relative_addresses_count_from_the_repository_wherever_its_index_came_from() -> None:
    """As helm reads them."""
    body = "apiVersion: v1\nentries: {web: [{version: 1.0.0, urls: [web.tgz]}]}"
    led = replace(document(body, "https://charts.example/stable/"), url="https://cdn.example/signed/index.yaml?key=1")
    assert [HELM.link("web", found.files[0]) for found in HELM.releases(led)] == ["charts/web/stable/web.tgz"]


# --- paths ------------------------------------------------------------------------------------------------------------


def test_the_index_and_the_archives_it_lists_are_served() -> None:
    assert get("index.yaml").kind is Kind.INDEX
    here, there = get("charts/web/stable/web-1.0.tgz"), get("-/files.example/web/a/web-1.0.tgz.prov")
    assert (here.about, here.path, here.origin) == ("web", "/stable/web-1.0.tgz", "base")
    assert (there.about, there.path, there.origin) == ("web", "/a/web-1.0.tgz.prov", "files.example")
    assert here.listed_in == there.listed_in == get("index.yaml")
    assert here.must_be_listed
    assert there.must_be_listed


@pytest.mark.parametrize("path", ["", "web-1.0.tgz", "charts", "charts/web", "-/files.example/web", "charts/-x/a.tgz"])
def test_nothing_else_is(path: str) -> None:
    with pytest.raises(NotServed):
        get(path)


def test_queries_and_writing_are_refused() -> None:
    with pytest.raises(BadRequest):
        HELM.route(Request(method="GET", path="index.yaml", query="a=b"))
    with pytest.raises(MethodRefused):
        HELM.route(Request(method="POST", path="api/charts"))


def test_bills_name_archives_as_releases_do() -> None:
    assert HELM.billed_as(get("charts/web/stable/web-1.0.tgz")) == "charts/web/stable/web-1.0.tgz"
    assert HELM.billed_as(get("charts/web/stable/web-1.0.tgz.prov")) == HELM.billed_as(get("index.yaml")) == ""
    assert str(HELM.purl_of(get("charts/web/stable/web-1.0.tgz"), "1.0")) == "pkg:helm/web@1.0"


# --- what is found on a machine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("repositories:\n- name: a\n  url: https://charts.example/a\n", "https://charts.example/a"),
        ("repositories:\n- name: a\n  url: oci://charts.example/a\n", None),
        ("repositories: 7\n", None),
        ("[", None),
    ],
)
def test_the_first_repository_of_a_machine_is_found(text: str, found: str | None) -> None:
    assert read_repositories(text) == found


def lock(body: str) -> list[object]:
    return list(read_chart_lock(LockText(name="Chart.lock", body=body.encode(), extent=Extent())))


def test_a_lock_file_pins_the_charts_of_repositories() -> None:
    body = """\
dependencies:
- {name: web, repository: https://charts.example, version: 1.2.3}
- {name: db, repository: "oci://registry.example/charts", version: 2.0.0}
- {name: sub, repository: "", version: 0.1.0}
digest: sha256:00
"""
    pin, *others = lock(body)
    wanted = (("repository_url", "https://charts.example"),)
    assert pin == Selection(package="web", version="1.2.3", qualifiers=wanted)
    assert [str(one).partition("subject='")[2].partition("'")[0] for one in others] == ["db 2.0.0", "sub 0.1.0"]


@pytest.mark.parametrize("body", ["", "dependencies: 7", "dependencies: [{name: web}]", "["])
def test_a_lock_file_that_cannot_be_read_fails(body: str) -> None:
    with pytest.raises((UnreadableLock, EntrepotError)):
        lock(body)

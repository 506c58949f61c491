"""Images: names, the answers that clients get, what manifests say, and what is told upstream."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrepot.contracts.ecosystem import View
from entrepot.ecosystems.oci import Oci
from entrepot.ecosystems.oci_clients import read_daemon, read_registries
from entrepot.ecosystems.oci_names import fallback_tag
from entrepot.ecosystems.oci_resources import ACCEPT, manifest
from entrepot.errors import (
    Absent,
    BadContent,
    BadRequest,
    ConfigError,
    EntrepotError,
    MethodRefused,
    NotServed,
    PolicyRefused,
    Refused,
    TokenNeeded,
    Unreachable,
    UnreadableIndex,
    UpstreamBusy,
    UpstreamStatus,
)
from entrepot.model.digest import Digest
from entrepot.model.headers import Headers
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Reply, Request, Resource
from entrepot.model.selection import Extent

CORPUS = Path(__file__).parents[1] / "corpus" / "oci"
UPSTREAM = "https://registry.example/"
A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
LONG = f"sha512:{'c' * 128}"
OCI = Oci()
SHORT = Oci({"short_names": "library", "stands_for": ["hub.example"]})


def get(path: str, query: str = "", oci: Oci = OCI) -> Resource:
    found = oci.route(Request(method="GET", path=path, query=query))
    assert isinstance(found, Resource)
    return found


def document(resource: Resource, body: str | bytes) -> Document:
    return Document(
        body=io.BytesIO(body.encode() if isinstance(body, str) else body),
        content_type="application/json",
        url=UPSTREAM + resource.path,
        upstream=UPSTREAM,
        key=resource.key,
    )


# --- golden cases -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    first: str
    fields: dict[str, str]
    body: str


def read_part(text: str) -> Part:
    head, _, body = text.strip().partition("\n\n")
    first, *fields = head.splitlines()
    return Part(first, dict(line.split(": ", 1) for line in fields), body)


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.case")), ids=lambda file: file.stem)
def test_a_client_sees_what_the_golden_case_says(file: Path) -> None:
    asked, seen = map(read_part, file.read_text().split("-" * 80))
    path, _, query = asked.first.removeprefix("GET ").partition("?")
    resource = get(path, query)
    view = View(form=resource.form, base="", hidden=frozenset(asked.fields.get("hidden", "").split()))
    try:
        list(OCI.releases(document(resource, asked.body)))
        rendered = OCI.render(resource, [document(resource, asked.body)], view)
        assert rendered is not None
        status, kind, body = 200, rendered.content_type, rendered.body
    except EntrepotError as error:
        reply = OCI.problem(error)
        status, kind, body = reply.status, reply.content_type, reply.body
    assert f"{status} {kind}" == seen.first
    assert json.loads(body) == json.loads(seen.body)
    if status == 200:
        shown = dict(OCI.shown(resource, Headers([("link", asked.fields.get("link", ""))]), ""))
        assert {name: value for name, value in shown.items() if not name.startswith("docker-")} == seen.fields


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "v2", "v2/"])
def test_the_root_says_that_the_api_is_spoken(path: str) -> None:
    reply = OCI.route(Request(method="GET", path=path))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b"{}")
    assert ("docker-distribution-api-version", "registry/2.0") in reply.headers


@pytest.mark.parametrize("name", ["app", "team/app", "a/b/c/d", "manifests/tags", "my--app/x__y", "1.2/x"])
def test_names_have_any_number_of_segments_and_are_read_from_the_end(name: str) -> None:
    tag, blob = get(f"v2/{name}/manifests/1.0"), get(f"v2/{name}/blobs/{A}")
    assert (tag.about, tag.version, tag.kind, tag.digest) == (name, "1.0", Kind.SIGNED, None)
    assert (blob.about, blob.kind, blob.digest) == (name, Kind.ARTIFACT, Digest("sha256", "a" * 64))
    assert get(f"v2/{name}/tags/list").about == name
    assert get(f"v2/{name}/referrers/{A}").about == name


def test_a_name_can_hold_what_looks_like_the_end_of_a_path() -> None:
    assert get("v2/a/manifests/b/manifests/c").about == "a/manifests/b"


def test_a_tag_is_asked_about_by_head_and_every_type_is_taken() -> None:
    tag, pinned = get("v2/app/manifests/latest"), get(f"v2/app/manifests/{LONG}")
    assert (tag.probed, tag.accepts, tag.mutable_ttl) == (True, ACCEPT, 60.0)
    assert (pinned.probed, pinned.accepts, pinned.kind) == (False, ACCEPT, Kind.ARTIFACT)
    assert pinned.digest == Digest("sha512", "c" * 128)
    assert OCI.named_by(tag, Digest("sha256", "a" * 64)) == get(f"v2/app/manifests/{A}")


def test_bytes_of_one_name_answer_for_another_only_once_upstream_said_so() -> None:
    assert get(f"v2/app/blobs/{A}").must_be_confirmed
    assert get(f"v2/app/manifests/{A}").must_be_confirmed


@pytest.mark.parametrize("name", ["App", "a//b", "-a", "a_", "a/../b", "a%2fb", "a" * 256, "a.", ""])
def test_a_name_that_no_registry_has_is_not_asked_for(name: str) -> None:
    with pytest.raises((NotServed, BadRequest)):
        get(f"v2/{name}/manifests/latest")


@pytest.mark.parametrize(
    "reference", ["sha256:abc", f"md5:{'a' * 32}", f"sha256:{'A' * 64}", "a:b", "-x", "x" * 129, "é"]
)
def test_what_is_neither_tag_nor_digest_is_a_bad_request(reference: str) -> None:
    with pytest.raises(BadRequest):
        get(f"v2/app/manifests/{reference}")


@pytest.mark.parametrize("path", ["v2/app", "v2/app/manifests", "v2/app/tags", f"v2/{A}", "v1/app/manifests/a", "x"])
def test_other_paths_are_not_served(path: str) -> None:
    with pytest.raises(NotServed):
        get(path)


def test_there_is_no_catalog_and_the_answer_says_why() -> None:
    with pytest.raises(NotServed, match="no list of all images"):
        get("v2/_catalog")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_images_are_not_taken_in(method: str) -> None:
    with pytest.raises(MethodRefused) as refusal:
        OCI.route(Request(method=method, path="v2/app/blobs/uploads/"))
    told = json.loads(OCI.problem(refusal.value).body)["errors"][0]
    assert told["code"] == "UNSUPPORTED"
    assert "push this to the registry itself" in told["message"]


def test_short_names_stand_below_the_namespace_that_is_configured() -> None:
    assert get("v2/nginx/manifests/1", oci=SHORT).path == "v2/library/nginx/manifests/1"
    assert get("v2/team/app/manifests/1", oci=SHORT).path == "v2/team/app/manifests/1"
    assert get("v2/nginx/manifests/1").path == "v2/nginx/manifests/1"


@pytest.mark.parametrize(
    "options", [{"short_names": "Not A Name"}, {"short_names": 3}, {"stands_for": "hub"}, {"stands_for": ["a b"]}]
)
def test_an_option_that_means_nothing_stops_the_start(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="oci: "):
        Oci(options)


# --- queries ----------------------------------------------------------------------------------------------------------


def test_pages_are_stored_apart_and_the_namespace_of_a_proxy_is_nobodys_page() -> None:
    first, second = get("v2/app/tags/list", "n=2"), get("v2/app/tags/list", "n=2&last=b&ns=hub.example")
    assert first.stored_key == "v2/app/tags/list?n=2"
    assert second.stored_key == "v2/app/tags/list?n=2&last=b"
    assert get("v2/app/manifests/1", "ns=hub.example").stored_key == "v2/app/manifests/1"


def test_the_type_of_referrers_is_filtered_by_us() -> None:
    every, some = get(f"v2/app/referrers/{A}"), get(f"v2/app/referrers/{A}", "artifactType=a%2Fb")
    assert every.stored_key == some.stored_key
    assert (every.form, some.form) == ("", "a/b")


@pytest.mark.parametrize("query", ["n=1<2", "last=a b", 'x="', "é"])
def test_a_query_with_what_no_query_holds_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        get("v2/app/tags/list", query)


@pytest.mark.parametrize(
    "link",
    ["", "garbage", '<https://registry.example/v2/x>; rel="next"', '</v2/x?n=1>; rel="prev"', "<?a=<b>>; rel=next"],
)
def test_what_is_no_link_to_a_next_page_is_left_out(link: str) -> None:
    assert "link" not in dict(OCI.shown(get("v2/app/tags/list"), Headers([("link", link)]), ""))


# --- answers ----------------------------------------------------------------------------------------------------------


def test_files_tell_their_digest() -> None:
    tag = get("v2/app/manifests/1")
    assert dict(OCI.shown(tag, Headers(), "a" * 64))["docker-content-digest"] == A
    assert "docker-content-digest" not in dict(OCI.shown(tag, Headers(), ""))
    assert dict(OCI.shown(get(f"v2/app/blobs/{LONG}"), Headers(), "a" * 64))["docker-content-digest"] == LONG


def test_upstreams_word_on_a_digest_is_heard_if_it_is_one() -> None:
    assert OCI.told_digest(Headers([("docker-content-digest", A)])) == Digest("sha256", "a" * 64)
    assert OCI.told_digest(Headers([("docker-content-digest", "sha256:short")])) is None
    assert OCI.told_digest(Headers()) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Absent("hub/v2/app/manifests/1"), "MANIFEST_UNKNOWN"),
        (Absent(f"hub/v2/app/blobs/{A}"), "BLOB_UNKNOWN"),
        (Absent("hub/v2/app/tags/list"), "NAME_UNKNOWN"),
        (BadRequest("x is no digest"), "DIGEST_INVALID"),
        (BadRequest("x is no name"), "NAME_INVALID"),
        (TokenNeeded("a token is needed"), "UNAUTHORIZED"),
        (Refused("not for you"), "DENIED"),
        (PolicyRefused("hub/x", "too young", "cooldown.default"), "DENIED"),
        (UpstreamBusy("registry.example", 7.0, "answered 429"), "TOOMANYREQUESTS"),
        (UpstreamStatus("hub/v2/x", 429), "TOOMANYREQUESTS"),
        (UpstreamStatus("hub/v2/x", 401), "UNAVAILABLE"),
        (Unreachable("registry.example: no connection"), "UNAVAILABLE"),
        (MethodRefused("PUT"), "UNSUPPORTED"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_is_said_in_the_codes_of_the_specification(error: EntrepotError, code: str) -> None:
    reply = OCI.problem(error)
    told = json.loads(reply.body)["errors"][0]
    assert (reply.status, told["code"]) == (error.status, code)
    assert str(error) in told["message"]
    assert told["detail"] == {"code": error.code}


# --- documents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"errors": []}', b'{"schemaVersion": 2, "x": "' + b"x" * (4 << 20) + b'"}']
)
def test_what_is_no_manifest_is_neither_served_nor_stored(body: bytes) -> None:
    resource = get("v2/app/manifests/1")
    with pytest.raises(BadContent):
        OCI.examine(resource, document(resource, body))


@pytest.mark.parametrize("body", ['{"schemaVersion": 1, "fsLayers": []}', '{"mediaType": "a/b", "blobs": [], "x": 7}'])
def test_old_and_odd_manifests_pass(body: str) -> None:
    resource = get("v2/app/manifests/1")
    OCI.examine(resource, document(resource, body))


def test_what_one_cannot_check_by_its_digest_does_not_spoil_a_list_of_referrers() -> None:
    resource = get(f"v2/app/referrers/{A}", "artifactType=a%2Fb")
    listed = [{"digest": f"blake3:{'a' * 64}", "artifactType": "c/d"}, {"digest": B, "artifactType": "a/b"}]
    body = json.dumps({"schemaVersion": 2, "manifests": listed})
    assert list(OCI.releases(document(resource, body))) == []
    rendered = OCI.render(resource, [document(resource, body)], View(form="a/b", base="", hidden=frozenset()))
    assert rendered is not None
    assert json.loads(rendered.body)["manifests"] == listed[1:]


def date_of(documents: dict[str, object]) -> datetime | None:
    """What the image `app:1` says of its date, reading what is told by key; all else cannot be had."""
    steps = OCI.dating(get("v2/app/manifests/1"))
    assert steps is not None
    answer: Document | None = None
    while True:
        try:
            wanted = steps.send(answer)
        except StopIteration as end:
            found: datetime | None = end.value
            return found
        body = documents.get(wanted.key.removeprefix("v2/app/"))
        answer = document(wanted, json.dumps(body)) if body is not None else None


CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": B, "size": 2}
WHEN = "2024-05-06T07:08:09.123456789Z"
THEN = datetime(2024, 5, 6, 7, 8, 9, 123457, UTC)


def test_an_image_is_dated_by_its_configuration() -> None:
    image = {"schemaVersion": 2, "config": CONFIG, "layers": []}
    assert date_of({"manifests/1": image, f"blobs/{B}": {"created": WHEN}}) == THEN


def test_a_configuration_of_many_gigabytes_is_not_fetched_for_its_date() -> None:
    image = {"schemaVersion": 2, "config": {**CONFIG, "size": 50 << 30}}
    assert date_of({"manifests/1": image, f"blobs/{B}": {"created": WHEN}}) is None


def test_an_index_is_dated_by_its_first_image_that_is_no_attestation() -> None:
    attested = {"digest": B, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    image = {"schemaVersion": 2, "annotations": {"org.opencontainers.image.created": WHEN}}
    index = {"schemaVersion": 2, "manifests": [attested, {"digest": A}]}
    assert date_of({"manifests/1": index, f"manifests/{A}": image}) == THEN


@pytest.mark.parametrize(
    "created",
    ["9999-12-31T23:59:59-14:00", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "yesterday", "", None, "2024-05-06"],
)
def test_a_date_from_before_there_were_images_is_none(created: str | None) -> None:
    image = {"schemaVersion": 2, "config": CONFIG}
    assert date_of({"manifests/1": image, f"blobs/{B}": {"created": created}}) is None


@pytest.mark.parametrize("path", ["v2/app/manifests/1", "v2/app/tags/list", f"v2/app/referrers/{A}"])
def test_json_that_is_nested_too_deeply_is_refused_and_no_defect(path: str) -> None:
    deep = f'{{"schemaVersion": 2, "manifests": [], "x": {"[" * 9999}{"]" * 9999}}}'
    with pytest.raises(UnreadableIndex):
        list(OCI.releases(document(get(path), deep)))


def test_a_configuration_that_is_nested_too_deeply_has_no_date() -> None:
    body = f'{{"created": "{WHEN}", "x": {"[" * 9999}{"]" * 9999}}}'
    steps = OCI.dating(get("v2/app/manifests/1"))
    assert steps is not None
    next(steps)
    wanted = steps.send(document(get("v2/app/manifests/1"), json.dumps({"schemaVersion": 2, "config": CONFIG})))
    with pytest.raises(StopIteration) as end:
        steps.send(document(wanted, body))
    assert end.value.value is None


def test_what_cannot_be_had_has_no_date() -> None:
    assert date_of({}) is None
    assert date_of({"manifests/1": {"schemaVersion": 2, "manifests": [{"digest": A}]}}) is None
    assert date_of({"manifests/1": {"schemaVersion": 2, "config": {"digest": B, "mediaType": "a/chart"}}}) is None
    assert date_of({"manifests/1": {"schemaVersion": 2, "config": {"digest": "none"}}}) is None


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
def test_what_is_said_of_a_digest_has_no_age(suffix: str) -> None:
    """cosign dates it to the year 1, and what the API of referrers says has none either."""
    for digest in (Digest("sha256", "a" * 64), Digest("sha512", "c" * 128)):
        assert OCI.dating(get(f"v2/app/manifests/{fallback_tag(digest, suffix)}")) is None


@pytest.mark.parametrize("tag", [f"sha256-{'a' * 63}", f"sha256-{'a' * 64}.exe", f"md5-{'a' * 64}", "sha256-x.sig"])
def test_other_tags_that_look_like_it_have_ages(tag: str) -> None:
    assert OCI.dating(get(f"v2/app/manifests/{tag}")) is not None


def test_blobs_have_no_age() -> None:
    assert OCI.dating(get(f"v2/app/blobs/{A}")) is None


# --- package URLs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purl", "package", "version"),
    [
        (f"pkg:oci/app@{A}?repository_url=team/app", "team/app", A),
        (f"pkg:oci/app@{A.replace(':', '%3A')}?repository_url=team/app&tag=1.0", "team/app", A),
        ("pkg:oci/app?repository_url=team/app&tag=1.0", "team/app", "1.0"),
        ("pkg:oci/app", "app", ""),
        ("pkg:docker/team/app@1.0", "team/app", "1.0"),
        (f"pkg:docker/app@{A}", "app", A),
    ],
)
def test_a_purl_means_a_digest_or_a_tag(purl: str, package: str, version: str) -> None:
    found = OCI.select(parse_purl(purl), Extent())
    assert (found.package, found.version) == (package, version)


def test_an_image_of_a_registry_that_nobody_stands_for_is_not_looked_for_elsewhere() -> None:
    with pytest.raises(BadRequest, match=r"no repository stands for other\.example"):
        OCI.select(parse_purl("pkg:oci/app?repository_url=other.example/app&tag=1"), Extent())


def test_a_purl_may_name_the_architecture() -> None:
    assert OCI.select(parse_purl("pkg:oci/app?tag=1&arch=arm64"), Extent()).extent.platforms == ("linux/arm64",)
    mine = Extent(platforms=("linux/amd64",))
    assert OCI.select(parse_purl("pkg:oci/app?tag=1&arch=arm64"), mine).extent == mine


def test_comparisons_of_tags_are_told_from_tags() -> None:
    found = OCI.select(parse_purl("pkg:docker/app@%3E=1.2"), Extent())
    assert (found.version, found.within) == ("", ">=1.2")


def test_a_broken_digest_is_said_to_be_one() -> None:
    with pytest.raises(BadRequest, match="is no digest"):
        OCI.select(parse_purl("pkg:oci/app@sha256%3Aabc"), Extent())


def test_short_names_of_purls_stand_below_the_namespace_too() -> None:
    assert SHORT.select(parse_purl("pkg:docker/nginx@1"), Extent()).package == "library/nginx"


def test_bills_name_images_by_digest_and_read_them_again() -> None:
    resource = manifest("team/app", A)
    purl = OCI.purl_of(resource, "")
    assert str(purl) == f"pkg:oci/app@{A}?repository_url=team/app"
    assert OCI.billed_as(resource) == A
    assert OCI.billed_as(get(f"v2/team/app/blobs/{A}")) == OCI.billed_as(get("v2/team/app/tags/list")) == ""
    assert OCI.purl_of(get(f"v2/team/app/blobs/{A}"), "") is None
    tag = get("v2/team/app/manifests/1.0")
    assert str(OCI.purl_of(tag, "1.0")) == "pkg:oci/app?repository_url=team/app&tag=1.0"
    assert OCI.billed_as(tag) == "1.0"


def test_the_tags_that_stand_for_what_is_said_of_a_digest() -> None:
    assert fallback_tag(Digest("sha256", "a" * 64), ".sig") == f"sha256-{'a' * 64}.sig"
    # Longer digests are cut, because tags have at most 128 characters.
    assert fallback_tag(Digest("sha512", "c" * 128)) == f"sha512-{'c' * 64}"


# --- what is found on a machine ---------------------------------------------------------------------------------------


def test_dockers_mirror_is_found() -> None:
    assert (
        read_daemon('{"registry-mirrors": ["https://mirror.example", "https://b.example"]}') == "https://mirror.example"
    )
    assert read_daemon("{}") is None
    assert read_daemon("not json") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[[registry]]\nprefix="a.example"\n[[registry.mirror]]\nlocation="m.example"', "https://m.example"),
        ('[[registry]]\nprefix="a.example"\nlocation="127.0.0.1:80/hub"\ninsecure=true', "http://127.0.0.1:80/hub"),
        ('[[registry]]\nlocation="a.example"\ninsecure=true', None),
        ('[[registry]]\nlocation="a.example"\n[[registry.mirror]]\nlocation="m.example/below"', None),
        ("registry = 7", None),
        ("not toml", None),
        ('unqualified-search-registries = ["a.example"]', None),
    ],
)
def test_the_mirror_of_a_registries_file_is_found(text: str, found: str | None) -> None:
    assert read_registries(text) == found

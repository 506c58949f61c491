"""Images through a server: the ways in, bytes that are wrong, tokens, and what is said where nothing can be served."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.clients.registry import Registry
from tests.faults.served import Served
from tests.waiting import wait_for

IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
TOKEN = "entrepot_a-token_of-this-test"
OPEN = """\
[server]
registry_mirror = "hub"

[repositories.hub]
ecosystem = "oci"
upstreams = ["{url}/"]
stands_for = ["hub.example"]
short_names = "library"
"""
GUARDED = f"""\
[[tokens]]
name = "ci"
sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"
repositories = ["hub"]

[repositories.hub]
ecosystem = "oci"
upstreams = ["{{url}}/"]

[repositories.hub.cooldown]
default = "3d"
"""


@dataclass(frozen=True, slots=True)
class House:
    registry: Registry
    served: Served

    def push(self, name: str, text: str, *tags: str) -> str:
        """An image that was made today, with one layer; the digest of its manifest."""
        config = json.dumps({"created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "text": text}).encode()
        layer = f"layer of {text}".encode()
        kinds = ((CONFIG, config), ("a/layer", layer))
        parts = [{"mediaType": kind, "digest": digest_of(body), "size": len(body)} for kind, body in kinds]
        content = {"schemaVersion": 2, "mediaType": IMAGE, "config": parts[0], "layers": parts[1:]}
        manifest, listed = json.dumps(content).encode(), json.dumps({"name": name, "tags": tags}).encode()
        for _, body in kinds:
            self.registry.files[f"/v2/{name}/blobs/{digest_of(body)}"] = "application/octet-stream", body
        for reference in (digest_of(manifest), *tags):
            self.registry.files[f"/v2/{name}/manifests/{reference}"] = IMAGE, manifest
        for query in ("", "?n=1", "?n=77"):
            self.registry.files[f"/v2/{name}/tags/list{query}"] = "application/json", listed
        return digest_of(manifest)


def stored(house: House, path: str) -> None:
    """Asks until it comes from the store."""

    def is_hit() -> bool:
        got = house.served.get(path)
        assert got.status == 200
        return "entrepot; hit" in got.cache_status

    wait_for(is_hit, f"{path} is stored")


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _opened(stack: ExitStack, directory: Path, config: str) -> House:
    registry = stack.enter_context(Registry())
    return House(registry, stack.enter_context(Served(directory, config.format(url=registry.url))))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        yield _opened(stack, tmp_path_factory.mktemp("images"), OPEN)


# --- the ways in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/v2/hub/library/app/manifests/1",
        "/v2/hub/app/manifests/1",
        "/hub/v2/library/app/manifests/1",
        "/v2/library/app/manifests/1?ns=hub.example",
        "/v2/library/app/manifests/1",
    ],
)
def test_an_image_is_reached_in_all_the_ways_that_clients_know(house: House, path: str) -> None:
    house.push("library/app", "one", "1")
    assert house.served.get(path).status == 200
    head = house.served.get(path, method="HEAD")
    assert (head.status, head.headers.get("content-type")) == (200, IMAGE)
    house.registry.fields["link"] = '</v2/library/app/tags/list?n=1&last=1>; rel="next"'
    listed, _, query = path.replace("manifests/1", "tags/list").partition("?")
    got = house.served.get(f"{listed}?n=1{'&' if query else ''}{query}")
    house.registry.fields.clear()
    assert json.loads(got.body) == {"name": "library/app", "tags": ["1"]}
    assert got.headers.get("link") == f'<{listed}?n=1&last=1>; rel="next"'


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/hub/v2/"])
def test_the_root_says_that_the_api_is_spoken(house: House, path: str) -> None:
    got = house.served.get(path)
    assert (got.status, got.headers.get("docker-distribution-api-version")) == (200, "registry/2.0")


def test_the_head_of_a_blob_that_is_not_stored_costs_one_head(house: House) -> None:
    house.push("team/heads", "head", "1")
    house.registry.forget()
    path = f"/team/heads/blobs/{digest_of(b'layer of head')}"
    head = house.served.get(f"/v2/hub{path}", method="HEAD")
    assert (head.status, head.headers.get("content-length")) == (200, str(len(b"layer of head")))
    assert head.headers.get("docker-content-digest") == digest_of(b"layer of head")
    assert [(seen.method, seen.path) for seen in house.registry.requests] == [("HEAD", f"/v2{path}")]


def test_a_part_of_a_blob_can_be_had(house: House) -> None:
    house.push("team/parts", "part", "1")
    path = f"/v2/hub/team/parts/blobs/{digest_of(b'layer of part')}"
    house.served.get(path)
    got = house.served.get(path, [("range", "bytes=6-")])
    assert (got.status, got.body) == (206, b"of part")


def test_what_is_pushed_is_refused_in_the_words_of_the_specification(house: House) -> None:
    got = house.served.get("/v2/hub/team/app/blobs/uploads/", method="POST")
    assert (got.status, json.loads(got.body)["errors"][0]["code"]) == (405, "UNSUPPORTED")


@pytest.mark.parametrize("query", ["?ns=other.example", "?ns=other.example&n=1"])
def test_an_image_of_a_registry_that_nobody_stands_for_is_refused_in_json(house: House, query: str) -> None:
    house.push("library/app", "one", "1")
    got = house.served.get(f"/v2/library/app/manifests/1{query}")
    told = json.loads(got.body)["errors"][0]
    assert (got.status, told["code"]) == (404, "NAME_UNKNOWN")
    assert "no repository stands for 'other.example'" in told["message"]


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("fields", [[], [("range", "bytes=0-3")], [("cache-control", "only-if-cached")]])
def test_a_layer_of_one_name_cannot_be_had_through_another(
    house: House, method: str, fields: list[tuple[str, str]]
) -> None:
    """Neither by a digest that was guessed, nor from the store alone."""
    digest = digest_of(b"layer of secret")
    image = house.push("team/secret", "secret", "1")
    stored(house, f"/v2/hub/team/secret/blobs/{digest}")
    stored(house, f"/v2/hub/team/secret/manifests/{image}")
    for path in (f"blobs/{digest}", f"manifests/{image}"):
        got = house.served.get(f"/v2/hub/team/public/{path}", fields, method=method)
        assert got.status == (504 if fields and fields[0][0] == "cache-control" else 404)
        assert b"layer" not in got.body


@pytest.mark.parametrize("heads", [400, 403, 405, 501])
def test_a_registry_whose_heads_fail_is_asked_for_the_bytes(house: House, heads: int) -> None:
    """As where a redirect leads to storage that signs GETs only."""
    text = f"heads {heads}"
    for name in ("team/first", "team/second"):
        house.push(name, text, "1")
    path = f"blobs/{digest_of(f'layer of {text}'.encode())}"
    stored(house, f"/v2/hub/team/first/{path}")
    house.registry.heads = heads
    try:
        assert house.served.get(f"/v2/hub/team/second/{path}").body == f"layer of {text}".encode()
    finally:
        house.registry.heads = 200


@pytest.mark.parametrize("told", ["text/html", ""])
def test_a_page_that_answers_every_head_gives_no_rights_and_no_type(house: House, told: str) -> None:
    """A login page says 200 to everything. What is no image's type would be kept for ever."""
    text = f"page {told}"
    digest = house.push("team/first", text, "1")
    house.push("team/second", text)
    stored(house, f"/v2/hub/team/first/manifests/{digest}")
    house.registry.headed = told
    try:
        got = house.served.get(f"/v2/hub/team/second/manifests/{digest}")
    finally:
        house.registry.headed = None
    assert (got.status, got.headers.get("content-type")) == (200, IMAGE)
    assert house.registry.requests[-1].method == "GET"


# --- bytes that are wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["blob", "manifest"])
def test_a_flipped_bit_is_neither_served_nor_stored(house: House, kind: str) -> None:
    digest = house.push("team/bits", f"bit of a {kind}", "1")
    path = f"blobs/{digest_of(f'layer of bit of a {kind}'.encode())}" if kind == "blob" else f"manifests/{digest}"
    _, body = house.registry.files[f"/v2/team/bits/{path}"]
    wrong = bytes([body[0], body[1] ^ 1]) + body[2:]
    house.registry.instead[f"/v2/team/bits/{path}"] = wrong
    got = house.served.get(f"/v2/hub/team/bits/{path}")
    assert (got.is_whole, got.status) == (False, 502)
    assert hashlib.sha256(wrong).hexdigest() not in house.served.blobs()
    house.registry.instead.clear()
    assert house.served.get(f"/v2/hub/team/bits/{path}").body == body


def test_a_login_page_is_no_manifest(house: House) -> None:
    page = b"<html>log in</html>"
    house.registry.files["/v2/team/login/manifests/1"] = "application/json", page
    got = house.served.get("/v2/hub/team/login/manifests/1")
    assert (got.status, json.loads(got.body)["errors"][0]["code"]) == (502, "UNAVAILABLE")
    assert hashlib.sha256(page).hexdigest() not in house.served.blobs()


# --- tokens, ages and outages -----------------------------------------------------------------------------------------


def test_a_mirror_that_is_no_repository_of_images_stops_the_start(tmp_path: Path) -> None:
    config = OPEN.replace('registry_mirror = "hub"', 'registry_mirror = "pub"')
    with ExitStack() as stack, pytest.raises(RuntimeError, match="registry_mirror = 'pub' is no repository of images"):
        _opened(stack, tmp_path, config)


def test_tokens_ages_and_outages_are_told_in_the_words_of_the_specification(tmp_path: Path) -> None:
    mine = [("authorization", f"Basic {b64encode(f'me:{TOKEN}'.encode()).decode()}")]
    with ExitStack() as stack:
        house = _opened(stack, tmp_path, GUARDED)
        digest = house.push("team/app", "young", "1")
        stranger = house.served.get("/v2/")
        assert (stranger.status, stranger.headers.get("www-authenticate").split()[0]) == (401, "Basic")
        assert json.loads(stranger.body)["errors"][0]["code"] == "UNAUTHORIZED"
        assert house.served.get("/v2/", mine).status == 200
        path = "/v2/hub/team/app/manifests/1"
        refusal = house.served.get(path)
        assert (refusal.status, json.loads(refusal.body)["errors"][0]["code"]) == (401, "UNAUTHORIZED")
        refusal = house.served.get(path, mine)
        told = json.loads(refusal.body)["errors"][0]
        assert (refusal.status, told["code"]) == (403, "DENIED")
        assert "must be 3 days old" in told["message"]
        signature = f"sha256-{digest.partition(':')[2]}.sig"
        house.push("team/app", "young", signature)
        assert house.served.get(f"/v2/hub/team/app/manifests/{signature}", mine).status == 200
        by_digest = house.served.get(f"/v2/hub/team/app/manifests/{digest}", mine)
        assert by_digest.status == 403, "the tag of a signature, which has no age, vouches for no image"
        assert "dated by its author" in house.served.entrepot("explain", "hub/v2/team/app/manifests/1")
        house.served.stop()
        house.registry.go_dark()
        house.served.reconfigure(lambda text: text.replace("upstreams =", 'network = "offline"\nupstreams ='))
        house.served.start(4 * 86400.0)
        assert house.served.get(path, mine).status == 200
        missing = house.served.get("/v2/hub/team/app/manifests/2", mine)
        assert (missing.status, json.loads(missing.body)["errors"][0]["code"]) == (504, "UNAVAILABLE")


@pytest.mark.parametrize(("usual", "other"), [("", "?n=77"), ("?n=77", ""), ("?n=77", "?n=1")])
def test_a_list_that_is_asked_for_in_other_pages_makes_nothing_older(tmp_path: Path, usual: str, other: str) -> None:
    """A tag that newly appeared stays new, whatever its author says and however large the pages are."""
    with ExitStack() as stack:
        registry = stack.enter_context(Registry())
        config = OPEN.format(url=registry.url) + '[repositories.hub.cooldown]\ndefault = "3d"\n'
        house = House(registry, stack.enter_context(Served(tmp_path, config)))
        house.push("team/app", "one", "1")
        assert shown(house, usual) == ["1"]
        house.served.stop()
        house.push("team/app", "two", "1", "2")
        house.served.start(86400.0)
        assert [shown(house, query) for query in (usual, other, usual)] == [["1"]] * 3


def shown(house: House, query: str) -> list[str]:
    tags: list[str] = json.loads(house.served.get(f"/v2/hub/team/app/tags/list{query}").body)["tags"]
    return tags


def test_a_denied_tag_is_denied_by_its_digest_too_unless_another_tag_means_that(tmp_path: Path) -> None:
    rule = '[[repositories.hub.rules]]\npackage = "team/app"\nversion = "<2"\nmode = "deny"\n'
    with ExitStack() as stack:
        registry = stack.enter_context(Registry())
        house = House(registry, stack.enter_context(Served(tmp_path, OPEN.format(url=registry.url))))
        old, both = house.push("team/app", "old", "1.0"), house.push("team/app", "both", "1.9", "2.0")
        for tag in ("1.0", "1.9", "2.0"):
            stored(house, f"/v2/hub/team/app/manifests/{tag}")
        house.served.stop()
        house.served.reconfigure(lambda text: f"{text}{rule}")
        house.served.start()
        asked = {name: house.served.get(f"/v2/hub/team/app/manifests/{name}") for name in ("1.0", "1.9", old, both)}
        assert [got.status for got in asked.values()] == [403, 403, 403, 200]
        assert json.loads(asked[old].body)["errors"][0]["code"] == "DENIED"
        assert b"team/app 1.0 is denied" in asked[old].body

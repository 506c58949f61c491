"""An audit reaches the registry without the names that the registry must not know."""

import gzip
import json
from typing import Any

import pytest

from entrepot.ecosystems.npm import Npm
from entrepot.errors import BadRequest
from entrepot.model.resource import Reply, Request, Resource

BULK = "-/npm/v1/security/advisories/bulk"
QUICK = "-/npm/v1/security/audits/quick"
PRIVATE = ("@acme/lib", "acme-tool", "app")


def may_tell(name: str) -> bool:
    return name not in PRIVATE and not name.startswith("@acme/")


def scrub(path: str, body: bytes, encoding: str = "") -> bytes | Reply:
    method = "GET" if "search" in path else "POST"
    resource = Npm().route(Request(method=method, path=path.partition("?")[0], query=path.partition("?")[2]))
    assert isinstance(resource, Resource)
    return Npm().scrub(resource, body, encoding, may_tell)


def sent(path: str, audit: Any) -> Any:
    body = scrub(path, json.dumps(audit).encode())
    assert isinstance(body, bytes)
    return json.loads(body)


def test_a_bulk_audit_keeps_what_is_public() -> None:
    audit = {"left-pad": ["1.3.0"], "@acme/lib": ["1.0.0"], "@other/lib": ["2.0.0"], "acme-tool": ["3.0.0"]}
    assert sent(BULK, audit) == {"left-pad": ["1.3.0"], "@other/lib": ["2.0.0"]}


def test_a_body_without_private_names_is_left_as_it_is() -> None:
    body = b'{ "left-pad" : ["1.3.0"] }'
    assert scrub(BULK, body) == body
    packed = gzip.compress(body)
    assert scrub(BULK, packed, "gzip") == packed


def test_a_packed_audit_is_packed_again() -> None:
    packed = gzip.compress(json.dumps({"@acme/lib": ["1.0.0"], "left-pad": ["1.3.0"]}).encode())
    body = scrub(BULK, packed, "gzip")
    assert isinstance(body, bytes)
    assert json.loads(gzip.decompress(body)) == {"left-pad": ["1.3.0"]}


def test_an_audit_of_nothing_but_private_names_is_answered_here() -> None:
    reply = scrub(BULK, json.dumps({"@acme/lib": ["1.0.0"]}).encode())
    assert isinstance(reply, Reply)
    assert (reply.status, json.loads(reply.body)) == (200, {})


def test_a_quick_audit_keeps_the_public_part_of_the_tree() -> None:
    node = {"version": "1.0.0", "integrity": "sha512-x", "dev": True}
    audit = {
        "name": "app",
        "version": "1.0.0",
        "install": ["@acme/lib@1", "left-pad@1"],
        "remove": [],
        "metadata": {"node_version": "v22.1.0", "hostname": "build.corp.example"},
        "requires": {"left-pad": "^1.0.0", "@acme/lib": "^1.0.0", "alias": "npm:@acme/lib@1"},
        "dependencies": {
            "left-pad": {**node, "requires": {"acme-tool": "*"}, "dependencies": {"acme-tool": node, "ok": node}},
            "@acme/lib": {**node, "dependencies": {"left-pad": node}},
            "alias": {**node, "version": "npm:@acme/lib@1.0.0", "resolved": "https://npm.corp.example/x.tgz"},
        },
        "other": "@acme/lib",
    }
    told = sent(QUICK, audit)
    assert told["dependencies"] == {
        "left-pad": {**node, "requires": {}, "dependencies": {"ok": node}},
        "alias": {"integrity": "sha512-x", "dev": True},
    }
    assert (told["requires"], told["install"], told["metadata"]) == (
        {"left-pad": "^1.0.0"},
        ["left-pad@1"],
        {"node_version": "v22.1.0"},
    )
    assert not [name for name in ("acme", "corp", "app") if name in json.dumps(told)]


def test_a_quick_audit_of_a_public_project_keeps_its_name() -> None:
    assert sent(QUICK, {"name": "shop", "requires": {"acme-tool": "1"}}) == {"name": "shop", "requires": {}}


@pytest.mark.parametrize("query", ["text=@acme/lib", "text=left+%22acme-tool%22", "text=scope:acme", "text=%40acme"])
def test_a_search_for_a_private_name_finds_nothing(query: str) -> None:
    reply = scrub(f"-/v1/search?{query}", b"")
    assert isinstance(reply, Reply)
    assert json.loads(reply.body) == {"objects": [], "total": 0}


@pytest.mark.parametrize("query", ["text=left-pad&size=20", "text=scope:other", ""])
def test_other_searches_are_passed_on(query: str) -> None:
    assert scrub(f"-/v1/search?{query}", b"") == b""


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b'{"a": "1"}', ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
        (b"{}", "gzip"),
        (b"{}", "br"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip"),
        (gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0), "gzip"),
        (gzip.compress(b" " * (65 << 20), mtime=0), "gzip"),
    ],
)
def test_an_audit_that_cannot_be_read_is_refused(body: bytes, encoding: str) -> None:
    with pytest.raises(BadRequest):
        scrub(BULK, body, encoding)


def test_a_tree_without_end_is_refused() -> None:
    deep = b'{"dependencies":{"a":' * 5000 + b"{}" + b"}}" * 5000
    with pytest.raises(BadRequest):
        scrub(QUICK, deep)

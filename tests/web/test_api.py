"""The interface for programs: rights, JSON, methods, and whom it answers at all."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.web.api import Call, Route, match_path
from entrepot.web.sessions import Sessions
from tests.cache.works import Works
from tests.web.front import HOST, Front
from tests.web.test_tokens import ADMIN, READER, TRIGGER, guard_with, refused

pytestmark = pytest.mark.anyio
AS_ADMIN = f"Bearer {ADMIN}"
JSON = "application/json"


async def echo(call: Call) -> object:
    return {"who": call.principal.name, "arguments": dict(call.arguments), "body": dict(call.body)}


async def fail(call: Call) -> object:
    raise KeyError("a defect")


ROUTES = (
    Route(method="GET", path="/api/echo", right="admin", answer=echo),
    Route(method="POST", path="/api/jobs", right="trigger", answer=echo, status=202, largest_body=50),
    Route(method="GET", path="/api/jobs/{id}", right="trigger", answer=echo),
    Route(method="DELETE", path="/api/jobs/{id}", right="trigger", answer=echo),
    Route(method="GET", path="/api/fail", right="admin", answer=fail),
)


@pytest.fixture
async def api(works: Works, tmp_path: Path) -> AsyncIterator[Front]:
    guard = guard_with(Sessions(private=False))
    front = Front(works, tmp_path, guard=guard, metrics_open=False, routes=ROUTES)
    yield front
    front.close()


async def test_an_admin_is_answered_in_json(api: Front) -> None:
    got = await api.get("/api/echo?purl=pkg%3Anpm%2Fleft", authorization=AS_ADMIN)
    assert (got.status, got.fields["content-type"], got.fields["cache-control"]) == (200, JSON, "no-store")
    assert json.loads(got.body) == {"who": "admin", "arguments": {"purl": "pkg:npm/left"}, "body": {}}


async def test_strangers_get_nothing_and_are_not_told_what_there_is(api: Front) -> None:
    for path in ("/api", "/api/", "/api/echo", "/api/nothing", "/metrics"):
        assert refused(await api.get(path))
        assert refused(await api.get(path, authorization=f"Bearer {READER}x"))


@pytest.mark.parametrize(
    ("secret", "path", "status"),
    [
        (READER, "/api/echo", 403),
        (TRIGGER, "/api/echo", 403),
        (ADMIN, "/api/echo", 200),
        (READER, "/api/jobs/1", 403),
        (TRIGGER, "/api/jobs/1", 200),
        (ADMIN, "/api/jobs/1", 403),
        (READER, "/metrics", 403),
        (ADMIN, "/metrics", 200),
    ],
)
async def test_each_route_wants_its_own_right(api: Front, secret: str, path: str, status: int) -> None:
    got = await api.get(path, authorization=f"Bearer {secret}")
    assert got.status == status
    if status == 403:
        assert "has not the right" in got.body.decode()


async def test_an_admin_reads_metrics_and_no_packages(api: Front) -> None:
    assert b"entrepot_stored_entries" in (await api.get("/metrics", authorization=AS_ADMIN)).body
    assert (await api.get("/shelf/loose/a", authorization=AS_ADMIN)).status == 403


async def test_without_tokens_the_control_socket_is_what_there_is(front: Front) -> None:
    for method in ("GET", "POST"):
        got = await front.get("/api/echo", method)
        assert (got.status, json.loads(got.body)["code"]) == (403, "refused")
        assert "control socket" in json.loads(got.body)["error"]


# --- what is sent -----------------------------------------------------------------------------------------------------


async def test_a_posted_object_and_the_names_in_the_path_arrive(api: Front) -> None:
    who, kind = f"Bearer {TRIGGER}", "application/json; charset=utf-8"
    body = b'{"purls": ["pkg:npm/left"]}'
    got = await api.get("/api/jobs", "POST", body=body, authorization=who, content_type=kind)
    assert (got.status, json.loads(got.body)["body"]) == (202, {"purls": ["pkg:npm/left"]})
    gone = await api.get("/api/jobs/a%2Fb?id=other", "DELETE", authorization=f"Bearer {TRIGGER}")
    assert json.loads(gone.body)["arguments"] == {"id": "a/b"}


@pytest.mark.parametrize(
    ("kind", "body", "status", "told"),
    [
        ("application/x-www-form-urlencoded", b"{}", 400, "Content-Type: application/json"),
        ("text/plain", b"{}", 400, "Content-Type: application/json"),
        ("", b"{}", 400, "Content-Type: application/json"),
        (JSON, b"{", 400, "is no JSON object"),
        (JSON, b"[]", 400, "is no JSON object"),
        (JSON, b"", 400, "is no JSON object"),
        (JSON, b'{"a": "' + b"x" * 50 + b'"}', 413, "larger than 50 bytes"),
    ],
)
async def test_only_json_is_taken(api: Front, kind: str, body: bytes, status: int, told: str) -> None:
    got = await api.get("/api/jobs", "POST", body=body, content_type=kind, authorization=f"Bearer {TRIGGER}")
    assert got.status == status
    assert told in json.loads(got.body)["error"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
async def test_pages_of_other_sites_have_no_business_here(api: Front, method: str, fields: dict[str, str]) -> None:
    told = {"host": HOST, "authorization": f"Bearer {TRIGGER}", "content-type": JSON, **fields}
    path = "/api/jobs/1" if method == "GET" else "/api/jobs"
    assert (await api.ask(path, [*told.items()][:3], method=method, body=b"{}")).status in (200, 202)
    got = await api.ask(path, [*told.items()], method=method, body=b"{}")
    assert got.status == 403
    assert "access-control-allow-origin" not in got.fields


async def test_our_own_page_and_programs_without_a_site_are_answered(api: Front) -> None:
    for field in (("origin", f"http://{HOST}"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")):
        assert (await api.ask("/api/echo", [("host", HOST), ("authorization", AS_ADMIN), field])).status == 200


async def test_a_foreign_host_is_misdirected(api: Front) -> None:
    got = await api.get("/api/echo", authorization=AS_ADMIN, host="evil.example")
    assert (got.status, json.loads(got.body)["code"]) == (421, "misdirected")


async def test_another_method_is_told_which_there_are(api: Front) -> None:
    got = await api.get("/api/jobs/1", "POST", body=b"{}", authorization=AS_ADMIN)
    assert (got.status, got.fields["allow"]) == (405, "DELETE, GET")


async def test_head_is_get_without_a_body(api: Front) -> None:
    whole, head = [await api.get("/api/echo", method, authorization=AS_ADMIN) for method in ("GET", "HEAD")]
    assert (head.status, head.body, head.fields) == (200, b"", whole.fields)


async def test_an_unknown_path_is_told_which_there_are(api: Front) -> None:
    got = await api.get("/api/jobs/1/2", authorization=AS_ADMIN)
    assert got.status == 404
    assert "/api/jobs/{id}" in json.loads(got.body)["error"]


async def test_a_defect_costs_one_answer(api: Front) -> None:
    got = await api.get("/api/fail", authorization=AS_ADMIN)
    assert (got.status, json.loads(got.body)["code"]) == (500, "internal")
    assert (await api.get("/api/echo", authorization=AS_ADMIN)).status == 200


async def test_each_call_is_a_line_in_the_log_with_the_name_of_the_token(api: Front) -> None:
    await api.get("/api/echo", authorization=AS_ADMIN)
    await api.get("/api/echo")
    used, stranger = api.lines()
    assert (used["token"], used["path"], used["status"]) == ("admin", "/api/echo", 200)
    assert (stranger.get("token"), stranger["status"], stranger["detail"]) == (None, 401, "token-needed")


def test_a_name_in_a_path_stands_for_one_element_that_is_not_empty() -> None:
    assert match_path("/api/jobs/{id}", "/api/jobs/7") == {"id": "7"}
    assert match_path("/api/jobs/{id}", "/api/jobs/") is None
    assert match_path("/api/jobs/{id}", "/api/jobs") is None
    assert match_path("/api/jobs", "/api/jobs/") is None

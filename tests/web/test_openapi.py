"""/openapi.json: made of the table of routes, valid, and true."""

import json
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate

from entrepot.web.answers import Nothing, Stats
from entrepot.web.api import Call, Parameter, Route
from entrepot.web.openapi import document_of
from entrepot.web.orders import OrderBody
from tests.web.front import Front
from tests.web.served import Served


async def answer(call: Call) -> object:
    return {}


ROUTES = (
    Route(
        method="POST",
        path="/api/jobs",
        right="trigger",
        answer=answer,
        status=202,
        takes=OrderBody,
        gives=Stats,
        summary="Begin a job.",
    ),
    Route(
        method="GET",
        path="/api/jobs/{id}",
        right="trigger",
        or_admin=True,
        answer=answer,
        gives=list[Stats],
        parameters=(
            Parameter(name="id", text="Which one."),
            Parameter(name="since", text="From when on.", required=False),
        ),
        summary="Show a job.",
    ),
    Route(
        method="POST",
        path="/api/jobs/{id}",
        right="admin",
        answer=answer,
        takes=Nothing,
        parameters=(Parameter(name="id", text="Which one."),),
        summary="Go on.",
    ),
)


def told(*routes: Route) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(document_of(routes))
    return document


def test_every_method_of_a_path_has_its_operation() -> None:
    paths = told(*ROUTES)["paths"]
    assert {path: sorted(methods) for path, methods in paths.items()} == {
        "/api/jobs": ["post"],
        "/api/jobs/{id}": ["get", "post"],
    }
    shown = paths["/api/jobs/{id}"]["get"]
    assert shown["operationId"] == "get_jobs_id"
    assert shown["description"] == "Show a job. Needs a token with the right `trigger` or `admin`."
    assert [(one["name"], one["in"], one["required"]) for one in shown["parameters"]] == [
        ("id", "path", True),
        ("since", "query", False),
    ]
    begun = paths["/api/jobs"]["post"]
    sent = begun["requestBody"]["content"]["application/json"]["schema"]
    assert (sent, sorted(begun["responses"])) == ({"$ref": "#/components/schemas/OrderBody"}, ["202", "default"])


def test_what_is_sent_is_described_key_by_key() -> None:
    body = told(*ROUTES)["components"]["schemas"]["OrderBody"]
    assert set(body["properties"]) == set(OrderBody.__struct_fields__)
    assert body["additionalProperties"] is False
    assert all(key == "validate" or "description" in shape for key, shape in body["properties"].items())


@pytest.mark.parametrize("routes", [(), ROUTES])
def test_the_document_is_valid(routes: tuple[Route, ...]) -> None:
    validate(told(*routes))


@pytest.mark.anyio
async def test_anybody_may_read_it_who_calls_us_by_our_name(front: Front) -> None:
    got = await front.get("/openapi.json")
    assert (got.status, got.fields["content-type"]) == (200, "application/json")
    assert json.loads(got.body)["openapi"] == "3.1.0"
    assert (await front.get("/openapi.json", host="evil.example")).status == 421
    assert (await front.get("/openapi.json", "POST")).status == 405


# --- the real server's ------------------------------------------------------------------------------------------------

Operation = tuple[str, str]
"""Method and path, as the document has them."""

JOB = "/api/mirror/{id}"
SESSION = "/api/sessions/{id}"
CALLS: dict[Operation, tuple[str, object]] = {
    ("get", "/api/stats"): ("boss", None),
    ("get", "/api/explain"): ("boss", None),
    ("post", "/api/mirror"): ("ci", {"purls": ["pkg:npm/left@1.0.0", "pkg:npm/left@9.9.9"]}),
    ("get", "/api/mirror"): ("ci", None),
    ("get", JOB): ("ci", None),
    ("get", f"{JOB}/errors"): ("ci", None),
    ("post", f"{JOB}/retry"): ("ci", {}),
    ("post", f"{JOB}/resume"): ("ci", {}),
    ("delete", JOB): ("ci", None),
    ("post", "/api/sessions"): ("ci", {"name": "nightly build"}),
    ("get", SESSION): ("boss", None),
    ("get", f"{SESSION}/sbom"): ("boss", None),
    ("post", f"{SESSION}/freeze"): ("ci", {}),
    ("delete", SESSION): ("ci", None),
}
"""Which token asks, and what it sends. A route that is not here is shown by nothing: add it."""


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    told: dict[str, Any] = served.get("/openapi.json", "")
    return told


def test_the_servers_own_document_is_valid_and_tells_every_route(served: Served, document: dict[str, Any]) -> None:
    validate(document)
    known = served.ask("GET", "/api/nothing", "boss").body["error"].partition("there are: ")[2]
    assert set(known.split(", ")) == set(document["paths"])
    operations = {(method, path): one for path, methods in document["paths"].items() for method, one in methods.items()}
    assert operations.keys() == CALLS.keys()
    assert [key for key, one in operations.items() if not one["summary"].endswith(".")] == []
    assert [key for key, one in operations.items() if not _schema(one)] == []


def test_what_the_server_answers_is_what_the_document_says(served: Served, document: dict[str, Any]) -> None:
    job = served.ended(served.begin("ci", purls=["pkg:npm/left@1.0.0", "pkg:npm/left@9.9.9"]), "ci")["id"]
    session = served.ask("POST", "/api/sessions", "ci", {}).body["id"]
    statuses: dict[Operation, int] = {}
    for (method, path), (token, body) in CALLS.items():
        target = path.format(id=session if path.startswith(SESSION) else job) + (
            "?target=npm/left" if path == "/api/explain" else ""
        )
        reply = served.ask(method.upper(), target, token, body)
        operation = document["paths"][path][method]
        shown = operation["responses"].get(str(reply.status), document["components"]["responses"]["Error"])
        assert _problems(reply.body, shown["content"]["application/json"]["schema"], document) == []
        statuses[method, path] = reply.status
    # What has ended cannot be cancelled or resumed, which is an answer as well.
    ended = {("delete", JOB), ("post", f"{JOB}/resume")}
    assert {key for key, status in statuses.items() if status >= 400} <= ended


def _schema(operation: dict[str, Any]) -> object:
    success = next(one for status, one in operation["responses"].items() if status != "default")
    return success["content"]["application/json"]["schema"]


def _problems(answer: object, schema: object, document: dict[str, Any]) -> list[str]:
    whole = {"allOf": [schema], "components": document["components"]}
    return [one.message for one in OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(answer)]


def test_an_answer_that_is_not_what_the_document_says_would_be_noticed(document: dict[str, Any]) -> None:
    jobs = {"type": "array", "items": {"$ref": "#/components/schemas/MirrorJob"}}
    assert _problems({"error": "no"}, {"$ref": "#/components/schemas/Error"}, document)
    assert _problems([{"id": "ab12"}], jobs, document)
    assert _problems([], jobs, document) == []

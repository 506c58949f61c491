"""/openapi.json: made of the table of routes, valid, and true."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from entrepot.web.answers import Nothing, Stats
from entrepot.web.api import Call, Parameter, Route
from entrepot.web.openapi import document_of
from entrepot.web.orders import OrderBody
from tests.web.front import Front


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

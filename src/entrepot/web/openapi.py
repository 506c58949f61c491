"""The OpenAPI document of the interface for programs, made from its table of routes (OpenAPI 3.1)."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from entrepot import __version__
from entrepot.web.api import Parameter, Route

Json = Mapping[str, object]

_REFERENCE: Final = "#/components/schemas/{name}"


class Error(msgspec.Struct, forbid_unknown_fields=True):
    """Why there is no answer: a sentence, and a code that stays the same (docs/errors.md)."""

    error: str
    code: str


def document_of(routes: Sequence[Route]) -> bytes:
    """As JSON."""
    types = [Error, *(one for route in routes for one in (route.gives, route.takes) if one is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    schema_of = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Json]] = {}
    for route in routes:
        operation = _operation(route, schema_of.get(id(route.gives), {}), schema_of.get(id(route.takes)))
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Entrepot",
                "version": __version__,
                "description": "A verified copy of every package that builds need: its interface for programs.",
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "responses": {"Error": {"description": "Refused or failed.", **_json(_reference("Error"))}},
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "basic": {"type": "http", "scheme": "basic", "description": "Any user; the token is the password."},
                },
            },
            "security": [{"bearer": []}, {"basic": []}],
        }
    )


def _operation(route: Route, gives: Json, takes: Json | None) -> Json:
    right = f"`{route.right}` or `admin`" if route.or_admin else f"`{route.right}`"
    operation: dict[str, object] = {
        "operationId": _name_of(route),
        "summary": route.summary,
        "description": f"{route.summary} Needs a token with the right {right}.",
        "responses": {
            str(route.status): {"description": "Done." if route.status == 200 else "Accepted.", **_json(gives)},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
    if route.parameters:
        operation["parameters"] = [_parameter(one, route.path) for one in route.parameters]
    if takes is not None:
        operation["requestBody"] = {"required": True, **_json(takes)}
    return operation


def _name_of(route: Route) -> str:
    """`GET /api/mirror/{id}/errors` is `get_mirror_id_errors`."""
    return "_".join([route.method.lower(), *re.findall(r"[a-z]+", route.path.removeprefix("/api"))])


def _parameter(parameter: Parameter, path: str) -> Json:
    return {
        "name": parameter.name,
        "in": "path" if f"{{{parameter.name}}}" in path else "query",
        "required": parameter.required,
        "description": parameter.text,
        "schema": {"type": "string"},
    }


def _json(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> Json:
    return {"$ref": _REFERENCE.format(name=name)}

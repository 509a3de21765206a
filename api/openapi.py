"""The OpenAPI 3.1 document, made from the declared endpoints and their pydantic models."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.endpoint import ENDPOINTS, Endpoint
from api.problems import MEDIA_TYPE, ProblemDetails
from smartcity.messages import Snapshot, Update

REFERENCE = "#/components/schemas/{model}"
PROBLEM_TEXTS = {
    400: "A query parameter is wrong; `errors` names it.",
    401: "The token is missing or wrong.",
    404: "There is no such thing.",
    503: "Not now: a part that is needed does not answer.",
}
STREAM = """WebSocket: a `Snapshot` on connect, then an `Update` every push. `sequence` grows by one; after a gap send
`{"type": "resync"}` for a new snapshot. Socket.IO clients use the namespace `/ws/stream` and the events `snapshot`,
`update` and `resync`, with the same content."""


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = endpoint.query.model_json_schema(by_alias=True, ref_template=REFERENCE)
    required = set(schema.get("required", ()))
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in endpoint.path_parameters.items()
    ]
    for name, field in schema.get("properties", {}).items():
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": field.get("description", ""),
                "schema": _without_null(field),
            }
        )
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The bare type: a query parameter is absent rather than null, and its description stands beside it."""
    schema = {key: value for key, value in schema.items() if key not in ("description", "title")}
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        schema = {key: value for key, value in schema.items() if key != "anyOf"}
        schema.update(options[0] if len(options) == 1 else {"anyOf": options})
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    def answer(model: type[BaseModel], media_type: str) -> dict[str, Any]:
        return {media_type: {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}

    responses: dict[str, Any] = {"200": {"description": "OK", "content": answer(endpoint.answer, "application/json")}}
    for status in sorted({*endpoint.problems, 401}):
        model, media = (ProblemDetails, MEDIA_TYPE)
        if status == 503 and endpoint.path == "/api/health":
            model, media = (endpoint.answer, "application/json")  # type: ignore[assignment]
        responses[str(status)] = {"description": PROBLEM_TEXTS[status], "content": answer(model, media)}
    if endpoint.path == "/api/current-traffic":
        responses["304"] = {"description": "Nothing changed since the `ETag` sent as `If-None-Match`."}
    return {
        "operationId": endpoint.path.removeprefix("/api/").replace("/{cell_id}", "").replace("-", "_"),
        "summary": endpoint.summary,
        "description": endpoint.description,
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint),
        "responses": responses,
    }


def document(version: str) -> dict[str, Any]:
    """The whole document.

    Args:
        version: of this API.

    """
    models: list[type[BaseModel]] = [ProblemDetails, Snapshot, Update, *(item.answer for item in ENDPOINTS)]
    _, schemas = models_json_schema(
        [(model, "serialization") for model in dict.fromkeys(models)], ref_template=REFERENCE
    )
    definitions = dict(schemas["$defs"])
    for item in ENDPOINTS:
        query_schema = item.query.model_json_schema(by_alias=True, ref_template=REFERENCE)
        definitions.update(
            {name: one for name, one in query_schema.get("$defs", {}).items() if name not in definitions}
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Smart City Traffic",
            "version": version,
            "description": "Congestion now and 15 minutes ahead. Speeds in mph, times in UTC.\n\n" + STREAM,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}],
        "paths": {item.path: {"get": _operation(item)} for item in ENDPOINTS},
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Needed where the API listens beyond the loopback.",
                }
            },
        },
    }

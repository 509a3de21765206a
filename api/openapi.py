"""The OpenAPI 3.1 document, made from the declared endpoints and their pydantic models."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.endpoint import ENDPOINTS, Endpoint
from api.examples import EXAMPLES
from api.formats import MEDIA_TYPES
from api.problems import MEDIA_TYPE, ProblemDetails
from api.queries import Format
from smartcity.messages import Snapshot, Update

REFERENCE = "#/components/schemas/{model}"
PROBLEM_TEXTS = {
    400: "A query parameter is wrong; `errors` names it.",
    401: "The token is missing or wrong.",
    403: "Not from this page, or not without a token that is set.",
    404: "There is no such thing.",
    406: "It cannot be had in the format asked for.",
    409: "It cannot be done as things are.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests; `Retry-After` says when to come again.",
    503: "Not now: a part that is needed does not answer.",
}
STREAM = """WebSocket: a `Snapshot` on connect, then an `Update` every push. `sequence` grows by one; after a gap send
`{"type": "resync"}` for a new snapshot. Socket.IO clients use the namespace `/ws/stream` and the events `snapshot`,
`update` and `resync`, with the same content."""

FEATURES = {
    "type": "object",
    "description": "RFC 7946: each row as a feature, its fields flat in `properties`.",
    "required": ["type", "features"],
    "properties": {"type": {"const": "FeatureCollection"}, "features": {"type": "array", "items": {"type": "object"}}},
}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = endpoint.query.model_json_schema(by_alias=True, ref_template=REFERENCE)
    required = set(schema.get("required", ()))
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string", "minLength": 1, "maxLength": 64},
        }
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


def _content(model: type[BaseModel], media_type: str, example: Any = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}
    return {media_type: {**content, "example": example} if example is not None else content}


def _answers(endpoint: Endpoint) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "OK"}
    if endpoint.answer is not None:
        content = _content(endpoint.answer, "application/json", EXAMPLES.get(endpoint.answer.__name__))
        for form in endpoint.rows:
            content[MEDIA_TYPES[form]] = {"schema": FEATURES if form is Format.GEOJSON else {"type": "string"}}
        answer["content"] = content
    if endpoint.method == "GET":
        answer["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "Send it as `If-None-Match`."}}
    found: dict[str, Any] = {str(endpoint.status): answer}
    for status in sorted({*endpoint.problems, 401, *((403,) if endpoint.method != "GET" else ())}):
        model, media = (ProblemDetails, MEDIA_TYPE)
        if status == 503 and endpoint.path == "/api/health":
            model, media = (endpoint.answer, "application/json")  # type: ignore[assignment]
        found[str(status)] = {"description": PROBLEM_TEXTS[status], "content": _content(model, media)}
    if endpoint.method == "GET":
        found["304"] = {"description": "Nothing changed since the `ETag` sent as `If-None-Match`."}
    return found


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": endpoint.description,
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint),
        "responses": _answers(endpoint),
    }
    if endpoint.body is not None:
        example = EXAMPLES.get(endpoint.body.__name__)
        operation["requestBody"] = {"required": True, "content": _content(endpoint.body, "application/json", example)}
    if endpoint.guarded:
        operation["security"] = [{"bearer": []}]
    return operation


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for item in ENDPOINTS:
        paths.setdefault(item.path, {})[item.method.lower()] = _operation(item)
    return paths


def document(version: str) -> dict[str, Any]:
    """The whole document.

    Args:
        version: of this API.

    """
    answers = [item.answer for item in ENDPOINTS if item.answer is not None]
    models: list[type[BaseModel]] = [ProblemDetails, Snapshot, Update, *answers]
    bodies = [item.body for item in ENDPOINTS if item.body is not None]
    asked: list[tuple[type[BaseModel], Any]] = [(model, "serialization") for model in dict.fromkeys(models)]
    asked += [(model, "validation") for model in dict.fromkeys(bodies)]
    _, schemas = models_json_schema(asked, ref_template=REFERENCE)
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
        "paths": _paths(),
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Needed where the API listens beyond the loopback, and to control the system.",
                }
            },
        },
    }

"""An endpoint declared once: its query, body and answer models validate, and describe it in the OpenAPI document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, request
from pydantic import BaseModel, ValidationError

from api import formats
from api.context import Context
from api.problems import ParameterError, Problem, invalid_body, invalid_query
from api.queries import Format, Formatted, Query
from api.security import Gate

Q = TypeVar("Q", bound=Query)
#: Each answer may be kept, but not used without asking: asking is cheap, it answers 304.
REVALIDATE = "no-cache"
#: Answers about a moment of the past change only through late events.
PAST = "private, max-age=30"


@dataclass(frozen=True)
class Endpoint:
    """One operation of the API. ``path`` is the OpenAPI form, e.g. ``/api/cell/{cell_id}``."""

    path: str
    summary: str
    description: str
    tag: str
    query: type[Query]
    answer: type[BaseModel] | None
    name: str
    method: str = "GET"
    status: int = 200
    body: type[BaseModel] | None = None
    problems: tuple[int, ...] = ()
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[Format, str] = field(default_factory=dict)
    guarded: bool = False


#: All endpoints, in the order in which their modules declare them.
ENDPOINTS: list[Endpoint] = []


def context() -> Context:
    """The parts that the running application is made of."""
    found: Context = current_app.extensions["smartcity"]
    return found


def _require_token() -> None:
    gate: Gate = current_app.extensions["gate"]
    gate.require_token()


def parse_query(model: type[Q]) -> Q:
    """The request's query. Raises: Problem 400 naming each parameter that is wrong."""
    values = request.args.to_dict(flat=False)
    repeated = [name for name, given in values.items() if len(given) > 1]
    if repeated:
        errors = [ParameterError(parameter=name, message="given more than once") for name in repeated]
        raise Problem(400, f"Given more than once: {', '.join(repeated)}", errors=errors)
    try:
        return model.model_validate({name: given[0] for name, given in values.items()})
    except ValidationError as error:
        raise invalid_query(error) from None


def parse_body(model: type[BaseModel]) -> BaseModel:
    """The request's JSON body. Raises: Problem 400 or 415."""
    if not request.is_json:
        raise Problem(415, "A JSON body is needed, with the header 'Content-Type: application/json'.")
    try:
        # Strictly, as the document says: `false` is no number.
        return model.model_validate_json(request.get_data(), strict=True)
    except ValidationError as error:
        raise invalid_body(error) from None


def json_response(body: BaseModel | bytes, status: int = 200, cache_control: str = "no-store") -> Response:
    """A JSON answer."""
    content = body if isinstance(body, bytes) else body.model_dump_json().encode()
    response = Response(content, status, mimetype="application/json")
    response.headers["Cache-Control"] = cache_control
    return response


def tag(response: Response, query: Query) -> Response:
    """Give an answer its ETag, and answer 304 where the client has it already."""
    response.set_etag(blake2b(response.get_data(), digest_size=12).hexdigest(), weak=True)
    response.headers["Cache-Control"] = PAST if getattr(query, "at", None) else REVALIDATE
    return response.make_conditional(request)  # type: ignore[return-value]


def _answer(declared: Endpoint, result: Any, query: Query) -> Response:
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status=declared.status)
    if declared.method != "GET":
        return json_response(result, declared.status)
    if declared.rows and isinstance(query, Formatted):
        form = formats.wanted(query.format, declared.rows)
        return tag(formats.write(result, declared.rows, form, context().places), query)
    return tag(json_response(result), query)


def endpoint(
    blueprint: Blueprint,
    path: str,
    *,
    query: type[Query] = Query,
    answer: type[BaseModel] | None,
    method: str = "GET",
    status: int = 200,
    body: type[BaseModel] | None = None,
    problems: tuple[int, ...] = (),
    path_parameters: dict[str, str] | None = None,
    rows: Mapping[Format, str] | None = None,
    guarded: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an operation. The function gets (context, query, [body,] **path parameters), returns answer or response.

    Its docstring's first line is the summary, the rest the description. ``rows``: the other formats it can be had in,
    and the field of the answer that holds their rows. ``guarded``: it changes something, and needs the token even on
    the loopback where one is set, as everything else beyond it.
    """

    def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
        summary, _, rest = (handler.__doc__ or handler.__name__).partition("\n")
        declared = Endpoint(
            path,
            summary.strip(),
            " ".join(rest.split()) or summary,
            blueprint.name,
            query,
            answer,
            handler.__name__,
            method,
            status,
            body,
            (400, 429, *problems, *((413, 415) if body else ()), *((406,) if rows else ())),
            path_parameters or {},
            rows or {},
            guarded,
        )
        ENDPOINTS.append(declared)

        def view(**parameters: str) -> Response:
            if guarded:
                _require_token()
            asked = parse_query(query)
            given = (parse_body(body),) if body is not None else ()
            return _answer(declared, handler(context(), asked, *given, **parameters), asked)

        rule = path.replace("{", "<").replace("}", ">")
        blueprint.add_url_rule(rule, endpoint=handler.__name__, view_func=view, methods=[method])
        return handler

    return declare

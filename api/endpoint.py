"""An endpoint declared once: its query and answer models validate, and describe it in the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, current_app, request
from pydantic import BaseModel, ValidationError

from api.context import Context
from api.models import Query
from api.problems import ParameterError, Problem, invalid_query


@dataclass(frozen=True)
class Endpoint:
    """One GET of the API. ``path`` is the OpenAPI form, e.g. ``/api/cell/{cell_id}``."""

    path: str
    summary: str
    description: str
    tag: str
    query: type[Query]
    answer: type[BaseModel]
    problems: tuple[int, ...] = ()
    path_parameters: dict[str, str] = field(default_factory=dict)


#: All endpoints, in the order in which their modules declare them.
ENDPOINTS: list[Endpoint] = []


def context() -> Context:
    """The parts that the running application is made of."""
    found: Context = current_app.extensions["smartcity"]
    return found


def parse_query(model: type[Query]) -> Query:
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


def json_response(body: BaseModel | bytes, status: int = 200, cache_control: str = "no-store") -> Response:
    """A JSON answer."""
    content = body if isinstance(body, bytes) else body.model_dump_json().encode()
    response = Response(content, status, mimetype="application/json")
    response.headers["Cache-Control"] = cache_control
    return response


def endpoint(
    blueprint: Blueprint,
    path: str,
    *,
    query: type[Query] = Query,
    answer: type[BaseModel],
    problems: tuple[int, ...] = (),
    path_parameters: dict[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a GET. The function gets (context, query, **path parameters) and returns the answer or a response.

    Its docstring's first line is the summary, the rest the description.
    """

    def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
        summary, _, rest = (handler.__doc__ or handler.__name__).partition("\n")
        description = " ".join(rest.split()) or summary
        declared = Endpoint(
            path, summary.strip(), description, blueprint.name, query, answer, (400, *problems), path_parameters or {}
        )
        ENDPOINTS.append(declared)

        def view(**parameters: str) -> Response:
            result = handler(context(), parse_query(query), **parameters)
            return result if isinstance(result, Response) else json_response(result)

        rule = path.replace("{", "<").replace("}", ">")
        blueprint.add_url_rule(rule, endpoint=handler.__name__, view_func=view, methods=["GET"])
        return handler

    return declare

"""Errors as RFC 9457 problem details, one shape for all of them; what went wrong inside stays in the log."""

import logging
from http import HTTPStatus

from flask import Flask, Response, request
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from smartcity.store.engine import took_too_long

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class ParameterError(BaseModel):
    """What is wrong with one query parameter."""

    parameter: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str = Field(default="about:blank", description="'about:blank': the status says it all.")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str = Field(description="Path that was asked for.")
    errors: list[ParameterError] | None = Field(
        default=None, description="For 400: each parameter or field that is wrong."
    )


class Problem(Exception):
    """Raised anywhere in a request to answer it with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: list[ParameterError] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def invalid_query(error: ValidationError) -> Problem:
    """Problem 400 from a failed validation, naming each parameter."""
    return _invalid(error, "query")


def invalid_body(error: ValidationError) -> Problem:
    """Problem 400 from a body that is not what it should be, naming each field."""
    return _invalid(error, "body")


def _invalid(error: ValidationError, of: str) -> Problem:
    found = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        name, *inside = [str(part) for part in item["loc"]] or [of]
        told = ": ".join([*inside, item["msg"].removeprefix("Value error, ")])
        message = "unknown parameter" if item["type"] == "extra_forbidden" else told
        found.append(ParameterError(parameter=name, message=message))
    named = "; ".join(f"{item.parameter}: {item.message}" for item in found)
    return Problem(400, f"The {of} is not valid: {named}", errors=found)


def too_much() -> Problem:
    """Problem 503 for a question that takes longer than one may."""
    return Problem(503, "This takes too long to find out; ask for a shorter range, a longer step or fewer cells.")


def respond(problem: Problem) -> Response:
    """The HTTP answer."""
    body = ProblemDetails(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        instance=request.path,
        errors=problem.errors,
    )
    response = Response(body.model_dump_json(exclude_none=True), problem.status, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(problem.headers)
    return response


def _from_http(error: HTTPException) -> Response:
    if error.response is not None and error.code is None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    return respond(Problem(status, _detail(status, error), headers=headers))


def _detail(status: int, error: HTTPException) -> str:
    if status == 404:
        return f"There is nothing at {request.path}. The endpoints are listed at /api/docs."
    if status == 405:
        return f"{request.method} is not possible on {request.path}."
    return error.description or HTTPStatus(status).phrase


def _from_database(error: SQLAlchemyError) -> Response:
    if took_too_long(error):
        log.warning("request %s %s was given up: %s", request.method, request.path, error)
        return respond(too_much())
    log.error("the serving database failed: %s", error)
    return respond(
        Problem(503, "The serving database does not answer; live data is not affected.", headers={"Retry-After": "5"})
    )


def _from_bug(error: Exception) -> Response:
    log.exception("request %s %s failed", request.method, request.path, exc_info=error)
    return respond(Problem(500, "The server failed on this request; its log says why."))


def install(app: Flask) -> None:
    """Answer every error of ``app`` with a problem."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(SQLAlchemyError, _from_database)
    app.register_error_handler(Exception, _from_bug)

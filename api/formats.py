"""The same answer as JSON, GeoJSON or CSV, by ``format=`` or by ``Accept``."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

import orjson
from flask import Response, request
from pydantic import BaseModel

from api.places import Places
from api.problems import Problem
from api.queries import Format

MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.GEOJSON: "application/geo+json",
    Format.CSV: "text/csv",
}
#: A nested model whose fields stand for the row itself: a hotspot is its cell.
UNNAMED = "cell"
#: Which field of the answer holds the rows, for each format but JSON that an endpoint offers.
Rows = Mapping[Format, str]


def wanted(asked: Format | None, rows: Rows) -> Format:
    """The format to answer in. Raises: Problem 406 where ``format=`` names one that is not offered."""
    offered = (Format.JSON, *rows)
    if asked is not None:
        if asked not in offered:
            raise Problem(406, f"{request.path} cannot be had as {asked}; it can as {', '.join(offered)}.")
        return asked
    if not request.accept_mimetypes or len(offered) == 1:
        return Format.JSON
    best = request.accept_mimetypes.best_match([MEDIA_TYPES[one] for one in offered], default="")
    # A page opened in a browser accepts none of these by name: JSON then, as RFC 9110 (12.5.1) allows.
    return next((one for one in offered if MEDIA_TYPES[one] == best), Format.JSON)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    options = get_args(annotation) if get_origin(annotation) is not None else (annotation,)
    return next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)


def header(row: type[BaseModel], before: str = "") -> list[str]:
    """Column names of a row model: nested models' fields carry their field's name before theirs."""
    names: list[str] = []
    for name, field in row.model_fields.items():
        inner = _model_of(field.annotation)
        if inner is None:
            names.append(f"{before}{name}")
        else:
            names += header(inner, before if name == UNNAMED else f"{before}{name}_")
    return names


def flat(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """A dumped row as (column, value), named as ``header`` does."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from flat(value, before if name == UNNAMED else f"{before}{name}_")
        else:
            yield f"{before}{name}", value


def _csv(rows: Iterable[dict[str, Any]], row_model: type[BaseModel]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, header(row_model), lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(dict(flat(row)) for row in rows)
    return text.getvalue().encode()


def _geometry(places: Places, cell_id: str) -> dict[str, Any] | None:
    if corners := places.boundary(cell_id):
        return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
    center = places.center(cell_id)
    return {"type": "Point", "coordinates": [center[1], center[0]]} if center else None


def _geojson(rows: Iterable[dict[str, Any]], rest: dict[str, Any], places: Places) -> bytes:
    features = []
    for row in rows:
        properties = dict(flat(row))
        cell_id = properties["cell_id"]
        geometry = _geometry(places, cell_id)
        features.append({"type": "Feature", "id": cell_id, "geometry": geometry, "properties": properties})
    return orjson.dumps({"type": "FeatureCollection", **rest, "features": features})


def write(answer: BaseModel, rows_in: Rows, form: Format, places: Places) -> Response:
    """The answer in that form. CSV has the rows only; the next page's cursor stands in ``X-Next-Cursor`` in each."""
    if form is Format.JSON:
        response = Response(answer.model_dump_json(), mimetype=MEDIA_TYPES[form])
    else:
        rows_field = rows_in[form]
        dumped = answer.model_dump(mode="json")
        found = dumped.pop(rows_field)
        rows = found if isinstance(found, list) else [found]
        if form is Format.CSV:
            model = _model_of(type(answer).model_fields[rows_field].annotation)
            body = _csv(rows, model or BaseModel)
        else:
            rest = {name: value for name, value in dumped.items() if not isinstance(value, list)}
            body = _geojson(rows, rest, places)
        response = Response(body, content_type=MEDIA_TYPES[form] + ("; charset=utf-8" if form is Format.CSV else ""))
    if cursor := getattr(answer, "next_cursor", None):
        response.headers["X-Next-Cursor"] = cursor
    response.vary.add("Accept")
    return response

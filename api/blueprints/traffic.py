"""The present, or any past moment: cells, forecasts, hotspots, one cell."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from flask import Blueprint, Response, request

from api import bodies, history, moments
from api.context import Context
from api.endpoint import REVALIDATE, endpoint
from api.formats import wanted
from api.models import (
    CellDetail,
    Center,
    CurrentTraffic,
    Hotspot,
    Hotspots,
    Outcome,
    Prediction,
    Predictions,
)
from api.problems import Problem
from api.queries import (
    Aggregation,
    CellFilter,
    CellQuery,
    CurrentTrafficQuery,
    Format,
    HotspotsQuery,
    PlaceFilter,
    PredictionsQuery,
    Worst,
)
from api.state import Cell
from smartcity.levels import Level
from smartcity.messages import ScoredWindow

blueprint = Blueprint("traffic", __name__)

TREND_SPAN = timedelta(minutes=30)
CELLS = {Format.GEOJSON: "cells", Format.CSV: "cells"}
PREDICTIONS = {Format.GEOJSON: "predictions", Format.CSV: "predictions"}
HOTSPOTS = {Format.GEOJSON: "hotspots", Format.CSV: "hotspots"}
ONE_CELL = {Format.GEOJSON: "cell", Format.CSV: "history"}


def _cells(context: Context, at: datetime | None) -> Mapping[str, Cell]:
    """The city now, or as it was."""
    if at is None:
        return context.state.view()[1]
    return context.answers.get(("cells", at), lambda: context.cells_at(at))


def _time_of(cells: Mapping[str, Cell]) -> datetime | None:
    return max((cell.window.window_end_utc for cell in cells.values()), default=None)


def _chosen(context: Context, cells: Iterable[Cell], query: PlaceFilter) -> list[Cell]:
    """The cells that a query's place filters leave, in the order of their ids."""
    found = sorted(cells, key=lambda cell: cell.window.cell_id)
    if query.cells is not None:
        found = [cell for cell in found if cell.window.cell_id in query.cells]
    if query.bbox is not None:
        found = [cell for cell in found if context.places.inside(cell.window.cell_id, query.bbox)]
    return [cell for cell in found if cell.window.vehicle_count >= query.min_vehicles]


def _page(windows: Sequence[ScoredWindow], query: CellFilter) -> tuple[list[ScoredWindow], str | None]:
    """The page asked for, and the cursor of the next one: the last id of this one."""
    after = [window for window in windows if query.cursor is None or window.cell_id > query.cursor]
    page = after[: query.limit]
    return page, page[-1].cell_id if len(after) > len(page) else None


@endpoint(
    blueprint, "/api/current-traffic", query=CurrentTrafficQuery, answer=CurrentTraffic, problems=(503,), rows=CELLS
)
def current_traffic(context: Context, query: CurrentTrafficQuery) -> Response | CurrentTraffic:
    """The newest window of each cell, with its forecast; with `at` those of that moment.

    Answers carry an ETag: ask again with If-None-Match and get 304 as long as nothing changed.
    """
    if query.at is None and wanted(query.format, CELLS) is Format.JSON:
        return _live_json(context, query)
    cells = _cells(context, query.at)
    chosen = [
        cell.window
        for cell in _chosen(context, cells.values(), query)
        if query.level is None or cell.window.level is query.level
    ]
    page, following = _page(chosen, query)
    return CurrentTraffic(data_time_utc=_time_of(cells), cells=page, next_cursor=following)


def _live_json(context: Context, query: CurrentTrafficQuery) -> Response:
    """The state as it is, from bytes that are encoded already; 304 without looking at a cell."""
    etag = context.bodies.etag(context.state.version)
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    elif query == CurrentTrafficQuery():
        return context.bodies.respond(context.state)
    else:
        version, cells = context.state.view()
        etag = context.bodies.etag(version)
        chosen = {
            cell.window.cell_id: cell
            for cell in _chosen(context, cells.values(), query)
            if query.level is None or cell.window.level is query.level
        }
        page, following = _page([cell.window for cell in chosen.values()], query)
        body = bodies.encode(_time_of(cells), [chosen[window.cell_id].json for window in page], following)
        response = Response(body, mimetype="application/json")
        if following:
            response.headers["X-Next-Cursor"] = following
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = REVALIDATE
    response.vary.add("Accept")
    return response


def _prediction(window: ScoredWindow) -> Prediction | None:
    forecast = window.forecast
    if forecast is None:
        return None
    return Prediction(
        cell_id=window.cell_id,
        level_now=window.level,
        avg_speed_mph_now=window.avg_speed_mph,
        **forecast.model_dump(),
    )


@endpoint(blueprint, "/api/predictions", query=PredictionsQuery, answer=Predictions, problems=(503,), rows=PREDICTIONS)
def predictions(context: Context, query: PredictionsQuery) -> Predictions:
    """The forecast for each cell: level, probabilities, expected speed, when it was made and for when.

    The level is the likeliest one. Cells without a vehicle in the last 10 minutes have no forecast and are left out;
    without a model, all cells whose level is unknown. `track_record` says how good forecasts for that place have been.
    With `at`: what was foretold then, and as `outcome` what then happened.
    """
    cells = _cells(context, query.at)
    foretold = [
        cell.window
        for cell in _chosen(context, cells.values(), query)
        if cell.window.forecast is not None and (query.level is None or cell.window.forecast.level is query.level)
    ]
    page, following = _page(foretold, query)
    made = [one for one in map(_prediction, page) if one is not None]
    came = _outcomes(context, made) if query.at is not None else {}
    records = context.accuracy.records()
    rows = [
        one.model_copy(
            update={
                "track_record": records.get(one.cell_id),
                "outcome": _outcome(one, came.get((one.cell_id, one.for_utc))),
            }
        )
        for one in made
    ]
    return Predictions(data_time_utc=_time_of(cells), predictions=rows, next_cursor=following)


def _outcomes(context: Context, made: Sequence[Prediction]) -> dict[tuple[str, datetime], tuple[Level, float | None]]:
    found = {}
    for target in {one.for_utc for one in made}:
        ids = [one.cell_id for one in made if one.for_utc == target]
        for cell_id, seen in moments.outcomes(context.engine, target, context.window, ids).items():
            found[cell_id, target] = seen
    return found


def _outcome(prediction: Prediction, seen: tuple[Level, float | None] | None) -> Outcome | None:
    if seen is None:
        return None
    level, speed = seen
    came_true = None if level is Level.UNKNOWN else level is prediction.level
    return Outcome(level=level, avg_speed_mph=speed, came_true=came_true)


def _delay_minutes_per_mile(window: ScoredWindow) -> float:
    """Extra minutes a mile takes now; a ratio near 0 is capped so that one standing vehicle is not infinity."""
    ratio = max(window.ratio or 0.0, 0.05)
    return round(60 / window.free_flow_mph * (1 / ratio - 1), 2)


@endpoint(blueprint, "/api/hotspots", query=HotspotsQuery, answer=Hotspots, problems=(503,), rows=HOTSPOTS)
def hotspots(context: Context, query: HotspotsQuery) -> Hotspots:
    """The most congested places: lowest share of free-flow speed first, and whether they get better or worse.

    Only cells whose level is known, so with enough vehicles over the last 10 minutes. The live order changes all the
    time: pages of one moment are had with `at`.
    """
    cells = _cells(context, query.at)
    known = [
        cell.window
        for cell in _chosen(context, cells.values(), query)
        if cell.window.level is not Level.UNKNOWN
        and cell.window.ratio is not None
        and (query.level is None or cell.window.level is query.level)
    ]
    ordered = sorted(known, key=_badness)
    first = bisect_right(ordered, _after(query.cursor), key=_badness) if query.cursor else 0
    worst = ordered[first : first + query.limit]
    before = _ratios_before(context, worst)
    ranked = []
    for rank, window in enumerate(worst, start=first + 1):
        then = before.get(window.cell_id)
        trend = None if then is None or window.ratio is None else round(window.ratio - then, 4)
        ranked.append(
            Hotspot(
                rank=rank,
                cell=window,
                delay_minutes_per_mile=_delay_minutes_per_mile(window),
                trend_ratio_30min=trend,
            )
        )
    following = _cursor(worst[-1]) if first + len(worst) < len(ordered) else None
    return Hotspots(data_time_utc=_time_of(cells), hotspots=ranked, next_cursor=following)


def _badness(window: ScoredWindow) -> tuple[float, int, str]:
    """What hotspots are ordered by; those without a ratio are none."""
    return window.ratio or 0.0, -window.vehicle_count, window.cell_id


def _after(cursor: Worst) -> tuple[float, int, str]:
    ratio, vehicles, cell_id = cursor
    return ratio, -vehicles, cell_id


def _cursor(window: ScoredWindow) -> str:
    return f"{window.ratio},{window.vehicle_count},{window.cell_id}"


def _ratios_before(context: Context, windows: list[ScoredWindow]) -> dict[str, float]:
    if not windows:
        return {}
    moment = max(window.window_start_utc for window in windows) - TREND_SPAN
    ids = tuple(window.cell_id for window in windows)
    return context.answers.get(("trend", moment, ids), lambda: history.ratios_at(context.engine, moment, ids))


@endpoint(
    blueprint,
    "/api/cell/{cell_id}",
    query=CellQuery,
    answer=CellDetail,
    problems=(404, 503),
    path_parameters={"cell_id": "H3 index or sensor id, as in the other answers."},
    rows=ONE_CELL,
)
def cell(context: Context, query: CellQuery, cell_id: str) -> CellDetail:
    """One place: its newest window, its shape, and its history with forecast beside outcome.

    A place that has no live data is answered with the newest window that the database has. With `at`: its window of
    then, and the history up to the time that was foretold.
    """
    if not context.places.can_be(cell_id):
        raise Problem(404, f"{cell_id!r} is not an H3 cell.")
    if query.at is None:
        window = context.state.get(cell_id) or history.newest_of(context.engine, cell_id)
    else:
        then = _cells(context, query.at).get(cell_id)
        window = then.window if then else None
    if window is None:
        when = f" by {query.at.isoformat()}" if query.at else ""
        raise Problem(404, f"No window of {cell_id!r} was seen{when}; /api/current-traffic lists the cells that are.")
    end = window.window_end_utc + context.horizon + context.window
    span = history.Span(window.window_end_utc - timedelta(hours=query.hours), end, context.window)
    center = context.places.center(cell_id)
    return CellDetail(
        cell=window,
        boundary=context.places.boundary(cell_id),
        center=Center(latitude=center[0], longitude=center[1]) if center else None,
        history=context.series(span, history.Choice((cell_id,)), Aggregation.MEAN),
    )

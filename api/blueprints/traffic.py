"""The present: cells now, forecasts, hotspots, one cell."""

from collections.abc import Iterable
from datetime import timedelta

from flask import Blueprint, Response, request

from api import bodies, history
from api.context import Context
from api.endpoint import endpoint, json_response
from api.models import (
    CellDetail,
    CellFilter,
    CellQuery,
    Center,
    CurrentTraffic,
    CurrentTrafficQuery,
    Hotspot,
    Hotspots,
    HotspotsQuery,
    Prediction,
    Predictions,
    PredictionsQuery,
)
from api.problems import Problem
from api.state import Cell
from smartcity.levels import Level
from smartcity.messages import ScoredWindow

blueprint = Blueprint("traffic", __name__)

TREND_SPAN = timedelta(minutes=30)


def _chosen(context: Context, cells: Iterable[Cell], query: CellFilter) -> list[Cell]:
    """The cells that a query's place filters leave, in the order of their ids."""
    found = sorted(cells, key=lambda cell: cell.window.cell_id)
    if query.cells is not None:
        found = [cell for cell in found if cell.window.cell_id in query.cells]
    if query.bbox is not None:
        found = [cell for cell in found if context.places.inside(cell.window.cell_id, query.bbox)]
    return found


@endpoint(blueprint, "/api/current-traffic", query=CurrentTrafficQuery, answer=CurrentTraffic)
def current_traffic(context: Context, query: CurrentTrafficQuery) -> Response:
    """The newest window of each cell, with its forecast.

    Answers carry an ETag: ask again with If-None-Match and get 304 as long as nothing changed.
    """
    whole = query == CurrentTrafficQuery()
    etag = context.bodies.etag(context.state.version)
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    elif whole:
        return context.bodies.respond(context.state)
    else:
        version, cells = context.state.view()
        etag = context.bodies.etag(version)
        chosen = [
            cell
            for cell in _chosen(context, cells.values(), query)
            if (query.level is None or cell.window.level is query.level)
            and cell.window.vehicle_count >= query.min_vehicles
        ]
        body = bodies.encode(context.state.data_time_utc, [cell.json for cell in chosen[: query.limit]])
        response = json_response(body, cache_control="no-cache")
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "no-cache"
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


@endpoint(blueprint, "/api/predictions", query=PredictionsQuery, answer=Predictions)
def predictions(context: Context, query: PredictionsQuery) -> Predictions:
    """The forecast for each cell: level, probabilities, expected speed, when it was made and for when.

    The level is the likeliest one. Cells without a vehicle in the last 10 minutes have no forecast and are left out;
    without a model, all cells whose level is unknown.
    """
    _, cells = context.state.view()
    made = (_prediction(cell.window) for cell in _chosen(context, cells.values(), query))
    kept = [one for one in made if one is not None and (query.level is None or one.level is query.level)]
    return Predictions(data_time_utc=context.state.data_time_utc, predictions=kept[: query.limit])


def _delay_minutes_per_mile(window: ScoredWindow) -> float:
    """Extra minutes a mile takes now; a ratio near 0 is capped so that one standing vehicle is not infinity."""
    ratio = max(window.ratio or 0.0, 0.05)
    return round(60 / window.free_flow_mph * (1 / ratio - 1), 2)


@endpoint(blueprint, "/api/hotspots", query=HotspotsQuery, answer=Hotspots, problems=(503,))
def hotspots(context: Context, query: HotspotsQuery) -> Hotspots:
    """The most congested places: lowest share of free-flow speed first, and whether they get better or worse.

    Only cells whose level is known, so with enough vehicles over the last 10 minutes.
    """
    _, cells = context.state.view()
    known = [
        cell.window
        for cell in cells.values()
        if cell.window.level is not Level.UNKNOWN
        and cell.window.ratio is not None
        and cell.window.vehicle_count >= query.min_vehicles
        and (query.bbox is None or context.places.inside(cell.window.cell_id, query.bbox))
    ]
    worst = sorted(known, key=lambda window: (window.ratio, -window.vehicle_count, window.cell_id))[: query.limit]
    before = _ratios_before(context, worst)
    ranked = []
    for rank, window in enumerate(worst, start=1):
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
    return Hotspots(data_time_utc=context.state.data_time_utc, hotspots=ranked)


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
)
def cell(context: Context, query: CellQuery, cell_id: str) -> CellDetail:
    """One place: its newest window, its shape, and its history with forecast beside outcome.

    A place that has no live data is answered with the newest window that the database has.
    """
    if not context.places.can_be(cell_id):
        raise Problem(404, f"{cell_id!r} is not an H3 cell.")
    window = context.state.get(cell_id) or history.newest_of(context.engine, cell_id)
    if window is None:
        raise Problem(404, f"No window of {cell_id!r} was ever seen; /api/current-traffic lists the cells that are.")
    end = window.window_end_utc + context.horizon + context.window
    span = history.Span(window.window_end_utc - timedelta(hours=query.hours), end, context.window)
    center = context.places.center(cell_id)
    return CellDetail(
        cell=window,
        boundary=context.places.boundary(cell_id),
        center=Center(latitude=center[0], longitude=center[1]) if center else None,
        history=history.series(context.engine, span, context.window, context.horizon, cell_id),
    )

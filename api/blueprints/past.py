"""The past: series of the city, of some cells or of one."""

from datetime import datetime, timedelta

from flask import Blueprint

from api import history
from api.context import Context
from api.endpoint import endpoint
from api.models import Historical, HistoryPoint
from api.problems import ParameterError, Problem
from api.queries import MOST_POINTS, Format, HistoricalQuery, default_step
from smartcity.store.reader import newest_window_start

blueprint = Blueprint("history", __name__)

DEFAULT_SPAN = timedelta(hours=6)


def _span(context: Context, query: HistoricalQuery, newest: datetime) -> history.Span:
    """The range asked for, its open ends filled in. Raises: Problem 400 where it has too many steps."""
    end = query.to_utc or newest + context.horizon + context.window
    start = query.from_utc or (query.to_utc or newest) - DEFAULT_SPAN
    if query.step_minutes is not None:
        step = timedelta(minutes=query.step_minutes)
    else:
        step = default_step(end - start, context.window)
    if step < context.window:
        least = context.city.window_minutes
        raise _wrong("step_minutes", f"shorter than a window, which is {least} minutes")
    if (end - start) / step > MOST_POINTS:
        raise _wrong("step_minutes", f"{(end - start) / step:.0f} steps; at most {MOST_POINTS} are possible")
    return history.Span(start, end, step)


def _wrong(parameter: str, message: str) -> Problem:
    error = ParameterError(parameter=parameter, message=message)
    return Problem(400, f"The query is not valid: {parameter}: {message}", errors=[error])


def _choice(context: Context, query: HistoricalQuery) -> history.Choice:
    if query.cell_id is not None:
        ids: tuple[str, ...] | None = (query.cell_id,)
    elif query.cells is not None:
        ids = tuple(sorted(query.cells))
    elif query.bbox is not None:
        ids = tuple(sorted(name for name in context.known_cells() if context.places.inside(name, query.bbox)))
    else:
        ids = None
    return history.Choice(ids, query.min_vehicles)


@endpoint(
    blueprint,
    "/api/historical",
    query=HistoricalQuery,
    answer=Historical,
    problems=(503,),
    rows={Format.CSV: "series"},
)
def historical(context: Context, query: HistoricalQuery) -> Historical:
    """Speed, ratio and share of congested cells over time, beside the share that was expected for that time.

    The whole city, some cells, or one. The expected share is the mean of the forecasts' probabilities of high: the
    likeliest level of each cell would understate it, since few cells are likelier high than not. Each forecast stands
    at the time it is for, so share_high and forecast_share_high of a step can be compared; steps ahead of the newest
    window have a forecast only. What is older than the database's retention comes from the lake, without forecasts.
    """
    newest = newest_window_start(context.engine) or context.newest_of_lake()
    if newest is None:
        step = query.step_minutes or context.city.window_minutes
        return Historical(cell_id=query.cell_id, step_minutes=step, series=[])
    span, choice = _span(context, query, newest), _choice(context, query)

    def compute() -> list[HistoryPoint]:
        return context.series(span, choice, query.aggregation)

    series = context.answers.get(("series", span, choice, query.aggregation), compute)
    after = [point for point in series if query.cursor is None or point.time_utc > query.cursor]
    page = after[: query.limit]
    following = page[-1].time_utc.isoformat().replace("+00:00", "Z") if len(after) > len(page) else None
    return Historical(
        cell_id=query.cell_id,
        step_minutes=int(span.step.total_seconds() // 60),
        series=page,
        next_cursor=following,
    )

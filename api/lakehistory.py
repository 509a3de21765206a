"""History from before the database's first window: the lake's Parquet files, read by DuckDB."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from api.history import Choice, Span
from api.problems import too_much
from smartcity.lake import Dataset, Table
from smartcity.levels import HIGH_BELOW_RATIO
from smartcity.messages import ScoredWindow
from smartcity.store.rollups import Row, window_figures

if TYPE_CHECKING:
    import duckdb
    import pyarrow.dataset as pads

#: A day of the lake is the city's local one: it may begin this much before or after the UTC day of its name.
ZONE = timedelta(hours=14)
#: What the estimate of a level looks back on, and a bit.
ESTIMATE_SPAN = timedelta(hours=2)
MEMORY = "512MB"
#: A question that the lake answers no sooner is given up.
MOST_SECONDS = 20.0

#: Per window: figures as in ``rollups.sums``. The level is that of the features: windows without any are unknown.
SERIES = f"""
select w.window_start_utc, sum(w.vehicle_count), sum(w.position_count), sum(w.avg_speed_mph * w.position_count),
  count(*) filter (f.known_now), coalesce(sum(f.ratio_now) filter (f.known_now), 0),
  count(*) filter (f.known_now and f.ratio_now < {HIGH_BELOW_RATIO})
from windows w left join features f using (cell_id, window_start_utc)
where w.window_start_utc >= $start and w.window_start_utc < $end and w.vehicle_count >= $vehicles
  and ($cells is null or list_contains($cells, w.cell_id))
group by 1 order by 1
"""


def _dataset(table: Table, span: Span) -> "pads.Dataset":
    """The files of the days that can hold the span; on whatever file system the lake is."""
    # Imported where it is needed, as DuckDB is: it brings pandas, and after a crash the API has to be back in seconds.
    import pyarrow.dataset as pads

    prefix = len(table.uri()) - len(table.path)
    uris = table.files((span.start - ZONE).date(), (span.end + ZONE).date())
    if not uris:
        return pads.dataset(table.stored_schema.empty_table())
    return pads.dataset(
        [uri[prefix:] for uri in uris], schema=table.stored_schema, filesystem=table.filesystem, format="parquet"
    )


@contextmanager
def _connect() -> "Iterator[duckdb.DuckDBPyConnection]":
    """A database in memory whose statements end after a while. Raises: Problem 503 where one had to be ended."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.execute(f"set memory_limit='{MEMORY}'; set threads=2; set timezone='UTC'")
        ending = threading.Timer(MOST_SECONDS, connection.interrupt)
        ending.daemon = True
        ending.start()
        try:
            yield connection
        except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
            raise too_much() from error
        finally:
            ending.cancel()


def windows_before(dataset: Dataset, span: Span, choice: Choice) -> Iterator[Row]:
    """Windows of the lake, one row each, as ``rollups.window_figures``."""
    parameters: dict[str, Any] = {
        "start": span.start,
        "end": span.end,
        "vehicles": choice.min_vehicles,
        "cells": list(choice.cell_ids) if choice.cell_ids is not None else None,
    }
    with _connect() as connection:
        connection.register("windows", _dataset(dataset.windows, span))
        connection.register("features", _dataset(dataset.features, span))
        rows = connection.execute(SERIES, parameters).fetchall()
    for start, *figures in rows:
        yield window_figures(start.astimezone(UTC), [figure or 0 for figure in figures])


def cells_before(dataset: Dataset, at: datetime) -> list[ScoredWindow]:
    """The city at a moment of the lake, estimated by the code of the stream; without what was foretold then.

    Raises: MissingDataError where the data set has no profile.
    """
    import pyarrow.compute as pc

    from smartcity.live import LiveCity
    from smartcity.profile import Profile

    span = Span(at - ESTIMATE_SPAN, at, ESTIMATE_SPAN)
    found = _dataset(dataset.windows, span).to_table(
        filter=(pc.field("window_start_utc") >= pa.scalar(span.start, pa.timestamp("us", tz="UTC")))
        & (pc.field("window_start_utc") < pa.scalar(span.end, pa.timestamp("us", tz="UTC")))
    )
    if not found.num_rows:
        return []
    scored = LiveCity(dataset.city, Profile.load(dataset)).update(found)
    return [window.model_copy(update={"forecast": None}) for window in scored if window.window_end_utc <= at]

"""What the serving database must hold: a plain count of the events themselves, and how the two differ, key by key.

Nothing of the stream's code is used: cells by h3's own library, the rest by Arrow's grouping, speeds in whole steps.
"""

from datetime import UTC, datetime
from typing import Any

import h3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City
from smartcity.store.engine import Engine
from smartcity.store.reader import recent_windows

MEASURES = ("vehicle_count", "position_count", "speed_sum", "speed_square_sum")
Windows = dict[tuple[str, datetime], tuple[int, ...]]


def expected(events: pa.Table, city: City) -> Windows:
    """Windows of ``events`` (vehicle_id, timestamp_utc, latitude, longitude, speed_mph), each counted once."""
    places = zip(events["latitude"].to_numpy(), events["longitude"].to_numpy(), strict=True)
    cells = [h3.latlng_to_cell(latitude, longitude, city.h3_resolution) for latitude, longitude in places]
    micros = events["timestamp_utc"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    steps = np.round(events["speed_mph"].to_numpy() * 100).astype(np.int64)
    length = city.window_seconds * 1_000_000
    table = pa.table(
        {
            "cell": cells,
            "window": micros // length * length,
            "vehicle": events["vehicle_id"],
            "steps": steps,
            "squares": steps * steps,
        }
    )
    groups = table.group_by(["cell", "window"]).aggregate(
        [("vehicle", "count_distinct"), ("vehicle", "count"), ("steps", "sum"), ("squares", "sum")]
    )
    columns = ["vehicle_count_distinct", "vehicle_count", "steps_sum", "squares_sum"]
    starts = [datetime.fromtimestamp(micros // 1_000_000, UTC) for micros in groups["window"].to_pylist()]
    values = zip(*(groups[name].to_pylist() for name in columns), strict=True)
    return dict(zip(zip(groups["cell"].to_pylist(), starts, strict=True), values, strict=True))


def stored(engine: Engine) -> Windows:
    """What the database holds; a window that has a score but no position is no count."""
    table = recent_windows(engine, datetime(2000, 1, 1, tzinfo=UTC))
    rows: list[dict[str, Any]] = table.filter(pc.greater(table["position_count"], 0)).to_pylist()
    return {(row["cell_id"], row["window_start_utc"]): tuple(row[name] for name in MEASURES) for row in rows}


def differences(found: Windows, wanted: Windows) -> list[str]:
    """Each key in which the two differ, and how; none where they are equal."""
    return [
        f"{key[0]} {key[1]:%H:%M}: {found.get(key, 'missing')}, expected {wanted.get(key, 'none')}"
        for key in sorted({*found, *wanted})
        if found.get(key) != wanted.get(key)
    ]

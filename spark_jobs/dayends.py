"""Days whose end alone is due: only the day after them is new, in whose windows their last labels lie.

That is what each night does to the day before: making it anew as a whole would double the work.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow.parquet as pq

from smartcity.lake import Table
from smartcity.lakerows import spans_of


def only_next_is_new(before: Mapping[str, Any], now: Mapping[str, Any], day: date) -> bool:
    """Whether what a day was made from differs in the windows of the next day alone."""
    following = f"windows/{(day + timedelta(days=1)).isoformat()}"
    return {**before, following: None} == {**now, following: None}


def files_before(table: Table, names: Sequence[str], end_us: int) -> list[str] | None:
    """Those of a day's files whose rows all lie before an instant; None where a file has rows of both sides of it."""
    found = []
    for name in names:
        spans = [*spans_of(pq.read_metadata(f"{table.path}/{name}", filesystem=table.filesystem), "window_start_utc")]
        if max(last for _, last in spans) < end_us:
            found.append(name)
        elif min(first for first, _ in spans) < end_us:
            return None
    return found

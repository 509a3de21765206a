"""Whether two versions of the batch came to the same windows: key by key, integers exactly, the rest to 1e-9."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KEYS = ("cell_id", "window_start_utc")
COUNTS = ("vehicle_count", "position_count", "speed_sum", "speed_square_sum")
SPEEDS = ("avg_speed_mph", "std_speed_mph")
TOLERANCE = 1e-9


def read_windows(path: Path) -> pa.Table:
    """The windows that a peer wrote."""
    return _plain(pq.read_table(path, columns=[*KEYS, *COUNTS, *SPEEDS]))


def differences(ours: pa.Table, theirs: pa.Table) -> list[str]:
    """What differs, one line per kind of difference; empty where the windows are the same."""
    ours, theirs = (_plain(table).sort_by([(key, "ascending") for key in KEYS]) for table in (ours, theirs))
    if ours.num_rows != theirs.num_rows:
        return [f"{ours.num_rows:,} windows here, {theirs.num_rows:,} there"]
    found = []
    for name in (*KEYS, *COUNTS):
        if not ours.column(name).equals(theirs.column(name)):
            pairs = zip(ours.column(name).to_pylist(), theirs.column(name).to_pylist(), strict=True)
            unequal = [pair for pair in pairs if pair[0] != pair[1]]
            found.append(f"{name}: {len(unequal):,} differ, the first is {unequal[0][0]} here, {unequal[0][1]} there")
    for name in SPEEDS:
        worst = np.abs(ours.column(name).to_numpy() - theirs.column(name).to_numpy()).max(initial=0.0)
        if not worst <= TOLERANCE:
            found.append(f"{name}: up to {worst:.3g} apart")
    return found


def _plain(table: pa.Table) -> pa.Table:
    """The compared columns in the same types, whoever wrote them."""
    kinds = {"cell_id": pa.string(), "window_start_utc": pa.timestamp("us", tz="UTC")}
    kinds |= dict.fromkeys(COUNTS, pa.int64()) | dict.fromkeys(SPEEDS, pa.float64())
    return pa.table({name: table.column(name).cast(kind).combine_chunks() for name, kind in kinds.items()})

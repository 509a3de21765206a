"""The tables of the lake: one Arrow schema each, from which Spark's schemas are derived. Names carry units.

Every table is partitioned by ``date``, the city's local date of the row's time; the column is part of each schema.
"""

import pyarrow as pa

UTC_TIMESTAMP = pa.timestamp("us", tz="UTC")

#: One row per cleaned trip. ``trip_id`` is a hash of the published row, so a row read twice is one trip.
#: Taxi records name no vehicle; ``vehicle_id`` is then derived from the trip.
TRIPS = pa.schema(
    [
        ("trip_id", pa.string()),
        ("vehicle_id", pa.string()),
        ("pickup_utc", UTC_TIMESTAMP),
        ("dropoff_utc", UTC_TIMESTAMP),
        ("pickup_latitude", pa.float64()),
        ("pickup_longitude", pa.float64()),
        ("dropoff_latitude", pa.float64()),
        ("dropoff_longitude", pa.float64()),
        ("trip_distance_miles", pa.float64()),
        ("source_file", pa.string()),
        ("source_sha256", pa.string()),
        ("date", pa.date32()),
    ]
)

#: One row per input row that was not kept: where it stood, which rule it broke first, and the row itself as text.
QUARANTINE = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_sha256", pa.string()),
        ("row_number", pa.int64()),
        ("reason", pa.string()),
        ("row_text", pa.string()),
        ("date", pa.date32()),
    ]
)

#: One row per vehicle and instant: the shared currency. Speed in steps of 1/100 mph.
POSITIONS = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("trip_id", pa.string()),
        ("timestamp_utc", UTC_TIMESTAMP),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("speed_mph", pa.float64()),
        ("cell_id", pa.string()),
        ("date", pa.date32()),
    ]
)

#: One row per cell and window with at least one position. Sums are integers (1/100 mph and its square): exact in
#: every engine and in any order. ``vehicle_bits`` is a 64-bit set of vehicle hashes: or-ed over windows, its
#: population count is a lower bound of the distinct vehicles, exact for few.
WINDOWS = pa.schema(
    [
        ("cell_id", pa.string()),
        ("window_start_utc", UTC_TIMESTAMP),
        ("vehicle_count", pa.int64()),
        ("position_count", pa.int64()),
        ("speed_sum", pa.int64()),
        ("speed_square_sum", pa.int64()),
        ("vehicle_bits", pa.int64()),
        ("avg_speed_mph", pa.float64()),
        ("std_speed_mph", pa.float64()),
        ("date", pa.date32()),
    ]
)

#: The generated city's truth: the latent speed per cell and window, and the cell's true free-flow speed.
TRUTH = pa.schema(
    [
        ("cell_id", pa.string()),
        ("window_start_utc", UTC_TIMESTAMP),
        ("true_speed_mph", pa.float64()),
        ("true_free_flow_mph", pa.float64()),
        ("date", pa.date32()),
    ]
)

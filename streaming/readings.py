"""A sensor table as a recording: each reading travels as a position of something that stands at its sensor."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from smartcity.city import PlaceKind
from smartcity.lake import Dataset
from smartcity.sensors import load_places
from streaming.recording import COLUMNS, Recording, span_of


class ReadingsRecording(Recording):
    """Replays the ``windows`` table of a city of sensors.

    A reading is the mean of its whole step, so it is sent in the last second of that: earlier would tell the future.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.windows)
        self._places = load_places(dataset)
        self._delay = timedelta(seconds=dataset.city.window_seconds - 1)

    def _positions(self, day: pads.Dataset, start_us: int, end_us: int) -> pa.Table:
        delay_us = self._delay // timedelta(microseconds=1)
        within = span_of("window_start_utc", start_us - delay_us, end_us - delay_us)
        rows = day.to_table(columns=["cell_id", "window_start_utc", "avg_speed_mph"], filter=within)
        sensors = rows.column("cell_id").to_pylist()
        starts = rows.column("window_start_utc")
        latitudes, longitudes = zip(*(self._places[sensor] for sensor in sensors), strict=True) if sensors else ((), ())
        columns = [
            rows.column("cell_id"),
            pa.nulls(len(sensors), pa.string()),
            pc.add(starts, pa.scalar(self._delay, pa.duration("us"))),
            pa.array(latitudes, pa.float64()),
            pa.array(longitudes, pa.float64()),
            rows.column("avg_speed_mph"),
        ]
        return pa.table(columns, names=list(COLUMNS))


def recording_of(dataset: Dataset) -> Recording:
    """What a replay of the data set reads."""
    sensors = dataset.city.place_kind is PlaceKind.SENSOR
    return ReadingsRecording(dataset) if sensors else Recording(dataset.positions)

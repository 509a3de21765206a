"""Road sensors as places: where each stands, and how much a reading weighs beside the positions of vehicles."""

from collections.abc import Mapping

from smartcity.lake import Dataset

#: A loop averages all vehicles of its step: its reading outweighs any history (K = 8 positions) and is never unknown.
POSITIONS_PER_READING = 100
#: All bits: as many distinct vehicles as the set can show.
ALL_VEHICLE_BITS = -1
#: The data set's document of places: a list of ``{"cell_id", "latitude", "longitude"}``.
_FILE = "places.json"

#: (latitude, longitude) in degrees, by sensor.
SensorPlaces = Mapping[str, tuple[float, float]]


def save_places(dataset: Dataset, places: SensorPlaces) -> None:
    """Keep where the sensors stand with the data set."""
    rows = [{"cell_id": name, "latitude": at[0], "longitude": at[1]} for name, at in places.items()]
    dataset.put_json(_FILE, rows)


def load_places(dataset: Dataset) -> SensorPlaces:
    """Where the sensors of the data set stand; empty for a city of H3 cells, whose ids say it."""
    rows = dataset.get_json(_FILE) or []
    return {str(row["cell_id"]): (float(row["latitude"]), float(row["longitude"])) for row in rows}

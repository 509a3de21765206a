"""``cell_id`` as a Spark column, by the same ``CellGrid`` that everything else uses."""

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined]

from smartcity.city import City
from smartcity.grid import CellGrid


def cell_id(latitude: Column, longitude: Column, city: City) -> Column:
    """The H3 cell of each position; null outside the city's bounds."""

    def assign(lat: pa.Array, lng: pa.Array) -> pa.Array:
        grid = CellGrid.of(city)
        nan = float("nan")
        return grid.cells(
            lat.fill_null(nan).to_numpy(zero_copy_only=False), lng.fill_null(nan).to_numpy(zero_copy_only=False)
        )

    cells: Column = arrow_udf(assign, "string")(latitude, longitude)
    return cells

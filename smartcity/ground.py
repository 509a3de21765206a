"""The ground under a city of H3 cells whose outline nobody drew: what the map shows where there are no zones."""

from collections.abc import Collection, Sequence
from typing import Any

import h3
import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.float64]

#: In the data set's folder, written beside the profile, from whose cells it comes.
FILE = "ground.json"
#: Cells around those where vehicles drive that belong to the ground.
MARGIN = 1
#: How often corners are cut: each time halves the angles of the hexagons.
ROUNDS = 2


def ground_of(cells: Collection[str]) -> dict[str, Any] | None:
    """A GeoJSON FeatureCollection of the land that ``cells`` lie on, with rounded shores; None without cells."""
    covered = {near for cell in cells for near in h3.grid_disk(cell, MARGIN)}
    if not covered:
        return None
    polygons = [
        [_rounded(ring) for ring in (polygon.outer, *polygon.holes)]
        for polygon in h3.cells_to_h3shape(covered, tight=False)
    ]
    geometry = {"type": "MultiPolygon", "coordinates": polygons}
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": geometry}]}


def _rounded(corners: Sequence[tuple[float, float]]) -> list[list[float]]:
    """A closed ring of (longitude, latitude) from one of (latitude, longitude), its corners cut after Chaikin."""
    ring: Ring = np.array(corners, dtype=float)[:, ::-1]
    for _ in range(ROUNDS):
        following = np.roll(ring, -1, axis=0)
        ring = np.stack([0.75 * ring + 0.25 * following, 0.25 * ring + 0.75 * following], axis=1).reshape(-1, 2)
    return [[float(x), float(y)] for x, y in np.round(np.vstack([ring, ring[:1]]), 5)]

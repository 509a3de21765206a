"""H3 cells of a city: which cell a position is in, and which cells touch.

Inside one face of H3's icosahedron, latitude/longitude to the grid's axial coordinates is a projective map. It is
fitted once from h3 itself and applied to whole arrays; a lookup array turns axial coordinates into H3 indexes. Where
a city straddles two faces the fit fails and each position is asked of h3 (exact as well, some twenty times slower).
"""

from dataclasses import dataclass
from functools import lru_cache

import h3
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity.city import Bounds, City

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]


def _unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    """Points on the unit sphere, shape (n, 3), from degrees."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


@dataclass(frozen=True)
class _Projection:
    """The fitted map (3 × 3) and the lookup array; ``codes[i - low_i, j - low_j]`` is a cell's number, -1 for none."""

    matrix: Floats
    low: tuple[int, int]
    codes: Codes

    def numbers(self, latitude: Floats, longitude: Floats) -> Codes:
        """Number of the cell of each point; -1 outside the lookup array."""
        # The unit vector divided by cos(latitude): its length does not matter to a projective map.
        phi, lam = np.radians(latitude), np.radians(longitude)
        x, y, z = np.cos(lam), np.sin(lam), np.tan(phi)
        m = self.matrix
        scale = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z
        i, j = _nearest_hexagon(
            (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z) / scale, (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z) / scale
        )
        i -= self.low[0]
        j -= self.low[1]
        rows, columns = self.codes.shape
        inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
        if inside.all():
            return np.asarray(self.codes.ravel()[i * columns + j])
        return np.where(inside, self.codes.ravel()[np.where(inside, i * columns + j, 0)], -1).astype(np.int32)


def _nearest_hexagon(i: Floats, j: Floats) -> tuple[Ints, Ints]:
    """Nearest hexagon centre in H3's local IJ axes, which are 120° apart.

    With the second axis turned round they are 60° apart: each unit rhombus then is two equilateral triangles, and the
    two comparisons below say which of its corners is nearest.
    """
    low_u, low_v = np.floor(i), np.floor(-j)
    u, v = i - low_u, -j - low_v
    lower = u <= v
    low_u += (u + u + v) >= 1.0 + lower
    low_v += (u + v + v) >= 2.0 - lower
    return low_u.astype(np.int64), (-low_v).astype(np.int64)


def _covering(bounds: Bounds, resolution: int) -> list[str]:
    """All cells that reach into ``bounds``, and their neighbours, sorted."""
    box = h3.LatLngPoly(
        [
            (bounds.south, bounds.west),
            (bounds.south, bounds.east),
            (bounds.north, bounds.east),
            (bounds.north, bounds.west),
        ]
    )
    inner = h3.h3shape_to_cells(box, resolution) or [h3.latlng_to_cell(*bounds.center, resolution)]
    return sorted({ring for cell in inner for ring in h3.grid_disk(cell, 1)})


def _fit(cells: list[str], bounds: Bounds, resolution: int) -> _Projection | None:
    """Fit the projection on the cells that cover ``bounds``; None where no single projective map fits them."""
    origin = h3.latlng_to_cell(*bounds.center, resolution)
    try:
        axial = np.array([h3.cell_to_local_ij(origin, cell) for cell in cells], dtype=np.int64)
    except h3.H3BaseException:
        return None
    centers = np.array([h3.cell_to_latlng(cell) for cell in cells])
    vectors = _unit_vectors(centers[:, 0], centers[:, 1])
    # Direct linear transform: each centre gives two equations in the nine entries of the matrix.
    sample = np.linspace(0, len(cells) - 1, min(len(cells), 2000)).astype(int)
    v, (a, b) = vectors[sample], axial[sample].T.astype(float)
    zero = np.zeros_like(v)
    equations = np.vstack([np.hstack([v, zero, -a[:, None] * v]), np.hstack([zero, v, -b[:, None] * v])])
    matrix = np.linalg.svd(equations, full_matrices=False)[2][-1].reshape(3, 3)
    projected = matrix @ vectors.T
    residual = np.abs(projected[:2] / projected[2] - axial.T).max()
    if residual > 1e-5:
        return None
    low = axial.min(axis=0)
    lookup = np.full(axial.max(axis=0) - low + 1, -1, dtype=np.int32)
    lookup[tuple((axial - low).T)] = np.arange(len(cells))
    return _Projection(matrix, (int(low[0]), int(low[1])), lookup)


class CellGrid:
    """The H3 cells of a city's bounds at its resolution, numbered in the order of their names."""

    def __init__(self, bounds: Bounds, resolution: int) -> None:
        self.bounds = bounds
        self.resolution = resolution
        cells = _covering(bounds, resolution)
        self.names: pa.StringArray = pa.array(cells, pa.string())
        self._number = {cell: number for number, cell in enumerate(cells)}
        self._projection = _fit(cells, bounds, resolution)

    @staticmethod
    @lru_cache(maxsize=8)
    def of(city: City) -> "CellGrid":
        """The grid of a city; fitted once per process."""
        return CellGrid(city.bounds, city.h3_resolution)

    def numbers(self, latitude: Floats, longitude: Floats) -> Codes:
        """Number of the cell of each position, an index into ``names``; -1 outside the city's bounds or for NaN."""
        b = self.bounds
        inside = (latitude >= b.south) & (latitude <= b.north) & (longitude >= b.west) & (longitude <= b.east)
        everywhere = bool(inside.all())
        lat = latitude if everywhere else np.where(inside, latitude, b.south)
        lng = longitude if everywhere else np.where(inside, longitude, b.west)
        if self._projection is not None:
            found = self._projection.numbers(lat, lng)
        else:
            found = np.fromiter(
                (self._number[h3.latlng_to_cell(y, x, self.resolution)] for y, x in zip(lat, lng, strict=True)),
                dtype=np.int32,
                count=len(lat),
            )
        return found if everywhere else np.where(inside, found, np.int32(-1))

    def coded(self, numbers: Codes) -> pa.DictionaryArray:
        """``cell_id`` of numbered cells as Arrow keeps repeated strings; null for -1."""
        return pa.DictionaryArray.from_arrays(pa.array(numbers, mask=numbers < 0), self.names)

    def cells(self, latitude: Floats, longitude: Floats) -> pa.StringArray:
        """``cell_id`` of each position; null outside the city's bounds."""
        return self.coded(self.numbers(latitude, longitude)).cast(pa.string())


@lru_cache(maxsize=1 << 16)
def neighbours(cell_id: str, rings: int = 1) -> tuple[str, ...]:
    """The cells exactly ``rings`` steps away, sorted."""
    return tuple(sorted(h3.grid_ring(cell_id, rings)))

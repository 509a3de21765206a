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


def _unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    """Points on the unit sphere, shape (n, 3), from degrees."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


@dataclass(frozen=True)
class _Projection:
    """The fitted map (3 × 3) and the lookup array; ``cells[a - low_a, b - low_b]`` is an H3 index, 0 for none."""

    matrix: Floats
    low: tuple[int, int]
    cells: npt.NDArray[np.uint64]

    def axial(self, latitude: Floats, longitude: Floats) -> npt.NDArray[np.int64]:
        """Axial coordinates of the cell of each point, shape (2, n)."""
        projected = self.matrix @ _unit_vectors(latitude, longitude).T
        return _round_axial(projected[0] / projected[2], projected[1] / projected[2])

    def index(self, latitude: Floats, longitude: Floats) -> npt.NDArray[np.uint64]:
        """H3 index of each point; 0 outside the lookup array."""
        a, b = self.axial(latitude, longitude)
        a, b = a - self.low[0], b - self.low[1]
        inside = (a >= 0) & (a < self.cells.shape[0]) & (b >= 0) & (b < self.cells.shape[1])
        return np.where(inside, self.cells[np.where(inside, a, 0), np.where(inside, b, 0)], np.uint64(0))


def _round_axial(a: Floats, b: Floats) -> npt.NDArray[np.int64]:
    """Nearest hexagon centre in H3's local IJ axes (120° apart)."""
    # H3's i and j axes are 120° apart: cube coordinates are (i, -j, j - i).
    x, y, z = a, -b, b - a
    rx, ry, rz = np.rint(x), np.rint(y), np.rint(z)
    dx, dy, dz = np.abs(rx - x), np.abs(ry - y), np.abs(rz - z)
    fix_x = (dx > dy) & (dx > dz)
    fix_y = ~fix_x & (dy > dz)
    rx = np.where(fix_x, -ry - rz, rx)
    ry = np.where(fix_y, -rx - rz, ry)
    return np.stack([rx, -ry]).astype(np.int64)


def _fit(bounds: Bounds, resolution: int) -> _Projection | None:
    """Fit the projection on the cells that cover ``bounds``; None where no single projective map fits them."""
    box = h3.LatLngPoly(
        [
            (bounds.south, bounds.west),
            (bounds.south, bounds.east),
            (bounds.north, bounds.east),
            (bounds.north, bounds.west),
        ]
    )
    inner = h3.h3shape_to_cells(box, resolution) or [h3.latlng_to_cell(*bounds.center, resolution)]
    cells = sorted({ring for cell in inner for ring in h3.grid_disk(cell, 1)})
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
    lookup = np.zeros(axial.max(axis=0) - low + 1, dtype=np.uint64)
    lookup[tuple((axial - low).T)] = [h3.str_to_int(cell) for cell in cells]
    return _Projection(matrix, (int(low[0]), int(low[1])), lookup)


class CellGrid:
    """The H3 cells of a city's bounds at its resolution."""

    def __init__(self, bounds: Bounds, resolution: int) -> None:
        self.bounds = bounds
        self.resolution = resolution
        self._projection = _fit(bounds, resolution)

    @staticmethod
    @lru_cache(maxsize=8)
    def of(city: City) -> "CellGrid":
        """The grid of a city; fitted once per process."""
        return CellGrid(city.bounds, city.h3_resolution)

    def indexes(self, latitude: Floats, longitude: Floats) -> npt.NDArray[np.uint64]:
        """H3 index of each position as an integer; 0 outside the city's bounds or for NaN."""
        b = self.bounds
        inside = (latitude >= b.south) & (latitude <= b.north) & (longitude >= b.west) & (longitude <= b.east)
        lat, lng = np.where(inside, latitude, b.south), np.where(inside, longitude, b.west)
        if self._projection is not None:
            found = self._projection.index(lat, lng)
        else:
            found = np.fromiter(
                (h3.str_to_int(h3.latlng_to_cell(y, x, self.resolution)) for y, x in zip(lat, lng, strict=True)),
                dtype=np.uint64,
                count=len(lat),
            )
        return np.where(inside, found, np.uint64(0))

    def cells(self, latitude: Floats, longitude: Floats) -> pa.StringArray:
        """``cell_id`` of each position; null outside the city's bounds."""
        distinct, inverse = np.unique(self.indexes(latitude, longitude), return_inverse=True)
        names = pa.array([h3.int_to_str(int(cell)) if cell else None for cell in distinct], pa.string())
        return names.take(pa.array(inverse))


def neighbours(cell_id: str, rings: int = 1) -> list[str]:
    """The cells exactly ``rings`` steps away, sorted."""
    return sorted(h3.grid_ring(cell_id, rings))

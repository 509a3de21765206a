"""Where the generated city is: its cells, which touch, how places differ, and a raster that finds a point's cell."""

from dataclasses import dataclass
from functools import lru_cache

import h3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City, PlaceKind
from smartcity.errors import SettingsError
from smartcity.generator import parameters as p
from smartcity.grid import CellGrid
from smartcity.streets import KM_PER_MILE, StreetGrid

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Pixels of the raster per cell edge.
_PIXELS_PER_EDGE = 12


def stream(*key: int) -> np.random.Generator:
    """A random generator of its own for each key, e.g. (seed, purpose, day)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


@dataclass(frozen=True, eq=False)
class Layout:
    """C core cells; index C stands for everywhere else. Arrays over cells have C entries, places' values C + 1."""

    city: City
    streets: StreetGrid
    cells: tuple[str, ...]
    along: Floats
    across: Floats
    #: Indexes of the six neighbours, shape (C, 6); the cell's own where a neighbour is not in the core.
    neighbours: Ints
    amplitude: Floats
    peak_shift_hours: Floats
    log_speed: Floats
    demand: Floats
    raster: npt.NDArray[np.int32]
    raster_origin: tuple[float, float]
    pixel_miles: float

    def cell_index(self, along: Floats, across: Floats) -> npt.NDArray[np.int32]:
        """Index of the cell at each point of the street plane; C outside the core."""
        rows = ((along - self.raster_origin[0]) / self.pixel_miles).astype(np.int64)
        columns = ((across - self.raster_origin[1]) / self.pixel_miles).astype(np.int64)
        # The raster's rim is all outside, so a point beyond it is clipped onto the right answer.
        rows = np.clip(rows, 0, self.raster.shape[0] - 1)
        return self.raster[rows, np.clip(columns, 0, self.raster.shape[1] - 1)]


def _smooth(along: Floats, across: Floats, rng: np.random.Generator) -> Floats:
    """A smooth random surface, mean 0 and sd 1 over the cells: six waves of 4 to 12 km."""
    angle, phase = rng.uniform(0, 2 * np.pi, 6), rng.uniform(0, 2 * np.pi, 6)
    wave = 2 * np.pi * KM_PER_MILE / rng.uniform(4, 12, 6)
    total = np.sum(np.cos(wave * (np.cos(angle) * along[:, None] + np.sin(angle) * across[:, None]) + phase), axis=1)
    centred = total - total.mean()
    return np.asarray(centred / max(float(centred.std()), 1e-9))


def _core_cells(city: City, streets: StreetGrid) -> tuple[tuple[str, ...], Floats, Floats]:
    """The cells of the core, sorted, and their centres in the plane."""
    b = city.bounds
    manhattan = b.south < p.MANHATTAN[0] < b.north and b.west < p.MANHATTAN[1] < b.east
    center, aspect = (p.MANHATTAN, p.MANHATTAN_ASPECT) if manhattan else (b.center, p.OTHER_ASPECT)
    wanted = max(7, round(p.CELLS_AT_RESOLUTION_8 * 7.0 ** (city.h3_resolution - 8)))
    reach = int(np.ceil(np.sqrt(wanted * aspect))) + 2
    near = h3.grid_disk(h3.latlng_to_cell(*center, city.h3_resolution), reach)
    found = [(cell, *h3.cell_to_latlng(cell)) for cell in sorted(near)]
    inside = [row for row in found if b.south < row[1] < b.north and b.west < row[2] < b.east]
    if not inside:
        raise SettingsError(
            f"the bounds of {city.name} ({b}) hold no whole cell at resolution {city.h3_resolution}: "
            "widen TRAFFIC_CITY__BOUNDS or raise TRAFFIC_CITY__H3_RESOLUTION"
        )
    latitude, longitude = np.array([row[1] for row in inside]), np.array([row[2] for row in inside])
    along, across = streets.to_plane(latitude, longitude)
    middle = streets.to_plane(np.array([center[0]]), np.array([center[1]]))
    distance = np.maximum(np.abs(along - middle[0]) / aspect, np.abs(across - middle[1]))
    chosen = np.sort(np.argsort(distance, kind="stable")[:wanted])
    return tuple(inside[int(index)][0] for index in chosen), along[chosen], across[chosen]


def _raster(
    city: City, streets: StreetGrid, cells: tuple[str, ...], along: Floats, across: Floats
) -> tuple[npt.NDArray[np.int32], tuple[float, float], float]:
    edge = h3.average_hexagon_edge_length(city.h3_resolution, unit="km") / KM_PER_MILE
    pixel = edge / _PIXELS_PER_EDGE
    low = (float(along.min()) - 1.5 * edge, float(across.min()) - 1.5 * edge)
    rows = int((along.max() + 1.5 * edge - low[0]) / pixel) + 1
    columns = int((across.max() + 1.5 * edge - low[1]) / pixel) + 1
    grid_along, grid_across = np.meshgrid(
        low[0] + (np.arange(rows) + 0.5) * pixel, low[1] + (np.arange(columns) + 0.5) * pixel, indexing="ij"
    )
    grid = CellGrid.of(city)
    # The last entry is reached by -1, a position in no cell of the grid.
    place = np.full(len(grid.names) + 1, len(cells), dtype=np.int32)
    place[pc.index_in(pa.array(cells), grid.names).to_numpy()] = np.arange(len(cells))
    found = grid.numbers(*streets.to_degrees(grid_along.ravel(), grid_across.ravel()))
    index = place[found].reshape(rows, columns)
    index[[0, -1], :] = len(cells)
    index[:, [0, -1]] = len(cells)
    return index, low, pixel


@lru_cache(maxsize=4)
def layout_of(city: City, seed: int) -> Layout:
    """The generated city of a seed: where its places are and how they differ.

    Raises: SettingsError where the bounds hold no cell, or the city's places are sensors.
    """
    if city.place_kind is not PlaceKind.H3:
        raise SettingsError(f"{city.name}: only a city of H3 cells can be generated, set TRAFFIC_CITY__PLACE_KIND=h3")
    streets = StreetGrid.of(city)
    cells, along, across = _core_cells(city, streets)
    position = {cell: index for index, cell in enumerate(cells)}
    neighbours = np.array(
        [
            ([position.get(other, index) for other in sorted(h3.grid_ring(cell, 1))] + [index])[:6]
            for index, cell in enumerate(cells)
        ],
        dtype=np.int64,
    )
    rng = stream(seed, 1)
    amplitude = 1 + p.AMPLITUDE_SD * np.clip(_smooth(along, across, rng), -2.5, 2.5)
    shift = p.PEAK_SHIFT_HOURS_SD * np.clip(_smooth(along, across, rng), -2.5, 2.5)
    speed = p.PLACE_SPEED_SD * _smooth(along, across, rng)
    demand = np.exp(p.DEMAND_LOG_SD * _smooth(along, across, rng))
    raster, origin, pixel = _raster(city, streets, cells, along, across)
    return Layout(
        city=city,
        streets=streets,
        cells=cells,
        along=along,
        across=across,
        neighbours=neighbours,
        amplitude=np.append(amplitude, 1.0),
        peak_shift_hours=np.append(shift, 0.0),
        log_speed=np.append(speed, p.OUTSIDE_LOG_SPEED),
        demand=demand / demand.sum(),
        raster=raster,
        raster_origin=origin,
        pixel_miles=pixel,
    )

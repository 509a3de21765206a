"""Zones: polygons that trip files without coordinates refer to by id, and the outline that the map draws.

Reads a shapefile (any projection that its .prj names) or GeoJSON (WGS 84), with columns like the TLC's ``LocationID``
and ``zone``.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyproj
import shapefile

from smartcity.errors import InputError
from smartcity.tripfiles.identity import Words, draw

Floats = npt.NDArray[np.float64]

#: A trip is placed on one of at least this many points of its zone, so that the points look like an area.
MIN_POINTS = 200
_RESOLUTIONS = range(10, 15)
_ID_NAMES = ("locationid", "location_id", "zoneid", "zone_id")
_NAME_NAMES = ("zone", "zone_name", "zonename", "name")


@dataclass(frozen=True)
class Polygon:
    """An outer ring and its holes; each ring is an array (n, 2) of longitude, latitude in degrees."""

    outer: Floats
    holes: tuple[Floats, ...] = ()


@dataclass(frozen=True)
class Zone:
    """One zone; an id that the file names in several rows is one zone of several polygons."""

    location_id: int
    name: str
    polygons: tuple[Polygon, ...]


def read_zones(path: str | Path) -> list[Zone]:
    """The zones of a shapefile or GeoJSON file, by id. Raises: InputError naming the file and the way out."""
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"--zones {path}: no such file; taxi_zones.shp (with .shx, .dbf and .prj) or GeoJSON is needed"
        )
    if path.suffix.lower() == ".shp":
        features = _shapefile(path)
    elif path.suffix.lower() in (".geojson", ".json"):
        features = _geojson(path)
    else:
        raise InputError(f"--zones {path}: give the .shp file of a shapefile (unpacked), or .geojson")
    merged: dict[int, Zone] = {}
    for properties, geometry in features:
        location_id, name = _identity(path, properties)
        known = merged.get(location_id)
        polygons = (known.polygons if known else ()) + _polygons(geometry)
        merged[location_id] = Zone(location_id, known.name if known else name, polygons)
    if not merged:
        raise InputError(f"--zones {path}: no polygon in this file")
    return [merged[location_id] for location_id in sorted(merged)]


def _shapefile(path: Path) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
    projection = path.with_suffix(".prj")
    if not projection.is_file():
        raise InputError(
            f"--zones {path}: {projection.name} is missing beside it; it says in which projection the points are"
        )
    try:
        source = pyproj.CRS.from_wkt(projection.read_text())
        to_wgs84 = pyproj.Transformer.from_crs(source, "EPSG:4326", always_xy=True)
        with shapefile.Reader(str(path)) as reader:
            pairs = [(record.record.as_dict(), record.shape.__geo_interface__) for record in reader.iterShapeRecords()]
    except (shapefile.ShapefileException, pyproj.exceptions.ProjError, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--zones {path}: cannot be read as a shapefile ({error}); .shx and .dbf must lie beside it"
        ) from error

    def project(ring: Sequence[Sequence[float]]) -> Floats:
        points = np.asarray(ring, dtype=np.float64)
        return np.column_stack(to_wgs84.transform(points[:, 0], points[:, 1]))

    return [(properties, _mapped(geometry, project)) for properties, geometry in pairs]


def _mapped(geometry: Mapping[str, Any], project: Any) -> dict[str, Any]:
    several = geometry["type"] == "MultiPolygon"
    polygons = geometry["coordinates"] if several else [geometry["coordinates"]]
    return {"type": "MultiPolygon", "coordinates": [[project(ring) for ring in polygon] for polygon in polygons]}


def _geojson(path: Path) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        features = [(feature["properties"] or {}, feature["geometry"]) for feature in content["features"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"--zones {path}: not a GeoJSON FeatureCollection ({error})") from error
    return [pair for pair in features if pair[1] and pair[1]["type"] in ("Polygon", "MultiPolygon")]


def _identity(path: Path, properties: Mapping[str, Any]) -> tuple[int, str]:
    lower = {key.lower(): value for key, value in properties.items()}
    found = next((lower[name] for name in _ID_NAMES if name in lower), None)
    if found is None:
        raise InputError(f"--zones {path}: no LocationID column; found {', '.join(properties) or 'none'}")
    try:
        location_id = int(float(found))
    except (TypeError, ValueError) as error:
        raise InputError(f"--zones {path}: LocationID {found!r} is not a number") from error
    return location_id, str(next((lower[name] for name in _NAME_NAMES if lower.get(name)), location_id))


def _polygons(geometry: Mapping[str, Any]) -> tuple[Polygon, ...]:
    several = geometry["type"] == "MultiPolygon"
    polygons = geometry["coordinates"] if several else [geometry["coordinates"]]
    rings = ([np.asarray(ring, dtype=np.float64)[:, :2] for ring in polygon] for polygon in polygons)
    return tuple(Polygon(outer, tuple(holes)) for outer, *holes in rings)


@dataclass(frozen=True)
class ZonePlaces:
    """Candidate points of each zone, ready to send to workers: ``ids[i]`` has points ``starts[i]:starts[i+1]``."""

    ids: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    latitudes: Floats
    longitudes: Floats

    @property
    def version(self) -> str:
        """Changes whenever a zone or a candidate point does."""
        parts = (self.ids, self.starts, self.latitudes, self.longitudes)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:12]

    @classmethod
    def of(cls, zones: Sequence[Zone]) -> "ZonePlaces":
        """The centres of the H3 cells inside each zone, at the coarsest resolution that gives ``MIN_POINTS``."""
        candidates = [_points_inside(zone) for zone in zones]
        starts = np.cumsum([0, *(len(points) for points in candidates)])
        points = np.concatenate(candidates)
        return cls(np.array([zone.location_id for zone in zones], dtype=np.int64), starts, points[:, 0], points[:, 1])

    def points(self, location_ids: npt.NDArray[np.int64], hashes: Words, salt: int) -> tuple[pa.Array, pa.Array]:
        """A point inside each row's zone, fixed by the row's hash and ``salt``; null for an id without a polygon."""
        index = np.clip(np.searchsorted(self.ids, location_ids), 0, len(self.ids) - 1)
        unknown = self.ids[index] != location_ids
        counts = self.starts[index + 1] - self.starts[index]
        chosen = self.starts[index] + (draw(hashes, salt) * counts).astype(np.int64)
        return pa.array(self.latitudes[chosen], mask=unknown), pa.array(self.longitudes[chosen], mask=unknown)


def _points_inside(zone: Zone) -> Floats:
    shape = h3.LatLngMultiPoly(
        *(
            h3.LatLngPoly(_lat_lng(polygon.outer), *(_lat_lng(hole) for hole in polygon.holes))
            for polygon in zone.polygons
        )
    )
    cells: list[str] = []
    for resolution in _RESOLUTIONS:
        cells = sorted(h3.h3shape_to_cells(shape, resolution))
        if len(cells) >= MIN_POINTS:
            break
    if not cells:
        # Smaller than a square metre: its own corner is as good as any point inside.
        return np.array([_lat_lng(zone.polygons[0].outer)[0]])
    return np.array([h3.cell_to_latlng(cell) for cell in cells])


def _lat_lng(ring: Floats) -> list[tuple[float, float]]:
    return [(float(lat), float(lng)) for lng, lat in ring]


def outline(zones: Sequence[Zone], tolerance_degrees: float = 0.0003) -> dict[str, Any]:
    """The zones as a GeoJSON FeatureCollection, simplified to about 30 m: a base map without any tile server."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"LocationID": zone.location_id, "zone": zone.name},
                "geometry": {"type": "MultiPolygon", "coordinates": _simplified(zone, tolerance_degrees)},
            }
            for zone in zones
        ],
    }


def _simplified(zone: Zone, tolerance: float) -> list[list[list[list[float]]]]:
    polygons = []
    for polygon in zone.polygons:
        rings = [simplify_ring(ring, tolerance) for ring in (polygon.outer, *polygon.holes)]
        # A ring that collapses is an islet or a hole smaller than the tolerance; the zone keeps its largest polygon.
        if len(rings[0]) >= 4 or len(zone.polygons) == 1:
            polygons.append([np.round(ring, 5).tolist() for ring in rings if len(ring) >= 4 or ring is rings[0]])
    largest = max(zone.polygons, key=lambda polygon: len(polygon.outer))
    return polygons or [[np.round(largest.outer, 5).tolist()]]


def simplify_ring(ring: Floats, tolerance: float) -> Floats:
    """Douglas and Peucker's line simplification of a closed ring, in the ring's own units."""
    keep = np.zeros(len(ring), dtype=bool)
    # A closed ring has no ends: it is cut at the point farthest from its start.
    far = int(np.argmax(((ring - ring[0]) ** 2).sum(axis=1)))
    keep[[0, far, -1]] = True
    stack = [(0, far), (far, len(ring) - 1)]
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        distance = _distance(ring[first + 1 : last], ring[first], ring[last])
        at = int(np.argmax(distance))
        if distance[at] > tolerance:
            middle = first + 1 + at
            keep[middle] = True
            stack += [(first, middle), (middle, last)]
    return ring[keep]


def _distance(points: Floats, start: Floats, end: Floats) -> Floats:
    line = end - start
    length = float(np.hypot(*line))
    offsets = points - start
    if length == 0.0:
        return np.asarray(np.hypot(offsets[:, 0], offsets[:, 1]))
    return np.asarray(np.abs(offsets[:, 0] * line[1] - offsets[:, 1] * line[0]) / length)

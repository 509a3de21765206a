import json

import numpy as np
import pytest
import shapefile

from smartcity.errors import InputError
from smartcity.zones import ZonePlaces, outline, read_zones, simplify_ring

SQUARE = [[-74.0, 40.70], [-73.98, 40.70], [-73.98, 40.72], [-74.0, 40.72], [-74.0, 40.70]]
ISLAND = [[-73.95, 40.75], [-73.94, 40.75], [-73.94, 40.76], [-73.95, 40.76], [-73.95, 40.75]]


def feature(location_id, ring, name="Somewhere"):
    return {
        "type": "Feature",
        "properties": {"LocationID": location_id, "zone": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def geojson(tmp_path):
    path = tmp_path / "zones.geojson"
    features = [feature(7, SQUARE, "Square"), feature(103, ISLAND), feature(103, SQUARE)]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_rows_of_one_id_are_one_zone(geojson):
    zones = read_zones(geojson)
    assert [(zone.location_id, len(zone.polygons)) for zone in zones] == [(7, 1), (103, 2)]
    assert zones[0].name == "Square"


def test_points_lie_inside_the_zone_and_are_fixed_by_the_hash(geojson):
    places = ZonePlaces.of(read_zones(geojson))
    hashes = np.arange(5000, dtype=np.uint64)
    latitude, longitude = places.points(np.full(5000, 7), hashes, salt=0)
    lat, lng = latitude.to_numpy(), longitude.to_numpy()
    assert (lat > 40.70).all() and (lat < 40.72).all() and (lng > -74.0).all() and (lng < -73.98).all()
    assert len(np.unique(lat)) > 100
    assert places.points(np.full(5000, 7), hashes, salt=0)[0].equals(latitude)
    assert not places.points(np.full(5000, 7), hashes, salt=1)[0].equals(latitude)


def test_points_are_spread_evenly_over_the_zone(geojson):
    places = ZonePlaces.of(read_zones(geojson))
    latitude, _ = places.points(np.full(20_000, 7), np.arange(20_000, dtype=np.uint64), salt=0)
    assert np.mean(latitude.to_numpy()) == pytest.approx(40.71, abs=0.0005)


def test_an_id_without_a_polygon_has_no_point(geojson):
    places = ZonePlaces.of(read_zones(geojson))
    latitude, longitude = places.points(np.array([7, 264, 265, -1]), np.arange(4, dtype=np.uint64), salt=0)
    assert latitude.is_null().to_pylist() == longitude.is_null().to_pylist() == [False, True, True, True]


def test_a_shapefile_in_feet_comes_out_in_degrees(tmp_path, real_data):
    with shapefile.Writer(str(tmp_path / "zones")) as writer:
        writer.field("LocationID", "N")
        writer.field("zone", "C")
        writer.poly(
            [[[980_000, 195_000], [980_000, 200_000], [985_000, 200_000], [985_000, 195_000], [980_000, 195_000]]]
        )
        writer.record(1, "Downtown")
    (tmp_path / "zones.prj").write_text((real_data / "taxi_zones.prj").read_text())
    (zone,) = read_zones(tmp_path / "zones.shp")
    assert zone.polygons[0].outer.mean(axis=0) == pytest.approx([-74.01, 40.71], abs=0.02)


def test_a_shapefile_without_its_projection_is_refused(tmp_path):
    with shapefile.Writer(str(tmp_path / "zones")) as writer:
        writer.field("LocationID", "N")
        writer.poly([[[0, 0], [0, 1], [1, 1], [0, 0]]])
        writer.record(1)
    with pytest.raises(InputError, match=r"zones\.prj is missing"):
        read_zones(tmp_path / "zones.shp")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("z.geojson", "{", "not a GeoJSON"),
        ("z.zip", "PK", "unpacked"),
        ("z.shp", "text", "prj"),
        ("none.shp", None, "no such file"),
    ],
)
def test_what_is_no_zone_file_is_refused_by_name(tmp_path, name, content, word):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=word) as error:
        read_zones(tmp_path / name)
    assert name in str(error.value)


def test_zones_without_ids_are_refused(tmp_path):
    path = tmp_path / "z.geojson"
    nameless = {**feature(1, SQUARE), "properties": {"title": "x"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [nameless]}))
    with pytest.raises(InputError, match="no LocationID column; found title"):
        read_zones(path)


def test_the_outline_names_each_zone_and_closes_its_rings(geojson):
    drawn = outline(read_zones(geojson))
    assert [f["properties"] for f in drawn["features"]] == [
        {"LocationID": 7, "zone": "Square"},
        {"LocationID": 103, "zone": "Somewhere"},
    ]
    for found in drawn["features"]:
        for polygon in found["geometry"]["coordinates"]:
            assert all(ring[0] == ring[-1] for ring in polygon)


def test_simplifying_drops_points_on_a_line_and_keeps_corners():
    dense = np.array([[x / 100, 0.0] for x in range(101)] + [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    assert simplify_ring(dense, 0.001).tolist() == [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


@pytest.mark.real_data
def test_the_official_zones_are_all_placed(real_data):
    zones = read_zones(real_data / "taxi_zones.shp")
    places = ZonePlaces.of(zones)
    assert len(zones) == 260 and (np.diff(places.starts) > 0).all()
    assert places.latitudes.min() > 40.49 and places.longitudes.max() < -73.68
    assert len(json.dumps(outline(zones))) < 400_000

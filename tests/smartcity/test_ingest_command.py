import pytest
from click.testing import CliRunner

from smartcity.city import City
from smartcity.cli.ingest import chosen_city, command
from smartcity.errors import InputError, SettingsError

NONE = dict.fromkeys(("city_name", "time_zone", "resolution", "window_minutes", "horizon_minutes", "bounds"))


def test_without_options_the_city_stays_as_it_is():
    assert chosen_city(City(), NONE) == City()


def test_another_city_is_a_matter_of_options():
    city = chosen_city(City(), {**NONE, "bounds": "52.3,13.0,52.7,13.8", "time_zone": "Europe/Berlin", "resolution": 9})
    assert (city.bounds.south, city.bounds.east, city.time_zone, city.h3_resolution) == (52.3, 13.8, "Europe/Berlin", 9)


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("bounds", "1,2,3", "south,west,north,east"),
        ("bounds", "52,13,51,14", "--bounds"),
        ("time_zone", "Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_an_impossible_city_is_refused_by_option_and_value(option, value, word):
    with pytest.raises(SettingsError, match=word):
        chosen_city(City(), {**NONE, option: value})


def test_what_the_first_bytes_tell_is_said_before_spark_starts(tmp_path):
    (tmp_path / "empty.csv").touch()
    result = CliRunner().invoke(command, ["trips", str(tmp_path / "empty.csv")])
    assert isinstance(result.exception, InputError) and "empty.csv" in str(result.exception)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b,c\n1,2,3\n", "unknown columns"),
        ("vehicle_id,timestamp,latitude,longitude\nx,2016-01-01,40,-73\n", "ingest probes"),
        (
            "tpep_pickup_datetime,tpep_dropoff_datetime,trip_distance,PULocationID,DOLocationID\n"
            "2018-01-01 00:00:00,2018-01-01 00:10:00,1.5,100,200\n",
            "--zones",
        ),
    ],
)
def test_other_columns_are_refused_before_spark_starts(tmp_path, content, said):
    (tmp_path / "some.csv").write_text(content)
    result = CliRunner().invoke(command, ["trips", str(tmp_path / "some.csv")])
    assert isinstance(result.exception, InputError) and said in str(result.exception)


def test_a_missing_sensor_table_is_refused_before_spark_starts(tmp_path):
    (tmp_path / "speeds.csv").touch()
    options = ["--speeds", str(tmp_path / "speeds.csv"), "--locations", str(tmp_path / "none.csv")]
    result = CliRunner().invoke(command, ["sensors", *options])
    assert isinstance(result.exception, InputError) and "--locations" in str(result.exception)

from datetime import UTC, datetime

import pydantic
import pytest
from pyspark.sql.types import BinaryType, IntegerType, LongType, StringType, StructField, StructType, TimestampType

from smartcity.city import City
from smartcity.events import VehiclePosition, decode, encode
from smartcity.settings import Settings
from smartcity.spark.events import RejectReason as R
from smartcity.spark.events import parse_events

NOW = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
GOOD = (
    b'{"vehicle_id":"taxi_12345","timestamp":"2024-03-04T11:59:30Z","latitude":40.7128,"longitude":-74.0060,'
    b'"speed":15.5,"trip_id":"trip_999"}'
)
KAFKA = StructType(
    [
        StructField("value", BinaryType()),
        StructField("topic", StringType()),
        StructField("partition", IntegerType()),
        StructField("offset", LongType()),
        StructField("timestamp", TimestampType()),
    ]
)


def parse(spark, payloads, came=NOW):
    rows = [(payload, "vehicle_positions", 0, offset, came) for offset, payload in enumerate(payloads)]
    parsed = parse_events(spark.createDataFrame(rows, KAFKA), Settings(_env_file=None), City())
    return sorted(parsed.collect(), key=lambda row: row["offset"])


def event(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


#: Each breaks one rule of the schema: pydantic's verdict must be the same.
BAD_BY_SCHEMA = {
    "empty value": (b"", R.EMPTY),
    "not UTF-8": (event(b"taxi", b"\xff\xfe"), R.NOT_UTF8),
    "not JSON": (b"speed=15", R.NOT_JSON),
    "cut short": (GOOD[:60], R.NOT_JSON),
    "followed by more": (GOOD + b"x", R.NOT_JSON),
    "single quotes": (GOOD.replace(b'"', b"'"), R.WRONG_TYPE),
    "an array": (b"[" + GOOD + b"]", R.NOT_JSON),
    "a number": (b"17", R.NOT_JSON),
    "null": (b"null", R.NOT_JSON),
    "nested ten thousand deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, R.NOT_JSON),
    "no fields": (b"{}", R.MISSING_FIELD),
    "no vehicle": (event(b'"vehicle_id":"taxi_12345",', b""), R.MISSING_FIELD),
    "no time": (event(b'"timestamp":"2024-03-04T11:59:30Z",', b""), R.MISSING_FIELD),
    "no latitude": (event(b'"latitude":40.7128,', b""), R.MISSING_FIELD),
    "latitude null": (event(b"40.7128", b"null"), R.MISSING_FIELD),
    "no longitude": (event(b'"longitude":-74.0060,', b""), R.MISSING_FIELD),
    "no speed": (event(b'"speed":15.5,', b""), R.MISSING_FIELD),
    "latitude as text": (event(b"40.7128", b'"40.7128"'), R.WRONG_TYPE),
    "latitude true": (event(b"40.7128", b"true"), R.WRONG_TYPE),
    "latitude an array": (event(b"40.7128", b"[40.7128]"), R.WRONG_TYPE),
    "speed as the text NaN": (event(b"15.5", b'"NaN"'), R.WRONG_TYPE),
    "speed NaN": (event(b"15.5", b"NaN"), R.NOT_JSON),
    "speed Infinity": (event(b"15.5", b"Infinity"), R.NOT_JSON),
    "vehicle an object": (event(b'"taxi_12345"', b'{"a":1}'), R.BAD_ID),
    "vehicle an array": (event(b'"taxi_12345"', b"[1]"), R.BAD_ID),
    "vehicle empty": (event(b"taxi_12345", b""), R.BAD_ID),
    "vehicle id too long": (event(b"taxi_12345", b"x" * 129), R.BAD_ID),
    "vehicle id of a megabyte": (event(b"taxi_12345", b"x" * 1_000_000), R.BAD_ID),
    "vehicle id ends in a line feed": (event(b"taxi_12345", b"taxi\\n"), R.BAD_ID),
    "trip id too long": (event(b"trip_999", b"x" * 129), R.BAD_ID),
    "time a number": (event(b'"2024-03-04T11:59:30Z"', b"1772625570"), R.BAD_TIMESTAMP),
    "time without an offset": (event(b"30Z", b"30"), R.BAD_TIMESTAMP),
    "time in words": (event(b"2024-03-04T11:59:30Z", b"now"), R.BAD_TIMESTAMP),
    "time in full but with a blank": (event(b"30Z", b"30.5 Z"), R.BAD_TIMESTAMP),
    "time with a point and no fraction": (event(b"30Z", b"30.Z"), R.BAD_TIMESTAMP),
    "time with a letter for a digit": (event(b"11:59", b"1l:59"), R.BAD_TIMESTAMP),
    "vehicle id with a brace": (event(b"taxi_", b"taxi{"), R.BAD_ID),
    "vehicle id with a delete": (event(b"taxi_", b"taxi\x7f"), R.BAD_ID),
    "vehicle id with an escaped quotation mark": (event(b"taxi_", b'taxi\\"'), R.BAD_ID),
    "30 February": (event(b"03-04T", b"02-30T"), R.BAD_TIMESTAMP),
    "25 o'clock": (event(b"T11:", b"T25:"), R.BAD_TIMESTAMP),
    "latitude beyond the pole": (event(b"40.7128", b"90.5"), R.BAD_COORDINATES),
    "longitude beyond the date line": (event(b"-74.0060", b"-180.5"), R.BAD_COORDINATES),
    "latitude huge": (event(b"40.7128", b"1e400"), R.BAD_COORDINATES),
    "speed negative": (event(b"15.5", b"-0.1"), R.BAD_SPEED),
    "speed above the limit": (event(b"15.5", b"120.5"), R.BAD_SPEED),
}
#: Good by the schema; the city's bounds and the clock refuse them.
BAD_HERE = {
    "swapped coordinates": (
        GOOD.replace(b"40.7128", b"-74.0060").replace(b"-74.0060,", b"40.7128,", 2),
        R.OUTSIDE_CITY,
    ),
    "Null Island": (GOOD.replace(b"40.7128", b"0").replace(b"-74.0060", b"0"), R.OUTSIDE_CITY),
    "year 1970": (event(b"2024-03-04", b"1970-01-01"), R.TOO_OLD),
    "year 9999": (event(b"2024-03-04", b"9999-12-31"), R.FROM_THE_FUTURE),
    "a day ahead": (event(b"2024-03-04", b"2024-03-05"), R.FROM_THE_FUTURE),
    "just beyond the tolerance": (event(b"11:59:30Z", b"12:01:01Z"), R.FROM_THE_FUTURE),
}
FINE = {
    "the contract's example": GOOD,
    "no trip": event(b',"trip_id":"trip_999"', b""),
    "trip null": event(b'"trip_999"', b"null"),
    "more fields": event(b"{", b'{"heading":{"deg":[1,2]},'),
    "whole numbers": event(b"15.5", b"15"),
    "a numbered vehicle": event(b'"taxi_12345"', b"12345"),
    "other letters": event(b"taxi_12345", "такси №7 🚕".encode()),
    "spaces around": b" \n" + GOOD + b"\n",
    "fractions of a second": event(b"30Z", b"30.123456Z"),
    "an escaped letter": event(b"taxi_", b"tax\\u0069"),
    "nanoseconds": event(b"30Z", b"30.123456789Z"),
    "another offset": event(b"T11:59:30Z", b"T06:59:30-05:00"),
    "a blank for the T": event(b"04T11", b"04 11"),
    "just within the tolerance": event(b"11:59:30Z", b"12:01:00Z"),
}


@pytest.fixture(scope="module")
def verdicts(spark):
    payloads = {**{name: case[0] for name, case in (BAD_BY_SCHEMA | BAD_HERE).items()}, **FINE}
    return dict(zip(payloads, parse(spark, list(payloads.values())), strict=True))


@pytest.mark.parametrize("name", BAD_BY_SCHEMA | BAD_HERE)
def test_rejects_with_the_reason(verdicts, name):
    assert verdicts[name]["reject_reason"] == (BAD_BY_SCHEMA | BAD_HERE)[name][1].value


@pytest.mark.parametrize("name", FINE)
def test_takes_what_the_contract_allows(verdicts, name):
    assert verdicts[name]["reject_reason"] is None


@pytest.mark.parametrize("name", BAD_BY_SCHEMA)
def test_the_codec_refuses_what_the_stream_refuses(name):
    with pytest.raises(pydantic.ValidationError):
        decode(BAD_BY_SCHEMA[name][0])


@pytest.mark.parametrize("name", FINE)
def test_the_codec_reads_the_same_position_as_the_stream(verdicts, name):
    read, row = decode(FINE[name]), verdicts[name]
    seen = (
        row["vehicle_id"],
        row["timestamp_utc"].astimezone(UTC),
        row["latitude"],
        row["longitude"],
        row["speed_mph"],
        row["trip_id"],
    )
    assert seen == (read.vehicle_id, read.timestamp, read.latitude, read.longitude, read.speed, read.trip_id)


@pytest.mark.parametrize("name", BAD_HERE)
def test_what_only_this_city_or_its_clock_refuses_is_fine_by_the_codec(name):
    assert decode(BAD_HERE[name][0])


def test_a_missing_value_is_empty(spark):
    assert parse(spark, [None])[0]["reject_reason"] == R.EMPTY


def test_an_encoded_position_is_read_back(spark):
    position = VehiclePosition(vehicle_id="bus 7", timestamp=NOW, latitude=40.7, longitude=-74.0, speed=12.34)
    [row] = parse(spark, [encode(position)])
    assert (row["reject_reason"], row["vehicle_id"], row["speed_mph"]) == (None, "bus 7", 12.34)


def test_speed_is_read_in_hundredths(spark):
    assert parse(spark, [event(b"15.5", b"15.50499")])[0]["speed_mph"] == 15.5


def test_the_verdict_on_the_future_is_the_same_when_the_batch_runs_again_later(spark):
    ahead = event(b"2024-03-04T11:59:30Z", b"2020-01-01T00:05:00Z")
    assert parse(spark, [ahead], came=datetime(2020, 1, 1, tzinfo=UTC))[0]["reject_reason"] == R.FROM_THE_FUTURE


def test_the_program_of_a_batch_holds_no_time_of_that_batch(spark):
    """Else it would be compiled anew for each, a second apart."""
    rows = spark.createDataFrame([], KAFKA)
    plan = parse_events(rows, Settings(_env_file=None), City())._jdf.queryExecution().analyzed().toString()
    assert "from_the_future" in plan and "current_timestamp" not in plan

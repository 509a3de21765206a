"""Kafka values to positions in Spark expressions: the rules of ``smartcity.events``, the city's bounds and the clock.

A value that breaks a rule keeps its row, with the reason; nothing is dropped here. Everything is built-in, so a
million values are checked without a Python worker; every cast is a ``try_``, since Spark's ANSI mode throws.
"""

from datetime import timedelta
from enum import StrEnum

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from smartcity.city import City
from smartcity.events import EARLIEST_UTC, ID_PATTERN, MAX_SPEED_MPH, SPEED_STEPS_PER_MPH, TIMESTAMP_PATTERN
from smartcity.settings import Settings


class RejectReason(StrEnum):
    """Which rule a value broke first, in the order in which they are asked."""

    EMPTY = "empty"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_ID = "bad_id"
    BAD_TIMESTAMP = "bad_timestamp"
    BAD_COORDINATES = "bad_coordinates"
    BAD_SPEED = "bad_speed"
    OUTSIDE_CITY = "outside_city"
    TOO_OLD = "too_old"
    FROM_THE_FUTURE = "from_the_future"


_REQUIRED = ("vehicle_id", "timestamp", "latitude", "longitude", "speed")
_CORRUPT = "_corrupt"
#: Ids and the time stay text here: the rules on their text tell a string from any other JSON value.
_JSON_SCHEMA = (
    "vehicle_id STRING, timestamp STRING, latitude DOUBLE, longitude DOUBLE, speed DOUBLE, trip_id STRING, "
    f"{_CORRUPT} STRING"
)
#: RFC 8259 and no more: Spark would take single quotes, and NaN for a number.
_STRICT = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": _CORRUPT,
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}


def parse_events(kafka: DataFrame, settings: Settings, city: City) -> DataFrame:
    """Parse and judge the values of a topic.

    Args: kafka: the columns of Spark's Kafka source, batch or stream; ``value`` and ``timestamp`` are read.
    Returns: the columns of ``kafka`` but ``timestamp``, those of a position but ``cell_id`` and ``date`` (null where
    they could not be read), and ``reject_reason``, null for a good event.
    """
    # Ahead of what is the broker's clock, by the time it gave the record: the same however often a batch runs again and
    # however long the event waited. A batch's own clock would be a constant in the program that Spark makes of the
    # query, hence another program, compiled anew, in each batch.
    # One projection for the text, one for the parse, one for the verdict: Spark would otherwise parse once per field.
    text = F.try_validate_utf8(F.col("value").cast("string"))
    event = F.from_json("text", _JSON_SCHEMA, _STRICT)
    read = kafka.withColumn("text", text).withColumn("event", event)
    read = read.withColumn("timestamp_utc", _instant(F.col("event.timestamp")))
    return read.withColumn("reject_reason", _verdict(settings, city)).select(
        *(name for name in kafka.columns if name != "timestamp"),
        F.col("event.vehicle_id").alias("vehicle_id"),
        F.col("event.trip_id").alias("trip_id"),
        "timestamp_utc",
        F.col("event.latitude").alias("latitude"),
        F.col("event.longitude").alias("longitude"),
        (F.round(F.col("event.speed") * SPEED_STEPS_PER_MPH) / SPEED_STEPS_PER_MPH).alias("speed_mph"),
        "reject_reason",
    )


def _verdict(settings: Settings, city: City) -> Column:
    """The first rule that the row breaks; null for none."""
    latitude, longitude, speed = F.col("event.latitude"), F.col("event.longitude"), F.col("event.speed")
    time = F.col("timestamp_utc")
    bounds, tolerance = city.bounds, timedelta(seconds=settings.future_tolerance_seconds)
    corrupt = F.col(f"event.{_CORRUPT}").isNotNull()
    present = [F.get_json_object("text", f"$.{name}").isNotNull() for name in _REQUIRED]
    absent = F.lit(False)
    for name in _REQUIRED:
        absent = absent | F.col(f"event.{name}").isNull()
    # The order matters: what a later rule reads, an earlier one has made sure of.
    rules = [
        (RejectReason.EMPTY, F.col("value").isNull() | (F.length("value") == 0)),
        (RejectReason.NOT_UTF8, F.col("text").isNull()),
        (RejectReason.NOT_JSON, _is_no_json_object(corrupt)),
        (RejectReason.MISSING_FIELD, absent & ~_all(present)),
        (RejectReason.WRONG_TYPE, absent | corrupt),
        (RejectReason.BAD_ID, ~_is_id(F.col("event.vehicle_id"))),
        (RejectReason.BAD_ID, F.col("event.trip_id").isNotNull() & ~_is_id(F.col("event.trip_id"))),
        (RejectReason.BAD_TIMESTAMP, time.isNull()),
        (RejectReason.BAD_COORDINATES, ~(latitude.between(-90, 90) & longitude.between(-180, 180))),
        (RejectReason.BAD_SPEED, ~speed.between(0, MAX_SPEED_MPH)),
        (
            RejectReason.OUTSIDE_CITY,
            ~(latitude.between(bounds.south, bounds.north) & longitude.between(bounds.west, bounds.east)),
        ),
        (RejectReason.TOO_OLD, time < F.lit(EARLIEST_UTC)),
        (RejectReason.FROM_THE_FUTURE, time > F.col("timestamp") + F.lit(tolerance)),
    ]
    verdict = F.when(rules[0][1], F.lit(rules[0][0].value))
    for reason, broken in rules[1:]:
        verdict = verdict.when(broken, F.lit(reason.value))
    return verdict


# With Java's regular expressions alone a parse took 21 µs of a core an event, with what follows 13 µs. Each rule
# therefore has a plain test that nearly all events pass and that implies its pattern; only the others see the pattern.


def _instant(text: Column) -> Column:
    """The instant of an RFC 3339 text; null for any other text and for days that no calendar has."""
    marks = ((5, "-"), (8, "-"), (11, "T"), (14, ":"), (17, ":"))
    # With each mark in its place, the cast itself takes nothing but digits between them.
    plain = text.endswith("Z") & ~text.contains(" ")
    for position, mark in marks:
        plain = plain & (F.substring(text, position, 1) == mark)
    fraction = (F.length(text) >= 22) & (F.length(text) <= 30) & (F.substring(text, 20, 1) == ".")
    plain = plain & ((F.length(text) == 20) | fraction)
    return F.when(plain | _matches(text, TIMESTAMP_PATTERN), text.try_cast("timestamp"))


def _is_id(value: Column) -> Column:
    """Whether a text is an id. Without an escape in the JSON, neither quotation mark nor control character is in it."""
    plain = ~F.col("text").contains("\\") & F.length(value).between(1, 128)
    for mark in "{}[]\x7f":
        plain = plain & ~value.contains(mark)
    return plain | _matches(value, ID_PATTERN)


def _matches(text: Column, pattern: str) -> Column:
    """Whether the whole text matches; Java's ``$`` would let a line feed follow."""
    return text.rlike(rf"^(?:{pattern})\z")


def _is_no_json_object(corrupt: Column) -> Column:
    """Neither well-formed nor ended: ``from_json`` reads one value and overlooks what follows it."""
    text = F.col("text")
    bracketed = (text.startswith("{") & text.endswith("}")) | text.rlike(r"^\s*\{[\s\S]*\}\s*$")
    return (corrupt & F.get_json_object(text, "$").isNull()) | ~bracketed


def _all(conditions: list[Column]) -> Column:
    result = F.lit(True)
    for condition in conditions:
        result = result & condition
    return result

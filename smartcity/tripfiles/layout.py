"""Which published column is which field: every spelling that the TLC has used since 2009, matched by name.

Names are compared without case, spaces and punctuation: ``Trip_Pickup_DateTime`` is ``trippickupdatetime``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from smartcity.errors import InputError


class Kind(StrEnum):
    """How a field's text is read."""

    TIME = "time"
    NUMBER = "number"
    TEXT = "text"
    #: Left as it stands, text or typed, for the reader of that kind of file to understand.
    RAW = "raw"


@dataclass(frozen=True)
class Field:
    """A canonical field. ``label`` is how messages call it; ``identity``: part of what makes a row that trip."""

    name: str
    kind: Kind
    label: str
    aliases: tuple[str, ...]
    identity: bool = True


#: In the order in which a row's missing or unreadable fields are reported and its identity is hashed.
#: The order and the identity flags are part of ``trip_id``: change them and every stored trip gets a new id.
FIELDS = (
    Field(
        "pickup_local",
        Kind.TIME,
        "pickup time",
        ("trippickupdatetime", "pickupdatetime", "tpeppickupdatetime", "lpeppickupdatetime"),
    ),
    Field(
        "dropoff_local",
        Kind.TIME,
        "dropoff time",
        ("tripdropoffdatetime", "dropoffdatetime", "tpepdropoffdatetime", "lpepdropoffdatetime"),
    ),
    Field("pickup_longitude", Kind.NUMBER, "pickup longitude", ("startlon", "pickuplongitude")),
    Field("pickup_latitude", Kind.NUMBER, "pickup latitude", ("startlat", "pickuplatitude")),
    Field("dropoff_longitude", Kind.NUMBER, "dropoff longitude", ("endlon", "dropofflongitude")),
    Field("dropoff_latitude", Kind.NUMBER, "dropoff latitude", ("endlat", "dropofflatitude")),
    Field("pickup_location_id", Kind.NUMBER, "pickup location id", ("pulocationid", "pickuplocationid")),
    Field("dropoff_location_id", Kind.NUMBER, "dropoff location id", ("dolocationid", "dropofflocationid")),
    Field("trip_distance_miles", Kind.NUMBER, "trip distance", ("tripdistance", "tripmiles", "tripdistancemiles")),
    Field("vendor", Kind.TEXT, "vendor", ("vendorname", "vendorid", "hvfhslicensenum")),
    Field("passenger_count", Kind.NUMBER, "passenger count", ("passengercount",)),
    Field("fare_amount", Kind.NUMBER, "fare", ("fareamt", "fareamount", "basepassengerfare")),
    Field("tip_amount", Kind.NUMBER, "tip", ("tipamt", "tipamount", "tips")),
    Field("total_amount", Kind.NUMBER, "total", ("totalamt", "totalamount")),
    Field("vehicle", Kind.TEXT, "vehicle", ("vehicleid", "medallion")),
)
#: Fields of a GPS feed, one position per row.
PROBE_FIELDS = (
    Field("vehicle_id", Kind.TEXT, "vehicle id", ("vehicleid", "vehicle", "deviceid")),
    Field("timestamp", Kind.RAW, "timestamp", ("timestamp", "timestamputc", "time", "datetime")),
    Field("latitude", Kind.NUMBER, "latitude", ("latitude", "lat")),
    Field("longitude", Kind.NUMBER, "longitude", ("longitude", "lon", "lng")),
    Field("speed", Kind.NUMBER, "speed", ("speed", "speedmph")),
    Field("position_trip_id", Kind.TEXT, "trip id", ("tripid",)),
)
BY_NAME = {field.name: field for field in (*FIELDS, *PROBE_FIELDS)}

TIMES_AND_DISTANCE = ("pickup_local", "dropoff_local", "trip_distance_miles")
COORDINATES = ("pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude")
LOCATION_IDS = ("pickup_location_id", "dropoff_location_id")

#: Local wall times carry no zone here; the job turns them into UTC with the city's.
LOCAL_TIME = pa.timestamp("us")

#: The canonical raw row. ``parse_reason`` is null where every required field could be read; ``row_text`` is the
#: published row, given for those that could not. ``period_*`` bound the pickup times that belong into the file.
RAW = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_sha256", pa.string()),
        ("row_number", pa.int64()),
        ("period_start", LOCAL_TIME),
        ("period_end", LOCAL_TIME),
        ("file_date", pa.date32()),
        ("parse_reason", pa.string()),
        ("row_text", pa.string()),
        ("trip_id", pa.string()),
        ("vehicle", pa.string()),
        ("pickup_local", LOCAL_TIME),
        ("dropoff_local", LOCAL_TIME),
        ("pickup_latitude", pa.float64()),
        ("pickup_longitude", pa.float64()),
        ("dropoff_latitude", pa.float64()),
        ("dropoff_longitude", pa.float64()),
        ("pickup_location_id", pa.int32()),
        ("dropoff_location_id", pa.int32()),
        ("trip_distance_miles", pa.float64()),
        ("fare_amount", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Layout:
    """Position of each canonical field among a file's columns; ``required``: without them a row says nothing."""

    columns: dict[str, int]
    required: tuple[str, ...]

    @property
    def has_coordinates(self) -> bool:
        """Whether the file gives places as coordinates (until mid-2016) and not as location ids (since then)."""
        return all(name in self.columns for name in COORDINATES)


def plain(name: str) -> str:
    """A column name without case, spaces and punctuation."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _positions(names: Sequence[str], fields: Sequence[Field]) -> dict[str, int]:
    plain_names = [plain(name) for name in names]
    return {
        field.name: next(plain_names.index(alias) for alias in field.aliases if alias in plain_names)
        for field in fields
        if any(alias in plain_names for alias in field.aliases)
    }


def find_layout(names: Sequence[str]) -> Layout | None:
    """The layout of a trip file with these columns; None where they are not a trip file's."""
    columns = _positions(names, FIELDS)
    places = next((ends for ends in (COORDINATES, LOCATION_IDS) if all(name in columns for name in ends)), None)
    if places is None or not all(name in columns for name in TIMES_AND_DISTANCE):
        return None
    return Layout(columns, tuple(field.name for field in FIELDS if field.name in TIMES_AND_DISTANCE + places))


def find_probe_layout(names: Sequence[str]) -> Layout | None:
    """The layout of a GPS feed with these columns; None where they are not a feed's."""
    columns = _positions(names, PROBE_FIELDS)
    required = ("vehicle_id", "timestamp", "latitude", "longitude")
    return Layout(columns, required) if all(name in columns for name in required) else None


def other_kind(names: Sequence[str]) -> str | None:
    """What a file with these columns is, where it is one of the neighbours of trip files: with the way out."""
    plain_names = {plain(name) for name in names}
    if {"vehicleid", "timestamp", "latitude", "longitude"} <= plain_names:
        return "a probe file: `./traffic ingest probes` reads it"
    if {"locationid", "borough", "zone"} <= plain_names:
        return "the taxi zone lookup, which has no trips (zone polygons are given with --zones taxi_zones.shp)"
    if {"cellid", "truespeedmph"} <= plain_names:
        return "the truth of a generated city, which has no trips"
    return None


def unknown_probe_columns(path: str, names: Sequence[str]) -> InputError:
    """The error for a file whose columns are not a GPS feed's."""
    if find_layout(names):
        return InputError(f"{path} is a trip file: `./traffic ingest trips` reads it")
    found = ", ".join(name.strip() or "(empty)" for name in names[:12])
    return InputError(
        f"{path}: unknown columns. Found: {found[:300]}. A GPS feed's first line names its columns: "
        f"vehicle_id,timestamp,latitude,longitude and, if there, speed"
    )


def needs_zones(path: object) -> InputError:
    """The error for a file with location ids where nothing says where these are."""
    return InputError(f"{path} has location ids instead of coordinates: pass --zones taxi_zones.shp")


def unknown_columns(path: str, names: Sequence[str]) -> InputError:
    """The error for a file whose columns are not a trip file's: what was found, and what is missing."""
    found = ", ".join(name.strip() or "(empty)" for name in names[:12]) + (", …" if len(names) > 12 else "")
    if kind := other_kind(names):
        return InputError(f"{path} is {kind}")
    plain_names = {plain(name) for name in names}
    missing = [BY_NAME[name].label for name in TIMES_AND_DISTANCE if not plain_names & set(BY_NAME[name].aliases)]
    if not any(plain_names & set(BY_NAME[name].aliases) for name in COORDINATES + LOCATION_IDS):
        missing.append("pickup and dropoff coordinates or location ids")
    elif not missing:
        missing.append("a complete set of coordinates or of location ids")
    return InputError(
        f"{path}: unknown columns. Found: {found[:300]}. Missing: {', '.join(missing)}. The first line must name the "
        f"columns as in a TLC yellow or green trip file, e.g. tpep_pickup_datetime, trip_distance, PULocationID"
    )

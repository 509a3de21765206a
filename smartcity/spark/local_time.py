"""The city's wall time to UTC, also where daylight saving ends and an hour comes twice."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def trip_times_utc(pickup_local: Column, dropoff_local: Column, time_zone: str) -> tuple[Column, Column]:
    """Pickup and dropoff instants of a trip from the wall times it was published with (session time zone UTC).

    In the hour that comes twice the reading is taken that makes the trip plausible: a dropoff that would lie before
    its pickup is the later one, and so is a pickup whose dropoff comes after that hour (else it would last an hour
    more than the clock showed). Times in the hour that is left out in spring count as an hour later.
    """
    pickup, dropoff = _earlier(pickup_local, time_zone), _earlier(dropoff_local, time_zone)
    pickup_twice, dropoff_twice = _comes_twice(pickup_local, time_zone), _comes_twice(dropoff_local, time_zone)
    hour = F.expr("INTERVAL 1 HOUR")
    pickup_utc = F.when(pickup_twice & ~dropoff_twice & (dropoff_local > pickup_local), pickup + hour).otherwise(pickup)
    backwards = dropoff_twice & (dropoff < pickup)
    return pickup_utc, F.when(backwards, dropoff + hour).otherwise(dropoff)


def _earlier(local: Column, time_zone: str) -> Column:
    return F.to_utc_timestamp(local.cast("timestamp"), time_zone)


def _comes_twice(local: Column, time_zone: str) -> Column:
    an_hour_later = _earlier(local, time_zone) + F.expr("INTERVAL 1 HOUR")
    return F.from_utc_timestamp(an_hour_later, time_zone) == local.cast("timestamp")

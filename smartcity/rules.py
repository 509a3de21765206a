"""The rules for a valid trip and a valid position: one declared table each, read by the jobs.

Whoever asks why a row is no trip finds the answer here.

Each ``broken`` is a SQL expression over the canonical raw row (``smartcity.tripfiles.RAW``) and these, which the job
adds: ``pickup_utc``, ``dropoff_utc``, ``duration_seconds``, ``speed_mph``. It is true where the rule is broken; null
counts as kept, so a rule about a value never hides that the value is missing. The first broken rule is the reason.
"""

import hashlib
from dataclasses import dataclass

from smartcity.city import City
from smartcity.events import MAX_SPEED_MPH

#: Shorter trips are meters switched on and off, not drives.
MIN_DURATION_SECONDS = 60
#: Longer ones are meters left on; most of them are near 24 hours.
MAX_DURATION_SECONDS = 3 * 3600
#: Farther than any trip that stays in a city.
MAX_DISTANCE_MILES = 100.0
#: No trip through a city averages more; a ping may (``events.MAX_SPEED_MPH``).
MAX_TRIP_SPEED_MPH = 80.0

_ENDS = ("pickup", "dropoff")


@dataclass(frozen=True)
class Rule:
    """One rule. ``reason`` is what the quarantine says; ``why`` is for whoever asks why such a row is no trip."""

    name: str
    broken: str
    reason: str
    why: str


@dataclass(frozen=True)
class Rules:
    """The rules of one city, in the order in which they are asked."""

    rules: tuple[Rule, ...]

    @property
    def version(self) -> str:
        """Changes whenever an expression, a bound, a reason or the order changes."""
        text = "\n".join(f"{rule.name}|{rule.broken}|{rule.reason}" for rule in self.rules)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def reason_sql(self) -> str:
        """SQL for the reason of the first broken rule; null for a valid trip."""
        # parse_reason is itself a reason, more exact than the rule's name.
        branches = " ".join(
            f"WHEN {rule.broken} THEN {_literal(rule.reason) if rule.reason else 'parse_reason'}" for rule in self.rules
        )
        return f"CASE {branches} END"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _inside(city: City, latitude: str, longitude: str) -> str:
    b = city.bounds
    return f"({latitude} BETWEEN {b.south} AND {b.north} AND {longitude} BETWEEN {b.west} AND {b.east})"


_READABLE = Rule("readable", "parse_reason IS NOT NULL", "", "A required field is missing or no time or number.")


def probe_rules(city: City) -> Rules:
    """The rules for one position of a GPS feed; ``timestamp_local`` is added by the job, ``speed_mph`` as reported."""
    return Rules(
        (
            _READABLE,
            Rule(
                "in_period",
                "timestamp_local < period_start OR timestamp_local >= period_end",
                "timestamp far from the rest of the file",
                "A clock that was not set (1970, 2080) would open a partition that holds nothing else.",
            ),
            Rule(
                "named", "trim(vehicle_id) = '' OR length(vehicle_id) > 128", "vehicle id empty or too long", "No key."
            ),
            Rule("not_at_zero", "latitude = 0 OR longitude = 0", "coordinate 0", "The device had no fix."),
            Rule(
                "not_swapped",
                _inside(city, "longitude", "latitude"),
                "latitude and longitude swapped",
                "Read the other way round the place lies in the city.",
            ),
            Rule(
                "in_bounds",
                f"NOT {_inside(city, 'latitude', 'longitude')}",
                "outside the city's bounds",
                "Not in the city, or a wrong fix.",
            ),
            Rule("speed_not_negative", "speed_mph < 0", "speed below 0", "A speed has no direction."),
            Rule(
                "not_too_fast",
                f"speed_mph > {MAX_SPEED_MPH} OR isnan(speed_mph)",
                f"faster than {MAX_SPEED_MPH:.0f} mph",
                "No road vehicle in a city; a wrong unit or a jumping fix.",
            ),
        )
    )


def trip_rules(city: City) -> Rules:
    """The rules for a trip, with the city's bounds."""

    def inside(latitude: str, longitude: str) -> str:
        return _inside(city, latitude, longitude)

    def either(template: str) -> str:
        return " OR ".join(f"({template.replace('END', end)})" for end in _ENDS)

    swapped = " OR ".join(inside(f"{end}_longitude", f"{end}_latitude") for end in _ENDS)
    outside = " OR ".join(f"NOT {inside(f'{end}_latitude', f'{end}_longitude')}" for end in _ENDS)
    return Rules(
        (
            _READABLE,
            Rule(
                "in_period",
                "pickup_local < period_start OR pickup_local >= period_end",
                "pickup outside the file's period",
                "A stray date (2001, 2084, a neighbour month) would open a partition that holds nothing else, or "
                "replace one that was made from another file.",
            ),
            Rule(
                "times_in_order",
                "dropoff_utc < pickup_utc",
                "dropoff before pickup",
                "The dates are swapped or one is wrong; which one is not to be known.",
            ),
            Rule(
                "long_enough",
                f"duration_seconds < {MIN_DURATION_SECONDS}",
                f"shorter than {MIN_DURATION_SECONDS} s",
                "Meters switched on and off.",
            ),
            Rule(
                "short_enough",
                f"duration_seconds > {MAX_DURATION_SECONDS}",
                f"longer than {MAX_DURATION_SECONDS // 3600} h",
                "Meters left on; most of these trips last nearly 24 hours.",
            ),
            Rule("distance_not_negative", "trip_distance_miles < 0", "distance below 0", "No odometer runs backwards."),
            Rule("moved", "trip_distance_miles = 0", "distance 0", "A trip without a distance has no speed."),
            Rule(
                "near_enough",
                f"trip_distance_miles > {MAX_DISTANCE_MILES}",
                f"distance over {MAX_DISTANCE_MILES:.0f} miles",
                "Typing and unit errors; such a trip leaves the city.",
            ),
            Rule(
                "not_too_fast",
                f"speed_mph > {MAX_TRIP_SPEED_MPH}",
                f"faster than {MAX_TRIP_SPEED_MPH:.0f} mph",
                "Distance and times contradict each other.",
            ),
            Rule(
                "not_reversed",
                "fare_amount < 0",
                "fare below 0",
                "The reversal of another record: the same drive would count twice.",
            ),
            Rule(
                "known_location",
                either("END_location_id IS NOT NULL AND END_latitude IS NULL"),
                "unknown location id",
                "264 and 265 stand for unknown; other ids without a polygon cannot be placed either.",
            ),
            Rule(
                "not_at_zero",
                either("END_latitude = 0 OR END_longitude = 0"),
                "coordinate 0",
                "The device had no fix.",
            ),
            Rule(
                "not_swapped",
                swapped,
                "latitude and longitude swapped",
                "Read the other way round the place lies in the city; the file's columns are exchanged.",
            ),
            Rule("in_bounds", outside, "outside the city's bounds", "Not in the city, or a wrong fix."),
        )
    )


def page(city: City) -> str:
    """All rules as a page of the documentation."""
    parts = [
        "# What makes a row a trip, or a position",
        f"Made by `python -m smartcity.rules` with the bounds of {city.name}; the rules themselves are in "
        "[smartcity/rules.py](../smartcity/rules.py). They are asked in this order: the first that is broken is the "
        "reason that stands in the quarantine. A row without a value that a rule asks about keeps the rule.",
    ]
    for title, rules in (("Trips", trip_rules(city)), ("Positions of a GPS feed", probe_rules(city))):
        table = "\n".join(_row(rule) for rule in rules.rules)
        parts.append(
            f"## {title}\n\n| rule | broken where | reason in the quarantine | why |\n|---|---|---|---|\n{table}"
        )
    return "\n\n".join(parts) + "\n"


def _row(rule: Rule) -> str:
    reason = f"`{rule.reason}`" if rule.reason else "which field, and what is wrong with it"
    return f"| `{rule.name}` | `{rule.broken}` | {reason} | {rule.why} |"


if __name__ == "__main__":
    print(page(City()), end="")

"""What the generated city is fitted to: New York taxi records of 2016, GPS traces of cabs, and loop sensors."""

import numpy as np

from smartcity.streets import KM_PER_MILE

#: Space-mean speed by hour of the local day, km/h.
WEEKDAY_KMH = np.array([
    29.5, 31, 30.1, 31.8, 37, 37.8, 28.2, 20.4, 16.5, 16, 16.5, 16.3,
    16.7, 17.6, 17.4, 16.5, 16.7, 16.5, 17.3, 19.2, 21.7, 22.7, 23.2, 24.9,
])  # fmt: skip
WEEKEND_KMH = np.array([
    22.6, 23.7, 25, 27.7, 30.4, 39, 39.4, 35.1, 30.7, 26.5, 23.6, 21.3,
    20.2, 20, 19.6, 19.9, 20, 19.1, 19.2, 18.9, 21.9, 22.3, 22.8, 24.1,
])  # fmt: skip
#: Pick-ups by hour of the local day, relative to the day's mean.
WEEKDAY_PICKUPS = np.array([
    0.54, 0.3, 0.19, 0.13, 0.13, 0.24, 0.6, 1.06, 1.28, 1.2, 1.15, 1.17,
    1.23, 1.22, 1.36, 1.31, 1.2, 1.41, 1.62, 1.55, 1.42, 1.42, 1.28, 1,
])  # fmt: skip
WEEKEND_PICKUPS = np.array([
    1.26, 1.05, 0.78, 0.56, 0.38, 0.18, 0.27, 0.4, 0.58, 0.89, 1.08, 1.23,
    1.37, 1.35, 1.36, 1.35, 1.32, 1.36, 1.48, 1.34, 1.15, 1.11, 1.14, 1.01,
])  # fmt: skip

#: The latent field of log speed: one value per cell each step.
FIELD_STEP_SECONDS = 120
FIELD_TAU_MINUTES = 90.0
FIELD_SD = 0.28
#: Share of a cell's deviation that comes from its neighbours' at each step.
FIELD_MIXING = 0.03
#: A shock reaches the neighbours with this weight, against 1 for its own cell: cells that touch correlate by 0.6.
SHOCK_REACH = 0.35
INCIDENTS_PER_HOUR_AND_CELL = 1 / 60
INCIDENT_SEVERITY = (0.4, 1.1)
INCIDENT_TAU_MINUTES = 25.0
INCIDENT_SPREAD = 0.06
DAY_EFFECT_SD = 0.05
#: Smooth differences between places: depth of the daily rhythm (relative), its shift (hours), own speed (log).
AMPLITUDE_SD = 0.18
PEAK_SHIFT_HOURS_SD = 0.6
PLACE_SPEED_SD = 0.12
#: Outside the core (bridges, parkways, airports) the same rhythm runs this much faster, log speed.
OUTSIDE_LOG_SPEED = 0.35

#: ln of a trip's km is normal.
TRIP_LN_KM = (1.09, 0.89)
TRIP_MIN_KM = 0.35
#: Driven distance over the L1 distance of its ends: 1 + |normal|·sd; the median is 1.03.
DETOUR_SD = 0.045
#: Longer trips take the faster roads through the same places: speed grows with this power of the length.
LENGTH_EXPONENT = 0.25
LENGTH_REFERENCE_KM = 5.0
MAX_TRIP_SECONDS = 3 * 3600 - 60
MIN_TRIP_SECONDS = 61
MAX_VEHICLE_MPH = 75.0

#: A vehicle's own factor: CV, and correlation from one minute to the next. With the effect of its trip's
#: length, a ping varies around its place by a CV of 0.56 and correlates with the next minute's by 0.38.
PING_CV = 0.52
PING_MINUTE_CORRELATION = 0.25

#: At resolution 8 this many cells hold 95 % of Manhattan's pick-ups.
CELLS_AT_RESOLUTION_8 = 60
MANHATTAN = (40.7585, -73.976)
#: Length over width of the core along the avenues; for cities elsewhere a rounder one.
MANHATTAN_ASPECT = 3.9
OTHER_ASPECT = 1.5
DEMAND_LOG_SD = 0.7

#: Rows that cleaning must catch, as a share of all rows: the rates of 2016-01.
DIRTY_RATES = {
    "zero_coordinate": 0.0159,
    "out_of_bounds": 0.0006,
    "duration_not_positive": 0.0005,
    "duration_under_60_s": 0.0069,
    "duration_over_3_h": 0.0019,
    "distance_zero": 0.0054,
    "fare_negative": 0.0005,
    "passengers_zero": 0.0002,
}

MPH_PER_KMH = 1 / KM_PER_MILE

"""What a profile says, worked out by hand on a few windows."""

import pickle
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.city import City
from smartcity.columns import WINDOWS
from smartcity.errors import MissingDataError
from smartcity.profile import DAY_POSITIONS, Profile
from smartcity.profilefit import FREE_FLOW_SHRINK, _percentile, _without_noise, fit_profile

CITY = City()
MIDNIGHT = datetime(2016, 1, 5, 5, tzinfo=UTC)
UNTIL = MIDNIGHT + timedelta(days=10)
CELL, QUIET = "882a100d2dfffff", "882a100d25fffff"


def windows(*rows):
    """(cell, minutes after midnight, positions, mph) each."""
    return pa.Table.from_pylist(
        [
            {
                "cell_id": cell,
                "window_start_utc": MIDNIGHT + timedelta(minutes=minutes),
                "position_count": positions,
                "speed_sum": round(positions * mph * 100),
            }
            for cell, minutes, positions, mph in rows
        ],
        schema=pa.schema([WINDOWS.field(n) for n in ("cell_id", "window_start_utc", "position_count", "speed_sum")]),
    )


def test_free_flow_is_the_nights_85th_percentile():
    night = [(CELL, 10 * n, 10, 20 + n) for n in range(18)]
    day = [(CELL, 12 * 60, 50, 90.0)]
    profile = fit_profile([windows(*night, *day)], CITY, UNTIL)
    # The only cell is the city, so drawing it to the city changes nothing; equal counts tell of no noise.
    assert profile.free_flow_mph.tolist() == pytest.approx([np.percentile([20.0 + n for n in range(18)], 85)])


@pytest.mark.parametrize("positions", [3, 10, 40])
def test_the_noise_of_few_positions_does_not_move_free_flow(positions):
    random = np.random.default_rng(3)
    true = 20 * np.exp(random.normal(0, 0.25, 4000))
    count = random.integers(positions // 2 + 2, positions * 2, 4000)
    # The mean speed of the pings is right, not their mean log speed.
    seen = true * np.exp(random.normal(0, 0.5, 4000) / np.sqrt(count) - 0.125 / count)
    nobody = np.zeros(4000, dtype=np.int32)
    found = _without_noise(nobody, nobody, seen, count.astype(float), 1)
    assert np.percentile(found, 85) == pytest.approx(np.percentile(true, 85), rel=0.03)


def test_hours_with_few_vehicles_count_as_much_as_busy_ones():
    busy = [(CELL, 24 * 60 * day + 10 * n, 10, 20) for day in range(60) for n in range(6)]
    fast = [(CELL, 24 * 60 * day + 240 + 10 * n, 10, 40) for day in range(9) for n in range(6)]
    (mph,) = fit_profile([windows(*busy, *fast)], CITY, UNTIL + timedelta(days=90)).free_flow_mph
    assert mph == pytest.approx(40)


def test_a_place_where_speed_never_changes_keeps_it():
    cell = np.zeros(5, dtype=np.int32)
    found = _without_noise(cell, cell, np.full(5, 30.0), np.array([3.0, 4, 5, 100, 200]), 1)
    assert found.tolist() == pytest.approx([30.0] * 5)


def test_a_cell_with_a_short_night_is_drawn_to_the_city_and_one_without_takes_its_speed():
    many = [(CELL, 10 * n, 10, 30) for n in range(20)]
    few = [(QUIET, 0, 10, 10), ("882a100d21fffff", 12 * 60, 10, 5)]
    profile = fit_profile([windows(*many, *few)], CITY, UNTIL)
    mph = dict(zip(profile.cells, profile.free_flow_mph, strict=True))
    assert mph[CELL] == pytest.approx((20 * 30 + FREE_FLOW_SHRINK * 20) / (20 + FREE_FLOW_SHRINK))
    assert mph[QUIET] == pytest.approx((10 + FREE_FLOW_SHRINK * 20) / (1 + FREE_FLOW_SHRINK))
    assert mph["882a100d21fffff"] == pytest.approx(20)


def test_days_weigh_at_their_half_hour_and_half_hour_and_ten_minutes_are_one_speed():
    rows = windows((CELL, 60, 2, 10), (CELL, 62, 2, 30), (CELL, 24 * 60 + 95, 4, 20))
    profile = fit_profile([rows], CITY, UNTIL)
    assert [datetime.fromordinal(int(day)).day for day in profile.days] == [5, 6]
    told = {tuple(at): profile.weights[tuple(at)] for at in np.argwhere(profile.weights)}
    assert told == {(0, 2, 0): 4 / (4 + DAY_POSITIONS), (1, 3, 0): 4 / (4 + DAY_POSITIONS)}
    assert profile.ratio_mean[0] * profile.free_flow_mph[0] == pytest.approx(20)
    assert profile.ratio_std[0] == 0


def test_a_busy_day_counts_as_one_day_in_the_history():
    # Tuesdays, an hour past midnight: on one of them a hundred times as many positions, all of them slow.
    tuesdays = [(CELL, 24 * 60 * 7 * week + 60, 50, 30) for week in range(3)]
    busy = (CELL, 24 * 60 * 7 * 3 + 60, 5000, 15)
    until, asked = UNTIL + timedelta(days=60), date(2016, 3, 1)
    for rows, expected in ((tuesdays, 30), ([*tuesdays, busy], (3 * 30 + 15) / 4)):
        profile = fit_profile([windows(*rows)], CITY, until)
        assert profile.history(asked)[2, 0] * profile.free_flow_mph[0] == pytest.approx(expected, rel=0.02)


def test_what_comes_after_training_is_not_seen():
    early, late = (CELL, 60, 5, 20), (CELL, 12 * 24 * 60, 500, 90)
    whole, cut = (fit_profile([windows(*rows)], CITY, UNTIL) for rows in ((early, late), (early,)))
    assert whole.profile_id == cut.profile_id == Profile.from_bytes(whole.to_bytes()).profile_id
    with pytest.raises(MissingDataError):
        fit_profile([windows(late)], CITY, UNTIL)


def test_a_profile_cut_down_to_some_days_has_their_history_and_no_other():
    rows = [(CELL, 24 * 60 * day + 60 * hour, 5, 20 + day + hour) for day in range(9) for hour in range(24)]
    whole = fit_profile([windows(*rows)], CITY, UNTIL)
    day = datetime.fromordinal(int(whole.days[3])).date()
    after = date.fromordinal(int(whole.days[-1]) + 30)
    of_memory = pickle.loads(pickle.dumps(whole.for_days([day, after])))
    for cut in (of_memory, Profile.from_bytes(whole.to_bytes(), [day, after])):
        assert cut.weights.shape[0] == 1 and cut.profile_id == whole.profile_id
        for asked in (day, after):
            assert np.array_equal(cut.history(asked), whole.history(asked))
        with pytest.raises(ValueError, match="other days"):
            cut.history(day + timedelta(days=1))
        with pytest.raises(ValueError, match="saved"):
            cut.to_bytes()


def test_the_percentile_is_numpys_for_every_cell():
    random = np.random.default_rng(1)
    cell, values = random.integers(0, 7, 300).astype(np.int32), random.normal(size=300)
    cell[cell == 3] = 4
    found = _percentile(cell, values, 85, 7)
    assert np.isnan(found[3])
    for number in {0, 1, 2, 4, 5, 6}:
        assert found[number] == pytest.approx(np.percentile(values[cell == number], 85))


def test_a_weighted_percentile_is_that_of_values_repeated_so_often():
    values, cell = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 0, 0, 2], dtype=np.int32)
    found = _percentile(cell, values, 50, 3, np.array([1.0, 1.0, 2.0, 3.0]))
    # Middles at 0.5, 1.5 and 3: half way is 1.75, a sixth of the way from 2 to 4.
    assert found.tolist() == pytest.approx([2 + 2 / 6, np.nan, 8.0], nan_ok=True)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(6, 10)), seed=st.integers(0, 99))
def test_permuting_the_days_after_the_split_changes_nothing_that_training_learns(order, seed):
    random, until = np.random.default_rng(seed), MIDNIGHT + timedelta(days=6)

    def day(number, like):
        drawn = np.random.default_rng((seed, like)).uniform(5, 40, 48)
        return windows(*((CELL, number * 1440 + 30 * n, 5, mph) for n, mph in enumerate(drawn)))

    past = [day(number, number) for number in range(6)]
    in_order = fit_profile([*past, *(day(number, number) for number in range(6, 10))], CITY, until)
    mixed = fit_profile(
        [*past, *(day(number, like) for number, like in zip(range(6, 10), order, strict=True))], CITY, until
    )
    assert mixed.to_bytes() == in_order.to_bytes()
    moved = int(random.integers(6))
    other = [day(number, 50 if number == moved else number) for number in range(6)]
    assert fit_profile(other, CITY, until).to_bytes() != in_order.to_bytes()

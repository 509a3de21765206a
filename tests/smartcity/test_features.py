"""Features are functions of the past, the label of the target window, and live equals batch."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.features import FEATURE_NAMES, FEATURES, LOOKBACK_MINUTES, estimate, feature_table, features
from smartcity.levels import ESTIMATE_MINUTES, HISTORY_WEIGHT_POSITIONS, MIN_VEHICLES
from smartcity.live import LiveCity
from smartcity.profile import Profile
from smartcity.windows import COUNTS, WindowBlock


@pytest.fixture(scope="module")
def profile(small_dataset):
    return Profile.load(small_dataset)


@pytest.fixture(scope="module")
def day(small_dataset, profile):
    """All windows of the middle day."""
    return small_dataset.windows.read(date(2026, 3, 3), date(2026, 3, 3)).sort_by("window_start_utc")


def random_block(profile, length: int = 120) -> WindowBlock:
    random = np.random.default_rng(5)
    first = int(datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()) // profile.city.window_seconds
    block = WindowBlock.empty(first, length, profile.cells)
    block.position_count[:] = random.integers(0, 6, block.position_count.shape)
    block.vehicle_count[:] = block.position_count
    block.speed_sum[:] = block.position_count * random.integers(300, 2500, block.position_count.shape)
    block.vehicle_bits[:] = random.integers(0, 2**40, block.position_count.shape) * (block.position_count > 0)
    return block


def cut(block: WindowBlock, length: int) -> WindowBlock:
    return WindowBlock(block.first, block.cells, *(getattr(block, name)[:length] for name in COUNTS))


@settings(max_examples=25, deadline=None)
@given(last=st.integers(min_value=60, max_value=110))
def test_deleting_everything_after_a_window_changes_none_of_its_features(profile, last):
    whole = random_block(profile)
    before = features(estimate(whole, profile))
    after = features(estimate(cut(whole, last + 1), profile))
    for name in FEATURE_NAMES:
        np.testing.assert_array_equal(before[name][last], after[name][last], err_msg=name)


@settings(max_examples=25, deadline=None)
@given(last=st.integers(min_value=60, max_value=100), order=st.permutations(range(119)))
def test_permuting_everything_after_a_window_changes_none_of_its_features(profile, last, order):
    whole = random_block(profile)
    shuffled = [*range(last + 1), *(at for at in order if at > last), 119]
    assert sorted(shuffled) == list(range(120))
    mixed = WindowBlock(whole.first, whole.cells, *(getattr(whole, name)[shuffled] for name in COUNTS))
    before, after = (features(estimate(block, profile)) for block in (whole, mixed))
    for name in FEATURE_NAMES:
        np.testing.assert_array_equal(before[name][last], after[name][last], err_msg=name)


def test_the_check_above_catches_a_planted_leak(profile):
    whole = random_block(profile)
    state, shorter = estimate(whole, profile), estimate(cut(whole, 81), profile)
    leak = np.roll(state.ratio, -profile.city.horizon_steps, axis=0)[80]
    assert not np.array_equal(leak, np.roll(shorter.ratio, -profile.city.horizon_steps, axis=0)[80])


def test_the_label_is_the_level_of_the_window_sixteen_minutes_on(profile):
    block = random_block(profile)
    state = estimate(block, profile)
    table = feature_table(state, 0, block.length)
    row = table.filter(pa.compute.equal(table["cell_id"], block.cells[0])).slice(50, 1).to_pylist()[0]
    window = int(row["window_start_utc"].timestamp()) // profile.city.window_seconds - block.first
    assert row["label_ratio"] == state.ratio[window + 8, 0]
    assert row["label"] == state.level_index[window + 8, 0]


def test_rows_whose_target_lies_beyond_the_data_have_no_label(profile):
    block = random_block(profile)
    table = feature_table(estimate(block, profile), block.length - profile.city.horizon_steps, block.length)
    assert table["label"].null_count == table.num_rows > 0


def test_the_estimate_shrinks_ten_minutes_towards_history_by_eight_positions(profile):
    block = random_block(profile)
    state = estimate(block, profile)
    t, cell = 40, 1
    rows = slice(t - ESTIMATE_MINUTES // 2 + 1, t + 1)
    n = block.position_count[rows, cell].sum()
    r = block.speed_sum[rows, cell].sum() / 100 / n / profile.free_flow_mph[cell]
    expected = (n * r + HISTORY_WEIGHT_POSITIONS * state.history[t, cell]) / (n + HISTORY_WEIGHT_POSITIONS)
    assert state.ratio[t, cell] == pytest.approx(expected, abs=1e-12)


def test_fewer_than_three_vehicles_in_ten_minutes_are_unknown(profile):
    block = WindowBlock.empty(random_block(profile).first, 10, profile.cells)
    block.position_count[9, 0] = 50
    block.speed_sum[9, 0] = 50 * 1000
    for vehicles in (MIN_VEHICLES - 1, MIN_VEHICLES):
        block.vehicle_bits[9, 0] = 2**vehicles - 1
        assert bool(estimate(block, profile).known[9, 0]) is (vehicles >= MIN_VEHICLES)


def test_history_leaves_the_own_day_out_and_knows_no_day_after_the_split(profile):
    own = date.fromordinal(int(profile.days[0]))
    more = profile.weighted_ratios.copy()
    more[0] *= 3
    changed = replace(profile, weighted_ratios=more)
    np.testing.assert_allclose(profile.history(own), changed.history(own), rtol=1e-9)
    other = date.fromordinal(int(profile.days[1]))
    assert not np.allclose(profile.history(other), changed.history(other))
    assert max(profile.days) <= profile.train_until_utc.astimezone(profile.city.zone).date().toordinal()


def test_every_feature_of_every_row_is_a_finite_number(small_dataset):
    table = small_dataset.features.read()
    assert table.schema.names == FEATURES.names
    for name in FEATURE_NAMES:
        assert table[name].null_count == 0, name
        assert np.isfinite(table[name].to_numpy()).all(), name


class Recorder:
    """Stands where a model would and keeps the features it is given."""

    version = "recorder"

    def __init__(self, profile):
        self.profile = profile
        self.seen = np.empty((0, len(FEATURE_NAMES)))

    def probabilities(self, matrix):
        self.seen = matrix
        return np.full((len(matrix), 3), 1 / 3)

    def ratio_change(self, matrix):
        return np.zeros(len(matrix))


def live_features(profile, windows: pa.Table, pieces: int) -> dict[tuple[str, datetime], np.ndarray]:
    """What a live city computes when each window arrives in pieces."""
    recorder = Recorder(profile)
    live, found = LiveCity(profile.city, profile, recorder), {}
    starts = windows["window_start_utc"].to_numpy()
    for start in np.unique(starts):
        window = windows.filter(pa.array(starts == start))
        for piece in range(pieces):
            part = window.take(list(range(piece, window.num_rows, pieces)))
            scored = live.update(part)
            found |= {
                (item.cell_id, item.window_start_utc): recorder.seen[number] for number, item in enumerate(scored)
            }
    return found


@pytest.mark.parametrize("pieces", [1, 3])
def test_live_features_equal_the_batch_ones_row_by_row(small_dataset, profile, day, pieces):
    morning = datetime(2026, 3, 3, 9, tzinfo=UTC)
    noon = morning + timedelta(hours=3)
    warm_up = morning - timedelta(minutes=LOOKBACK_MINUTES + ESTIMATE_MINUTES)
    starts = day["window_start_utc"].to_numpy()
    replayed = day.filter(
        pa.array(
            (starts >= np.datetime64(warm_up.replace(tzinfo=None)))
            & (starts < np.datetime64(noon.replace(tzinfo=None)))
        )
    )
    found = live_features(profile, replayed, pieces)
    compared = 0
    for row in small_dataset.features.read(date(2026, 3, 3), date(2026, 3, 3)).to_pylist():
        if morning <= row["window_start_utc"] < noon:
            live = found[row["cell_id"], row["window_start_utc"].astimezone(UTC)]
            np.testing.assert_allclose(live, [row[name] for name in FEATURE_NAMES], rtol=0, atol=1e-9)
            compared += 1
    assert compared > 300
    assert {key for key in found if key[1] >= morning} == {
        (row["cell_id"], row["window_start_utc"].astimezone(UTC))
        for row in small_dataset.features.read(date(2026, 3, 3), date(2026, 3, 3)).to_pylist()
        if morning <= row["window_start_utc"] < noon
    }

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity.city import City
from smartcity.columns import TRUTH, UTC_TIMESTAMP
from smartcity.errors import ConflictError, MissingDataError, SettingsError
from smartcity.lake import Dataset

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def rows(*speeds: tuple[date, float]) -> pa.Table:
    noon = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day, _ in speeds]
    return pa.table(
        {
            "cell_id": ["a"] * len(speeds),
            "window_start_utc": pa.array(noon, UTC_TIMESTAMP),
            "true_speed_mph": [speed for _, speed in speeds],
            "true_free_flow_mph": [30.0] * len(speeds),
            "date": [day for day, _ in speeds],
        },
        schema=TRUTH,
    )


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path), "city", City())


def speeds(dataset, *span):
    return sorted(dataset.truth.read(*span)["true_speed_mph"].to_pylist())


def test_reads_back_what_was_written_by_day(dataset):
    dataset.truth.write(rows((MONDAY, 1.0), (TUESDAY, 2.0)))
    assert speeds(dataset) == [1.0, 2.0]
    assert speeds(dataset, TUESDAY, TUESDAY) == [2.0]
    assert dataset.truth.dates() == [MONDAY, TUESDAY]


def test_a_rerun_replaces_its_days_and_leaves_the_others(dataset):
    dataset.truth.write(rows((MONDAY, 1.0), (TUESDAY, 2.0)))
    dataset.truth.write(rows((TUESDAY, 3.0)))
    assert speeds(dataset) == [1.0, 3.0]


def test_a_run_replaces_all_of_its_days_but_the_files_it_keeps(dataset):
    def publish(speed, kept):
        run = dataset.truth.begin()
        with run.part(MONDAY) as writer:
            writer.write(rows((MONDAY, speed)))
        return dataset.truth.publish(run, [MONDAY], {"made": speed}, [writer.part], kept)

    publish(1.0, [])
    first = dataset.truth.files_by_day()[MONDAY]
    # Two runs that saw the same files: the later one takes the place of the earlier one, and nothing is there twice.
    assert publish(2.0, first) == publish(3.0, first) == 1
    assert speeds(dataset) == [1.0, 3.0]
    assert dataset.truth.rows_by_day() == {MONDAY: 2}
    assert dataset.truth.manifest().partitions[MONDAY.isoformat()].made_from == {"made": 3.0}
    publish(4.0, [])
    with pytest.raises(ConflictError, match="replaced by another run meanwhile"):
        publish(5.0, first)
    assert speeds(dataset) == [4.0]


def test_a_run_that_was_never_published_is_not_seen(dataset):
    dataset.truth.write(rows((MONDAY, 1.0)))
    with dataset.truth.begin().part(MONDAY) as writer:
        writer.write(rows((MONDAY, 9.0)))
    assert speeds(dataset) == [1.0]


def test_a_stray_day_is_refused_and_nothing_changes(dataset):
    dataset.truth.write(rows((MONDAY, 1.0)))
    run = dataset.truth.begin()
    for day in (MONDAY, TUESDAY):
        folder = f"{run.path}/date={day}"
        dataset.truth.filesystem.create_dir(folder, recursive=True)
        pa.parquet.write_table(rows((day, 5.0)).drop_columns("date"), f"{folder}/part-0.parquet")
    with pytest.raises(MissingDataError, match="2026-03-03"):
        dataset.truth.publish(run, [MONDAY])
    assert speeds(dataset) == [1.0]


def test_replaced_files_are_remembered_with_the_time_and_can_still_be_read(dataset):
    dataset.truth.write(rows((MONDAY, 1.0)))
    before = dataset.truth.files()
    dataset.truth.write(rows((MONDAY, 2.0)))
    retired = dataset.truth.manifest().retired
    assert [dataset.truth.uri(name) for name in retired] == before
    assert all(datetime.now(UTC) - since < timedelta(minutes=5) for since in retired.values())
    assert pa.parquet.read_metadata(before[0]).num_rows == 1


def test_missing_days_name_the_command_that_makes_them(dataset):
    with pytest.raises(MissingDataError, match="traffic ingest"):
        dataset.truth.require_files(MONDAY, None, "traffic ingest trips")


def test_a_data_set_keeps_the_city_it_was_made_with(dataset):
    dataset.create(City())
    dataset.create(City())
    with pytest.raises(SettingsError, match="window_minutes"):
        dataset.create(City(window_minutes=5))


def test_a_data_set_name_cannot_leave_the_lake(tmp_path):
    with pytest.raises(SettingsError, match="letters, digits"):
        Dataset(str(tmp_path), "../elsewhere", City())


def test_a_reader_sees_a_day_as_it_was_or_as_it_is_never_half_of_each(dataset):
    dataset.truth.write(rows(*[(MONDAY, 0.0)] * 50))

    def replace_often():
        for version in range(1, 30):
            dataset.truth.write(rows(*[(MONDAY, float(version))] * 50))

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(replace_often)
        seen = []
        while not writing.done():
            seen.append(speeds(dataset))
        writing.result()
    assert all(len(values) == 50 and len(set(values)) == 1 for values in seen)
    assert speeds(dataset) == [29.0] * 50

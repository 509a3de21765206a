import os
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity.archive import ARCHIVED, Archive, digest, yesterday
from smartcity.city import City
from smartcity.columns import POSITIONS
from smartcity.lake import Dataset

DAY = date(2024, 3, 4)
NOON = datetime(2024, 3, 4, 17, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def dataset(tmp_path):
    made = Dataset(str(tmp_path), "city", City())
    made.create(City())
    return made


def events(*offsets, day=DAY, at=NOON):
    rows = [
        {
            "vehicle_id": f"v{offset}",
            "timestamp_utc": at,
            "latitude": 40.72,
            "longitude": -73.99,
            "speed_mph": 10.0,
            "partition": 0,
            "offset": offset,
            "date": day,
        }
        for offset in offsets
    ]
    return pa.Table.from_pylist(rows, ARCHIVED.append(POSITIONS.field("date")))


def names(archive, day=DAY):
    return [info.base_name for info in archive.files().get(day, [])]


def publish(dataset, source, **more):
    row = {"vehicle_id": "v", "timestamp_utc": NOON, "cell_id": "882a100d65fffff", "date": DAY}
    dataset.positions.write(pa.Table.from_pylist([row], POSITIONS), {"source": source, **more})


def age(archive):
    for infos in archive.files().values():
        for info in infos:
            os.utime(info.path, (0, 0))


def test_a_batch_written_again_takes_the_place_of_itself(dataset):
    archive = Archive.of(dataset)
    archive.write(events(0, 1), {}, {0: 2})
    archive.write(events(1, 0), {}, {0: 2})
    assert len(names(archive)) == 1
    archive.write(events(2), {0: 2}, {0: 3})
    assert len(names(archive)) == 2


def test_a_topic_made_anew_does_not_write_over_the_events_of_the_one_before(dataset):
    archive = Archive.of(dataset)
    archive.write(events(0), {}, {0: 1})
    archive.write(events(0, at=NOON + timedelta(seconds=1)), {}, {0: 1})
    assert len(names(archive)) == 2


def test_events_lie_under_the_day_of_their_own_time(dataset):
    archive = Archive.of(dataset)
    other = DAY + timedelta(days=1)
    assert archive.write(pa.concat_tables([events(0), events(1, day=other)]), {}, {0: 2}) == 2
    assert sorted(archive.files()) == [DAY, other]


def test_what_a_killed_write_left_is_no_file_of_the_archive(dataset):
    archive = Archive.of(dataset)
    archive.write(events(0), {}, {0: 1})
    with open(f"{archive.path}/date={DAY}/.half.1234", "wb") as half:
        half.write(b"half")
    assert len(names(archive)) == 1


def test_days_wait_until_they_are_over_and_their_positions_are_made_from_all_of_their_files(dataset):
    archive = Archive.of(dataset)
    archive.write(events(0), {}, {0: 1})
    assert not archive.waiting(dataset, DAY - timedelta(days=1))
    assert list(archive.waiting(dataset, DAY)) == [DAY]
    publish(dataset, "stream", archive=digest(names(archive)))
    assert not archive.waiting(dataset, DAY)
    archive.write(events(1), {0: 1}, {0: 2})
    assert len(archive.waiting(dataset, DAY)[DAY]) == 2


@pytest.mark.parametrize("source", ["trips", "probes"])
def test_days_of_trips_and_of_feeds_stay_theirs(dataset, source):
    archive = Archive.of(dataset)
    archive.write(events(0), {}, {0: 1})
    publish(dataset, source)
    assert not archive.waiting(dataset, DAY)


def test_a_day_is_removed_only_when_it_is_old_and_its_positions_are_made_and_is_closed_then(dataset):
    archive = Archive.of(dataset)
    archive.write(events(0), {}, {0: 1})
    age(archive)
    assert archive.prune(dataset, WEEK) == []
    publish(dataset, "stream", archive=digest(names(archive)))
    assert archive.prune(dataset, WEEK) == [DAY]
    assert not archive.files()
    # A straggler must not take the place of the whole day.
    archive.write(events(5), {0: 5}, {0: 6})
    assert not archive.waiting(dataset, DAY)
    assert archive.prune(dataset, WEEK) == []


def test_yesterday_is_over_in_the_city():
    assert yesterday(City()) < datetime.now(UTC).astimezone(City().zone).date()

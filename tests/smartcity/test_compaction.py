import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smartcity import compaction, housekeeping
from smartcity.city import City
from smartcity.compaction import Compacted, compact, compact_table
from smartcity.errors import ConflictError
from smartcity.housekeeping import sweep
from smartcity.lake import Dataset
from tests import lakes
from tests.smartcity.test_lake import MONDAY, TUESDAY, rows


@pytest.fixture
def dataset(tmp_path):
    found = Dataset(str(tmp_path / "lake"), "city", City())
    found.create(City())
    # The newest day is left alone.
    found.truth.write(rows((date(2026, 3, 9), 9.0)))
    return found


def add(dataset, *values, made_from=None):
    """A file of Monday for each value, in one run."""
    run, parts = dataset.truth.begin(), []
    for value in values:
        with run.part(MONDAY) as writer:
            writer.write(rows((MONDAY, value)))
        parts.append(writer.part)
    dataset.truth.extend(run, parts, made_from)


def speeds(dataset):
    return dataset.truth.read(None, TUESDAY)["true_speed_mph"].to_pylist()


def test_small_files_become_one_with_the_same_rows_in_the_same_order(dataset):
    add(dataset, 3.0, 1.0, 2.0)
    dataset.truth.write(rows((TUESDAY, 4.0)))
    untouched = dataset.truth.files(TUESDAY, TUESDAY)
    assert compact(dataset) == Compacted(days=1, files_before=3, files_after=1)
    assert speeds(dataset) == [3.0, 1.0, 2.0, 4.0]
    assert len(dataset.truth.files(MONDAY, MONDAY)) == 1 and dataset.truth.files(TUESDAY, TUESDAY) == untouched
    assert compact(dataset) == Compacted()


def test_a_day_keeps_the_run_and_the_inputs_it_was_made_from(dataset):
    add(dataset, 1.0, 2.0, made_from={"trips/2026-03-02": "run"})
    before, versions = dataset.truth.manifest().partitions, dataset.truth.versions([MONDAY])
    compact(dataset)
    after = dataset.truth.manifest().partitions
    kept = {"run_id", "made_from", "rows"}
    assert after["2026-03-02"].model_dump(include=kept) == before["2026-03-02"].model_dump(include=kept)
    assert dataset.truth.versions([MONDAY]) == versions


def test_large_files_stay_and_keep_their_place_among_the_merged(dataset, monkeypatch):
    add(dataset, 1.0, 2.0)
    add(dataset, *[float(n) for n in range(100, 104)])
    run = dataset.truth.begin()
    with run.part(MONDAY) as writer:
        writer.write(pa.concat_tables([rows((MONDAY, float(n))) for n in range(3000)]))
    dataset.truth.extend(run, [writer.part])
    add(dataset, 7.0, 8.0)
    large = dataset.truth.manifest().partitions["2026-03-02"].files[6]
    size = Path(dataset.truth.path, large).stat().st_size
    monkeypatch.setattr(compaction, "LARGE", size)
    before = speeds(dataset)
    compact(dataset)
    files = dataset.truth.manifest().partitions["2026-03-02"].files
    assert large in files and 3 <= len(files) < 9 and speeds(dataset) == before
    compact(dataset)
    assert dataset.truth.manifest().partitions["2026-03-02"].files == files


def test_readers_of_the_manifest_before_find_their_files_until_the_grace_is_over(dataset, monkeypatch):
    add(dataset, 1.0, 2.0)
    old = [Path(uri) for uri in dataset.truth.files(MONDAY, MONDAY)]
    compact(dataset)
    assert sweep(dataset).files == 0 and all(path.exists() for path in old)
    monkeypatch.setattr(housekeeping, "READER_GRACE", timedelta(0))
    assert sweep(dataset).files == 2 and not any(path.exists() for path in old)
    assert speeds(dataset) == [1.0, 2.0]


def test_row_groups_grow_but_not_without_end(dataset, monkeypatch):
    monkeypatch.setattr(compaction, "GROUP_ROWS", 2)
    add(dataset, *map(float, range(5)))
    compact(dataset)
    (file,) = dataset.truth.files(MONDAY, MONDAY)
    assert [pq.ParquetFile(file).metadata.row_group(n).num_rows for n in range(3)] == [2, 2, 1]


def test_a_day_that_changed_meanwhile_is_left_to_the_next_time(dataset, monkeypatch):
    add(dataset, 1.0, 2.0)
    merged = compaction._merged

    def overtaken(*arguments):
        part = merged(*arguments)
        add(dataset, 3.0)
        return part

    with monkeypatch.context() as patched:
        patched.setattr(compaction, "_merged", overtaken)
        assert compact(dataset) == Compacted()
    assert speeds(dataset) == [1.0, 2.0, 3.0]
    assert compact(dataset).files_before == 3


def test_a_job_that_would_take_away_a_merged_file_publishes_nothing(dataset):
    add(dataset, 1.0, 2.0)
    run, dropped = dataset.truth.begin(), dataset.truth.files_by_day()[MONDAY][:1]
    compact(dataset)
    with run.part(MONDAY) as writer:
        writer.write(rows((MONDAY, 1.0)))
    with pytest.raises(ConflictError, match="Run it again"):
        dataset.truth.extend(run, [writer.part], dropped=dropped)
    assert speeds(dataset) == [1.0, 2.0]


def test_the_newest_day_keeps_its_files_apart(dataset):
    run, parts = dataset.truth.begin(), []
    for value in (1.0, 2.0):
        with run.part(date(2026, 3, 10)) as writer:
            writer.write(rows((date(2026, 3, 10), value)))
        parts.append(writer.part)
    dataset.truth.extend(run, parts)
    assert compact(dataset) == Compacted()
    dataset.truth.write(rows((date(2026, 3, 11), 1.0)))
    assert compact(dataset).files_before == 2


def test_files_of_another_schema_are_left_for_their_gate(dataset):
    add(dataset, 1.0)
    narrow = dataset.truth.schema.set(2, pa.field("true_speed_mph", pa.float32()))
    older = dataset.table("truth", narrow)
    run = older.begin()
    with run.part(MONDAY) as writer:
        writer.write(rows((MONDAY, 2.0)).cast(narrow))
    older.extend(run, [writer.part])
    assert compact_table(dataset.truth) == Compacted()


KILLED = """
import sys
from smartcity.city import City
from smartcity.compaction import compact
from smartcity.lake import Dataset
print("begin", flush=True)
compact(Dataset(sys.argv[1], "city", City()))
"""


def test_killed_at_any_moment_nothing_is_lost_and_readers_see_whole_days_all_along(dataset):
    for _ in range(5):
        add(dataset, *map(float, range(60)))
    expected, whole = speeds(dataset), lakes.meaning(dataset)
    environment = {**os.environ, "PYTHONPATH": str(Path(compaction.__file__).parents[1])}
    root = str(Path(dataset.path).parent)
    for moment in (0.02, 0.15):
        command = [sys.executable, "-c", KILLED, root]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            process.stdout.readline()
            end = time.monotonic() + moment
            while time.monotonic() < end:
                assert speeds(dataset) == expected
            process.send_signal(signal.SIGKILL)
        assert speeds(dataset) == expected
    compact(dataset)
    assert len(dataset.truth.files(MONDAY, MONDAY)) == 1
    sweep(dataset, at_once=True)
    assert speeds(dataset) == expected and lakes.meaning(dataset) == whole
    assert lakes.strays(dataset) == set()

import json
import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from smartcity import housekeeping
from smartcity.city import City
from smartcity.cli.housekeeping import command
from smartcity.housekeeping import Swept, sweep, sweep_checkpoints
from smartcity.lake import Dataset
from smartcity.settings import Settings
from tests.smartcity.test_lake import MONDAY, TUESDAY, rows

TWO_DAYS = timedelta(days=2).total_seconds()


@pytest.fixture
def dataset(tmp_path):
    found = Dataset(str(tmp_path / "lake"), "city", City())
    found.create(City())
    found.truth.write(rows((MONDAY, 1.0), (TUESDAY, 2.0)))
    return found


def write_unpublished(dataset, day: date) -> Path:
    """What a killed run leaves: a file of its own, and a manifest half swapped."""
    with dataset.truth.begin().part(day) as writer:
        writer.write(rows((day, 9.0)))
    Path(dataset.truth.path, "._manifest.json.0a1b2c3d").write_text("{")
    Path(dataset.path, ".city.json.0a1b2c3d").write_text("{")
    return Path(dataset.truth.path, writer.part.path)


def age(folder: str) -> None:
    """Make everything in a folder two days older."""
    for path in Path(folder).rglob("*"):
        old = path.stat().st_mtime - TWO_DAYS
        os.utime(path, (old, old))


def found_files(dataset) -> set[str]:
    return {str(path.relative_to(dataset.path)) for path in Path(dataset.path).rglob("*") if path.is_file()}


def test_what_a_run_at_work_writes_is_left_alone(dataset):
    file = write_unpublished(dataset, MONDAY)
    swept = sweep(dataset)
    assert (swept.files, swept.left_files) == (0, 3)
    assert file.exists() and swept.left_bytes > file.stat().st_size


def test_what_a_killed_run_left_is_removed_after_a_day(dataset):
    before = found_files(dataset)
    write_unpublished(dataset, MONDAY)
    age(dataset.path)
    assert sweep(dataset).files == 3
    assert found_files(dataset) == before
    assert dataset.truth.read().num_rows == 2
    assert sweep(dataset) == Swept()


def test_a_replaced_file_stays_until_its_readers_are_through_however_old_it_is(dataset, monkeypatch):
    replaced = [Path(uri) for uri in dataset.truth.files(MONDAY, MONDAY)]
    age(dataset.path)
    dataset.truth.write(rows((MONDAY, 3.0)))
    assert sweep(dataset).files == 0 and all(path.exists() for path in replaced)
    monkeypatch.setattr(housekeeping, "READER_GRACE", timedelta(0))
    assert sweep(dataset).files == 1 and not any(path.exists() for path in replaced)
    assert dataset.truth.manifest().retired == {}
    assert sorted(dataset.truth.read()["true_speed_mph"].to_pylist()) == [2.0, 3.0]


def test_empty_folders_of_old_runs_go_and_those_of_new_runs_stay(dataset):
    old = Path(dataset.truth.path, "run=20260101T000000-0a1b2c3d", "date=2026-03-02")
    new = Path(dataset.truth.begin().path, "date=2026-03-02")
    for folder in (old, new):
        folder.mkdir(parents=True)
    sweep(dataset)
    assert not old.parent.exists() and new.exists()


def test_the_command_tells_what_went_and_what_stays(dataset, monkeypatch):
    monkeypatch.setenv("TRAFFIC_LAKE", str(Path(dataset.path).parent))
    file = write_unpublished(dataset, MONDAY)
    said = CliRunner().invoke(command, []).output
    assert said.startswith("city: 0 files, 0.0 MB removed; 3 files") and "--now" in said and file.exists()
    figures = json.loads(CliRunner().invoke(command, ["city", "--now", "--json"]).output)
    assert figures["city"]["files"] == 3 and not file.exists()
    assert "no data set 'other'" in str(CliRunner().invoke(command, ["other"]).exception)


def test_the_command_merges_small_files_where_asked(dataset, monkeypatch):
    monkeypatch.setenv("TRAFFIC_LAKE", str(Path(dataset.path).parent))
    run = dataset.truth.begin()
    with run.part(MONDAY) as writer:
        writer.write(rows((MONDAY, 5.0)))
    dataset.truth.extend(run, [writer.part])
    assert "merged" not in CliRunner().invoke(command, []).output
    assert dataset.truth.dates()[-1] == TUESDAY
    said = CliRunner().invoke(command, ["--compact"]).output
    assert said.startswith("city: 2 small files of 1 days merged into 1; 0 files")
    figures = json.loads(CliRunner().invoke(command, ["--compact", "--json"]).output)
    assert figures["city"]["files_before"] == 0 and figures["old checkpoints"] == []


def test_checkpoints_of_data_sets_long_not_streamed_go_and_no_others(tmp_path):
    settings = Settings(home=tmp_path, dataset="city")
    for name in ("windows-city", "windows-old", "windows-young"):
        (settings.checkpoints / name / "offsets").mkdir(parents=True)
        (settings.checkpoints / name / "offsets" / "0").write_text("v1")
    for name in ("windows-city", "windows-old"):
        folder = settings.checkpoints / name
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (0, 0))
    assert sweep_checkpoints(settings) == ["windows-old"]
    assert sorted(path.name for path in settings.checkpoints.iterdir()) == ["windows-city", "windows-young"]

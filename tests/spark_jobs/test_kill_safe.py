"""A run that is killed between any two steps of publishing is made good by the next one."""

import argparse
from datetime import datetime

import pytest

from smartcity import lake
from smartcity.housekeeping import sweep
from smartcity.lake import Dataset
from smartcity.profile import FILE as PROFILE
from smartcity.profile import Profile
from spark_jobs import features
from spark_jobs.stages import SOURCES, run
from tests import lakes
from tests.trips import trip_rows, write

#: Each run is killed right after so many documents were replaced, which is after each of these:
KILLS = (1, 1, 2, 3, 1, 1, 1)
REPLACED = ["city", "quarantine", "trips", "city/ingested.json", "positions", "windows", "features"]


class Killed(BaseException):
    """Caught by nothing in the jobs, as a signal would be."""


@pytest.fixture
def files(tmp_path):
    days = (datetime(2016, 1, 5), datetime(2016, 1, 6))
    return [
        str(write(tmp_path / f"yellow_tripdata_2016-01_{day.day}.csv", *trip_rows(day, 24, 250, day.day)))
        for day in days
    ]


def make(spark, dataset, files, refit_profile=False):
    options = argparse.Namespace(
        files=files, zones=None, skip_bad_files=False, refit_profile=refit_profile, redo=False, start=None, end=None
    )
    run(spark, dataset, SOURCES["trips"](), options)


def killing_after(swaps, original, seen):
    def swap(filesystem, folder, name, content):
        nonlocal swaps
        original(filesystem, folder, name, content)
        swaps -= 1
        if not swaps:
            seen.append(f"{folder}/{name}")
            raise Killed

    return swap


def test_a_lake_whose_every_run_was_killed_equals_that_of_an_undisturbed_run(
    spark, small_city, tmp_path, files, monkeypatch
):
    undisturbed, killed = (Dataset(str(tmp_path / name), "city", small_city) for name in ("one", "other"))
    make(spark, undisturbed, files)
    seen: list[str] = []
    for swaps in KILLS:
        with monkeypatch.context() as patched:
            patched.setattr(lake, "_swap", killing_after(swaps, lake._swap, seen))
            with pytest.raises(Killed):
                make(spark, killed, files)
    assert len(seen) == len(REPLACED) and all(part in name for part, name in zip(REPLACED, seen, strict=True)), seen
    make(spark, killed, files)
    lakes.assert_equal(killed, undisturbed)
    assert lakes.strays(killed)
    sweep(killed, at_once=True)
    assert lakes.strays(killed) == set()
    lakes.assert_equal(killed, undisturbed)


def test_features_of_two_profiles_never_stay_side_by_side(spark, small_city, tmp_path, files, monkeypatch):
    dataset = Dataset(str(tmp_path / "lake"), "city", small_city)
    make(spark, dataset, files[:1])
    before = dataset.get_bytes(PROFILE)
    late = write(tmp_path / "yellow_tripdata_2016-01_20.csv", *trip_rows(datetime(2016, 1, 20), 24, 250, 20))
    fitted = features.current_profile

    def killed_when_fitted(*arguments):
        fitted(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(features, "current_profile", killed_when_fitted)
        with pytest.raises(Killed):
            make(spark, dataset, [str(late)], refit_profile=True)
    assert dataset.get_bytes(PROFILE) != before
    make(spark, dataset, [str(late)])
    profiles = {part.made_from["profile"] for part in dataset.features.manifest().partitions.values()}
    assert profiles == {Profile.load(dataset).profile_id}

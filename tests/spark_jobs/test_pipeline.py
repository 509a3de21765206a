from datetime import date

import pytest

from spark_jobs.job import Span
from spark_jobs.pipeline import KINDS, main
from spark_jobs.stages import SOURCES, touched


def test_the_days_to_process_span_all_inputs_and_the_days_at_their_edges():
    feed = {"first_date": "2026-03-02", "last_date": "2026-03-03"}
    trips = {"first_date": "2026-03-01", "last_date": "2026-03-02"}
    assert touched([feed, trips]) == Span(date(2026, 2, 28), date(2026, 3, 4))


def test_an_input_without_a_valid_row_leaves_nothing_to_process():
    assert touched([{"first_date": None, "last_date": None}]) is None


@pytest.mark.parametrize(
    ("source", "stages"),
    [
        ("trips", ["positions", "windows", "features"]),
        ("probes", ["windows", "features"]),
        ("stream", ["windows", "features"]),
        ("sensors", ["features"]),
        ("generated", ["positions", "windows", "features"]),
    ],
)
def test_each_source_enters_where_its_data_stand(source, stages):
    assert [name for name, _ in SOURCES[source]().stages] == stages


def test_every_kind_of_input_has_its_stages():
    assert list(KINDS) == list(SOURCES)


def test_an_unknown_source_names_those_there_are(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["horses"])
    assert stopped.value.code == 2
    assert "trips,probes,stream,sensors,generated" in capsys.readouterr().out

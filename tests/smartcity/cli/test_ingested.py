"""What ingest says at its end."""

from datetime import date

import pyarrow as pa
from rich.console import Console

from smartcity.city import City
from smartcity.cli.ingested import say
from smartcity.columns import WINDOWS
from smartcity.lake import Dataset

FIGURES = {
    "dataset": "city",
    "files": 2,
    "seconds": 20.0,
    "warnings": [],
    "skipped_files": [],
    "rows_read": 1_000,
    "rows_kept": 900,
    "rows_duplicate": 40,
    "rows_quarantined": 60,
    "quarantined_by_reason": {"distance 0": 60},
    "first_date": "2016-01-01",
    "last_date": "2016-01-02",
}
STAGES = [
    {"stage": "trips", "rows_read": 1_000, "seconds": 5.0},
    {"stage": "positions", "positions": 30_000, "seconds": 10.0},
    {"stage": "windows", "windows": 0, "seconds": 0.0},
]


def said(dataset: Dataset) -> str:
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        say(FIGURES, STAGES, dataset, console)
    return captured.get()


def line(text: str, start: str) -> list[str]:
    [found] = [row for row in text.splitlines() if start in row]
    return found.replace("│", " ").split()


def test_says_where_the_time_went_what_came_of_it_and_how_fast(tmp_path):
    text = said(Dataset(str(tmp_path), "city", City()))
    assert line(text, "reading and cleaning")[3:] == ["5.0", "25%", "1,000", "rows", "200/s"]
    assert line(text, "trips to positions")[3:] == ["10.0", "50%", "30,000", "positions", "3,000/s"]
    assert line(text, "Spark's start")[-2:] == ["5.0", "25%"]
    assert "positions to windows" not in text and "in the lake" not in text


def test_says_what_the_lake_holds(tmp_path):
    dataset = Dataset(str(tmp_path), "city", City())
    dataset.create(City())
    row = {field.name: None for field in WINDOWS} | {"cell_id": "a", "date": date(2016, 1, 1)}
    dataset.windows.write(pa.Table.from_pylist([row, row], WINDOWS))
    found = line(said(dataset), "windows ")
    assert found[:4] == ["windows", "1", "2", "1"] and found[-1] in ("bytes", "kB")

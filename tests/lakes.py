"""What a data set holds, in a form in which two of them can be compared whatever runs made them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from smartcity.lake import LOCK, MANIFEST, Dataset
from smartcity.ledger import Ledger

DOCUMENTS = {
    "city.json",
    "fitted.json",
    "ground.json",
    "held.json",
    "ingested.json",
    "outline.json",
    "profile.npz",
    "places.json",
}


def content(dataset: Dataset) -> dict[str, pa.Table]:
    """The rows of each table, sorted by all columns."""
    found = {}
    for table in dataset.tables:
        rows = table.read()
        found[table.name] = rows.sort_by([(name, "ascending") for name in rows.column_names])
    return found


def meaning(dataset: Dataset) -> dict[str, Any]:
    """What ledger and manifests say. A run's name is replaced by whether that day is still the one which it made."""
    runs = {
        f"{table.name}/{day}": partition.run_id
        for table in dataset.tables
        for day, partition in table.manifest().partitions.items()
    }

    def said(made_from: dict[str, Any]) -> dict[str, Any]:
        return {name: runs[name] == value if name in runs else value for name, value in made_from.items()}

    tables = {
        table.name: {
            day: (partition.rows, said(partition.made_from))
            for day, partition in sorted(table.manifest().partitions.items())
        }
        for table in dataset.tables
    }
    return {"ledger": Ledger.load(dataset).model_dump(), **tables}


def assert_equal(found: Dataset, expected: Dataset) -> None:
    """Both hold the same rows, and say the same of where they come from."""
    rows, wanted = content(found), content(expected)
    for name, table in wanted.items():
        assert rows[name].num_rows == table.num_rows, name
        assert rows[name].equals(table), name
    assert meaning(found) == meaning(expected)


def strays(dataset: Dataset) -> set[str]:
    """Files of the data set that no manifest names and that are no document of it."""
    infos = dataset.filesystem.get_file_info(fs.FileSelector(dataset.path, recursive=True))
    found = {info.path[len(dataset.path) + 1 :] for info in infos if info.type == fs.FileType.File}
    for table in dataset.tables:
        found -= {f"{table.name}/{name}" for name in table.manifest().named() | {MANIFEST, LOCK}}
    return {name for name in found if Path(name).parent != Path() or name not in DOCUMENTS}

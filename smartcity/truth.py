"""The truth of a generated city: brought into its data set, so that forecasts are scored against what really was."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow.dataset as pads

from smartcity import columns
from smartcity.errors import MissingDataError
from smartcity.generator.run import MANIFEST
from smartcity.lake import Dataset


def load(dataset: Dataset, folder: Path) -> int:
    """Replace the data set's truth, for the days that ``folder`` has, by its Parquet files. Returns: rows.

    Raises: MissingDataError where the folder holds none.
    """
    files = sorted(str(path) for path in folder.glob("*.parquet"))
    if not files:
        raise MissingDataError(f"{folder} holds no truth files; they are made by: ./traffic generate")
    rows = pads.dataset(files, format="parquet").to_table(columns=columns.TRUTH.names).cast(columns.TRUTH)
    dataset.truth.write(rows)
    return int(rows.num_rows)


def folder_beside(files: Iterable[str]) -> Path | None:
    """The truth that ``traffic generate`` left beside trips or probes which it made; None for other files."""
    for name in files:
        path = Path(name).absolute()
        for folder in (path, *path.parents[:2]):
            if (folder / MANIFEST).is_file() and (folder / "truth").is_dir():
                return folder / "truth"
    return None
